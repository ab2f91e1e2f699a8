//! How to import: what the user can say.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::base::{Budget, choice};
use crate::latent::Shape;

choice! {
    "lowercase",
    /// What becomes of the colours of an image. Gray images have one bit a pixel whatever is chosen.
    #[non_exhaustive]
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
}

choice! {
    "lowercase",
    /// What the axes of an array of codes are, N latents first.
    #[non_exhaustive]
    pub enum Layout {
        /// `[N, H, W]`: one bit, or one index, a site.
        #[strum(message = "[N, H, W], one bit a site")]
        Nhw,
        /// `[N, L, K]`: the sites of a grid in raster order, and the K bits of each.
        #[strum(message = "[N, L, K], the sites of a grid in one axis")]
        Nlk,
        /// `[N, H, W, K]`.
        #[strum(message = "[N, H, W, K]")]
        Nhwc,
        /// `[N, K, H, W]`.
        #[strum(message = "[N, K, H, W]")]
        Nchw,
    }
}

choice! {
    "lowercase",
    /// Which bit of an integer or of a byte comes first. The names are those of numpy's `bitorder`.
    pub enum BitOrder {
        /// The highest: `numpy.packbits` where nothing else is said; LFQ in vector-quantize-pytorch, BSQ.
        #[serde(rename = "big")]
        #[strum(serialize = "big", message = "The highest bit of a byte is the first")]
        MsbFirst,
        /// The lowest: `numpy.packbits(bitorder="little")`; LFQ in Open-MAGVIT2 and MaskBit.
        #[serde(rename = "little")]
        #[strum(
            serialize = "little",
            message = "The lowest bit of a byte is the first"
        )]
        LsbFirst,
    }
}

/// What the elements of an array of codes are.
#[expect(
    clippy::large_enum_variant,
    reason = "an import has one, and copies it a few times"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coding {
    /// One bit each: {0, 1} or {−1, +1}.
    #[default]
    Bits,
    /// The index of one site's code each, 0 to 2^bits − 1.
    Indices {
        /// K, 1 to 64.
        bits: u32,
        /// Which bit of the index is channel 0. There is no default: see [`BitOrder`].
        order: Option<BitOrder>,
    },
    /// Eight bits each: rows of bytes, as `numpy.packbits` makes them of H×W×K bits, channels innermost.
    Packed {
        /// Which bit of a byte comes first.
        order: BitOrder,
        /// H×W×K.
        shape: Shape,
    },
}

/// Where the labels come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Labels {
    /// From the input itself, or for IDX images from the file beside it that is named after it.
    #[default]
    Auto,
    /// From this file: IDX of one axis, or `.npy` of one axis of integers. For CIFAR-100, the names `fine`
    /// and `coarse` are the two labels of its records; a file of such a name is `./fine`.
    File(PathBuf),
    /// None, whatever the input has.
    Leave,
}

/// Which of the two labels of a CIFAR-100 record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Fine,
    Coarse,
}

impl Level {
    /// Returns the level of which this is the name.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.to_str()? {
            "fine" => Some(Self::Fine),
            "coarse" => Some(Self::Coarse),
            _ => None,
        }
    }
}

/// One level of pyramids that are made of images: their block means.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LevelOptions {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// One bit of each value for each: whether the mean / white reaches it.
    pub thresholds: Thresholds,
}

/// What the means of blocks are compared with.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Thresholds {
    /// These, each in (0, 1], ascending.
    At(Vec<f32>),
    /// So many, at equal quantiles of the means of all images that are above 0: of K, the one numbered j has j / (K + 1) of them
    /// below it. What is black everywhere would take the lowest ones.
    Quantiles(u32),
}

impl LevelOptions {
    /// Returns a level with these thresholds.
    pub fn new(height: u32, width: u32, thresholds: Thresholds) -> Self {
        Self {
            height,
            width,
            thresholds,
        }
    }
}

/// `HxW` (one bit, at 0.5), `HxWxK` (K of them, spaced evenly), `HxW:T,T,…`, or `HxW:qK` (K of them, at equal quantiles).
impl FromStr for LevelOptions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "expected HxW, HxWxK, HxW:qK or HxW:T,T,… with thresholds that ascend, above 0 and at most 1, as in 7x7:0.2,0.6"
                .to_owned()
        };
        let (sides, thresholds) = match text.split_once(':') {
            Some((sides, thresholds)) => (sides, Some(thresholds)),
            None => (text, None),
        };
        let sides = sides.split('x').map(str::parse);
        let sides = sides
            .collect::<Result<Vec<u32>, _>>()
            .map_err(|_| wrong())?;
        let quantiles = thresholds.and_then(|thresholds| thresholds.strip_prefix('q'));
        if let (Some(count), [height, width]) = (quantiles, &sides[..])
            && *height > 0
            && *width > 0
        {
            let count = count.parse().ok();
            let count = count.filter(|count| (1..=MAX_THRESHOLDS).contains(count));
            let thresholds = Thresholds::Quantiles(count.ok_or_else(wrong)?);
            return Ok(Self::new(*height, *width, thresholds));
        }
        let thresholds = match (thresholds, &sides[..]) {
            (Some(thresholds), [_, _]) => {
                let thresholds = thresholds.split(',').map(str::parse);
                thresholds
                    .collect::<Result<Vec<f32>, _>>()
                    .map_err(|_| wrong())?
            }
            (None, [_, _]) => vec![0.5],
            (None, [_, _, count @ 1..=MAX_THRESHOLDS]) => {
                let of = |number| number as f32 / (count + 1) as f32;
                (1..=*count).map(of).collect()
            }
            _ => return Err(wrong()),
        };
        let within = thresholds.iter().all(|one| *one > 0.0 && *one <= 1.0);
        let ascend = thresholds.is_sorted_by(|a, b| a < b);
        if !within || !ascend || sides[0] == 0 || sides[1] == 0 {
            return Err(wrong());
        }
        Ok(Self::new(sides[0], sides[1], Thresholds::At(thresholds)))
    }
}

/// Most thresholds of a level: a byte has 255.
const MAX_THRESHOLDS: u32 = 255;

/// How to import. An option that does not fit the input is refused, never ignored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportOptions {
    /// Images: a bit is 1 when value / white ≥ threshold, in (0, 1]; 0.5 when `None`.
    pub threshold: Option<f32>,
    /// Images: height and width, in pixels, to scale every image to before it is thresholded.
    pub resize: Option<(u32, u32)>,
    /// Images: the levels of a pyramid to make of each, coarse to fine; none for the image itself.
    pub levels: Vec<LevelOptions>,
    /// Colour images: [`Colour::Rgb`] when `None`.
    pub colour: Option<Colour>,
    /// Image files: red, green and blue of what lies behind transparent pixels; black when `None`.
    pub background: Option<[u8; 3]>,
    /// Images: rows become columns, before anything is scaled.
    pub transpose: bool,
    /// Codes: what the axes are. Four axes have no default; three have one only where one reading makes
    /// sense.
    pub layout: Option<Layout>,
    /// Codes whose sites are one axis, `[N, L]` or `[N, L, K]`: H and W, with H·W = L.
    pub grid: Option<(u32, u32)>,
    /// Codes: what the elements are; one bit each when `None`.
    pub coding: Option<Coding>,
    /// `.npz`, `.safetensors`: the name of the array that holds the codes.
    pub array: Option<String>,
    /// Where the labels come from.
    pub labels: Labels,
    /// What the latents and, one at a time on each thread, their images may take; by default what the machine can give.
    pub memory: Budget,
}
