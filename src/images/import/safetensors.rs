//! `.safetensors` files of other programs: codes and labels as tensors.

use std::io::{BufReader, Read, Seek, SeekFrom, Take};
use std::path::Path;

use ::safetensors::Dtype;
use ::safetensors::tensor::{Metadata, TensorInfo};

use super::array::Array;
use super::checks::name_of;
use super::element::{Element, ElementKind};
use super::geometry::Geometry;
use super::input::read_error;
use super::labels::{self, Own};
use super::named::{self, Named};
use super::{ImportOptions, Imported, codes};
use crate::base::{Budget, Observer};
use crate::latent::LatentError;

/// Bytes before the header: its length.
const LENGTH: u64 = 8;
/// Most bytes of a header: what the format's own library reads.
const MAX_HEADER: u64 = 100_000_000;
/// Memory that a byte of the header takes while it is read.
const PARSED: u64 = 16;
/// How bitquilt's own files name themselves.
const OWN: &str = "bitquilt.";

/// Returns whether a file of `length` bytes that begins so is, or was, a safetensors file.
pub(super) fn begins_like_one(head: &[u8]) -> bool {
    let Some((length, text)) = head.split_first_chunk() else {
        return false;
    };
    u64::from_le_bytes(*length) <= MAX_HEADER
        && (text.starts_with(b"{\"") || text.starts_with(b"{}"))
}

pub(super) fn import(
    path: &Path,
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let mut file = Tensors::open(path, options.memory)?;
    let arrays = file.arrays();
    let mut notes = Vec::new();
    let name = named::codes(path, options, &arrays, &mut notes)?;
    let member = path.join(&name);
    let array = file.array(&name, &member)?;
    let geometry = Geometry::of(&array, &member, options)?;
    let mut reader = file.tensor(&name)?;
    let mut set = codes::read(
        &array,
        &geometry,
        &mut reader,
        &member,
        options.memory,
        observer,
    )?;
    notes.extend(geometry.note);
    let own = match named::labels(options, &arrays, &name, &mut notes) {
        Some(name) => {
            let member = path.join(&name);
            let array = file.array(&name, &member)?;
            let mut reader = file.tensor(&name)?;
            Own::Read(array.integers(&mut reader, &member, set.len())?)
        }
        None => Own::No,
    };
    if let Some(labels) = labels::choose(&options.labels, own, set.len(), &mut notes)? {
        set = set.with_labels(labels)?;
    }
    let words = geometry.words;
    set = set.with_source(format!("{} array {name}{words}", name_of(path)));
    Ok(Imported { set, notes })
}

/// An open file whose header agrees with its length.
struct Tensors {
    file: BufReader<fs_err::File>,
    header: Metadata,
    /// Where the tensors begin.
    start: u64,
}

impl Tensors {
    fn open(path: &Path, memory: Budget) -> Result<Self, LatentError> {
        let mut file = BufReader::new(fs_err::File::open(path)?);
        let length = file.get_ref().metadata()?.len();
        let wrong = |expected: &str, found: &dyn ToString| {
            LatentError::format(path, expected, found.to_string())
        };
        let whole = "a whole safetensors file: fetch it, or save it, again";
        let mut bytes = [0; LENGTH as usize];
        file.read_exact(&mut bytes)
            .map_err(|error| read_error(path, error))?;
        let header_bytes = u64::from_le_bytes(bytes);
        let start = header_bytes.saturating_add(LENGTH);
        if start > length || header_bytes > MAX_HEADER {
            let found = format!("{length} bytes, and a header of {header_bytes}");
            return Err(wrong(whole, &found));
        }
        let what = format!("{}: its header", path.display());
        memory.check(header_bytes.saturating_mul(PARSED), what)?;
        let mut text = vec![0; header_bytes as usize];
        file.read_exact(&mut text)
            .map_err(|error| read_error(path, error))?;
        let header: Metadata = serde_json::from_slice(&text)
            .map_err(|error| wrong("a header of a safetensors file", &error))?;
        let expected = start.saturating_add(header.data_len() as u64);
        if expected != length {
            let expected = format!("{whole}: {expected} bytes");
            return Err(wrong(&expected, &format!("{length} bytes")));
        }
        let format = header.metadata().as_ref().and_then(|all| all.get("format"));
        if let Some(format) = format.filter(|format| format.starts_with(OWN)) {
            return Err(wrong(
                "images or an array to import",
                &format!(
                    "a file that bitquilt wrote ({format}): latents are imported already, and every other verb \
                     reads them"
                ),
            ));
        }
        Ok(Self {
            file,
            header,
            start,
        })
    }

    /// Returns all tensors, sorted by name.
    fn arrays(&self) -> Vec<Named> {
        let mut names: Vec<_> = self.header.tensors().into_keys().collect();
        names.sort();
        names
            .into_iter()
            .map(|name| {
                let array = self.array(&name, Path::new(&name));
                (name, array)
            })
            .collect()
    }

    /// Returns a tensor that holds numbers; `member` is named in errors.
    fn array(&self, name: &str, member: &Path) -> Result<Array, LatentError> {
        let info = self.info(name, member)?;
        let Some(element) = element_of(info.dtype) else {
            return Err(LatentError::format(
                member,
                "a tensor of numbers (BOOL, I8 to I64, U8 to U64, F16, BF16, F32, F64)",
                format!("dtype {:?}", info.dtype),
            ));
        };
        Ok(Array {
            element,
            sides: info.shape.iter().map(|side| *side as u64).collect(),
            fortran: false,
        })
    }

    /// Returns the bytes of a tensor.
    fn tensor(&mut self, name: &str) -> Result<Take<&mut BufReader<fs_err::File>>, LatentError> {
        let (first, end) = self.info(name, Path::new(name))?.data_offsets;
        self.file.seek(SeekFrom::Start(self.start + first as u64))?;
        Ok((&mut self.file).take((end - first) as u64))
    }

    fn info(&self, name: &str, member: &Path) -> Result<&TensorInfo, LatentError> {
        let missing = || LatentError::format(member, "a tensor of this name", "none");
        self.header.info(name).ok_or_else(missing)
    }
}

fn element_of(dtype: Dtype) -> Option<Element> {
    let (kind, bytes) = match dtype {
        Dtype::BOOL => (ElementKind::Bool, 1),
        Dtype::U8 => (ElementKind::Unsigned, 1),
        Dtype::U16 => (ElementKind::Unsigned, 2),
        Dtype::U32 => (ElementKind::Unsigned, 4),
        Dtype::U64 => (ElementKind::Unsigned, 8),
        Dtype::I8 => (ElementKind::Signed, 1),
        Dtype::I16 => (ElementKind::Signed, 2),
        Dtype::I32 => (ElementKind::Signed, 4),
        Dtype::I64 => (ElementKind::Signed, 8),
        Dtype::F16 => (ElementKind::Float, 2),
        Dtype::BF16 => (ElementKind::BFloat, 2),
        Dtype::F32 => (ElementKind::Float, 4),
        Dtype::F64 => (ElementKind::Float, 8),
        _ => return None,
    };
    Some(Element::little(kind, bytes))
}
