//! An order: every bit that a context may see, nearest first, so that windows are its prefixes.
//!
//! A context laid out by an order is a string of bits; a window's context is its beginning. In the order of squares
//! the label (where contexts are bound to labels) comes first, then the site (where they are bound to places), the channel,
//! the earlier channels of the site, and then ring by ring: ring r is all sites r away (in rows or columns, whichever is
//! more) that come before the site in raster order. A ring begins with three border digits: whether the grid ends less than
//! r rows above, r columns to the left, r to the right. Then its sites: to the left in the site's own row; row by row upwards
//! the one to the left and the one to the right; and the row r above from right to left. Channels run from the last to the
//! first. A prefix that ends within a ring is a window too, with the ring's whole border. In the order of sequences each step
//! back is two bits: whether it is absent, and its value.
//!
//! What is absent reads 0, and border digits say what is absent, so two contexts are equal exactly when their strings are.
//! As strings have one length, they sort as bytes do.

use super::kind::{Direction, rings_of};
use super::read::{Field, Reader, ReaderBuilder};
use super::{Anchor, Window, WindowError};
use crate::latent::Shape;

/// Longest context that an order lays out: 2 MiB for each that is held.
const MAX_ORDER_BITS: usize = 1 << 24;

/// A run of bits of a laid-out context, at most 2³² of them.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: usize,
    bits: usize,
    field: Field,
}

/// The bits that contexts on a grid may see, in the order in which they count.
#[derive(Clone, Debug)]
pub struct Order {
    direction: Direction,
    shape: Shape,
    labels: u64,
    pieces: Vec<Piece>,
    bits: usize,
    /// How many of the pieces come before the first ring or step.
    head: usize,
    /// How far it goes: rings, or steps.
    depth: usize,
}

impl Order {
    /// Lays an order on latents of `shape` that is as deep as `deepest`; `labels` is how many labels contexts are bound to,
    /// 0 for none.
    ///
    /// # Errors
    /// [`WindowError::LargerThanGrid`] as [`Geometry::new`](super::Geometry::new) has it; [`WindowError::TooLong`] for a
    /// context of more than 2²⁴ bits.
    pub fn new(
        deepest: Window,
        anchor: Anchor,
        labels: u64,
        shape: Shape,
    ) -> Result<Self, WindowError> {
        // Refuses what is larger than the grid.
        super::Geometry::new(deepest, anchor, shape)?;
        let (direction, depth) = match deepest.whole() {
            Window::Square { radius } => (Direction::Rings, radius),
            Window::Sequence { length } => (Direction::Line, length),
            Window::Global | Window::Sites { .. } => {
                (Direction::Rings, shape.height().max(shape.width()) - 1)
            }
        };
        let mut order = Self {
            direction,
            shape,
            labels,
            pieces: Vec::new(),
            bits: 0,
            head: 0,
            depth,
        };
        let length = order.length(depth);
        if length > MAX_ORDER_BITS {
            return Err(WindowError::TooLong {
                window: deepest,
                bits: length,
            });
        }
        if labels > 0 {
            order.push(number_bits(labels), Field::Label);
        }
        if anchor == Anchor::Site {
            let sites = shape.height() * shape.width();
            order.push(number_bits(sites as u64), Field::Site);
        }
        order.push(number_bits(shape.channels() as u64), Field::Channel);
        if direction == Direction::Rings {
            order.push(shape.channels() - 1, Field::Own);
        }
        order.head = order.pieces.len();
        match direction {
            Direction::Rings => (1..=depth).for_each(|ring| order.push_ring(ring)),
            Direction::Line => order.push(2 * depth, Field::Steps { steps: depth }),
        }
        Ok(order)
    }

    /// Lays the same order on latents of another height and width, as deep as these are large. Contexts that both have are laid
    /// out alike.
    ///
    /// # Errors
    /// As [`Order::new`].
    pub fn on(&self, shape: Shape) -> Result<Self, WindowError> {
        let anchor = match self.pieces.iter().any(|piece| piece.field == Field::Site) {
            true => Anchor::Site,
            false => Anchor::None,
        };
        let deepest = match self.direction {
            Direction::Rings => Window::Square { radius: self.depth },
            Direction::Line => Window::Sequence { length: self.depth },
        };
        match Self::new(deepest, anchor, self.labels, shape) {
            Err(WindowError::LargerThanGrid { largest, .. }) => {
                Self::new(largest, anchor, self.labels, shape)
            }
            other => other,
        }
    }

    fn push(&mut self, bits: usize, field: Field) {
        if bits > 0 {
            self.pieces.push(Piece {
                at: self.bits,
                bits,
                field,
            });
            self.bits += bits;
        }
    }

    fn push_ring(&mut self, ring: usize) {
        let channels = self.shape.channels();
        let (rows, away) = (ring as u32, ring as i64);
        self.push(3, Field::Digits { ring: rows });
        self.push(
            channels,
            Field::Row {
                up: 0,
                first: -away,
            },
        );
        for up in 1..rows {
            self.push(channels, Field::Row { up, first: -away });
            self.push(channels, Field::Row { up, first: away });
        }
        let across = (2 * ring + 1) * channels;
        self.push(
            across,
            Field::Row {
                up: rows,
                first: -away,
            },
        );
    }

    /// Returns the number of bits of rings or steps up to a depth.
    fn length(&self, depth: usize) -> usize {
        match self.direction {
            // Ring r has 4r sites and three digits.
            Direction::Rings => 2 * depth * (depth + 1) * self.shape.channels() + 3 * depth,
            Direction::Line => 2 * depth,
        }
    }

    /// Returns which way it goes.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Returns the grid.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the windows that it has, smallest first: squares, or sequences, and last `global` where it goes to the end. Of
    /// more than 32 those of a power of two and the largest.
    pub fn windows(&self) -> Vec<Window> {
        let window = |depth| match self.direction {
            Direction::Rings => Window::Square { radius: depth },
            Direction::Line => Window::Sequence { length: depth },
        };
        let told =
            |depth: &usize| self.depth <= 32 || depth.is_power_of_two() || *depth == self.depth;
        let windows = (1..=self.depth).filter(told).map(window);
        let global = self.prefix(Window::Global).map(|_| Window::Global);
        windows.chain(global).collect()
    }

    /// Returns the number of bits of a laid-out context.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// Returns the number of words that a laid-out context takes, 64 bits each, the first bit highest.
    pub fn words(&self) -> usize {
        self.bits.div_ceil(64).max(1)
    }

    fn head_bits(&self) -> usize {
        self.bits - self.length(self.depth)
    }

    /// Returns how many bits from the beginning a window's contexts are; `None` for a window that is no prefix of this
    /// order, or deeper than it.
    pub fn prefix(&self, window: Window) -> Option<usize> {
        let whole = self.shape.height().max(self.shape.width()) - 1;
        let depth = match (self.direction, window) {
            (Direction::Rings, Window::Square { radius }) => radius,
            (Direction::Line, Window::Sequence { length }) => length,
            (Direction::Rings, Window::Global) => whole,
            (Direction::Rings, Window::Sites { count }) => return self.prefix_of_sites(count),
            _ => return None,
        };
        (depth <= self.depth).then(|| self.head_bits() + self.length(depth))
    }

    /// Returns how many bits from the beginning the contexts of the nearest `sites` sites are, the site's own not counted
    /// (of a line: the nearest `sites` bits); `None` for more than there are.
    pub fn prefix_of_sites(&self, sites: usize) -> Option<usize> {
        if self.direction == Direction::Line {
            return (sites <= self.depth).then(|| self.head_bits() + 2 * sites);
        }
        let (depth, more) = rings_of(sites);
        let digits = if more > 0 { 3 } else { 0 };
        let bits = self.head_bits() + self.length(depth) + digits + more * self.shape.channels();
        (depth + usize::from(more > 0) <= self.depth).then_some(bits)
    }

    /// Returns how many sites the order has beside the context's own; of a line, bits.
    pub fn sites(&self) -> usize {
        match self.direction {
            Direction::Rings => 2 * self.depth * (self.depth + 1),
            Direction::Line => self.depth,
        }
    }

    /// Returns the longest prefix of whole sites that has at most `bits` bits; `None` where not even that of no site has.
    pub fn whole_sites(&self, bits: usize) -> Option<usize> {
        let sites = (bits >= self.head_bits()).then(|| self.sites_within(bits));
        self.prefix_of_sites(sites?)
    }

    /// Returns how many sites a prefix of so many bits holds wholly, border digits included.
    pub fn sites_within(&self, bits: usize) -> usize {
        let Some(mut left) = bits.checked_sub(self.head_bits()) else {
            return 0;
        };
        if self.direction == Direction::Line {
            return (left / 2).min(self.depth);
        }
        let mut sites = 0;
        for ring in 1..=self.depth {
            let own = 4 * ring;
            let Some(rest) = left.checked_sub(3) else {
                break;
            };
            let whole = (rest / self.shape.channels()).min(own);
            sites += whole;
            if whole < own {
                break;
            }
            left = rest - own * self.shape.channels();
        }
        sites
    }

    /// Returns what reads bits `range` of contexts, at most 64 of them.
    pub fn reader(&self, range: std::ops::Range<usize>) -> Reader {
        debug_assert!(range.len() <= 64);
        let first = self
            .pieces
            .partition_point(|piece| piece.at + piece.bits <= range.start);
        let pieces = self.pieces[first..].iter();
        let mut reader = ReaderBuilder::new(self.shape);
        for piece in pieces.take_while(|piece| piece.at < range.end) {
            let (start, end) = (
                piece.at.max(range.start),
                (piece.at + piece.bits).min(range.end),
            );
            // From the lowest bit of the piece: what is behind the part.
            let skipped = piece.at + piece.bits - end;
            let shift = range.start + 64 - end;
            reader.push(piece.field, skipped, end - start, shift as u32);
        }
        reader.finish()
    }

    /// Returns, for each word, ones in all bits but those of sites in the context's own row.
    pub(super) fn above(&self) -> Vec<u64> {
        let mut words = vec![!0; self.words()];
        let own = |piece: &&Piece| matches!(piece.field, Field::Row { up: 0, .. });
        for piece in self.pieces.iter().filter(own) {
            for at in piece.at..piece.at + piece.bits {
                words[at / 64] &= !(1 << 63 >> (at % 64));
            }
        }
        words
    }

    /// Returns what reads each word of contexts in turn.
    pub fn word_readers(&self) -> Vec<Reader> {
        self.prefix_readers(self.bits)
    }

    /// Returns what reads each word of the first `bits` bits of contexts, at least one word.
    pub fn prefix_readers(&self, bits: usize) -> Vec<Reader> {
        let words = 0..bits.div_ceil(64).max(1);
        words
            .map(|word| self.reader(64 * word..(64 * word + 64).min(bits)))
            .collect()
    }
}

/// Returns the fewest bits that hold every number below `count`.
fn number_bits(count: u64) -> usize {
    (64 - count.saturating_sub(1).leading_zeros()) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Label, site, channel, border class and bits.
    type Plain = (
        Option<u64>,
        Option<usize>,
        usize,
        [usize; 3],
        Vec<Option<bool>>,
    );

    /// What a context of some sites is, told plainly: label, site where it is part of it, channel, border class of the
    /// rings that it begins, then each bit in the order of the page above, absent ones as `None`.
    fn plain(
        order: &Order,
        anchor: Anchor,
        latent: &[bool],
        label: u64,
        position: usize,
        sites: usize,
    ) -> Plain {
        let shape = order.shape();
        let (row, col, channel) = shape.place(position);
        let mut seen = Vec::new();
        let mut border = [0; 3];
        if order.direction() == Direction::Line {
            for back in 1..=sites {
                seen.push(position.checked_sub(back).map(|at| latent[at]));
            }
        } else {
            for earlier in (0..channel).rev() {
                seen.push(Some(latent[shape.position(row, col, earlier)]));
            }
            let rings = nearest(sites)
                .iter()
                .map(|(up, right)| right.abs().max(*up))
                .max();
            let rings = rings.unwrap_or(0) as usize;
            border = [row, col, shape.width() - 1 - col].map(|side| side.min(rings));
            for (up, right) in nearest(sites) {
                let (row, col) = (row as i64 - up, col as i64 + right);
                let inside = row >= 0 && (0..shape.width() as i64).contains(&col);
                for channel in (0..shape.channels()).rev() {
                    let at = |()| latent[shape.position(row as usize, col as usize, channel)];
                    seen.push(inside.then_some(()).map(at));
                }
            }
        }
        (
            (order.labels > 0).then_some(label),
            (anchor == Anchor::Site).then_some(row * shape.width() + col),
            channel,
            border,
            seen,
        )
    }

    /// The nearest sites: how far up and how far to the right.
    fn nearest(sites: usize) -> Vec<(i64, i64)> {
        let mut found = Vec::new();
        for ring in (1..).take_while(|_| sites > 0) {
            found.push((0, -ring));
            for up in 1..ring {
                found.extend([(up, -ring), (up, ring)]);
            }
            found.extend((-ring..=ring).rev().map(|right| (ring, right)));
            if found.len() >= sites {
                break;
            }
        }
        found.truncate(sites);
        found
    }

    fn layout(order: &Order, packed: &[u8], position: usize, label: u64) -> Vec<u64> {
        let place = order.shape().place(position).into();
        let readers = order.word_readers();
        readers
            .iter()
            .map(|reader| reader.read(packed, place, label))
            .collect()
    }

    fn cut(words: &[u64], bits: usize) -> Vec<u64> {
        let of = |(number, word): (usize, &u64)| match bits.saturating_sub(64 * number) {
            0 => 0,
            left @ 1..64 => word & !(!0 >> left),
            _ => *word,
        };
        words.iter().enumerate().map(of).collect()
    }

    fn case() -> impl Strategy<Value = (Shape, Vec<Vec<bool>>, bool, u64, bool, usize)> {
        (1..6usize, 1..7usize, 1..10usize).prop_flat_map(|(height, width, channels)| {
            let shape = Shape::new(height, width, channels).unwrap();
            // Mostly alike, so that contexts repeat.
            let bit = prop_oneof![4 => Just(false), 1 => Just(true)];
            let latent = prop::collection::vec(bit, shape.bits());
            let set = prop::collection::vec(latent, 1..5);
            (
                Just(shape),
                set,
                any::<bool>(),
                0..3u64,
                any::<bool>(),
                0..60usize,
            )
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// Every prefix tells apart what differs and nothing else.
        #[test]
        fn prefixes_of_an_order_are_equal_exactly_where_contexts_are(
            (shape, set, line, labels, anchored, sites) in case(),
        ) {
            let deepest = match line {
                true if shape.bits() > 1 => Window::Sequence { length: shape.bits() - 1 },
                _ => Window::Global,
            };
            let anchor = if anchored { Anchor::Site } else { Anchor::None };
            let order = Order::new(deepest, anchor, labels, shape).unwrap();
            let Some(bits) = order.prefix_of_sites(sites) else {
                return Ok(());
            };
            prop_assert_eq!(order.sites_within(bits), sites);
            let mut contexts = HashMap::new();
            let mut prefixes = HashMap::new();
            for (number, latent) in set.iter().enumerate() {
                let mut packed = vec![0; shape.packed_bytes()];
                for (at, bit) in latent.iter().enumerate() {
                    packed[at / 8] |= u8::from(*bit) << (at % 8);
                }
                let label = number as u64 % labels.max(1);
                for position in 0..shape.bits() {
                    let context = plain(&order, anchor, latent, label, position, sites);
                    let prefix = cut(&layout(&order, &packed, position, label), bits);
                    prop_assert_eq!(contexts.entry(context.clone()).or_insert(prefix.clone()), &prefix);
                    prop_assert_eq!(prefixes.entry(prefix).or_insert(context.clone()), &context);
                }
            }
        }
    }

    /// The windows that there are keys of, told apart by them.
    #[test]
    fn windows_are_the_prefixes_that_their_keys_say() {
        use crate::window::{Frame, Geometry, Given};
        let shape = Shape::new(6, 5, 3).unwrap();
        let mut random = 7u64;
        let packed: Vec<Vec<u8>> = (0..6)
            .map(|_| {
                let byte = |_| {
                    random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                    // Few ones.
                    (random >> 60 & random >> 50) as u8
                };
                (0..shape.packed_bytes()).map(byte).collect()
            })
            .collect();
        for deepest in ["global", "7x7", "seq:40"] {
            for (anchor, labels) in [(Anchor::None, 0), (Anchor::Site, 0), (Anchor::None, 3)] {
                let order = Order::new(deepest.parse().unwrap(), anchor, labels, shape).unwrap();
                let mut held = 0;
                for window in [
                    "3x3", "5x5", "7x7", "11x11", "seq:1", "seq:7", "seq:40", "global",
                ] {
                    let window: Window = window.parse().unwrap();
                    let Some(bits) = order.prefix(window) else {
                        continue;
                    };
                    held += 1;
                    let geometry = Geometry::new(window, anchor, shape).unwrap();
                    let geometry = geometry.with_labels(labels).unwrap();
                    let mut frame = Frame::new(shape, &[&geometry]);
                    let (mut keys, mut prefixes) = (HashMap::new(), HashMap::new());
                    for (number, latent) in packed.iter().enumerate() {
                        let label = number as u64 % labels.max(1);
                        let given = if labels > 0 {
                            Given::label(label)
                        } else {
                            Given::NOTHING
                        };
                        frame.load(latent, given);
                        for position in 0..shape.bits() {
                            let key = geometry.key(&mut frame, position);
                            if let Some(of_bytes) = geometry.key_of(latent, position, label) {
                                assert_eq!(of_bytes, key, "{window} {position}");
                            }
                            let prefix = cut(&layout(&order, latent, position, label), bits);
                            assert_eq!(keys.entry(key).or_insert(prefix.clone()), &prefix);
                            assert_eq!(prefixes.entry(prefix).or_insert(key), &key);
                        }
                    }
                }
                assert_eq!(held, if deepest == "global" { 5 } else { 3 }, "{deepest}");
            }
        }
    }
}
