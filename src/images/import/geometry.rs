//! The axes of an array of codes → the grid they are, and where each element goes.
//!
//! How axes are read, where nothing or not enough is said:
//!
//! | axes | elements are bits | elements are indices |
//! | --- | --- | --- |
//! | `[N, A, B, C]` | refused: `nhwc` and `nchw` look alike | refused |
//! | `[N, A, A]`, `[N, 1, B]` | `[N, H, W]`, with a note | `[N, H, W]` |
//! | `[N, A, B]` | refused: `[N, H, W]` and `[N, L, K]` look alike | `[N, H, W]` |
//! | `[N, L]` | 1×L sites, with a note | 1×L sites, with a note |
//!
//! Square sides are what binary images and one-bit grids have, and what a flattened grid of K-bit sites
//! rarely has: L = K by chance. Other sides are `[N, 256, 8]` as often as `[N, 24, 32]`, and read the wrong
//! way round either loads and is garbage, so they are asked for. A grid (H·W = L) says `[N, L, K]`.

use std::path::Path;

use super::array::Array;
use super::checks::shape_of;
use super::element::ElementKind;
use super::{BitOrder, Coding, ImportOptions, Layout};
use crate::latent::{LatentError, Shape};

/// What an array of codes is, once everything is known.
#[derive(Debug)]
pub(super) struct Geometry {
    pub(super) latents: u64,
    pub(super) shape: Shape,
    /// For each axis of the array, how many bits of the packed set one step goes.
    pub(super) strides: Vec<usize>,
    pub(super) content: Content,
    /// What was said of the array, for a set's `source`.
    pub(super) words: String,
    /// What was taken for granted.
    pub(super) note: Option<String>,
}

/// What one element is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    Bit,
    /// So many bits.
    Index(u32, BitOrder),
    Byte(BitOrder),
}

/// What the steps along one axis are, after the first axis, which is the latents'.
#[derive(Clone, Copy, Debug)]
enum Step {
    Row,
    Site,
    Channel,
    Byte,
}

/// The axes after the first, and the sides of the grid.
struct Reading {
    steps: Vec<Step>,
    sides: [u64; 3],
    note: Option<String>,
}

/// Expected and found.
type Misread = (String, String);

impl Geometry {
    /// Returns how the options have the array read. Nothing is allocated by its sides.
    pub(super) fn of(
        array: &Array,
        path: &Path,
        options: &ImportOptions,
    ) -> Result<Self, LatentError> {
        let refuse = |(expected, found): Misread| LatentError::format(path, expected, found);
        match &array.sides[..] {
            [0, ..] => return Err(LatentError::Empty { path: path.into() }),
            sides if sides.contains(&0) => {
                let found = format!("{sides:?}");
                return Err(LatentError::format(path, "sides of at least 1", found));
            }
            _ => {}
        }
        let coding = options.coding.unwrap_or_default();
        let (reading, content) = match coding {
            Coding::Bits => (bits(array, options).map_err(refuse)?, Content::Bit),
            Coding::Indices { bits, order } => {
                let order = order_of(bits, order).map_err(refuse)?;
                let reading = indices(array, bits, options).map_err(refuse)?;
                (reading, Content::Index(bits, order))
            }
            Coding::Packed { order, shape } => (
                packed(array, shape, options).map_err(refuse)?,
                Content::Byte(order),
            ),
        };
        let [height, width, channels] = reading.sides;
        let shape = shape_of(path, height, width, channels)?;
        let first = [shape.packed_bytes() * 8];
        let others = reading.steps.iter().map(|step| match step {
            Step::Row => shape.width() * shape.channels(),
            Step::Site => shape.channels(),
            Step::Channel => 1,
            Step::Byte => 8,
        });
        Ok(Self {
            // Every reading has a first axis.
            latents: array.sides[0],
            shape,
            strides: first.into_iter().chain(others).collect(),
            content,
            words: words(options),
            note: reading.note,
        })
    }
}

/// Reads one bit an element.
fn bits(array: &Array, options: &ImportOptions) -> Result<Reading, Misread> {
    let (sides, layout, grid) = (&array.sides[..], options.layout, options.grid);
    let read = |steps: &[Step], sides| {
        Ok(Reading {
            steps: steps.to_vec(),
            sides,
            note: None,
        })
    };
    match (sides, layout) {
        (&[_, h, w, k], Some(Layout::Nhwc)) if grid.is_none() => {
            read(&[Step::Row, Step::Site, Step::Channel], [h, w, k])
        }
        (&[_, k, h, w], Some(Layout::Nchw)) if grid.is_none() => {
            read(&[Step::Channel, Step::Row, Step::Site], [h, w, k])
        }
        ([_, _, _, _], None) if grid.is_none() => Err((
            "layout=nhwc ([N, H, W, K]) or layout=nchw ([N, K, H, W]): read the wrong way \
             round, codes still load and are garbage"
                .to_owned(),
            format!("four axes, {sides:?}, and no `layout`"),
        )),
        ([_, _, _, _], Some(Layout::Nhw | Layout::Nlk)) => Err((
            "three axes, which layout=nhw and layout=nlk are for".to_owned(),
            format!("four axes, {sides:?}: layout=nhwc or layout=nchw"),
        )),
        ([_, _, _, _], _) => Err((
            "sites in one axis, [N, L] or [N, L, K], which `grid` is for".to_owned(),
            format!("four axes, {sides:?}: leave `grid` out"),
        )),
        (&[_, a, b], Some(Layout::Nhw)) if grid.is_none() => {
            read(&[Step::Row, Step::Site], [a, b, 1])
        }
        ([_, _, _], Some(Layout::Nhw)) => Err((
            "either layout=nhw, or `grid` for [N, L, K]".to_owned(),
            format!("both, for three axes, {sides:?}"),
        )),
        (&[_, l, k], None | Some(Layout::Nlk)) if grid.is_some() || layout.is_some() => {
            let [h, w] = grid_of(l, grid, &format!("{l} sites of {k} bits"))?;
            read(&[Step::Site, Step::Channel], [h, w, k])
        }
        (&[_, a, b], None) => either(a, b, array.element.is_integer()),
        ([_, _, _], Some(_)) => Err((
            "four axes, which layout=nhwc and layout=nchw are for".to_owned(),
            format!("three axes, {sides:?}: layout=nhw, or layout=nlk with grid=HxW"),
        )),
        (&[_, l], None) => line(l, grid, "bit"),
        (_, _) => Err((
            "codes [N, L], [N, H, W], [N, L, K] with layout=nlk, or [N, H, W, K] or [N, K, H, W] with \
             `layout`"
                .to_owned(),
            format!("{} axes, {sides:?}", sides.len()),
        )),
    }
}

/// Reads three axes of which nothing is said.
fn either(a: u64, b: u64, integers: bool) -> Result<Reading, Misread> {
    if a != b && a != 1 {
        let grid = square(a).map_or("HxW".to_owned(), |side| format!("{side}x{side}"));
        let indices = if integers {
            format!(", or index_bits=K ({a}x{b} token indices)")
        } else {
            String::new()
        };
        return Err((
            format!(
                "layout=nhw ({a}x{b} sites of one bit), or layout=nlk grid={grid} ({a} sites of {b} bits, \
                 rows one after the other){indices}: read the wrong way round, codes still load and are garbage"
            ),
            format!("three axes, [N, {a}, {b}], which can be either"),
        ));
    }
    // One site of many bits has no neighbours to speak of: not a grid.
    let note = (a != 1).then(|| {
        format!(
            "read as [N, H, W], {a}x{b} sites of one bit (layout=nhw to say so); if it is [N, L, K], {a} \
             sites of {b} bits, say layout=nlk grid=HxW"
        )
    });
    Ok(Reading {
        steps: vec![Step::Row, Step::Site],
        sides: [a, b, 1],
        note,
    })
}

/// Reads `[N, L]` of bits or indices.
fn line(l: u64, grid: Option<(u32, u32)>, what: &str) -> Result<Reading, Misread> {
    let (sides, note) = match grid {
        Some(_) => (grid_of(l, grid, &format!("{l} sites"))?, None),
        None => {
            let rows = square(l).filter(|side| *side > 1);
            let grid = rows.map_or("HxW".to_owned(), |side| format!("{side}x{side}"));
            let note = format!(
                "read as 1x{l} sites of one {what}, a line; if they are the rows of a grid, say grid={grid}"
            );
            ([1, l], Some(note))
        }
    };
    Ok(Reading {
        steps: vec![Step::Site],
        sides: [sides[0], sides[1], 1],
        note,
    })
}

/// Reads one index of a code an element.
fn indices(array: &Array, bits: u32, options: &ImportOptions) -> Result<Reading, Misread> {
    let sides = &array.sides;
    if !array.element.is_integer() {
        return Err((
            "integers, which `index_bits` is for: save the indices with astype('int64')".to_owned(),
            format!("{} {sides:?}", array.element.name()),
        ));
    }
    let k = u64::from(bits);
    match (&sides[..], options.layout, options.grid) {
        (&[_, h, w], None | Some(Layout::Nhw), None) => Ok(Reading {
            steps: vec![Step::Row, Step::Site],
            sides: [h, w, k],
            note: None,
        }),
        (&[_, l], None, grid) => {
            let mut reading = line(l, grid, "index")?;
            reading.sides[2] = k;
            Ok(reading)
        }
        ([_, _, _], _, Some(_)) => Err((
            "indices in one axis, [N, L], which `grid` is for with `index_bits`".to_owned(),
            format!("three axes, {sides:?}: leave `grid` out"),
        )),
        ([_, _, _] | [_, _], Some(_), _) => Err((
            "indices [N, H, W] or [N, L], of which there is nothing more to say".to_owned(),
            format!("{sides:?} and a `layout`: leave it out"),
        )),
        _ => Err((
            "one index a site, [N, H, W] or [N, L]; of several codebooks, save the bits".to_owned(),
            format!("{} axes, {sides:?}", sides.len()),
        )),
    }
}

/// Returns the order of an index's bits. Nothing in the file tells it and tokenizers differ: LFQ in
/// vector-quantize-pytorch and BSQ have the highest bit first, LFQ in Open-MAGVIT2 and MaskBit the lowest. The wrong
/// one reverses the channels of every site, loads, and is another code to the tokenizer.
fn order_of(bits: u32, order: Option<BitOrder>) -> Result<BitOrder, Misread> {
    if !(1..=64).contains(&bits) {
        let expected = "`index_bits` of 1 to 64";
        return Err((expected.to_owned(), bits.to_string()));
    }
    match order {
        Some(order) => Ok(order),
        // There is only one.
        None if bits == 1 => Ok(BitOrder::MsbFirst),
        None => Err((
            "msb_first=true (LFQ of vector-quantize-pytorch, BSQ) or lsb_first=true (LFQ of Open-MAGVIT2, MaskBit): \
             which bit of an index is channel 0; tokenizers differ, and the wrong one still loads"
                .to_owned(),
            format!("index_bits={bits} and neither"),
        )),
    }
}

/// Reads rows of bytes.
fn packed(array: &Array, shape: Shape, options: &ImportOptions) -> Result<Reading, Misread> {
    let (sides, element) = (&array.sides, array.element);
    if options.layout.is_some() || options.grid.is_some() {
        return Err((
            "`shape` alone to say what packed rows are".to_owned(),
            "`layout` or `grid` too: leave it out".to_owned(),
        ));
    }
    let bytes = shape.packed_bytes() as u64;
    let is_bytes = element.kind == ElementKind::Unsigned && element.bytes == 1;
    if !is_bytes || sides.len() != 2 {
        return Err((
            format!(
                "packed rows: uint8 [N, {bytes}] for {shape}, as numpy.packbits(axis=1) makes them"
            ),
            format!("{} {sides:?}", element.name()),
        ));
    }
    if sides[1] != bytes {
        return Err((
            format!("rows of {bytes} bytes: {} bits of {shape}", shape.bits()),
            format!("rows of {} bytes, {sides:?}", sides[1]),
        ));
    }
    Ok(Reading {
        steps: vec![Step::Byte],
        sides: [shape.height(), shape.width(), shape.channels()].map(|side| side as u64),
        note: None,
    })
}

/// Returns the sides of the grid that `l` sites are.
fn grid_of(l: u64, grid: Option<(u32, u32)>, what: &str) -> Result<[u64; 2], Misread> {
    let Some((h, w)) = grid else {
        let hint = match square(l) {
            Some(side) => format!("grid={side}x{side}, or another of {l} sites"),
            None => format!("grid=HxW, with H·W = {l}"),
        };
        return Err((hint, format!("{what} and no `grid`")));
    };
    let (h, w) = (u64::from(h), u64::from(w));
    if h * w != l {
        let expected = format!("{} sites, as grid={h}x{w} says", h * w);
        return Err((expected, what.to_owned()));
    }
    Ok([h, w])
}

/// Returns the side of the square of so many sites.
fn square(l: u64) -> Option<u64> {
    let side = l.isqrt();
    (side * side == l).then_some(side)
}

/// Returns what was said, for a set's `source`.
fn words(options: &ImportOptions) -> String {
    let layout = match options.layout {
        None => "",
        Some(Layout::Nhw) => ", layout nhw",
        Some(Layout::Nlk) => ", layout nlk",
        Some(Layout::Nhwc) => ", layout nhwc",
        Some(Layout::Nchw) => ", layout nchw",
    };
    let grid = match options.grid {
        None => String::new(),
        Some((height, width)) => format!(", grid {height}x{width}"),
    };
    let order = |order| match order {
        BitOrder::MsbFirst => "highest bit first",
        BitOrder::LsbFirst => "lowest bit first",
    };
    let coding = match options.coding {
        None | Some(Coding::Bits) => String::new(),
        Some(Coding::Indices { bits, order: which }) => {
            let order = which.map_or(String::new(), |which| format!(", {}", order(which)));
            format!(", indices of {bits} bits{order}")
        }
        Some(Coding::Packed {
            order: which,
            shape,
        }) => {
            format!(", packed {shape}, {}", order(which))
        }
    };
    format!("{layout}{grid}{coding}")
}
