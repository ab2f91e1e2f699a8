//! The latent set: N packed latents of one shape, with optional labels.

use std::fmt;
use std::str::FromStr;

use bitvec::order::Lsb0;
use bitvec::slice::BitSlice;
use bitvec::view::BitView;
use serde::{Deserialize, Serialize};

use super::{Ids, LatentError, MAX_BITS, Shape};

/// The bits of one latent: bit `i` at byte `i/8`, bit position `i%8`, as numpy's
/// `packbits(bitorder="little")` lays them.
pub type Bits = BitSlice<u8, Lsb0>;

/// How the bits of a latent become an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum Codec {
    /// Each bit is a pixel of an image that was thresholded: 1 channel is black and white, 3 are
    /// red, green and blue.
    Threshold,
    /// Each value of an image is some bits, each by a threshold of its own: K of them a colour, colour by colour. So many are 1
    /// as thresholds are reached.
    Thermometer {
        /// K, at least 2.
        thresholds: usize,
    },
    /// Codes of an unknown encoder: nothing here can show them as the image they stand for.
    Codes,
    /// Anything else, kept word for word: a file of a newer version, or of another program.
    Other(String),
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threshold => f.pad("threshold"),
            Self::Thermometer { thresholds } => f.pad(&format!("thermometer:{thresholds}")),
            Self::Codes => f.pad("codes"),
            Self::Other(text) => f.pad(text),
        }
    }
}

impl From<&str> for Codec {
    fn from(text: &str) -> Self {
        match text {
            "threshold" => Self::Threshold,
            "codes" => Self::Codes,
            other => match other.strip_prefix("thermometer:").map(str::parse) {
                Some(Ok(thresholds @ 2..=MAX_BITS)) => Self::Thermometer { thresholds },
                _ => Self::Other(other.to_owned()),
            },
        }
    }
}

impl From<String> for Codec {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Codec> for String {
    fn from(codec: Codec) -> Self {
        codec.to_string()
    }
}

impl FromStr for Codec {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text))
    }
}

/// N latents of one shape, with ids 0..N and optional integer labels.
///
/// ```
/// # use bitquilt::{LatentSet, Shape};
/// let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// set.push_bits([1, 0, 1, 1, 0, 0].map(|bit| bit == 1))?;
/// set.push_bits([1, 1, 1, 0, 1, 0].map(|bit| bit == 1))?;
/// assert_eq!(set.len(), 2);
/// assert!(set.latent(1)[2]);
/// # Ok::<(), bitquilt::LatentError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatentSet {
    shape: Shape,
    /// N rows of `shape.packed_bytes()` bytes; padding bits are 0, so equal latents are equal bytes.
    packed: Vec<u8>,
    labels: Option<Vec<i64>>,
    /// One for each level.
    codecs: Vec<Codec>,
    source: String,
}

impl LatentSet {
    /// Makes an empty set of codes.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            packed: Vec::new(),
            labels: None,
            codecs: vec![Codec::Codes; shape.levels().len()],
            source: String::new(),
        }
    }

    /// Makes a set of packed rows (N × `shape.packed_bytes()` bytes). Padding bits must be 0.
    ///
    /// # Errors
    /// [`LatentError::Length`] when the bytes are no whole number of rows, or a padding bit is 1.
    pub fn from_packed(shape: Shape, packed: Vec<u8>) -> Result<Self, LatentError> {
        let row = shape.packed_bytes();
        // The bits of the last byte that lie past the latent.
        let padding = !0u8 << ((8 - (row * 8 - shape.bits())) % 8);
        let padded = !shape.bits().is_multiple_of(8);
        let clean = packed.len().is_multiple_of(row)
            && !(padded && packed.chunks_exact(row).any(|r| r[row - 1] & padding != 0));
        if !clean {
            return Err(LatentError::Length {
                expected: shape.bits(),
                found: packed.len() * 8,
            });
        }
        Ok(Self {
            packed,
            ..Self::new(shape)
        })
    }

    /// Returns the same set with the codec that its bits are shown by; of a pyramid, those of the finest level.
    pub fn with_codec(mut self, codec: Codec) -> Self {
        if let Some(last) = self.codecs.last_mut() {
            *last = codec;
        }
        self
    }

    /// Returns the same set with the codec of each level, coarse to fine; levels that none is given for keep theirs.
    pub fn with_codecs(mut self, codecs: Vec<Codec>) -> Self {
        for (own, codec) in self.codecs.iter_mut().zip(codecs) {
            *own = codec;
        }
        self
    }

    /// Returns the same set with a word on where it came from.
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// Returns the same set with one label for each latent.
    ///
    /// # Errors
    /// [`LatentError::Labels`] when there is not exactly one label for each latent.
    pub fn with_labels(mut self, labels: Vec<i64>) -> Result<Self, LatentError> {
        if labels.len() != self.len() {
            return Err(LatentError::Labels {
                latents: self.len(),
                labels: labels.len(),
            });
        }
        self.labels = Some(labels);
        Ok(self)
    }

    /// Returns its first `count` latents, all where it has no more.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        self.packed
            .truncate(count.saturating_mul(self.shape.packed_bytes()));
        if let Some(labels) = &mut self.labels {
            labels.truncate(count);
        }
        self
    }

    /// Returns the latents of some ids, in order of ids; those that there are not are passed over.
    #[must_use]
    pub fn only(&self, ids: &Ids) -> Self {
        let held = || ids.iter().take_while(|id| *id < self.len() as u64);
        let rows = held().map(|id| self.packed_latent(id as usize));
        let labels = self.labels.as_ref();
        Self {
            shape: self.shape,
            packed: rows.flatten().copied().collect(),
            labels: labels.map(|labels| held().map(|id| labels[id as usize]).collect()),
            codecs: self.codecs.clone(),
            source: self.source.clone(),
        }
    }

    /// Appends another set's latents; their ids go on from this one's. Labels are kept where both have
    /// them, the codec where they agree on it.
    ///
    /// # Errors
    /// [`LatentError::Shapes`] when the shapes differ.
    pub fn append(&mut self, other: &Self) -> Result<(), LatentError> {
        if self.shape != other.shape {
            return Err(LatentError::Shapes {
                expected: self.shape.into(),
                found: other.shape.into(),
            });
        }
        self.packed.extend_from_slice(&other.packed);
        self.labels = match (self.labels.take(), &other.labels) {
            (Some(mut labels), Some(more)) => {
                labels.extend(more);
                Some(labels)
            }
            _ => None,
        };
        for (own, other) in self.codecs.iter_mut().zip(&other.codecs) {
            if own != other {
                *own = Codec::Codes;
            }
        }
        Ok(())
    }

    /// Appends one latent, bits in position order.
    ///
    /// # Errors
    /// [`LatentError::Length`] when the number of bits is not that of the shape.
    pub fn push_bits(&mut self, bits: impl IntoIterator<Item = bool>) -> Result<(), LatentError> {
        let start = self.packed.len();
        self.packed.resize(start + self.shape.packed_bytes(), 0);
        let row = self.packed[start..].view_bits_mut::<Lsb0>();
        let mut found = 0;
        for bit in bits {
            if found < self.shape.bits() {
                row.set(found, bit);
            }
            found += 1;
        }
        if found != self.shape.bits() {
            self.packed.truncate(start);
            return Err(LatentError::Length {
                expected: self.shape.bits(),
                found,
            });
        }
        Ok(())
    }

    /// Returns the shape of every latent.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns N, the number of latents.
    pub fn len(&self) -> usize {
        self.packed.len() / self.shape.packed_bytes()
    }

    /// Returns whether the set holds no latent.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// Returns the bits of latent `id`. Panics when `id ≥ len()`, as slice indexing does.
    pub fn latent(&self, id: usize) -> &Bits {
        &self.packed_latent(id).view_bits::<Lsb0>()[..self.shape.bits()]
    }

    /// Returns the packed bytes of latent `id`. Panics when `id ≥ len()`, as slice indexing does.
    pub fn packed_latent(&self, id: usize) -> &[u8] {
        let row = self.shape.packed_bytes();
        &self.packed[id * row..(id + 1) * row]
    }

    /// Returns all packed rows, N × `shape.packed_bytes()` bytes.
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// Returns one label for each latent, where the source had them.
    pub fn labels(&self) -> Option<&[i64]> {
        self.labels.as_deref()
    }

    /// Returns how the bits of the finest level become an image.
    pub fn codec(&self) -> &Codec {
        // There is one for each level, and a shape has at least one.
        &self.codecs[self.codecs.len() - 1]
    }

    /// Returns how the bits of each level become an image, coarse to fine.
    pub fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// Returns where the set came from, in words.
    pub fn source(&self) -> &str {
        &self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_rows_with_a_padding_bit_set_are_refused() {
        let shape = Shape::new(1, 6, 1).unwrap();
        assert!(LatentSet::from_packed(shape, vec![0b0011_1111]).is_ok());
        assert!(LatentSet::from_packed(shape, vec![0b0100_0000]).is_err());
        let whole = Shape::new(1, 8, 1).unwrap();
        assert!(LatentSet::from_packed(whole, vec![0xff]).is_ok());
    }

    #[test]
    fn a_latent_of_another_length_is_refused_and_leaves_no_trace() {
        let mut set = LatentSet::new(Shape::new(1, 6, 1).unwrap());
        assert!(set.push_bits([true; 5]).is_err());
        assert!(set.push_bits([true; 7]).is_err());
        assert!(set.is_empty());
    }
}
