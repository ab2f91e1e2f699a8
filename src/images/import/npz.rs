//! `.npz` archives.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use npyz::npz::{NpzArchive, file_name_from_array_name};
use npyz::zip::read::ZipFile;
use npyz::zip::{CompressionMethod, ZipArchive};

use super::checks::name_of;
use super::geometry::Geometry;
use super::input::{MAX_DEFLATE_RATIO, read_error};
use super::labels::{self, Own};
use super::named::{self, Named};
use super::npy::Header;
use super::{ImportOptions, Imported, codes};
use crate::base::Observer;
use crate::latent::LatentError;

type Archive = NpzArchive<BufReader<fs_err::File>>;

pub(super) fn import(
    path: &Path,
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let file = BufReader::new(fs_err::File::open(path)?);
    let mut archive = NpzArchive::new(file).map_err(|error| read_error(path, error))?;
    let mut names: Vec<String> = archive.array_names().map(str::to_owned).collect();
    names.sort();
    let mut arrays: Vec<Named> = Vec::new();
    for name in names {
        // An array of text or objects may lie beside the codes.
        let array = open(&mut archive, path, &name, |mut reader, path| {
            Ok(Header::read(&mut reader, path)?.array)
        });
        arrays.push((name, array));
    }

    let mut notes = Vec::new();
    let name = named::codes(path, options, &arrays, &mut notes)?;
    let (mut set, words) = open(&mut archive, path, &name, |mut reader, member| {
        let header = Header::read(&mut reader, member)?;
        check_length(&header, &reader, member)?;
        let geometry = Geometry::of(&header.array, member, options)?;
        let set = codes::read(
            &header.array,
            &geometry,
            &mut reader,
            member,
            options.memory,
            observer,
        )?;
        reader.end(member)?;
        notes.extend(geometry.note);
        Ok((set, geometry.words))
    })?;
    let own = match named::labels(options, &arrays, &name, &mut notes) {
        Some(name) => {
            let count = set.len();
            Own::Read(open(&mut archive, path, &name, |mut reader, member| {
                let header = Header::read(&mut reader, member)?;
                check_length(&header, &reader, member)?;
                let labels = header.array.integers(&mut reader, member, count)?;
                reader.end(member)?;
                Ok(labels)
            })?)
        }
        None => Own::No,
    };
    if let Some(labels) = labels::choose(&options.labels, own, set.len(), &mut notes)? {
        set = set.with_labels(labels)?;
    }
    set = set.with_source(format!("{} array {name}{words}", name_of(path)));
    Ok(Imported { set, notes })
}

/// One array of the archive as a stream.
struct Member<R> {
    reader: R,
    /// Bytes that the archive says it has.
    announced: u64,
    /// Bytes that it can have, by those of the archive.
    max: u64,
}

impl<R: Read> Read for Member<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl<R: Read> Member<R> {
    /// Refuses bytes after the array; reading up to the end also checks the checksum.
    fn end(&mut self, path: &Path) -> Result<(), LatentError> {
        match self.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => {
                let expected = "the end of the array, as its header says";
                Err(LatentError::format(
                    path,
                    expected,
                    "more bytes: it is damaged",
                ))
            }
            Err(error) => Err(read_error(path, error)),
        }
    }
}

/// Opens an array and hands it on, with the name that errors give it: `codes.npz/labels`.
fn open<T>(
    archive: &mut Archive,
    path: &Path,
    name: &str,
    read: impl FnOnce(Member<&mut dyn Read>, &Path) -> Result<T, LatentError>,
) -> Result<T, LatentError> {
    let member: PathBuf = path.join(name);
    let zip = archive.zip_archive();
    let whole = fs_err::metadata(path)?.len();
    let mut file = open_file(zip, name, &member)?;
    let announced = file.size();
    let packed = file.compressed_size().min(whole);
    let max = match file.compression() {
        CompressionMethod::Stored => packed,
        CompressionMethod::Deflated => packed.saturating_mul(MAX_DEFLATE_RATIO),
        // Packed by what numpy does not write, and without a bound: unpacked once to know.
        _ => unpacked(&mut file.by_ref().take(announced)),
    };
    drop(file);
    let mut reader = BufReader::with_capacity(1 << 16, open_file(zip, name, &member)?);
    let opened = Member {
        reader: &mut reader as &mut dyn Read,
        announced,
        max,
    };
    read(opened, &member)
}

/// Returns how many bytes there are before the end, or before what cannot be unpacked.
fn unpacked(reader: &mut impl Read) -> u64 {
    let mut buffer = [0; 1 << 12];
    let mut bytes = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(read) if read > 0 => bytes += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => return bytes,
        }
    }
}

fn open_file<'a>(
    zip: &'a mut ZipArchive<BufReader<fs_err::File>>,
    name: &str,
    member: &Path,
) -> Result<ZipFile<'a>, LatentError> {
    zip.by_name(&file_name_from_array_name(name))
        .map_err(|error| {
            LatentError::format(
                member,
                "an array that can be unpacked: save it again",
                error,
            )
        })
}

/// The archive and the array's own header must agree, and the archive must be able to hold the array, before anything is
/// allocated.
fn check_length<R>(header: &Header, reader: &Member<R>, member: &Path) -> Result<(), LatentError> {
    let announced = reader.announced;
    let found = match header.file_bytes() {
        Some(bytes) if bytes == announced && bytes <= reader.max => return Ok(()),
        Some(bytes) if bytes == announced => format!(
            "a part of an archive that can hold at most {}: it is damaged",
            reader.max
        ),
        _ => format!("{announced} bytes: it is damaged"),
    };
    let expected = match header.file_bytes() {
        Some(bytes) => format!("{bytes} bytes: {}", header.describe()),
        None => header.describe(),
    };
    Err(LatentError::format(member, expected, found))
}
