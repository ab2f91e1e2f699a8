//! What `import` can be told of images and arrays; the options on images are those of other verbs too.

use std::path::Path;

use clap::Args;

use super::one_of::one_of;
use bitquilt::images::import::{BitOrder, Coding, Labels, Layout};
use bitquilt::latent::Shape;

/// How the pixels of images are read
#[derive(Debug, Args)]
pub(crate) struct PixelArgs {
    /// Image files: what lies behind transparent pixels: black, white or #rrggbb [default: black]
    #[arg(long, value_name = "COLOUR", value_parser = colour)]
    pub(super) background: Option<[u8; 3]>,

    /// Images: rows become columns, before --resize; EMNIST's IDX files need it
    #[arg(long)]
    pub(super) transpose: bool,
}

/// How arrays of codes are read
#[derive(Debug, Args)]
pub(crate) struct ArrayArgs {
    /// Codes of three or four axes: what these are; the wrong one gives garbage
    #[arg(long, value_name = "LAYOUT", value_parser = one_of::<Layout>())]
    pub(super) layout: Option<Layout>,

    /// Codes whose sites are one axis, [N,L,K] or [N,L]: the grid that they are, H*W = L
    #[arg(long, value_name = "HxW", value_parser = grid)]
    pub(super) grid: Option<(u32, u32)>,

    /// Codes: each element is an index of K bits, 0 to 2^K - 1; which bit comes first must be said
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=64))]
    index_bits: Option<u32>,

    /// The highest bit of an index is channel 0: LFQ of vector-quantize-pytorch, BSQ
    #[arg(long, requires = "index_bits", conflicts_with = "lsb_first")]
    msb_first: bool,

    /// The lowest bit of an index is channel 0: LFQ of Open-MAGVIT2, MaskBit
    #[arg(long, requires = "index_bits")]
    lsb_first: bool,

    /// Codes: rows of bytes, as numpy.packbits makes them with this bitorder; its default is big
    #[arg(
        long,
        value_name = "ORDER",
        value_parser = one_of::<BitOrder>(),
        requires = "shape",
        conflicts_with = "index_bits"
    )]
    packed: Option<BitOrder>,

    /// --packed: the shape of each latent, whose bits were packed with channels innermost
    #[arg(long, value_name = "HxWxK", requires = "packed")]
    shape: Option<Shape>,

    /// .npz, .safetensors: the array that holds the codes
    #[arg(long, value_name = "NAME")]
    pub(super) array: Option<String>,
}

impl ArrayArgs {
    /// Returns the coding that the options name.
    pub(super) fn coding(&self) -> Option<Coding> {
        if let Some(bits) = self.index_bits {
            let order = match (self.msb_first, self.lsb_first) {
                (true, _) => Some(BitOrder::MsbFirst),
                (_, true) => Some(BitOrder::LsbFirst),
                _ => None,
            };
            return Some(Coding::Indices { bits, order });
        }
        let order = self.packed?;
        self.shape.map(|shape| Coding::Packed { order, shape })
    }
}

/// Returns where the labels come from.
pub(super) fn labels_of(file: Option<&Path>, none: bool) -> Labels {
    match file {
        Some(path) => Labels::File(path.into()),
        None if none => Labels::Leave,
        None => Labels::Auto,
    }
}

/// Reads "28x28" as height and width in pixels.
pub(super) fn size(text: &str) -> Result<(u32, u32), String> {
    sides(text).ok_or_else(|| "expected HEIGHTxWIDTH in pixels, as in 28x28".to_owned())
}

fn grid(text: &str) -> Result<(u32, u32), String> {
    sides(text).ok_or_else(|| "expected HEIGHTxWIDTH in sites, as in 16x16".to_owned())
}

fn sides(text: &str) -> Option<(u32, u32)> {
    let sides = text
        .split_once('x')
        .and_then(|(height, width)| Some((height.parse().ok()?, width.parse().ok()?)));
    sides.filter(|(height, width)| *height > 0 && *width > 0)
}

fn colour(text: &str) -> Result<[u8; 3], String> {
    let hex = |digits: &str| {
        let plain = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let value = u32::from_str_radix(digits, 16).ok().filter(|_| plain)?;
        let [_, red, green, blue] = value.to_be_bytes();
        Some([red, green, blue])
    };
    let value = match text {
        "black" => Some([0; 3]),
        "white" => Some([255; 3]),
        _ => text.strip_prefix('#').and_then(hex),
    };
    value.ok_or_else(|| "expected black, white or #rrggbb, as in '#ff8000'".to_owned())
}
