//! The latents file: safetensors, so that a Python user opens it with libraries she already has.
//! Its byte-level page is `schemas/latents.md`.

use std::path::Path;

use safetensors::Dtype;

use super::shape::MAX_LEVELS;
use super::tensors::{Tensor, TensorFile};
use super::{Codec, LatentError, LatentSet, Shape};
use crate::base::Budget;

/// The value of the metadata key `format`.
const FORMAT: &str = "bitquilt.latents";
/// The newest version that this program reads. Latents of one level are written as version 1, which has nothing else.
const VERSION: u32 = 2;

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
        let levels = match text("levels") {
            None if version == "1" => None,
            None => {
                let expected = "metadata levels, as version 2 has it";
                return Err(LatentError::format(path, expected, "(none)"));
            }
            Some(levels) => match levels.parse() {
                Ok(levels @ 1..=MAX_LEVELS) => Some(levels),
                _ => {
                    let expected = format!("metadata levels to be 1 to {MAX_LEVELS}");
                    return Err(LatentError::format(path, expected, levels));
                }
            },
        };
        let source = text("source").unwrap_or_default().to_owned();
        let mut set = match levels {
            None => level(&mut file, "", path)?,
            Some(levels) => {
                let levels =
                    (0..levels).map(|number| level(&mut file, &format!(".{number}"), path));
                let levels = levels.collect::<Result<Vec<_>, _>>()?;
                Self::pyramids(&levels).map_err(|error| {
                    let expected = "levels of the same latents, coarse to fine";
                    LatentError::format(path, expected, error)
                })?
            }
        };
        set = set.with_source(source);
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
        let whole = self.shape();
        let levels = whole.levels();
        let version = if levels.len() > 1 { VERSION } else { 1 };
        for (key, value) in [
            ("format", FORMAT.to_owned()),
            ("version", version.to_string()),
            ("source", self.source().to_owned()),
        ] {
            file.metadata.insert(key.to_owned(), value);
        }
        if levels.len() > 1 {
            let count = levels.len().to_string();
            file.metadata.insert("levels".to_owned(), count);
        }
        for (level, codec) in levels.iter().zip(self.codecs()) {
            let suffix = match levels.len() {
                1 => String::new(),
                _ => format!(".{}", level.number()),
            };
            for (key, value) in [
                ("height", level.height().to_string()),
                ("width", level.width().to_string()),
                ("channels", level.channels().to_string()),
                ("codec", codec.to_string()),
            ] {
                file.metadata.insert(format!("{key}{suffix}"), value);
            }
            let packed = match levels.len() {
                1 => self.packed().to_vec(),
                _ => self.packed_level(level),
            };
            let shape = vec![self.len(), level.shape().packed_bytes()];
            let bits = Tensor::of_u8(shape, packed);
            file.tensors.insert(format!("bits{suffix}"), bits);
        }
        if let Some(labels) = self.labels() {
            file.tensors
                .insert("labels".to_owned(), Tensor::of_i64(labels));
        }
        file
    }
}

/// Reads the latents of one level: what is named so in the file, with a suffix.
fn level(file: &mut TensorFile, suffix: &str, path: &Path) -> Result<LatentSet, LatentError> {
    let text = |key: &str| file.metadata.get(&format!("{key}{suffix}"));
    let side = |key: &str| {
        let found = text(key).map_or("(none)", String::as_str);
        found.parse::<usize>().map_err(|_| {
            LatentError::format(
                path,
                format!("metadata {key}{suffix} to be a number"),
                found,
            )
        })
    };
    let shape = Shape::new(side("height")?, side("width")?, side("channels")?)?;
    let codec = Codec::from(text("codec").map_or("codes", String::as_str));
    let row = shape.packed_bytes();
    let packed = match file.tensors.remove(&format!("bits{suffix}")) {
        Some(bits) if bits.dtype == Dtype::U8 && bits.shape.len() == 2 && bits.shape[1] == row => {
            bits.bytes
        }
        other => {
            return Err(LatentError::format(
                path,
                format!("tensor bits{suffix} U8 [N, {row}] for {shape} latents"),
                describe(other.as_ref()),
            ));
        }
    };
    let set = LatentSet::from_packed(shape, packed).map_err(|_| {
        LatentError::format(
            path,
            "padding bits after each latent to be 0",
            "a padding bit of 1: the bits were packed in another order or shape",
        )
    })?;
    Ok(set.with_codec(codec))
}

/// Describes a tensor as "U8 [3, 98]", or as "no such tensor".
pub(crate) fn describe(tensor: Option<&Tensor>) -> String {
    tensor.map_or_else(
        || "no such tensor".to_owned(),
        |tensor| format!("{:?} {:?}", tensor.dtype, tensor.shape),
    )
}
