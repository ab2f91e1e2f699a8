//! Numpy's `.npy` format: its header.

use std::io::Read;
use std::path::Path;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

use super::array::Array;
use super::element::{Element, ElementKind};
use super::input::{Input, read_error};
use crate::latent::LatentError;

/// Most bytes of a header's text: numpy's own limit.
const MAX_HEADER: usize = 10_000;

/// An array's header.
pub(super) struct Header {
    pub(super) array: Array,
    /// Bytes of the header itself.
    length: u64,
}

/// Reads the labels of an `.npy` file, which should be `count`.
pub(super) fn read_labels(path: &Path, count: usize) -> Result<Vec<i64>, LatentError> {
    let mut input = Input::open(path)?;
    let header = Header::read(&mut input, path)?;
    input.expect_length(header.file_bytes(), &header.describe())?;
    let labels = header.array.integers(&mut input, path, count)?;
    input.end()?;
    Ok(labels)
}

impl Header {
    /// Reads a header and leaves `reader` at the first element.
    pub(super) fn read(reader: &mut impl Read, path: &Path) -> Result<Self, LatentError> {
        let bytes = header_bytes(reader, path)?;
        let header = NpyHeader::from_reader(&bytes[..])
            .map_err(|error| LatentError::format(path, "a header of an .npy array", error))?;
        let Some(element) = element_of(&header.dtype()) else {
            return Err(LatentError::format(
                path,
                "an array of numbers (bool, integers, bfloat16, or floats of up to 64 bits): convert it \
                 with astype('uint8')",
                format!("dtype {}", header.dtype().descr()),
            ));
        };
        Ok(Self {
            array: Array {
                element,
                sides: header.shape().to_vec(),
                fortran: header.order() == Order::Fortran,
            },
            length: bytes.len() as u64,
        })
    }

    /// Returns the length of header and elements in bytes; `None` where that overflows.
    pub(super) fn file_bytes(&self) -> Option<u64> {
        self.array.bytes()?.checked_add(self.length)
    }

    /// Returns "a header of 128 and [3, 28, 28] elements of 1 byte".
    pub(super) fn describe(&self) -> String {
        format!(
            "a header of {} and {:?} elements of {} bytes",
            self.length, self.array.sides, self.array.element.bytes
        )
    }
}

/// Returns the type of the elements, where this program reads it. A bfloat16 of ml_dtypes is saved as two bytes of no
/// type: `V2`.
fn element_of(dtype: &DType) -> Option<Element> {
    let DType::Plain(plain) = dtype else {
        return None;
    };
    let kind = match plain.type_char() {
        TypeChar::Bool => ElementKind::Bool,
        TypeChar::Uint => ElementKind::Unsigned,
        TypeChar::Int => ElementKind::Signed,
        TypeChar::Float if plain.size_field() <= 8 => ElementKind::Float,
        TypeChar::RawData if plain.size_field() == 2 => ElementKind::BFloat,
        _ => return None,
    };
    Some(Element {
        kind,
        bytes: plain.num_bytes()?,
        big_endian: plain.endianness() == Endianness::Big,
    })
}

/// Reads the header as bytes. The parser recurses and multiplies unchecked, so text that would make it overflow is
/// refused before it sees it.
fn header_bytes(reader: &mut impl Read, path: &Path) -> Result<Vec<u8>, LatentError> {
    let wrong = |found: &str| LatentError::format(path, "a header of an .npy array", found);
    let mut bytes = vec![0; 8];
    reader
        .read_exact(&mut bytes)
        .map_err(|error| read_error(path, error))?;
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(wrong("another beginning than \\x93NUMPY"));
    }
    let width = if bytes[6] == 1 { 2 } else { 4 };
    let mut size = [0; 4];
    reader
        .read_exact(&mut size[..width])
        .map_err(|error| read_error(path, error))?;
    let length = u32::from_le_bytes(size) as usize;
    if length > MAX_HEADER {
        return Err(wrong(&format!(
            "one of {length} bytes: a structured array, or damage"
        )));
    }
    bytes.extend(&size[..width]);
    let start = bytes.len();
    bytes.resize(start + length, 0);
    reader
        .read_exact(&mut bytes[start..])
        .map_err(|error| read_error(path, error))?;

    let text = String::from_utf8_lossy(&bytes[start..]);
    let mut depth = 0usize;
    for letter in text.chars() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 4 {
            return Err(wrong(
                "one nested too deeply: a structured array, or damage",
            ));
        }
    }
    let sides = Some(&text)
        // The parser takes the last one.
        .filter(|text| text.matches("shape").count() == 1)
        .and_then(|text| text.split_once("'shape'"))
        .and_then(|(_, rest)| rest.split_once('(')?.1.split_once(')'))
        .map(|(sides, _)| sides);
    let product = sides.and_then(|sides| {
        let mut sides = sides
            .split(',')
            .map(str::trim)
            .filter(|side| !side.is_empty());
        // Not only all of them: the parser multiplies the last ones first, and a side of 0 hides the others.
        sides.try_fold(1u64, |product, side| {
            product.checked_mul(side.parse::<u64>().ok()?.max(1))
        })
    });
    if product.is_none() {
        let sides = sides.unwrap_or("(none)");
        return Err(wrong(&format!(
            "the shape ({sides}), which no array can have"
        )));
    }
    Ok(bytes)
}
