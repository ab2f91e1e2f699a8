//! Colours mixed: transparent pixels over a background, three values to gray.
//!
//! Colours are mixed as the file has them, as sRGB values and not as amounts of light: so do viewers and
//! browsers, and the bits are then those of the picture that one sees.

use std::path::Path;

use super::Colour;
use crate::latent::LatentError;

/// Returns the Rec. 709 luma. In f64, so that white stays 1 and gray stays what it is.
pub(super) fn luma([red, green, blue]: [f64; 3]) -> f64 {
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// What lies behind transparent pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Background(pub(super) [u8; 3]);

impl Background {
    /// Returns "black", "white" or "#rrggbb".
    pub(super) fn name(self) -> String {
        match self.0 {
            [0, 0, 0] => "black".to_owned(),
            [255, 255, 255] => "white".to_owned(),
            [red, green, blue] => format!("#{red:02x}{green:02x}{blue:02x}"),
        }
    }

    /// Returns what lies behind a pixel of `colours` values, each 0 to 255. Gray images stay gray.
    pub(super) fn behind(
        self,
        path: &Path,
        colours: usize,
        colour: Option<Colour>,
    ) -> Result<Vec<f64>, LatentError> {
        let rgb = self.0.map(f64::from);
        let [red, green, blue] = rgb;
        let one = match colour {
            _ if colours == 3 => return Ok(rgb.to_vec()),
            _ if red == green && green == blue => red,
            Some(Colour::Gray) => luma(rgb),
            Some(Colour::Red) => red,
            Some(Colour::Green) => green,
            Some(Colour::Blue) => blue,
            None | Some(Colour::Rgb) => {
                return Err(LatentError::format(
                    path,
                    "a gray background behind gray images (background=black, white or #808080), or gray=true",
                    format!(
                        "a gray image with transparency, and background={}",
                        self.name()
                    ),
                ));
            }
        };
        Ok(vec![one])
    }
}

/// Colours over a background, and whether any of it is seen.
pub(super) struct Composite {
    /// In 0..=1, values innermost.
    pub(super) values: Vec<f32>,
    pub(super) transparent: bool,
}

/// Turns pixels of so many `colours` and alpha, each up to `white`, into their colours over what is `behind`, which is
/// asked for only where any of it is seen. Where alpha is `white`, a value is the pixel's own to the last bit.
pub(super) fn composite<S>(
    samples: &[S],
    white: S,
    colours: usize,
    behind: impl FnOnce() -> Result<Vec<f64>, LatentError>,
) -> Result<Composite, LatentError>
where
    S: Copy + PartialEq + Into<f32> + Into<f64>,
{
    let pixels = || samples.chunks_exact(colours + 1);
    let transparent = pixels().any(|pixel| pixel[colours] != white);
    let behind = if transparent {
        behind()?
    } else {
        vec![0.0; colours]
    };
    let (max, max_single): (f64, f32) = (white.into(), white.into());
    let mut values = Vec::with_capacity(samples.len() / (colours + 1) * colours);
    for pixel in pixels() {
        let alpha: f64 = pixel[colours].into();
        for (&sample, behind) in pixel.iter().zip(&behind) {
            if pixel[colours] == white {
                let sample: f32 = sample.into();
                values.push(sample / max_single);
                continue;
            }
            let sample: f64 = sample.into();
            let mixed = sample * alpha + behind * (max / 255.0) * (max - alpha);
            values.push((mixed / (max * max)) as f32);
        }
    }
    Ok(Composite {
        values,
        transparent,
    })
}
