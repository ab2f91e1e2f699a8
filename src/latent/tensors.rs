//! A safetensors file as a whole: named tensors and text metadata, in memory.
//!
//! The `safetensors` crate reads and writes; this module adds what the project promises on top:
//! the same content gives the same bytes, a file is written whole or not at all, and an error
//! names the file.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::{Dtype, SafeTensors, View};

use super::LatentError;
use crate::base::{Budget, files};

/// One tensor: dtype, shape and little-endian bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tensor {
    /// Element type.
    pub(crate) dtype: Dtype,
    /// Sides, outermost first.
    pub(crate) shape: Vec<usize>,
    /// Elements, row-major, little endian.
    pub(crate) bytes: Vec<u8>,
}

impl Tensor {
    /// Makes a tensor of bytes.
    pub(crate) fn of_u8(shape: Vec<usize>, bytes: Vec<u8>) -> Self {
        Self {
            dtype: Dtype::U8,
            shape,
            bytes,
        }
    }

    /// Makes a one-dimensional tensor of signed integers.
    pub(crate) fn of_i64(values: &[i64]) -> Self {
        Self {
            dtype: Dtype::I64,
            shape: vec![values.len()],
            bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    /// Makes a one-dimensional tensor of unsigned integers.
    pub(crate) fn of_u64(values: &[u64]) -> Self {
        Self {
            dtype: Dtype::U64,
            shape: vec![values.len()],
            bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    /// Returns the elements of a one-dimensional I64 tensor; `None` for any other.
    pub(crate) fn to_i64(&self) -> Option<Vec<i64>> {
        (self.dtype == Dtype::I64 && self.shape.len() == 1).then(|| {
            let (words, _) = self.bytes.as_chunks::<8>();
            words.iter().map(|word| i64::from_le_bytes(*word)).collect()
        })
    }
}

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// The content of one safetensors file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TensorFile {
    /// Text metadata (`__metadata__` in the file).
    pub(crate) metadata: BTreeMap<String, String>,
    /// Tensors by name.
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

impl TensorFile {
    /// Reads a whole file, which takes twice its length in memory.
    ///
    /// # Errors
    /// [`LatentError::Memory`] when that is more than the budget,
    /// [`LatentError::Format`] when it is not safetensors, [`LatentError::Io`].
    pub(crate) fn read(path: &Path, memory: Budget) -> Result<Self, LatentError> {
        let what = "a safetensors file, as `bitquilt import` writes it";
        if !path.exists() {
            return Err(LatentError::format(path, what, "nothing of that name"));
        }
        let needed = fs_err::metadata(path)?.len().saturating_mul(2);
        memory.check(needed, format!("{}: the file", path.display()))?;
        let buffer = fs_err::read(path)?;
        let wrong = |error| {
            let found = format!("{} bytes that are not one ({error})", buffer.len());
            LatentError::format(path, what, found)
        };
        let (_, header) = SafeTensors::read_metadata(&buffer).map_err(wrong)?;
        let content = SafeTensors::deserialize(&buffer).map_err(wrong)?;
        Ok(Self {
            metadata: header
                .metadata()
                .clone()
                .unwrap_or_default()
                .into_iter()
                .collect(),
            tensors: content
                .iter()
                .map(|(name, view)| {
                    let tensor = Tensor {
                        dtype: view.dtype(),
                        shape: view.shape().to_vec(),
                        bytes: view.data().to_vec(),
                    };
                    (name.to_owned(), tensor)
                })
                .collect(),
        })
    }

    /// Writes the file, whole or not at all; the same content gives the same bytes.
    ///
    /// # Errors
    /// [`LatentError::Io`], and [`LatentError::Format`] when a tensor's bytes do not fill its shape.
    pub(crate) fn write(&self, path: &Path) -> Result<(), LatentError> {
        let metadata: HashMap<_, _> = self.metadata.clone().into_iter().collect();
        let wrong =
            |error: &dyn std::fmt::Display| LatentError::format(path, "consistent tensors", error);
        let mut bytes =
            safetensors::serialize(&self.tensors, Some(metadata)).map_err(|e| wrong(&e))?;
        sort_header(&mut bytes).map_err(|e| wrong(&e))?;
        files::write_whole(path, |out| Ok(out.write_all(&bytes)?))
    }
}

/// The crate writes metadata in the order of a randomly seeded `HashMap`. Sorting the header's keys
/// keeps its length (the same compact JSON in another order), so the tensors stay where they are.
fn sort_header(file: &mut [u8]) -> serde_json::Result<()> {
    let (length, rest) = file.split_at_mut(8);
    let length = length
        .iter()
        .rev()
        .fold(0, |n, byte| n << 8 | usize::from(*byte));
    let header = &mut rest[..length];
    let sorted: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header)?;
    let sorted = serde_json::to_vec(&sorted)?;
    header[..sorted.len()].copy_from_slice(&sorted);
    header[sorted.len()..].fill(b' ');
    Ok(())
}
