//! What an input is, told by its first bytes.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::cifar::{self, Flavour};
use super::input::{Input, read_error};
use super::safetensors;
use super::sniff::{idx_dtype, idx_length, image_format, shown};
use crate::latent::LatentError;

/// What this program can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::images) enum Kind {
    IdxImages,
    Cifar(Flavour),
    CifarFolder(Flavour),
    Image,
    Folder,
    Npy,
    Npz,
    Safetensors,
}

impl Kind {
    /// Returns whether the input is an array of codes.
    pub(in crate::images) fn is_codes(self) -> bool {
        matches!(self, Self::Npy | Self::Npz | Self::Safetensors)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdxImages => f.write_str("a file of gray images (IDX)"),
            Self::Cifar(flavour) => write!(f, "a {} batch", flavour.name()),
            Self::CifarFolder(flavour) => write!(f, "a folder of {} batches", flavour.name()),
            Self::Image => f.write_str("an image"),
            Self::Folder => f.write_str("a folder"),
            Self::Npy => f.write_str("an array (.npy)"),
            Self::Npz => f.write_str("an archive of arrays (.npz)"),
            Self::Safetensors => f.write_str("a file of tensors (.safetensors)"),
        }
    }
}

/// Recognises inputs that can be read as one set.
pub(in crate::images) fn recognise(inputs: &[PathBuf]) -> Result<Kind, LatentError> {
    let Some(first) = inputs.first() else {
        return Err(LatentError::format(
            "(no input)",
            "at least one input",
            "none",
        ));
    };
    let one = kind(first)?;
    for other in &inputs[1..] {
        let found = kind(other)?;
        if found != one || !matches!(one, Kind::Cifar(_) | Kind::Image) {
            return Err(LatentError::format(
                other,
                format!(
                    "one input; only CIFAR batches, or image files, are read several at a \
                     time, and {} is {one}",
                    first.display()
                ),
                format!("another one, {found}"),
            ));
        }
    }
    Ok(one)
}

/// Recognises an input, or says what it is instead.
fn kind(path: &Path) -> Result<Kind, LatentError> {
    if !path.exists() {
        let expected = "a file or a folder to import";
        return Err(LatentError::format(path, expected, "nothing of that name"));
    }
    if fs_err::metadata(path)?.is_dir() {
        return Ok(match cifar::batches(path)? {
            Some((flavour, _)) => Kind::CifarFolder(flavour),
            None => Kind::Folder,
        });
    }
    let mut input = Input::open(path)?;
    let length = fs_err::metadata(path)?.len();
    let mut head = Vec::new();
    (&mut input)
        .take(64)
        .read_to_end(&mut head)
        .map_err(|error| read_error(path, error))?;

    // Before CIFAR: a header of few bytes begins like a label.
    if !input.is_gzip() && safetensors::begins_like_one(&head) {
        return Ok(Kind::Safetensors);
    }
    let cifar_sized = Flavour::ALL
        .iter()
        .any(|flavour| length > 0 && length.is_multiple_of(flavour.record() as u64));
    let cifar_sized = cifar_sized && !input.is_gzip();
    if let [0, 0, 8, 3, ..] = head[..]
        && (!cifar_sized || idx_length(&head) == Some(length))
    {
        return Ok(Kind::IdxImages);
    }
    if cifar_sized && let Some(flavour) = cifar::flavour(path, length, &head)? {
        return Ok(Kind::Cifar(flavour));
    }
    match head[..] {
        [0, 0, dtype, axes, ..] if idx_dtype(dtype).is_some() && (1..=8).contains(&axes) => {
            let hint = if (dtype, axes) == (8, 1) {
                ": these are labels; give the images, and these with labels=FILE"
            } else {
                ": save codes as .npy, or images as unsigned bytes"
            };
            return Err(LatentError::format(
                path,
                "IDX images: unsigned bytes of 3 axes",
                format!(
                    "IDX of {}, {axes} axes{hint}",
                    idx_dtype(dtype).unwrap_or_default()
                ),
            ));
        }
        _ => {}
    }
    if input.is_gzip() {
        return Err(LatentError::format(
            path,
            "an IDX file inside the gzip: unpack anything else first",
            shown(&head),
        ));
    }
    if head.starts_with(b"\x93NUMPY") {
        return Ok(Kind::Npy);
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Ok(Kind::Npz);
    }
    if image_format(&head).is_some() {
        return Ok(Kind::Image);
    }
    Err(LatentError::format(
        path,
        "IDX images, CIFAR batches (.bin), a folder of images, or an array of codes (.npy, .npz, .safetensors)",
        shown(&head),
    ))
}
