//! Files of images or codes → a latent set.
//!
//! A file is recognised by its content, never by its name alone. Files are read as a stream: no
//! importer holds more than one unpacked image a thread, or a MiB of small ones, besides the packed bits,
//! and no header is believed before the file's length and the machine's memory have been asked.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `options`, `misfit` | what the user can say, and which of it fits which input |
//! | `recognise`, `sniff` | what an input is |
//! | `spool` | inputs that can be read only once → files |
//! | `reader`, `threshold`, `quantiles` | images → pixels → bits |
//! | `idx`, `cifar`, `folder`, `image_file` | the formats of images; each gives an `opened::Opened` |
//! | `pixels`, `alpha` | pixels in the form that is asked for |
//! | `geometry`, `codes` | the axes of an array → a grid; its elements → bits |
//! | `npy`, `npy_codes`, `npz`, `safetensors`, `named` | the formats of arrays; `array` and `element` are what they have in common |
//! | `labels` | one integer for each latent |

mod alpha;
mod array;
mod checks;
mod cifar;
mod codes;
mod element;
mod folder;
mod geometry;
mod idx;
mod image_file;
mod input;
mod labels;
mod misfit;
mod named;
mod npy;
mod npy_codes;
mod npz;
mod opened;
mod options;
mod pixels;
mod quantiles;
mod reader;
mod recognise;
mod safetensors;
mod sniff;
mod spool;
mod threshold;

use std::path::{Path, PathBuf};

use crate::base::Observer;
use crate::latent::{LatentError, LatentSet};
pub(super) use misfit::refuse_what_does_not_fit;
pub use options::{
    BitOrder, Coding, Colour, ImportOptions, Labels, Layout, LevelOptions, Thresholds,
};
pub(super) use pixels::{Form, Pixels, Purpose, Size};
pub(super) use reader::Reader;
pub(super) use recognise::{Kind, recognise};
use spool::Spooled;

/// An imported latent set, with notes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Imported {
    /// At least one latent, with codec, source and labels.
    pub set: LatentSet,
    /// What was chosen, found or skipped on the user's behalf, one sentence each.
    pub notes: Vec<String>,
}

/// Imports IDX images, CIFAR batches, a folder of images, or an array of codes.
///
/// Several inputs are read one after the other as one set: CIFAR batches, or image files.
///
/// ```
/// use bitquilt::Unobserved;
/// use bitquilt::images::import::{ImportOptions, import};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("images.idx");
/// // IDX: bytes, three axes, one image of 2 rows of 3 pixels.
/// let header = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
/// std::fs::write(&path, [&header[..], &[0, 200, 255, 90, 10, 128]].concat())?;
///
/// let imported = import(&[path], &ImportOptions::default(), &Unobserved)?;
/// assert_eq!(imported.set.shape().to_string(), "2x3x1");
/// assert_eq!(imported.set.packed(), [0b100110]); // 011 above 001, lowest bit first
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`LatentError`], naming the file, what was expected, what was found and what to do;
/// [`LatentError::Stopped`].
pub fn import(
    inputs: &[PathBuf],
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let kind = recognise(inputs)?;
    // `recognise` refuses an empty list.
    let first = &inputs[0];
    refuse_what_does_not_fit(first, kind, options)?;
    match kind {
        Kind::Npy => npy_codes::import(first, options, observer),
        Kind::Npz => npz::import(first, options, observer),
        Kind::Safetensors => safetensors::import(first, options, observer),
        _ => threshold::import(inputs, kind, options, observer),
    }
}

/// Imports as [`import`] does, from standard input (`-`) and pipes too: what can be read only once is kept in
/// a temporary file in `folder` while it is read.
///
/// # Errors
/// As [`import`] has; [`LatentError::Io`] when `folder` cannot hold it.
pub fn import_spooled(
    inputs: &[PathBuf],
    options: &ImportOptions,
    folder: &Path,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let spooled = Spooled::new(inputs, options, folder, observer)?;
    import(&spooled.inputs, &spooled.options, observer).map_err(|error| spooled.name_in(error))
}
