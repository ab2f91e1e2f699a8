//! Pixels in the form that is asked for: choose the colours, scale.

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageBuffer, Luma, Rgb};

use super::Colour;
use super::alpha::{Background, luma};
use crate::base::Budget;
use crate::latent::{LatentError, MAX_BITS};

/// One decoded image: height × width pixels of 1 or 3 values in 0..=1, values innermost.
pub(in crate::images) struct Pixels {
    pub(in crate::images) height: u32,
    pub(in crate::images) width: u32,
    /// 1 gray, 3 red, green and blue.
    pub(in crate::images) channels: u32,
    pub(in crate::images) values: Vec<f32>,
}

/// Height, width and values a pixel of every image of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::images) struct Sides {
    pub(in crate::images) height: u32,
    pub(in crate::images) width: u32,
    /// 1 or 3.
    pub(in crate::images) channels: u32,
}

/// The colours and the size that images are brought to, what their values become, and the memory to do it in.
pub(in crate::images) struct Form {
    pub(in crate::images) size: Size,
    pub(in crate::images) colour: Option<Colour>,
    /// Red, green and blue of what lies behind transparent pixels, where it was said.
    pub(in crate::images) background: Option<[u8; 3]>,
    /// Whether rows become columns.
    pub(in crate::images) transpose: bool,
    pub(in crate::images) purpose: Purpose,
    /// What decoding image files may take, on all threads together.
    pub(in crate::images) memory: Budget,
}

/// The size that images are brought to, height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::images) enum Size {
    /// Their own.
    Own,
    /// Scaled as pictures are.
    Scaled((u32, u32)),
    /// The means of blocks: what of each pixel lies in a block counts.
    Means((u32, u32)),
}

impl Size {
    /// Returns the size that images are scaled to, if they are.
    pub(in crate::images) fn of(resize: Option<(u32, u32)>) -> Self {
        resize.map_or(Self::Own, Self::Scaled)
    }

    fn sides(self) -> Option<(u32, u32)> {
        match self {
            Self::Own => None,
            Self::Scaled(sides) | Self::Means(sides) => Some(sides),
        }
    }
}

/// What every value of an image becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::images) enum Purpose {
    /// A bit of a latent.
    Bits,
    /// A byte of an image.
    Bytes,
}

/// Most values of one image that is kept whole: 64 MiB, the largest cameras in gray.
pub(in crate::images) const MAX_VALUES: usize = 1 << 26;

impl Form {
    /// Returns whether gray and colour images give the same number of values.
    pub(super) fn one_value_a_pixel(&self) -> bool {
        self.colour.is_some_and(|colour| colour != Colour::Rgb)
    }

    /// Returns whether images are scaled, so that their own sizes do not matter.
    pub(super) fn resizes(&self) -> bool {
        self.size.sides().is_some()
    }

    /// Returns what lies behind transparent pixels.
    pub(super) fn behind(&self) -> Background {
        Background(self.background.unwrap_or_default())
    }

    /// Returns what one value becomes, in a word.
    pub(super) fn unit(&self) -> &'static str {
        match self.purpose {
            Purpose::Bits => "bit",
            Purpose::Bytes => "value",
        }
    }

    /// Returns the sides that images of this size with 1 or 3 channels are brought to.
    pub(super) fn sides(
        &self,
        path: &Path,
        height: u32,
        width: u32,
        channels: u32,
    ) -> Result<Sides, LatentError> {
        let turned = if self.transpose {
            (width, height)
        } else {
            (height, width)
        };
        let (height, width) = self.size.sides().unwrap_or(turned);
        let channels = if self.one_value_a_pixel() {
            1
        } else {
            channels
        };
        let hint = ": scale the images with resize=HxW";
        self.check_size(path, height, width, channels, hint)?;
        Ok(Sides {
            height,
            width,
            channels,
        })
    }

    /// Refuses sides that no latent, or no image, may have.
    pub(super) fn check_size(
        &self,
        path: &Path,
        height: u32,
        width: u32,
        channels: u32,
        hint: &str,
    ) -> Result<(), LatentError> {
        let (max, what) = match self.purpose {
            Purpose::Bits => (MAX_BITS, "bits a latent"),
            Purpose::Bytes => (MAX_VALUES, "values an image"),
        };
        let values = (u64::from(height) * u64::from(width)).saturating_mul(channels.into());
        if (1..=max as u64).contains(&values) {
            return Ok(());
        }
        Err(LatentError::format(
            path,
            format!("sides of at least 1 and at most {max} {what}{hint}"),
            format!("{height}x{width}x{channels}"),
        ))
    }

    /// Brings one image to this form.
    pub(super) fn apply(&self, pixels: Pixels) -> Pixels {
        let mut pixels = self.choose(pixels);
        if self.transpose {
            pixels = transpose(pixels);
        }
        match self.size {
            Size::Own => pixels,
            Size::Scaled(size) => scale(pixels, size),
            Size::Means(size) => means(pixels, size),
        }
    }

    /// Returns what was done, for a set's `source`.
    pub(super) fn describe(&self) -> String {
        let colour = match self.colour {
            None | Some(Colour::Rgb) => "",
            Some(Colour::Gray) => ", gray",
            Some(Colour::Red) => ", red channel",
            Some(Colour::Green) => ", green channel",
            Some(Colour::Blue) => ", blue channel",
        };
        let resize = match self.size {
            Size::Own => String::new(),
            Size::Scaled((height, width)) => format!(", resized to {height}x{width}"),
            Size::Means((height, width)) => format!(", means of {height}x{width} blocks"),
        };
        let background = match self.background {
            Some(background) => format!(", over {}", Background(background).name()),
            None => String::new(),
        };
        let transpose = if self.transpose { ", transposed" } else { "" };
        format!("{colour}{background}{transpose}{resize}")
    }

    fn choose(&self, pixels: Pixels) -> Pixels {
        let pick = |of: fn(&[f32; 3]) -> f32| -> Vec<f32> {
            pixels.values.as_chunks::<3>().0.iter().map(of).collect()
        };
        let values = match self.colour {
            _ if pixels.channels == 1 => return pixels,
            None | Some(Colour::Rgb) => return pixels,
            Some(Colour::Gray) => pick(|rgb| luma(rgb.map(f64::from)) as f32),
            Some(Colour::Red) => pick(|rgb| rgb[0]),
            Some(Colour::Green) => pick(|rgb| rgb[1]),
            Some(Colour::Blue) => pick(|rgb| rgb[2]),
        };
        Pixels {
            channels: 1,
            values,
            ..pixels
        }
    }
}

/// Turns rows into columns.
fn transpose(pixels: Pixels) -> Pixels {
    let (h, w) = (pixels.height as usize, pixels.width as usize);
    let each = pixels.channels as usize;
    let mut values = Vec::with_capacity(pixels.values.len());
    for col in 0..w {
        for row in 0..h {
            let at = (row * w + col) * each;
            values.extend_from_slice(&pixels.values[at..at + each]);
        }
    }
    Pixels {
        height: pixels.width,
        width: pixels.height,
        channels: pixels.channels,
        values,
    }
}

/// Scales with a triangle filter, which averages what it shrinks and overshoots nowhere.
#[expect(
    clippy::expect_used,
    reason = "every maker of `Pixels` fills height × width × channels values"
)]
fn scale(pixels: Pixels, (height, width): (u32, u32)) -> Pixels {
    let (h, w) = (pixels.height, pixels.width);
    if (h, w) == (height, width) {
        return pixels;
    }
    // `values` holds height × width × channels values: every maker of `Pixels` fills it so.
    let whole = "an image of its own size";
    let values = if pixels.channels == 1 {
        let image = ImageBuffer::<Luma<f32>, _>::from_raw(w, h, pixels.values).expect(whole);
        imageops::resize(&image, width, height, FilterType::Triangle).into_raw()
    } else {
        let image = ImageBuffer::<Rgb<f32>, _>::from_raw(w, h, pixels.values).expect(whole);
        imageops::resize(&image, width, height, FilterType::Triangle).into_raw()
    };
    Pixels {
        height,
        width,
        channels: pixels.channels,
        // The filter's weights add up to nearly 1: white must not fall below a threshold of 1.
        values: values
            .iter()
            .map(|v| (v * 65535.0).round() / 65535.0)
            .collect(),
    }
}

/// Returns the means of height × width blocks of the same size each: a pixel that lies in several counts in each by its part.
fn means(pixels: Pixels, (height, width): (u32, u32)) -> Pixels {
    let (h, w, each) = (
        pixels.height as usize,
        pixels.width as usize,
        pixels.channels as usize,
    );
    let (rows, columns) = (parts(h, height as usize), parts(w, width as usize));
    let mut values = Vec::with_capacity(rows.len() * columns.len() * each);
    for row in &rows {
        for column in &columns {
            for colour in 0..each {
                let (mut sum, mut weight) = (0.0, 0.0);
                for (y, of_row) in row {
                    for (x, of_column) in column {
                        let part = of_row * of_column;
                        sum += part * f64::from(pixels.values[(y * w + x) * each + colour]);
                        weight += part;
                    }
                }
                // White must not fall below a threshold of 1.
                let mean: f64 = sum / weight;
                values.push(((mean * 65535.0).round() / 65535.0) as f32);
            }
        }
    }
    Pixels {
        height,
        width,
        channels: pixels.channels,
        values,
    }
}

/// Returns, for each of `blocks` equal parts of a line of pixels, the pixels that lie in it and how much of each does.
fn parts(pixels: usize, blocks: usize) -> Vec<Vec<(usize, f64)>> {
    // In units of 1/blocks of a pixel: block b begins at b·pixels, pixel p at p·blocks.
    let block = |number: usize| {
        let (start, end) = (number * pixels, (number + 1) * pixels);
        let own = start / blocks..end.div_ceil(blocks);
        let part = |pixel: usize| {
            let inside = end.min((pixel + 1) * blocks) - start.max(pixel * blocks);
            (pixel, inside as f64)
        };
        own.map(part).collect()
    };
    (0..blocks).map(block).collect()
}

/// Returns the value of an 8-bit sample. Correctly rounded, so that a threshold of k/255 means "at least k".
pub(super) fn of_byte(sample: u8) -> f32 {
    f32::from(sample) / 255.0
}

/// Returns the pixels of a decoded image file without alpha, 16-bit samples scaled.
pub(super) fn of_image(image: DynamicImage) -> Pixels {
    let (width, height) = (image.width(), image.height());
    let deep = image.color().bytes_per_pixel() / image.color().channel_count() > 1;
    let of_word = |word: &u16| f32::from(*word) / 65535.0;
    let of_bytes = |bytes: Vec<u8>| bytes.into_iter().map(of_byte).collect();
    let colour = image.color().has_color();
    let values = match (colour, deep) {
        (false, false) => of_bytes(image.into_luma8().into_raw()),
        (true, false) => of_bytes(image.into_rgb8().into_raw()),
        (false, true) => image.into_luma16().as_raw().iter().map(of_word).collect(),
        (true, true) => image.into_rgb16().as_raw().iter().map(of_word).collect(),
    };
    Pixels {
        height,
        width,
        channels: if colour { 3 } else { 1 },
        values,
    }
}
