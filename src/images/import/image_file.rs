//! One image file → pixels: upright, opaque, after its header has been asked for its size.

use std::io::BufReader;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use super::alpha::composite;
use super::pixels::{self, Form, Pixels};
use crate::latent::LatentError;

/// Most pixels of an image that is decoded to be scaled: the largest cameras stay below it.
const MAX_PIXELS: u64 = 1 << 26;
/// Memory that decoding one pixel takes: the decoded samples and three values.
const BYTES_PER_PIXEL: u64 = 24;

/// A decoded image, and what was done to it.
pub(super) struct Loaded {
    pub(super) pixels: Pixels,
    /// Something of the background is seen.
    pub(super) transparent: bool,
    /// It was lying down or mirrored, as its EXIF orientation says.
    pub(super) turned: bool,
}

/// Reads one image.
pub(super) fn load(path: &Path, form: &Form) -> Result<Loaded, LatentError> {
    let unreadable = |error: image::ImageError| {
        LatentError::format(
            path,
            "an undamaged image: take it out, or fetch it again",
            error,
        )
    };
    let mut reader =
        ImageReader::new(BufReader::new(fs_err::File::open(path)?)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * BYTES_PER_PIXEL);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let orientation = decoder.orientation().map_err(unreadable)?;
    let (width, height) = upright(decoder.dimensions(), orientation);
    let pixels = u64::from(width) * u64::from(height);
    if form.resizes() {
        if pixels > MAX_PIXELS {
            let found = format!("{height}x{width}");
            let expected = format!("an image of at most {MAX_PIXELS} pixels");
            return Err(LatentError::format(path, expected, found));
        }
    } else {
        form.sides(path, height, width, 1)?;
    }
    let needed = pixels * BYTES_PER_PIXEL * rayon::current_num_threads() as u64;
    let what = || format!("{}: an image of {height}x{width} pixels", path.display());
    form.memory.check_often(needed, 1 << 28, what)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    image.apply_orientation(orientation);
    let (pixels, transparent) = pixels_of(image, path, form)?;
    Ok(Loaded {
        pixels,
        transparent,
        turned: orientation != Orientation::NoTransforms,
    })
}

/// Returns width and height once the image is upright.
fn upright((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    match orientation {
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => (width, height),
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
    }
}

/// Returns the pixels of a decoded image, over the background where they are transparent; and whether any is.
fn pixels_of(image: DynamicImage, path: &Path, form: &Form) -> Result<(Pixels, bool), LatentError> {
    if !image.color().has_alpha() {
        return Ok((pixels::of_image(image), false));
    }
    let (width, height) = (image.width(), image.height());
    let channels = if image.color().has_color() { 3 } else { 1 };
    let colours = channels as usize;
    let behind = || form.behind().behind(path, colours, form.colour);
    let made = match &image {
        DynamicImage::ImageLumaA8(image) => composite(image.as_raw(), u8::MAX, colours, behind)?,
        DynamicImage::ImageRgba8(image) => composite(image.as_raw(), u8::MAX, colours, behind)?,
        DynamicImage::ImageLumaA16(image) => composite(image.as_raw(), u16::MAX, colours, behind)?,
        DynamicImage::ImageRgba16(image) => composite(image.as_raw(), u16::MAX, colours, behind)?,
        // Of floats, which no format that is read here has.
        other if colours == 1 => {
            composite(other.to_luma_alpha16().as_raw(), u16::MAX, colours, behind)?
        }
        other => composite(other.to_rgba16().as_raw(), u16::MAX, colours, behind)?,
    };
    let pixels = Pixels {
        height,
        width,
        channels,
        values: made.values,
    };
    Ok((pixels, made.transparent))
}
