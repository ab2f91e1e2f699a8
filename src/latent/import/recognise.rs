//! What an input is, told by its first bytes.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::cifar;
use super::input::Input;
use crate::latent::LatentError;

/// What this program can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::latent) enum Kind {
    IdxImages,
    Cifar,
    CifarFolder,
    Image,
    Folder,
    Npy,
    Npz,
}

impl Kind {
    /// Whether it is an array of codes.
    pub(in crate::latent) fn is_codes(self) -> bool {
        matches!(self, Self::Npy | Self::Npz)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdxImages => "a file of gray images (IDX)",
            Self::Cifar => "a CIFAR-10 batch",
            Self::CifarFolder => "a folder of CIFAR-10 batches",
            Self::Image => "an image",
            Self::Folder => "a folder",
            Self::Npy => "an array (.npy)",
            Self::Npz => "an archive of arrays (.npz)",
        })
    }
}

/// Recognises inputs that can be read as one set.
pub(in crate::latent) fn recognise(inputs: &[PathBuf]) -> Result<Kind, LatentError> {
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
        if found != one || !matches!(one, Kind::Cifar | Kind::Image) {
            return Err(LatentError::format(
                other,
                format!(
                    "one input; only CIFAR-10 batches, or image files, are read several at a \
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
        let cifar = !cifar::batches(path)?.is_empty();
        return Ok(if cifar {
            Kind::CifarFolder
        } else {
            Kind::Folder
        });
    }
    let mut input = Input::open(path)?;
    let length = fs_err::metadata(path)?.len();
    let mut head = Vec::new();
    (&mut input)
        .take(64)
        .read_to_end(&mut head)
        .map_err(|error| super::input::read_error(path, error))?;

    let cifar_sized = !input.is_gzip() && length > 0 && length.is_multiple_of(cifar::RECORD);
    match head[..] {
        [0, 0, 8, 3, ..] if !cifar_sized || idx_length(&head) == Some(length) => {
            return Ok(Kind::IdxImages);
        }
        _ if cifar_sized && head[0] < 10 => return Ok(Kind::Cifar),
        [0, 0, dtype, axes, ..] if idx_dtype(dtype).is_some() && (1..=8).contains(&axes) => {
            let hint = if (dtype, axes) == (8, 1) {
                ": these are labels; give the images, and these with --labels"
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
    let safetensors = head.get(8) == Some(&b'{')
        && head
            .first_chunk()
            .is_some_and(|size| u64::from_le_bytes(*size) < length);
    if safetensors {
        return Err(LatentError::format(
            path,
            "images or an array to import",
            "a safetensors file: if bitquilt wrote it, it is imported already and every other \
             verb reads it; arrays of another program can be saved as .npy",
        ));
    }
    Err(LatentError::format(
        path,
        "IDX images, CIFAR-10 batches (.bin), a folder of images, or an array of codes (.npy, .npz)",
        shown(&head),
    ))
}

/// The image format of a file that begins so, whether or not this program reads it.
pub(super) fn image_format(head: &[u8]) -> Option<image::ImageFormat> {
    let format = image::guess_format(head).ok()?;
    // Two letters are little to go by: a text may begin with them.
    let sure = match format {
        image::ImageFormat::Pnm => head.get(2).is_some_and(u8::is_ascii_whitespace),
        image::ImageFormat::Bmp => head.get(6..10) == Some(&[0; 4]),
        _ => true,
    };
    sure.then_some(format)
}

/// The length that an IDX file of 3 axes of bytes has by its header.
fn idx_length(head: &[u8]) -> Option<u64> {
    let sides = head.get(4..16)?.as_chunks::<4>().0;
    let product = sides.iter().try_fold(1u64, |product, side| {
        product.checked_mul(u64::from(u32::from_be_bytes(*side)))
    });
    product?.checked_add(16)
}

fn idx_dtype(code: u8) -> Option<&'static str> {
    match code {
        0x08 => Some("unsigned bytes"),
        0x09 => Some("signed bytes"),
        0x0b => Some("16-bit integers"),
        0x0c => Some("32-bit integers"),
        0x0d => Some("32-bit floats"),
        0x0e => Some("64-bit floats"),
        _ => None,
    }
}

/// The first bytes, for a message.
pub(super) fn shown(head: &[u8]) -> String {
    if head.is_empty() {
        return "an empty file".to_owned();
    }
    let bytes: Vec<_> = head
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("a file that begins with the bytes {}", bytes.join(" "))
}
