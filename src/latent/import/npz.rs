//! `.npz` archives: which array holds the codes, and which the labels.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use npyz::npz::{NpzArchive, file_name_from_array_name};
use npyz::zip::read::ZipFile;
use npyz::zip::{CompressionMethod, ZipArchive};

use super::input::{MOST_DEFLATE_RATIO, read_error};
use super::labels::{self, Own};
use super::npy::{self, Header};
use super::{ImportOptions, Imported, Labels, codes, name_of};
use crate::latent::LatentError;
use crate::progress::Observer;

/// Names that say what an array is, best first.
const CODES: [&str; 3] = ["codes", "bits", "latents"];
const LABELS: [&str; 3] = ["labels", "label", "y"];

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
    let mut arrays = Vec::new();
    for name in names {
        // An array of text or objects may lie beside the codes.
        let header = open(&mut archive, path, &name, |mut reader, path| {
            Header::read(&mut reader, path)
        });
        arrays.push((name, header));
    }

    let mut notes = Vec::new();
    let name = choose(path, options.array.as_deref(), &arrays, &mut notes)?;
    let mut set = open(&mut archive, path, &name, |mut reader, member| {
        let header = Header::read(&mut reader, member)?;
        check_length(&header, &reader, member)?;
        let set = codes::read(&header, &mut reader, member, options.layout, observer)?;
        reader.end(member)?;
        Ok(set)
    })?;

    let labels_name = LABELS.iter().find(|wanted| {
        arrays.iter().any(|(found, header)| {
            let one_axis = |h: &Header| h.sides.len() == 1 && h.is_integer();
            found == *wanted && *found != name && header.as_ref().is_ok_and(one_axis)
        })
    });
    let own = match labels_name {
        Some(name) if options.labels == Labels::Auto => {
            notes.push(format!(
                "labels from the array '{name}' (--no-labels to leave them)"
            ));
            let count = set.len();
            Own::Read(open(&mut archive, path, name, |mut reader, member| {
                let header = Header::read(&mut reader, member)?;
                check_length(&header, &reader, member)?;
                let labels = header.integers(&mut reader, member, count)?;
                reader.end(member)?;
                Ok(labels)
            })?)
        }
        _ => Own::No,
    };
    if let Some(labels) = labels::choose(&options.labels, own, set.len(), &mut notes)? {
        set = set.with_labels(labels)?;
    }
    let layout = npy::layout_words(options.layout);
    set = set.with_source(format!("{} array {name}{layout}", name_of(path)));
    Ok(Imported { set, notes })
}

/// The array that the user names; else the only one with 3 or 4 axes; else a telling name.
fn choose(
    path: &Path,
    wanted: Option<&str>,
    arrays: &[(String, Result<Header, LatentError>)],
    notes: &mut Vec<String>,
) -> Result<String, LatentError> {
    let list = || {
        let shown = arrays.iter().map(|(name, header)| match header {
            Ok(header) => format!("{name} {:?}", header.sides),
            Err(_) => format!("{name} (not numbers)"),
        });
        let shown: Vec<_> = shown.collect();
        if shown.is_empty() {
            "no arrays".to_owned()
        } else {
            shown.join(", ")
        }
    };
    if let Some(wanted) = wanted {
        return match arrays.iter().find(|(name, _)| name == wanted) {
            Some((name, _)) => Ok(name.clone()),
            None => Err(LatentError::format(
                path,
                format!("an array '{wanted}'"),
                list(),
            )),
        };
    }
    let grids: Vec<&String> = arrays
        .iter()
        .filter(|(_, header)| {
            header
                .as_ref()
                .is_ok_and(|header| (3..=4).contains(&header.sides.len()))
        })
        .map(|(name, _)| name)
        .collect();
    let telling = CODES
        .iter()
        .find_map(|code| grids.iter().find(|name| *name == code));
    match (&grids[..], telling) {
        ([only], _) => Ok((*only).clone()),
        (_, Some(name)) => {
            notes.push(format!(
                "codes from the array '{name}' (--array NAME for another)"
            ));
            Ok((*name).clone())
        }
        ([], None) => {
            let expected = "an array of codes with 3 or 4 axes";
            Err(LatentError::format(path, expected, list()))
        }
        _ => {
            let expected = "one array with 3 or 4 axes, or --array NAME to say which one";
            Err(LatentError::format(path, expected, list()))
        }
    }
}

/// One array of the archive as a stream.
struct Member<R> {
    reader: R,
    /// Bytes that the archive says it has.
    announced: u64,
    /// Bytes that it can have, by those of the archive.
    most: u64,
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
    let most = match file.compression() {
        CompressionMethod::Stored => packed,
        CompressionMethod::Deflated => packed.saturating_mul(MOST_DEFLATE_RATIO),
        // Packed by what numpy does not write, and without a bound: unpacked once to know.
        _ => unpacked(&mut file.by_ref().take(announced)),
    };
    drop(file);
    let mut reader = BufReader::with_capacity(1 << 16, open_file(zip, name, &member)?);
    let opened = Member {
        reader: &mut reader as &mut dyn Read,
        announced,
        most,
    };
    read(opened, &member)
}

/// How many bytes there are before the end, or before what cannot be unpacked.
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
        Some(bytes) if bytes == announced && bytes <= reader.most => return Ok(()),
        Some(bytes) if bytes == announced => format!(
            "a part of an archive that can hold at most {}: it is damaged",
            reader.most
        ),
        _ => format!("{announced} bytes: it is damaged"),
    };
    let expected = match header.file_bytes() {
        Some(bytes) => format!("{bytes} bytes: {}", header.describe()),
        None => header.describe(),
    };
    Err(LatentError::format(member, expected, found))
}
