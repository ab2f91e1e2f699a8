//! A window laid on a grid: which bits each position's context selects, and how they become a key.
//!
//! An exact key is a class number (big endian, the fewest bytes that hold every class) followed by
//! the context's bits (bit `s` at byte `s/8`, bit position `s%8`, zeros behind). Every class has
//! one fixed number of bits and one fixed place for each, absent sites read 0, and the class says
//! which are absent: so two keys of a window are equal exactly when class and bits are. Where contexts
//! are bound to labels, each label has a set of classes of its own. The byte-level page is
//! `schemas/context-key.md`.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::context::Context;
use super::frame::Frame;
use super::given::Given;
use super::key::{ContextKey, DIGEST_BYTES, KeyRule, MAX_KEY_BYTES};
use super::order::Order;
use super::read::{Place, Reader, coarser, phases, read};
use super::upper::UpperKey;
use super::{Anchor, Window, WindowError};
use crate::base::bits::push;
use crate::latent::{Level, Shape};

/// Longest context, absent sites included: 1 MiB of scratch. A 1024×1024 grid's largest square
/// selects 2,095,103 bits; only grids of extreme proportions come near.
const MAX_CONTEXT_BITS: usize = 1 << 23;

/// Most labels that contexts can be bound to. With every window's classes they number less than 2⁶⁴.
pub const MAX_LABELS: u64 = 1 << 20;

/// A window on a grid of one shape.
///
/// ```
/// use bitquilt::{Anchor, Frame, Geometry, Given, Shape};
///
/// let geometry = Geometry::new("3x3".parse()?, Anchor::None, Shape::new(4, 4, 1)?)?;
/// // The context of row 1, column 1: the row above, and the site to the left.
/// let context: Vec<_> = geometry.context(5).flatten().collect();
/// assert_eq!(context, [0, 1, 2, 4]);
///
/// let mut frame = Frame::new(geometry.shape(), &[&geometry]);
/// frame.begin(Given::NOTHING);
/// // Contexts of zeros, wherever the edge of the grid is as far away:
/// assert_eq!(geometry.key(&mut frame, 5), geometry.key(&mut frame, 10));
/// frame.set(0, true);
/// assert_ne!(geometry.key(&mut frame, 5), geometry.key(&mut frame, 10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Geometry {
    window: Window,
    anchor: Anchor,
    shape: Shape,
    /// The level that the window is laid on.
    level: Level,
    /// Class number of each position of the level, label aside: channel and border class, or the position itself
    /// where the site is part of the key.
    classes: Vec<u64>,
    /// How many class numbers the window has. Grids of other heights and widths have the same unless
    /// they are positions.
    class_count: u64,
    /// 0 where labels are no part of the key.
    labels: u64,
    class_bytes: usize,
    /// Bits of the longest context, absent ones included.
    context_bits: usize,
    /// The windows that the order goes through by which its contexts are laid out.
    path: Vec<Window>,
    /// What lays its contexts out, once it was asked for.
    layout: OnceLock<Arc<Layout>>,
}

/// The readers of each word of a context that is laid out by its order, and the bits of the last one.
#[derive(Debug, Default)]
struct Layout {
    readers: Vec<Reader>,
    bits: usize,
    /// Ones in all bits but those of the site's own row.
    upper: Vec<u64>,
}

impl Geometry {
    /// Lays `window` on latents of `shape`.
    ///
    /// # Errors
    /// [`WindowError::LargerThanGrid`] when a smaller window of the same kind selects the same bits
    /// everywhere: then `global` is meant, and says so. A 1-bit latent takes `global` only.
    /// [`WindowError::TooLong`] for a context of more than 2²³ bits. [`WindowError::NoSuchLevel`].
    pub fn new(window: Window, anchor: Anchor, shape: Shape) -> Result<Self, WindowError> {
        let larger = |largest| WindowError::LargerThanGrid {
            window,
            shape: shape.into(),
            largest,
        };
        let Some(level) = shape.level(window.level()).copied() else {
            return Err(WindowError::NoSuchLevel {
                window,
                shape: shape.into(),
            });
        };
        let channels = level.channels();
        let (context_bits, free_classes) = match window {
            Window::Sequence { length } => {
                let max = level.bits() - 1;
                if length > max {
                    return Err(larger(match max {
                        0 => Window::Global,
                        length => Window::Sequence { length },
                    }));
                }
                (length, (length + 1) as u64 * channels as u64)
            }
            Window::Square { radius } => {
                within_grid(window, &level).map_err(larger)?;
                let sites = (2 * radius + 1) * radius + radius;
                let borders = (radius as u64 + 1).pow(3);
                (sites * channels + channels - 1, borders * channels as u64)
            }
            // The border is among the bits of its keys.
            Window::Sites { count } => {
                within_grid(window, &level).map_err(larger)?;
                (count * channels + channels - 1, channels as u64)
            }
            Window::Global => (level.bits() - 1, level.bits() as u64),
            Window::Level { .. } => {
                let bits = bits_of_level(window, &shape, &level).map_err(larger)?;
                (bits, channels as u64)
            }
        };
        let by_position = anchor == Anchor::Site || window == Window::Global;
        if context_bits > MAX_CONTEXT_BITS {
            return Err(WindowError::TooLong {
                window,
                bits: context_bits,
            });
        }
        let class_count = if by_position {
            level.bits() as u64
        } else {
            free_classes
        };
        let mut geometry = Self {
            window,
            anchor,
            shape,
            level,
            classes: Vec::new(),
            class_count,
            labels: 0,
            class_bytes: class_bytes(class_count),
            context_bits,
            path: vec![window],
            layout: OnceLock::new(),
        };
        geometry.classes = level
            .positions()
            .map(|position| {
                if by_position {
                    (position - level.start()) as u64
                } else {
                    let (_, _, channel) = level.place(position);
                    geometry.border_number(position) * channels as u64 + channel as u64
                }
            })
            .collect();
        Ok(geometry)
    }

    /// Returns the same window with the latent's label as part of the key: one of `labels`, which
    /// [`Given::label`] gives by its number. 0 for contexts that no label is part of.
    ///
    /// # Errors
    /// [`WindowError::TooManyLabels`] for more than [`MAX_LABELS`].
    pub fn with_labels(mut self, labels: u64) -> Result<Self, WindowError> {
        if labels > MAX_LABELS {
            return Err(WindowError::TooManyLabels {
                labels,
                max: MAX_LABELS,
            });
        }
        self.labels = labels;
        self.layout = OnceLock::new();
        self.class_bytes = class_bytes(self.class_count * labels.max(1));
        Ok(self)
    }

    /// Returns the same window, its contexts laid out by an order that goes through `path` and has it among its prefixes: that
    /// of an array which answers it.
    pub(crate) fn along(mut self, path: &[Window]) -> Self {
        self.path = path.to_vec();
        self.layout = OnceLock::new();
        self
    }

    /// Returns the same window on latents of another shape, its contexts laid out as here: those that both have are equal.
    ///
    /// # Errors
    /// As [`Geometry::new`].
    pub(crate) fn on(&self, shape: Shape) -> Result<Self, WindowError> {
        let other = Self::new(self.window, self.anchor, shape)?.with_labels(self.labels)?;
        // How the order goes on behind a window that holds this one makes no difference to it. Rings alone have one order.
        let holding = self
            .path
            .iter()
            .position(|window| self.window.nests_in(*window));
        let path = match (self.window, holding) {
            (Window::Level { .. }, Some(last)) => &self.path[..=last],
            _ => return Ok(other),
        };
        for window in path {
            Self::new(*window, self.anchor, shape)?;
        }
        Ok(other.along(path))
    }

    /// Returns whether keys can be made of what is given: a label that they tell apart where they tell labels apart, and
    /// none, or number 0, where they do not.
    pub fn takes(&self, given: Given) -> bool {
        match given.label {
            None => self.labels == 0,
            Some(number) => number < self.labels.max(1),
        }
    }

    /// Returns how many labels the key tells apart, 0 where they are no part of it.
    pub fn labels(&self) -> u64 {
        self.labels
    }

    /// Returns the window.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Returns whether the site is part of the key.
    pub fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// Returns the grid.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the level that the window is laid on.
    pub fn level(&self) -> &Level {
        &self.level
    }

    /// Returns the positions that it has contexts of: those of its level.
    pub fn positions(&self) -> Range<usize> {
        self.level.positions()
    }

    /// Returns the number of bits of the longest context, absent ones included. Windows are ordered by this size.
    pub fn context_bits(&self) -> usize {
        self.context_bits
    }

    /// Returns how contexts become keys.
    pub fn key_rule(&self) -> KeyRule {
        if self.exact_bytes() <= MAX_KEY_BYTES {
            KeyRule::Exact
        } else {
            KeyRule::Digest
        }
    }

    /// Returns the length in bytes of every key of this window.
    pub fn key_bytes(&self) -> usize {
        match self.key_rule() {
            KeyRule::Exact => self.exact_bytes(),
            KeyRule::Digest => DIGEST_BYTES,
        }
    }

    fn exact_bytes(&self) -> usize {
        match self.is_laid_out() {
            true => self.layout().bits.div_ceil(8).max(1),
            false => self.class_bytes + self.context_bits.div_ceil(8),
        }
    }

    /// Returns whether a key is the context as its order lays it out: then no class is part of it.
    fn is_laid_out(&self) -> bool {
        matches!(self.window, Window::Sites { .. } | Window::Level { .. })
    }

    /// Returns the border class of a position: how far the grid's edge cuts the window. `[up, left, right]` in
    /// sites for a square, `[bits before]` (at most C for `seq:C`) for the others.
    pub fn border(&self, position: usize) -> Vec<usize> {
        let (row, col, _) = self.level.place(position);
        match self.window {
            Window::Sequence { length } => vec![position.min(length)],
            Window::Square { .. } | Window::Sites { .. } | Window::Level { .. } => {
                let reach = self.window.reach();
                let right = self.level.width() - 1 - col;
                [row, col, right].map(|side| side.min(reach)).to_vec()
            }
            Window::Global => vec![position],
        }
    }

    /// Returns the border class as one number that does not depend on the grid, only on the window.
    fn border_number(&self, position: usize) -> u64 {
        let base = match self.window {
            Window::Square { radius } => radius as u64 + 1,
            // The border is among the bits of its keys.
            Window::Sites { .. } | Window::Level { .. } => return 0,
            Window::Sequence { .. } | Window::Global => 0,
        };
        let parts = self.border(position);
        parts
            .iter()
            .fold(0, |number, part| number * base + *part as u64)
    }

    /// Returns the positions that the context of `position` selects, in ascending runs. The last run ends
    /// at `position` or is absent; positions outside the grid are not listed.
    pub fn context(&self, position: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let (level, window, reach) = (self.level, self.window, self.window.reach());
        let (row, col, _) = level.place(position);
        let (above, own) = match window {
            Window::Sequence { length } => (0..0, position.saturating_sub(length)),
            Window::Global => (0..0, level.start()),
            Window::Square { .. } | Window::Sites { .. } | Window::Level { .. } => {
                let left = window.columns(0).start.unsigned_abs();
                let own = level.position(row, col.saturating_sub(left), 0);
                (row.saturating_sub(reach)..row, own)
            }
        };
        let above = above.map(move |above| {
            let columns = window.columns(row - above);
            let on_grid = |offset: isize| col.saturating_add_signed(offset).min(level.width());
            let (first, end) = (on_grid(columns.start), on_grid(columns.end));
            let start = level.position(above, first, 0);
            start..start + end.saturating_sub(first) * level.channels()
        });
        self.parents(row, col)
            .chain(above)
            .chain(std::iter::once(own..position))
            .filter(|run| !run.is_empty())
    }

    /// Returns the positions of the coarser level that the contexts of a site select, in ascending runs.
    fn parents(&self, row: usize, col: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let square = self.square().map(|(coarser, radius)| {
            let (row, col) = coarser.parent_of(&self.level, row, col);
            let rows = row.saturating_sub(radius)..(row + radius + 1).min(coarser.height());
            let columns = col.saturating_sub(radius)..(col + radius + 1).min(coarser.width());
            (*coarser, rows, columns)
        });
        square.into_iter().flat_map(|(coarser, rows, columns)| {
            rows.map(move |row| {
                let start = coarser.position(row, columns.start, 0);
                start..start + columns.len() * coarser.channels()
            })
        })
    }

    /// Returns the coarser level of which it sees something, and the radius of the square.
    fn square(&self) -> Option<(&Level, usize)> {
        let (_, parent) = self.window.of_level()?;
        coarser(&self.shape, &self.level).zip(parent)
    }

    /// Returns in how many ways the site of a context can lie in its parent, 1 where that is no part of it.
    pub(super) fn phases(&self) -> usize {
        self.square()
            .map_or(1, |(coarser, _)| phases(&self.level, coarser))
    }

    /// Returns how many bits of the coarser level a context sees, absent ones included.
    pub(super) fn parent_bits(&self) -> usize {
        self.square().map_or(0, |(coarser, radius)| {
            (2 * radius + 1) * (2 * radius + 1) * coarser.channels()
        })
    }

    /// Returns the positions of the coarser level that the contexts of a site see, each with its place among them and the
    /// absent ones.
    pub(super) fn parent_places(&self, row: usize, col: usize) -> Vec<(usize, usize)> {
        let Some((coarser, radius)) = self.square() else {
            return Vec::new();
        };
        let (parent_row, parent_col) = coarser.parent_of(&self.level, row, col);
        let bits = self.parents(row, col).flatten().map(|bit| {
            let (row, col, channel) = coarser.place(bit);
            let (down, right) = (row + radius - parent_row, col + radius - parent_col);
            let at = (down * (2 * radius + 1) + right) * coarser.channels() + channel;
            (at, bit)
        });
        bits.collect()
    }

    /// Returns the key of the context at `position`. Reads only bits before `position`.
    ///
    /// `frame` must be of this shape and made for this geometry, and with labels be given one of the geometry's.
    pub fn key(&self, frame: &mut Frame, position: usize) -> ContextKey {
        debug_assert_eq!(frame.shape(), self.shape);
        debug_assert!(
            self.labels == 0 || frame.given().label.is_some_and(|label| label < self.labels)
        );
        if self.is_laid_out() {
            return self.key_of_context(&self.lay_out(frame, position));
        }
        let class = self.class(frame, position);
        match self.key_rule() {
            KeyRule::Exact => {
                // 31 bytes of bits at most behind a class byte, and a spare word to spill into.
                let mut words = [0; MAX_KEY_BYTES / 8 + 1];
                self.pack(frame, position, &mut words);
                let mut bytes = [0; MAX_KEY_BYTES];
                self.write_exact(class, &words, &mut bytes);
                ContextKey::from_padded(bytes, self.exact_bytes())
            }
            KeyRule::Digest => {
                let mut words = std::mem::take(&mut frame.scratch);
                words.fill(0);
                self.pack(frame, position, &mut words);
                let mut bytes = std::mem::take(&mut frame.exact);
                bytes.resize(self.exact_bytes(), 0);
                self.write_exact(class, &words, &mut bytes);
                let key = ContextKey::digest(&bytes);
                (frame.scratch, frame.exact) = (words, bytes);
                key
            }
        }
    }

    /// Returns the key that is the context as it is laid out.
    fn key_of_context(&self, context: &Context) -> ContextKey {
        let bytes = context.words().iter().flat_map(|word| word.to_be_bytes());
        let bytes: Vec<u8> = bytes.take(self.exact_bytes()).collect();
        ContextKey::new(&bytes).unwrap_or_else(|| ContextKey::digest(&bytes))
    }

    /// Returns the key of the context at `position` of a packed latent, without a frame; `label` is the number of its label, 0
    /// where keys tell none apart. `latent` begins with its packed bytes and may go on.
    pub(crate) fn key_of(&self, latent: &[u8], position: usize, label: u64) -> Option<ContextKey> {
        let Window::Square { radius } = self.window else {
            let context = self
                .is_laid_out()
                .then(|| self.laid_out(latent, position, label));
            return context.map(|context| self.key_of_context(&context));
        };
        if self.key_rule() != KeyRule::Exact {
            return None;
        }
        let (row, col, channel) = self.level.place(position);
        let channels = self.level.channels();
        let row_bits = self.level.row_bits();
        let across = (2 * radius + 1) * channels;
        let mut words = [0; MAX_KEY_BYTES / 8 + 1];
        // What of each row lies on the grid: the same bits of every row above, and of its own those before the position.
        let left = (col * channels).saturating_sub(radius * channels);
        let right = ((col + radius + 1) * channels).min(row_bits);
        let skipped = left + radius * channels - col * channels;
        for up in 0..=radius.min(row) {
            let end = if up == 0 {
                col * channels + channel
            } else {
                right
            };
            let from = (row - up) * row_bits;
            let to = (radius - up) * across + skipped;
            for at in (left..end).step_by(56) {
                let n = (end - at).min(56);
                push(
                    &mut words,
                    to + at - left,
                    read(latent, from + at, n as u32),
                );
            }
        }
        let class = label * self.class_count + self.classes[position - self.level.start()];
        let mut bytes = [0; MAX_KEY_BYTES];
        self.write_exact(class, &words, &mut bytes);
        Some(ContextKey::from_padded(bytes, self.exact_bytes()))
    }

    /// Returns how many bits its contexts have as their order lays them out.
    pub fn laid_out_bits(&self) -> usize {
        self.layout().bits
    }

    /// Returns the context at `position`, laid out by its order. Reads only bits before `position`.
    ///
    /// `frame` must be as for [`Geometry::key`].
    pub fn lay_out(&self, frame: &Frame, position: usize) -> Context {
        self.laid_out(frame.bytes(), position, self.label_of(frame))
    }

    /// Returns the context at `position` of a packed latent, laid out; `label` is as [`Geometry::key_of`] has it.
    fn laid_out(&self, latent: &[u8], position: usize, label: u64) -> Context {
        let layout = self.layout();
        let place = Place::of(&self.shape, position);
        let readers = layout.readers.iter();
        let words = readers.map(|reader| reader.read(latent, place, label));
        Context::new(words.collect(), layout.bits)
    }

    /// Returns the context at `position` with its site's row left open, and ones in all bits that are not.
    pub fn lay_out_upper(&self, frame: &Frame, position: usize) -> (Context, Context) {
        let layout = self.layout();
        let context = self.lay_out(frame, position);
        let words = context
            .words()
            .iter()
            .zip(&layout.upper)
            .map(|(word, mask)| word & mask);
        let mask = Context::new(layout.upper.clone(), layout.bits);
        (Context::new(words.collect(), layout.bits), mask)
    }

    fn layout(&self) -> &Layout {
        self.layout.get_or_init(|| {
            let order = Order::through(&self.path, self.anchor, self.labels, self.shape);
            // A window that is longer than orders go is in no array either.
            let layout = order.map(|order| {
                let bits = order.prefix(self.window).unwrap_or(order.bits());
                let readers = order.prefix_readers(bits);
                let mut upper = order.above();
                upper.truncate(readers.len());
                Layout {
                    readers,
                    bits,
                    upper,
                }
            });
            Arc::new(layout.unwrap_or_default())
        })
    }

    /// Returns the part of the key at `position`, the first channel of a site, that depends only on the rows above
    /// the site. `None` in the first row, for a later channel, for a window that is no square, and where keys are
    /// digests.
    pub fn upper_key(&self, frame: &mut Frame, position: usize) -> Option<UpperKey> {
        let (row, _, channel) = self.level.place(position);
        if row == 0 || channel != 0 {
            return None;
        }
        let bits = self.upper_bits()?;
        Some(UpperKey::new(
            &self.key(frame, position),
            self.class_bytes,
            bits,
        ))
    }

    /// Returns the upper part of a context that occurred, by its key; `None` where no [`Geometry::upper_key`] can
    /// equal it.
    pub fn upper_of(&self, key: &ContextKey) -> Option<UpperKey> {
        let bits = self.upper_bits()?;
        let class = key.as_bytes().iter().take(self.class_bytes);
        let class = class.fold(0, |class, byte| class << 8 | u64::from(*byte));
        // Every numbering of the classes has the channel innermost.
        let first_channel = class % self.level.channels() as u64 == 0;
        first_channel.then(|| UpperKey::new(key, self.class_bytes, bits))
    }

    /// Returns how many bits of a context lie in the rows above its site, absent ones included.
    fn upper_bits(&self) -> Option<usize> {
        match (self.window, self.key_rule()) {
            (Window::Square { radius }, KeyRule::Exact) => {
                Some(radius * (2 * radius + 1) * self.level.channels())
            }
            _ => None,
        }
    }

    /// Packs the context's bits into zeroed words, lowest first.
    fn pack(&self, frame: &Frame, position: usize, words: &mut [u64]) {
        match self.window {
            Window::Sequence { length } => {
                let n = position.min(length);
                pack_run(words, 0, n, |at, n| frame.scan(at, n), position - n);
            }
            Window::Global => pack_run(words, 0, position, |at, n| frame.scan(at, n), 0),
            // Its keys are laid out.
            Window::Sites { .. } | Window::Level { .. } => {}
            Window::Square { radius } => {
                let (row, col, channel) = self.level.place(position);
                let channels = self.level.channels();
                let left = frame.pad() + col * channels - radius * channels;
                let across = (2 * radius + 1) * channels;
                for up in (1..=radius.min(row)).rev() {
                    let read = |at, n| frame.row(row - up, at, n);
                    pack_run(words, (radius - up) * across, across, read, left);
                }
                let own = radius * channels + channel;
                pack_run(
                    words,
                    radius * across,
                    own,
                    |at, n| frame.row(row, at, n),
                    left,
                );
            }
        }
    }

    /// Returns the class number of a position in a latent of the frame's label.
    fn class(&self, frame: &Frame, position: usize) -> u64 {
        self.label_of(frame) * self.class_count + self.classes[position - self.level.start()]
    }

    /// Returns the number of the label that is part of the keys of the frame's latent; 0 where none is.
    pub(super) fn label_of(&self, frame: &Frame) -> u64 {
        match frame.given().label {
            Some(label) if self.labels > 0 => label,
            _ => 0,
        }
    }

    /// Writes the class number and the packed bits to the front of `bytes`, which may be longer than the exact key.
    fn write_exact(&self, class: u64, words: &[u64], bytes: &mut [u8]) {
        let class = class.to_be_bytes();
        let (head, tail) = bytes.split_at_mut(self.class_bytes);
        head.copy_from_slice(&class[8 - self.class_bytes..]);
        for (bytes, word) in tail.chunks_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
    }

    /// Returns how many absent bits a frame must keep on both sides of a row.
    pub(super) fn reach(&self) -> usize {
        match self.window {
            Window::Square { radius } => radius * self.level.channels(),
            _ => 0,
        }
    }

    /// Returns how many words a frame must keep for packing a context that is too long to be a key.
    pub(super) fn scratch_words(&self) -> usize {
        self.context_bits.div_ceil(64) + 1
    }
}

/// Refuses a square, or some nearest sites, beyond the largest that the grid tells apart from smaller ones; that is the error.
fn within_grid(window: Window, level: &Level) -> Result<(), Window> {
    let max = level.height().max(level.width()) - 1;
    let largest = match max {
        0 => Window::Global,
        radius => Window::Square { radius },
    };
    match window.sites() {
        // One site has no nearest ones.
        Some(sites) if max == 0 || sites > 2 * max * (max + 1) => Err(largest),
        _ => Ok(()),
    }
}

/// Returns how many bits of both levels a window of a finer level selects at most; what is beyond the largest squares is the
/// error, as those.
fn bits_of_level(window: Window, shape: &Shape, level: &Level) -> Result<usize, Window> {
    let (radius, parent) = window.of_level().unwrap_or_default();
    let max = |level: &Level| level.height().max(level.width()) - 1;
    let coarser = coarser(shape, level);
    let (max_radius, max_parent) = (max(level), coarser.map(max));
    if radius > max_radius || parent.is_some_and(|parent| Some(parent) > max_parent) {
        return Err(Window::Level {
            level: level.number(),
            radius: radius.min(max_radius),
            parent: parent.min(max_parent),
        });
    }
    let own = 2 * radius * (radius + 1) * level.channels() + level.channels() - 1;
    let square = parent.zip(coarser).map_or(0, |(parent, coarser)| {
        (2 * parent + 1) * (2 * parent + 1) * coarser.channels()
    });
    Ok(own + square)
}

/// Returns the fewest bytes that hold every one of `classes` numbers.
fn class_bytes(classes: u64) -> usize {
    (64 - (classes - 1).leading_zeros()).div_ceil(8).max(1) as usize
}

/// Copies `n` bits, read at most 64 at a time from `from` on, into `words` from bit `to` on.
fn pack_run(
    words: &mut [u64],
    to: usize,
    n: usize,
    read: impl Fn(usize, usize) -> u64,
    from: usize,
) {
    let mut done = 0;
    while done < n {
        let step = (n - done).min(64);
        push(words, to + done, read(from + done, step));
        done += step;
    }
}
