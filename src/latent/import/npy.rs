//! Numpy's `.npy` format: its header, and elements of any numeric type in either byte order.

use std::io::Read;
use std::path::Path;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

use super::input::{Input, read_error};
use super::labels::{self, Own};
use super::{ImportOptions, Imported, Layout, codes, name_of};
use crate::latent::LatentError;
use crate::progress::Observer;

/// Most bytes of a header's text: numpy's own limit.
const MOST_HEADER: usize = 10_000;

/// An array's header.
pub(super) struct Header {
    pub(super) element: Element,
    /// Sides, as numpy shows them.
    pub(super) sides: Vec<u64>,
    /// Whether the first axis is the fastest in the file, not the last.
    pub(super) fortran: bool,
    /// Bytes of the header itself.
    length: u64,
}

/// The type of an array's elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    kind: ElementKind,
    /// Bytes of one element.
    pub(super) bytes: usize,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ElementKind {
    Unsigned,
    Signed,
    Float,
}

pub(super) fn import(
    path: &Path,
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let mut input = Input::open(path)?;
    let header = Header::read(&mut input, path)?;
    input.expect_length(header.file_bytes(), &header.describe())?;
    let mut set = codes::read(&header, &mut input, path, options.layout, observer)?;
    input.end()?;
    set = set.with_source(name_of(path) + layout_words(options.layout));
    let mut notes = Vec::new();
    if let Some(labels) = labels::choose(&options.labels, Own::No, set.len(), &mut notes)? {
        set = set.with_labels(labels)?;
    }
    Ok(Imported { set, notes })
}

/// The labels of an `.npy` file, which should be `count`.
pub(super) fn read_labels(path: &Path, count: usize) -> Result<Vec<i64>, LatentError> {
    let mut input = Input::open(path)?;
    let header = Header::read(&mut input, path)?;
    input.expect_length(header.file_bytes(), &header.describe())?;
    let labels = header.integers(&mut input, path, count)?;
    input.end()?;
    Ok(labels)
}

/// What `--layout` adds to a set's source.
pub(super) fn layout_words(layout: Option<Layout>) -> &'static str {
    match layout {
        None => "",
        Some(Layout::Nhwc) => ", layout nhwc",
        Some(Layout::Nchw) => ", layout nchw",
    }
}

impl Header {
    /// Reads a header and leaves `reader` at the first element.
    pub(super) fn read(reader: &mut impl Read, path: &Path) -> Result<Self, LatentError> {
        let bytes = header_bytes(reader, path)?;
        let header = NpyHeader::from_reader(&bytes[..])
            .map_err(|error| LatentError::format(path, "a header of an .npy array", error))?;
        let element = match header.dtype() {
            DType::Plain(plain) => {
                let kind = match plain.type_char() {
                    TypeChar::Bool | TypeChar::Uint => Some(ElementKind::Unsigned),
                    TypeChar::Int => Some(ElementKind::Signed),
                    TypeChar::Float if plain.size_field() <= 8 => Some(ElementKind::Float),
                    _ => None,
                };
                kind.zip(plain.num_bytes()).map(|(kind, bytes)| Element {
                    kind,
                    bytes,
                    big_endian: plain.endianness() == Endianness::Big,
                })
            }
            _ => None,
        };
        let Some(element) = element else {
            return Err(LatentError::format(
                path,
                "an array of numbers (bool, integers, or floats of up to 64 bits): convert it \
                 with astype('uint8')",
                format!("dtype {}", header.dtype().descr()),
            ));
        };
        Ok(Self {
            element,
            sides: header.shape().to_vec(),
            fortran: header.order() == Order::Fortran,
            length: bytes.len() as u64,
        })
    }

    /// Header and elements in bytes; `None` where that overflows.
    pub(super) fn file_bytes(&self) -> Option<u64> {
        let elements = self
            .sides
            .iter()
            .try_fold(1u64, |product, side| product.checked_mul(*side));
        elements?
            .checked_mul(self.element.bytes as u64)?
            .checked_add(self.length)
    }

    /// Whether the elements are integers.
    pub(super) fn is_integer(&self) -> bool {
        self.element.kind != ElementKind::Float
    }

    /// "a header of 128 and [3, 28, 28] elements of 1 byte".
    pub(super) fn describe(&self) -> String {
        let bytes = self.element.bytes;
        format!(
            "a header of {} and {:?} elements of {bytes} bytes",
            self.length, self.sides
        )
    }

    /// The elements of an array of one axis, which should be `count` integers.
    pub(super) fn integers(
        &self,
        reader: &mut impl Read,
        path: &Path,
        count: usize,
    ) -> Result<Vec<i64>, LatentError> {
        if !self.is_integer() || self.sides.len() != 1 {
            return Err(LatentError::format(
                path,
                "labels: an array of integers with one axis",
                format!("{:?} {:?}", self.element.kind, self.sides),
            ));
        }
        if self.sides[0] != count as u64 {
            let found = format!("{} labels", self.sides[0]);
            return Err(labels::wrong_count(path, count, &found));
        }
        let mut labels = Vec::new();
        let mut bytes = [0; 8];
        for index in 0..count {
            let bytes = &mut bytes[..self.element.bytes];
            reader
                .read_exact(bytes)
                .map_err(|error| read_error(path, error))?;
            let label = self.element.integer(bytes);
            labels.push(i64::try_from(label).map_err(|_| {
                let found = format!("{label} at [{index}]");
                LatentError::format(path, "labels that fit a signed 64-bit integer", found)
            })?);
        }
        Ok(labels)
    }
}

/// The header as bytes. The parser recurses and multiplies unchecked, so text that would make it
/// overflow is refused before it sees it.
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
    if length > MOST_HEADER {
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
    let sides = text
        .split_once("'shape'")
        .and_then(|(_, rest)| rest.split_once('(')?.1.split_once(')'))
        .map(|(sides, _)| sides);
    let product = sides.and_then(|sides| {
        let mut sides = sides
            .split(',')
            .map(str::trim)
            .filter(|side| !side.is_empty());
        sides.try_fold(1u64, |product, side| {
            product.checked_mul(side.parse().ok()?)
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

impl Element {
    /// An integer element. `bytes` holds exactly one.
    fn integer(self, bytes: &[u8]) -> i128 {
        let mut word = [0; 16];
        for (at, byte) in bytes.iter().enumerate() {
            word[if self.big_endian {
                bytes.len() - 1 - at
            } else {
                at
            }] = *byte;
        }
        let value = i128::from_le_bytes(word);
        let bits = 8 * bytes.len();
        let negative = self.kind == ElementKind::Signed && value >> (bits - 1) & 1 == 1;
        if negative { value - (1 << bits) } else { value }
    }

    /// Any element. Exact for 0, 1 and −1; near enough to be shown for the rest.
    pub(super) fn value(self, bytes: &[u8]) -> f64 {
        let value = self.integer(bytes);
        match (self.kind, self.bytes) {
            (ElementKind::Float, 2) => npyz::half::f16::from_bits(value as u16).to_f64(),
            (ElementKind::Float, 4) => f32::from_bits(value as u32).into(),
            (ElementKind::Float, _) => f64::from_bits(value as u64),
            _ => value as f64,
        }
    }
}
