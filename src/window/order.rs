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
//! At a finer level of a pyramid the order also takes up the next coarser level: the parent, before it where in the parent the
//! site lies; then ring by ring around the parent, each begun with four border digits, up, left, right and down. Rings of both
//! levels take turns as the windows ask for that it goes through; between those, evenly.
//!
//! What is absent reads 0, and border digits say what is absent, so two contexts are equal exactly when their strings are.
//! As strings have one length, they sort as bytes do.

use super::kind::Direction;
use super::read::{Field, Reader, ReaderBuilder, coarser, phases};
use super::{Anchor, Window, WindowError};
use crate::latent::{Level, Shape};

/// Longest context that an order lays out: 2 MiB for each that is held.
const MAX_ORDER_BITS: usize = 1 << 24;

/// A run of bits of a laid-out context, at most 2³² of them.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: usize,
    bits: usize,
    field: Field,
}

/// What an order takes up at once, of so many sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The ring r of the site's own level.
    Ring(usize),
    /// The ring p of the coarser level around the parent, which is ring 0.
    Parent(usize),
    /// Bits back in scan order.
    Back(usize),
}

/// How far an order has come.
#[derive(Clone, Copy, Debug)]
struct Stage {
    step: Step,
    /// Where the bits of its first site begin, behind what tells of the border.
    sites_at: usize,
    sites: usize,
    /// Bits of a site.
    width: usize,
    /// What it has behind the step: rings of the own level, and the square of the coarser one.
    reach: (usize, Option<usize>),
}

impl Stage {
    fn end(&self) -> usize {
        self.sites_at + self.sites * self.width
    }
}

/// The bits that contexts on a grid may see, in the order in which they count.
#[derive(Clone, Debug)]
pub struct Order {
    direction: Direction,
    shape: Shape,
    anchor: Anchor,
    labels: u64,
    /// Number of the level of a pyramid that it is of.
    level: usize,
    /// The windows that it goes through, smallest first; the last one is its depth.
    through: Vec<Window>,
    pieces: Vec<Piece>,
    bits: usize,
    /// Bits before the first ring or step.
    head_bits: usize,
    stages: Vec<Stage>,
}

impl Order {
    /// Lays an order on latents of `shape` that is as deep as `deepest`; `labels` is how many labels contexts are bound to,
    /// 0 for none.
    ///
    /// # Errors
    /// As [`Order::through`].
    pub fn new(
        deepest: Window,
        anchor: Anchor,
        labels: u64,
        shape: Shape,
    ) -> Result<Self, WindowError> {
        Self::through(&[deepest], anchor, labels, shape)
    }

    /// Lays an order on latents of `shape` that has `windows` among its prefixes: each must be within the next one. At a
    /// finer level of a pyramid, what lies between them is taken up evenly, the parent first.
    ///
    /// # Errors
    /// [`WindowError::LargerThanGrid`] and [`WindowError::NoSuchLevel`] as [`Geometry::new`](super::Geometry::new) has them;
    /// [`WindowError::TooLong`] for a context of more than 2²⁴ bits; [`WindowError::Parse`] for no window.
    pub fn through(
        windows: &[Window],
        anchor: Anchor,
        labels: u64,
        shape: Shape,
    ) -> Result<Self, WindowError> {
        for window in windows {
            // Refuses what is larger than the grid.
            super::Geometry::new(*window, anchor, shape)?;
        }
        let Some(deepest) = windows.last() else {
            return Err(WindowError::Parse {
                found: String::new(),
            });
        };
        let direction = deepest.direction();
        let mut order = Self {
            direction,
            shape,
            anchor,
            labels,
            level: deepest.level(),
            through: windows.to_vec(),
            pieces: Vec::new(),
            bits: 0,
            head_bits: 0,
            stages: Vec::new(),
        };
        let Some(level) = shape.level(order.level).copied() else {
            return Err(WindowError::NoSuchLevel {
                window: *deepest,
                shape: shape.into(),
            });
        };
        if labels > 0 {
            order.push(number_bits(labels), Field::Label);
        }
        if anchor == Anchor::Site {
            let sites = level.height() * level.width();
            order.push(number_bits(sites as u64), Field::Site);
        }
        order.push(number_bits(level.channels() as u64), Field::Channel);
        if direction == Direction::Rings {
            order.push(level.channels() - 1, Field::Own);
        }
        order.head_bits = order.bits;
        for step in steps(windows, &level) {
            order.push_step(step, &level);
            if order.bits - order.head_bits > MAX_ORDER_BITS {
                return Err(WindowError::TooLong {
                    window: *deepest,
                    bits: order.bits - order.head_bits,
                });
            }
        }
        Ok(order)
    }

    /// Lays the same order on latents of another height and width, as deep as these are large. Contexts that both have are laid
    /// out alike.
    ///
    /// # Errors
    /// As [`Order::new`].
    pub fn on(&self, shape: Shape) -> Result<Self, WindowError> {
        let (rings, parent) = self.reach();
        let deepest = match (self.direction, self.level) {
            (Direction::Line, _) => Window::Sequence { length: rings },
            (Direction::Rings, 0) => Window::Square { radius: rings },
            (Direction::Rings, level) => Window::Level {
                level,
                radius: rings,
                parent,
            },
        };
        match Self::new(deepest, self.anchor, self.labels, shape) {
            Err(WindowError::LargerThanGrid { largest, .. }) => {
                Self::new(largest, self.anchor, self.labels, shape)
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

    fn push_step(&mut self, step: Step, level: &Level) {
        let (rings, parent) = self.reach();
        let coarser = coarser(&self.shape, level).copied();
        let width = match (step, coarser) {
            (Step::Back(_), _) => 2,
            (Step::Ring(_), _) => level.channels(),
            (Step::Parent(_), coarser) => coarser.map_or(0, |coarser| coarser.channels()),
        };
        let (sites, reach) = match step {
            Step::Back(steps) => (steps, (steps, parent)),
            Step::Ring(ring) => (4 * ring, (ring, parent)),
            Step::Parent(0) => (1, (rings, Some(0))),
            Step::Parent(ring) => (8 * ring, (rings, Some(ring))),
        };
        match (step, coarser) {
            (Step::Ring(ring), _) => self.push(3, Field::Digits { ring: ring as u32 }),
            (Step::Parent(0), Some(coarser)) => {
                let phases = phases(level, &coarser) as u64;
                self.push(number_bits(phases), Field::Phase);
            }
            (Step::Parent(ring), _) => self.push(4, Field::ParentDigits { ring: ring as u32 }),
            (Step::Back(_), _) => {}
        }
        let sites_at = self.bits;
        match step {
            Step::Back(steps) => self.push(2 * steps, Field::Steps { steps }),
            Step::Ring(ring) => self.push_ring(ring, width),
            Step::Parent(ring) => self.push_parents(ring, width),
        }
        self.stages.push(Stage {
            step,
            sites_at,
            sites,
            width,
            reach,
        });
    }

    fn push_ring(&mut self, ring: usize, channels: usize) {
        let (rows, away) = (ring as u32, ring as i64);
        let first = -away;
        self.push(channels, Field::Row { up: 0, first });
        for up in 1..rows {
            self.push(channels, Field::Row { up, first });
            self.push(channels, Field::Row { up, first: away });
        }
        let across = (2 * ring + 1) * channels;
        self.push(across, Field::Row { up: rows, first });
    }

    fn push_parents(&mut self, ring: usize, channels: usize) {
        let away = ring as i64;
        let (first, across) = (-away, (2 * ring + 1) * channels);
        for up in (first..=away).rev() {
            if up.abs() == away {
                self.push(across, Field::ParentRow { up, first });
            } else {
                self.push(channels, Field::ParentRow { up, first });
                self.push(channels, Field::ParentRow { up, first: away });
            }
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

    /// Returns the level of a pyramid that it is of.
    pub fn level(&self) -> &Level {
        // There is one of that number: else there would be no order.
        self.shape
            .level(self.level)
            .unwrap_or_else(|| self.shape.finest())
    }

    /// Returns how many rings of its own level it has (of a line, steps), and which square of the coarser one.
    fn reach(&self) -> (usize, Option<usize>) {
        self.stages.last().map_or((0, None), |stage| stage.reach)
    }

    /// Returns the windows that it has, smallest first: squares, or sequences, and last `global` where it goes to the end. Of
    /// more than 32 those of a power of two and the largest. At a finer level of a pyramid those of whole rings and those that
    /// it was made to go through.
    pub fn windows(&self) -> Vec<Window> {
        let (depth, _) = self.reach();
        let told = |depth_of: usize| depth <= 32 || depth_of.is_power_of_two() || depth_of == depth;
        match (self.direction, self.level) {
            (Direction::Line, _) => {
                let lengths = (1..=depth).filter(|length| told(*length));
                lengths.map(|length| Window::Sequence { length }).collect()
            }
            (Direction::Rings, 0) => {
                let radii = (1..=depth).filter(|radius| told(*radius));
                let windows = radii.map(|radius| Window::Square { radius });
                let global = self.prefix(Window::Global).map(|_| Window::Global);
                windows.chain(global).collect()
            }
            (Direction::Rings, level) => {
                let window = |stage: &Stage| Window::Level {
                    level,
                    radius: stage.reach.0,
                    parent: stage.reach.1,
                };
                let last = self.stages.len().saturating_sub(1);
                let told = self.stages.iter().enumerate().filter(|(number, stage)| {
                    let ring = matches!(stage.step, Step::Ring(ring) if told(ring));
                    ring || *number == last || self.through.contains(&window(stage))
                });
                told.map(|(_, stage)| window(stage)).collect()
            }
        }
    }

    /// Returns the number of bits of a laid-out context.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// Returns the number of words that a laid-out context takes, 64 bits each, the first bit highest.
    pub fn words(&self) -> usize {
        self.bits.div_ceil(64).max(1)
    }

    /// Returns how many bits from the beginning a window's contexts are; `None` for a window that is no prefix of this
    /// order, or deeper than it.
    pub fn prefix(&self, window: Window) -> Option<usize> {
        let level = self.level();
        let reach = match (self.direction, window) {
            _ if window.level() != self.level => return None,
            (Direction::Line, Window::Sequence { length }) => {
                return self.prefix_of_sites(length);
            }
            (Direction::Rings, Window::Sites { count }) => return self.prefix_of_sites(count),
            (Direction::Rings, Window::Square { radius }) => (radius, None),
            (Direction::Rings, Window::Global) => (level.height().max(level.width()) - 1, None),
            (Direction::Rings, Window::Level { radius, parent, .. }) => (radius, parent),
            _ => return None,
        };
        if reach == (0, None) {
            return Some(self.head_bits);
        }
        let stage = self.stages.iter().find(|stage| stage.reach == reach)?;
        Some(stage.end())
    }

    /// Returns how many bits from the beginning the contexts of the nearest `sites` sites are, the site's own not counted
    /// (of a line: the nearest `sites` bits); `None` for more than there are.
    pub fn prefix_of_sites(&self, sites: usize) -> Option<usize> {
        if sites == 0 {
            return Some(self.head_bits);
        }
        let mut left = sites;
        for stage in &self.stages {
            if left <= stage.sites {
                return Some(stage.sites_at + left * stage.width);
            }
            left -= stage.sites;
        }
        None
    }

    /// Returns how many sites the order has beside the context's own; of a line, bits.
    pub fn sites(&self) -> usize {
        self.stages.iter().map(|stage| stage.sites).sum()
    }

    /// Returns the longest prefix of whole sites that has at most `bits` bits; `None` where not even that of no site has.
    pub fn whole_sites(&self, bits: usize) -> Option<usize> {
        if bits < self.head_bits {
            return None;
        }
        let stage = self.stages.partition_point(|stage| stage.end() <= bits);
        let whole = stage
            .checked_sub(1)
            .map_or(self.head_bits, |stage| self.stages[stage].end());
        let within = self
            .stages
            .get(stage)
            .map_or(0, |stage| bits.saturating_sub(stage.sites_at) / stage.width);
        match within {
            0 => Some(whole),
            sites => Some(self.stages[stage].sites_at + sites * self.stages[stage].width),
        }
    }

    /// Returns how many sites a prefix of so many bits holds wholly, border digits included.
    pub fn sites_within(&self, bits: usize) -> usize {
        let whole = self.stages.partition_point(|stage| stage.end() <= bits);
        let before: usize = self.stages[..whole].iter().map(|stage| stage.sites).sum();
        before
            + self
                .stages
                .get(whole)
                .map_or(0, |stage| bits.saturating_sub(stage.sites_at) / stage.width)
    }

    /// Returns what reads bits `range` of contexts, at most 64 of them.
    pub fn reader(&self, range: std::ops::Range<usize>) -> Reader {
        debug_assert!(range.len() <= 64);
        let first = self
            .pieces
            .partition_point(|piece| piece.at + piece.bits <= range.start);
        let pieces = self.pieces[first..].iter();
        let level = self.level();
        let mut reader = ReaderBuilder::new(level, coarser(&self.shape, level));
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

/// Returns what an order that goes through `windows` takes up, in turn.
fn steps(windows: &[Window], level: &Level) -> Vec<Step> {
    if let Some(Window::Sequence { length }) = windows.last() {
        return vec![Step::Back(*length)];
    }
    let whole = level.height().max(level.width()) - 1;
    let mut steps = Vec::new();
    let (mut rings, mut square) = (0usize, None::<usize>);
    for window in windows {
        let (to, parent) = match window.whole() {
            Window::Square { radius } => (radius, None),
            Window::Level { radius, parent, .. } => (radius, parent),
            _ => (whole, None),
        };
        // The parent itself is nearest of all.
        if parent.is_some() && square.is_none() {
            steps.push(Step::Parent(0));
            square = Some(0);
        }
        let (from, inner) = (rings, square.unwrap_or(0));
        let outer = parent.unwrap_or(inner);
        let mut take_square = |steps: &mut Vec<Step>, to: usize| {
            while let Some(ring) = square.filter(|ring| *ring < to) {
                steps.push(Step::Parent(ring + 1));
                square = Some(ring + 1);
            }
        };
        while rings < to {
            rings += 1;
            // So much of the way to the window.
            let share = (outer - inner) * (rings - from) / (to - from);
            take_square(&mut steps, inner + share);
            steps.push(Step::Ring(rings));
        }
        take_square(&mut steps, outer);
    }
    steps
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
        let place = super::super::Place::of(&order.shape(), position);
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
