//! The latents file: safetensors, so that a Python user opens it with libraries she already has.
//! Its byte-level page is `schemas/latents.md`.

use std::path::Path;

use safetensors::Dtype;

use super::tensors::{Tensor, TensorFile};
use super::{Codec, LatentError, LatentSet, Shape};
use crate::base::Budget;

/// The value of the metadata key `format`.
const FORMAT: &str = "bitquilt.latents";
/// The newest version that this program reads, and the one it writes.
const VERSION: u32 = 1;

impl LatentSet {
    /// Reads a latents file within what memory the machine can give: [`LatentSet::read_within`].
    ///
    /// ```
    /// use bitquilt::LatentSet;
    /// # use bitquilt::Shape;
    /// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
    /// # for bits in ["101100", "111010"] {
    /// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
    /// # }
    /// # let set = set.with_labels(vec![4, 7])?;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("latents.safetensors");
    /// set.write(&path)?;
    /// assert_eq!(LatentSet::read(&path)?, set);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As that has.
    pub fn read(path: &Path) -> Result<Self, LatentError> {
        Self::read_within(path, Budget::of_machine())
    }

    /// Reads a latents file. Tensors and metadata that it does not know are left alone. Takes twice the file's length in
    /// memory while it reads.
    ///
    /// # Errors
    /// [`LatentError`], naming the file, what was expected and what was found; [`LatentError::Memory`] when it takes more
    /// than `memory`.
    pub fn read_within(path: &Path, memory: Budget) -> Result<Self, LatentError> {
        Self::from_tensors(TensorFile::read(path, memory)?, path)
    }

    /// Writes the latents file, whole or not at all; equal sets give equal bytes.
    ///
    /// # Errors
    /// [`LatentError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), LatentError> {
        self.to_tensors().write(path)
    }

    /// Reads the set out of an opened file; `path` is named in errors.
    pub(crate) fn from_tensors(mut file: TensorFile, path: &Path) -> Result<Self, LatentError> {
        let text = |key: &str| file.metadata.get(key).map(String::as_str);
        if text("format") != Some(FORMAT) {
            return Err(LatentError::format(
                path,
                format!(
                    "a latents file (metadata format={FORMAT}): make one with `bitquilt import`"
                ),
                format!("format={}", text("format").unwrap_or("(none)")),
            ));
        }
        let version = text("version").unwrap_or("(none)");
        if !version
            .parse()
            .is_ok_and(|v: u32| (1..=VERSION).contains(&v))
        {
            return Err(LatentError::format(
                path,
                format!("version 1 to {VERSION}: a newer file needs a newer bitquilt"),
                format!("version {version}"),
            ));
        }
        let side = |key: &str| {
            let found = text(key).unwrap_or("(none)");
            found.parse::<usize>().map_err(|_| {
                LatentError::format(path, format!("metadata {key} to be a number"), found)
            })
        };
        let shape = Shape::new(side("height")?, side("width")?, side("channels")?)?;
        let codec = Codec::from(text("codec").unwrap_or("codes"));
        let source = text("source").unwrap_or_default().to_owned();

        let row = shape.packed_bytes();
        let packed = match file.tensors.remove("bits") {
            Some(bits)
                if bits.dtype == Dtype::U8 && bits.shape.len() == 2 && bits.shape[1] == row =>
            {
                bits.bytes
            }
            other => {
                return Err(LatentError::format(
                    path,
                    format!("tensor bits U8 [N, {row}] for {shape} latents"),
                    describe(other.as_ref()),
                ));
            }
        };
        let mut set = Self::from_packed(shape, packed)
            .map_err(|_| {
                LatentError::format(
                    path,
                    "padding bits after each latent to be 0",
                    "a padding bit of 1: the bits were packed in another order or shape",
                )
            })?
            .with_codec(codec)
            .with_source(source);
        if let Some(labels) = file.tensors.remove("labels") {
            let values = labels.to_i64().filter(|values| values.len() == set.len());
            let values = values.ok_or_else(|| {
                LatentError::format(
                    path,
                    format!("tensor labels I64 [{}]", set.len()),
                    describe(Some(&labels)),
                )
            })?;
            set = set.with_labels(values)?;
        }
        Ok(set)
    }

    /// Returns the content of the set's latents file, for writers that add tensors of their own.
    pub(crate) fn to_tensors(&self) -> TensorFile {
        let mut file = TensorFile::default();
        for (key, value) in [
            ("format", FORMAT.to_owned()),
            ("version", VERSION.to_string()),
            ("height", self.shape().height().to_string()),
            ("width", self.shape().width().to_string()),
            ("channels", self.shape().channels().to_string()),
            ("codec", self.codec().to_string()),
            ("source", self.source().to_owned()),
        ] {
            file.metadata.insert(key.to_owned(), value);
        }
        let shape = vec![self.len(), self.shape().packed_bytes()];
        let bits = Tensor::of_u8(shape, self.packed().to_vec());
        file.tensors.insert("bits".to_owned(), bits);
        if let Some(labels) = self.labels() {
            file.tensors
                .insert("labels".to_owned(), Tensor::of_i64(labels));
        }
        file
    }
}

/// Describes a tensor as "U8 [3, 98]", or as "no such tensor".
pub(crate) fn describe(tensor: Option<&Tensor>) -> String {
    tensor.map_or_else(
        || "no such tensor".to_owned(),
        |tensor| format!("{:?} {:?}", tensor.dtype, tensor.shape),
    )
}
