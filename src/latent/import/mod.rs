//! Files of images or codes → a latent set.
//!
//! A file is recognised by its content, never by its name alone. Files are read as a stream: no
//! importer holds more than one unpacked image a thread, or a MiB of small ones, besides the packed bits,
//! and no header is believed before the file's length and the machine's memory have been asked.

mod cifar;
mod codes;
mod folder;
mod idx;
mod input;
mod labels;
mod npy;
mod npz;
mod pixels;
mod reader;
mod recognise;

use std::io;
use std::path::{Path, PathBuf};

use super::{Codec, LatentError, LatentSet, MAX_BITS, Shape};
use crate::progress::Observer;
pub(super) use pixels::{Form, Pixels, Purpose, Sides};
pub(super) use reader::Reader;
pub(super) use recognise::{Kind, recognise};

/// The threshold where none is given.
const HALF: f32 = 0.5;

/// What becomes of the colours of an image. Gray images have one bit a pixel whatever is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Three bits a pixel, K = 3: red, green and blue, each thresholded.
    Rgb,
    /// One bit a pixel: the luma (Rec. 709 weights), thresholded.
    Gray,
    /// One bit a pixel: the red value, thresholded.
    Red,
    /// One bit a pixel: the green value, thresholded.
    Green,
    /// One bit a pixel: the blue value, thresholded.
    Blue,
}

/// The order of the four axes of an array of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[N, H, W, K]`.
    Nhwc,
    /// `[N, K, H, W]`.
    Nchw,
}

/// Where the labels come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Labels {
    /// From the input itself, or for IDX images from the file beside it that is named after it.
    #[default]
    Auto,
    /// From this file: IDX of one axis, or `.npy` of one axis of integers.
    File(PathBuf),
    /// None, whatever the input has.
    Leave,
}

/// How to import. An option that does not fit the input is refused, never ignored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportOptions {
    /// Images: a bit is 1 when value / white ≥ threshold, in (0, 1]; 0.5 when `None`.
    pub threshold: Option<f32>,
    /// Images: height and width, in pixels, to scale every image to before it is thresholded.
    pub resize: Option<(u32, u32)>,
    /// Colour images: [`Colour::Rgb`] when `None`.
    pub colour: Option<Colour>,
    /// Codes of four axes: their order. There is no default.
    pub layout: Option<Layout>,
    /// `.npz`: the name of the array that holds the codes.
    pub array: Option<String>,
    /// Where the labels come from.
    pub labels: Labels,
}

/// A latent set and what the importer has to say about it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// At least one latent, with codec, source and labels.
    pub set: LatentSet,
    /// What was chosen, found or skipped on the user's behalf, one sentence each.
    pub notes: Vec<String>,
}

/// Imports IDX images, CIFAR-10 batches, a folder of images, or an array of codes.
///
/// Several inputs are read one after the other as one set: CIFAR-10 batches, or image files.
///
/// # Errors
/// [`LatentError`], naming the file, what was expected, what was found and what to do;
/// [`LatentError::Io`] of kind [`io::ErrorKind::Interrupted`] when `observer` asked to stop.
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
        Kind::Npy => npy::import(first, options, observer),
        Kind::Npz => npz::import(first, options, observer),
        _ => threshold(inputs, kind, options, observer),
    }
}

/// Images → bits: a value at or above the threshold is a 1.
fn threshold(
    inputs: &[PathBuf],
    kind: Kind,
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let threshold = options.threshold.unwrap_or(HALF);
    if !(threshold > 0.0 && threshold <= 1.0) {
        let expected = "a threshold above 0 and at most 1";
        return Err(LatentError::format(&inputs[0], expected, threshold));
    }
    let form = Form {
        resize: options.resize,
        colour: options.colour,
        purpose: Purpose::Bits,
    };
    let mut reader = Reader::open(inputs, kind, form, &options.labels, None)?;
    let Sides {
        height,
        width,
        channels,
    } = reader.sides();
    // `Form` has refused more bits than a shape may have.
    let shape = Shape::new(height as usize, width as usize, channels as usize)?;
    check_memory(reader.path(), reader.count() as u64, shape)?;

    observer.stage("import", reader.count() as u64, "latents");
    let mut set = LatentSet::new(shape);
    let bits = |pixels: Pixels| -> Vec<bool> {
        let values = pixels.values.iter();
        values.map(|value| *value >= threshold).collect()
    };
    while set.len() < reader.count() {
        for image in reader.next(reader.count(), observer, bits)? {
            set.push_bits(image)?;
        }
    }
    let source = format!("{}, threshold {threshold}", reader.describe());
    let mut set = set.with_codec(Codec::Threshold).with_source(source);
    if let Some(labels) = reader.labels() {
        set = set.with_labels(labels.to_vec())?;
    }
    let notes = reader.notes().to_vec();
    Ok(Imported { set, notes })
}

/// An option for images given with codes, or the other way round, is a misunderstanding.
pub(super) fn refuse_what_does_not_fit(
    path: &Path,
    kind: Kind,
    options: &ImportOptions,
) -> Result<(), LatentError> {
    let codes = kind.is_codes();
    let picks_a_colour = options.colour.is_some_and(|colour| colour != Colour::Gray);
    let misfit = [
        (
            options.threshold.is_some() && codes,
            "--threshold",
            "images",
        ),
        (options.resize.is_some() && codes, "--resize", "images"),
        (
            options.colour.is_some() && codes,
            "--gray or --channel",
            "images",
        ),
        (
            picks_a_colour && kind == Kind::IdxImages,
            "--channel",
            "colour images",
        ),
        (
            options.layout.is_some() && !codes,
            "--layout",
            "arrays of codes (.npy, .npz)",
        ),
        (
            options.array.is_some() && kind != Kind::Npz,
            "--array",
            ".npz archives",
        ),
    ];
    match misfit.iter().find(|(misfit, _, _)| *misfit) {
        None => Ok(()),
        Some((_, option, fits)) => Err(LatentError::format(
            path,
            format!("{fits}, which {option} is for"),
            format!("{kind}: leave {option} out"),
        )),
    }
}

/// The shape, or an error that names the file and what to do.
fn shape_of(
    path: &Path,
    height: u64,
    width: u64,
    channels: u64,
    hint: &str,
) -> Result<Shape, LatentError> {
    let side = |side: u64| usize::try_from(side).unwrap_or(usize::MAX);
    Shape::new(side(height), side(width), side(channels)).map_err(|_| {
        LatentError::format(
            path,
            format!("sides of at least 1 and at most {MAX_BITS} bits a latent{hint}"),
            format!("{height}x{width}x{channels}"),
        )
    })
}

/// Refuses a set that the machine cannot hold while it is read and written.
fn check_memory(path: &Path, latents: u64, shape: Shape) -> Result<(), LatentError> {
    // Packed rows, twice while their vector grows; writing holds a copy and the file's bytes.
    // A label takes 8 bytes, held as often.
    let row = shape.packed_bytes() as u64 + 8;
    let needed = latents.saturating_mul(row).saturating_mul(4);
    LatentError::check_memory(path, needed)
}

/// The error of work that was asked to stop.
pub(super) fn stop_if_asked(observer: &dyn Observer) -> Result<(), LatentError> {
    if observer.stop_requested() {
        let stopped = io::Error::new(io::ErrorKind::Interrupted, "stopped");
        return Err(LatentError::Io(stopped));
    }
    Ok(())
}

/// The last part of a path, for `source` texts and notes.
fn name_of(path: &Path) -> String {
    match path.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        // ".", ".." and "/" have none.
        None => fs_err::canonicalize(path)
            .ok()
            .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .unwrap_or_else(|| path.display().to_string()),
    }
}
