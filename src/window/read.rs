//! Reading contexts out of packed latents, laid out by an order, up to 64 bits at a time.
//!
//! An order takes most rows of the grid piece by piece: a ring has one site of a row to the left and one to the right. A reader
//! fetches what it needs of a row once, and puts the pieces where they belong by rotating it: 35 pieces of an 11x11
//! window of one channel are six fetches.

use crate::base::bits::words;
use crate::latent::{Level, Shape, divisor};

/// What some bits of a laid-out context are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// The number of the label.
    Label,
    /// row · W + col.
    Site,
    Channel,
    /// The earlier channels of the site, the last one highest, zeros for those that are not earlier.
    Own,
    /// Border digits of a ring: up, left, right.
    Digits {
        ring: u32,
    },
    /// Sites side by side in one row, the last one highest: from `first` columns off the site on.
    Row {
        up: u32,
        first: i64,
    },
    /// Where in its parent a site lies.
    Phase,
    /// Border digits of a ring around the parent: up, left, right, down.
    ParentDigits {
        ring: u32,
    },
    /// Sites of the coarser level side by side in one row, the last one highest: from `first` columns off the parent on.
    ParentRow {
        up: i64,
        first: i64,
    },
    /// Of each of the `steps` bits before the position, the nearest first: whether it is absent, and its value.
    Steps {
        steps: usize,
    },
}

/// Where a context stands. Rows, columns and channels are below 2²⁰.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Row of the site.
    row: u32,
    /// Column of the site.
    col: u32,
    /// Channel of the bit.
    channel: u32,
    /// Row of its parent, 0 in the coarsest level.
    parent_row: u32,
    /// Column of its parent.
    parent_col: u32,
    /// Where in its parent it lies: below [`phases`].
    phase: u32,
}

impl Place {
    /// Returns where a position of latents of `shape` is.
    pub fn of(shape: &Shape, position: usize) -> Self {
        let level = shape.level_of(position);
        let (row, col, channel) = level.place(position);
        let mut place = Self {
            row: row as u32,
            col: col as u32,
            channel: channel as u32,
            ..Self::default()
        };
        if let Some(coarser) = coarser(shape, level) {
            let (parent_row, parent_col) = coarser.parent_of(level, row, col);
            place.parent_row = parent_row as u32;
            place.parent_col = parent_col as u32;
            let [rows, columns] = phase_steps(level, coarser);
            let down = row * coarser.height() % level.height() / rows;
            let right = col * coarser.width() % level.width() / columns;
            place.phase = (down * (level.width() / columns) + right) as u32;
        }
        place
    }

    /// Returns where in its parent the site lies: below [`phases`].
    pub(super) fn phase(&self) -> usize {
        self.phase as usize
    }
}

/// Returns the next coarser level.
pub(super) fn coarser<'a>(shape: &'a Shape, level: &Level) -> Option<&'a Level> {
    shape.level(level.number().checked_sub(1)?)
}

/// Returns the steps in which sites lie apart in their parents, as multiples of 1/H and 1/W of it: the greatest common
/// divisors of the sides.
fn phase_steps(level: &Level, coarser: &Level) -> [usize; 2] {
    [
        divisor(level.height(), coarser.height()),
        divisor(level.width(), coarser.width()),
    ]
}

/// Returns in how many ways a site of a level can lie in its parent: 4 where both sides of the coarser level are half.
pub(super) fn phases(level: &Level, coarser: &Level) -> usize {
    let [rows, columns] = phase_steps(level, coarser);
    level.height() / rows * (level.width() / columns)
}

/// Bits of one fetch: an unaligned word holds so many from any bit on.
const MAX_FETCH: i64 = 56;

/// What one number of a place or a latent gives to a word.
#[derive(Clone, Copy, Debug)]
enum Source {
    Label,
    Site,
    Channel,
    Own,
    Steps,
    Phase,
}

/// One part of a word that does not lie in a row of the grid as it is.
#[derive(Clone, Copy, Debug)]
struct Op {
    source: Source,
    /// Steps back.
    steps: i64,
    /// First bit, from the number's lowest or the site's first one.
    from: i64,
    bits: u32,
    shift: u32,
}

/// Border digits of a ring.
#[derive(Clone, Copy, Debug)]
struct Digits {
    /// Whether they are of a ring around the parent.
    of_parent: bool,
    ring: i64,
    from: u32,
    bits: u32,
    shift: u32,
}

/// A piece of a row: `bits` of them, from so many bits off the site's first one on.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Whether it is off the parent's.
    of_parent: bool,
    up: i64,
    from: i64,
    bits: u32,
    shift: u32,
}

/// Bits of one row, side by side, and how they become a part of the word.
#[derive(Clone, Debug)]
struct Fetch {
    of_parent: bool,
    up: i64,
    from: i64,
    bits: u32,
    /// How far to rotate them to the left, and what is then in its place.
    parts: Vec<(u32, u64)>,
}

/// Reads some bits of contexts, at most 64: into a word, the first one highest.
#[derive(Clone, Debug)]
pub struct Reader {
    fetches: Vec<Fetch>,
    digits: Vec<Digits>,
    ops: Vec<Op>,
    /// The largest ring whose border is told, of the own level and around the parent.
    max_ring: i64,
    own: Grid,
    parent: Grid,
}

/// Where the bits of a level lie.
#[derive(Clone, Copy, Debug, Default)]
struct Grid {
    start: i64,
    height: i64,
    width: i64,
    row_bits: i64,
    channels: i64,
}

impl Grid {
    fn of(level: &Level) -> Self {
        Self {
            start: level.start() as i64,
            height: level.height() as i64,
            width: level.width() as i64,
            row_bits: level.row_bits() as i64,
            channels: level.channels() as i64,
        }
    }

    /// Bits `first` to `first + n` of a row, 0 where there are none.
    #[inline]
    fn row(&self, latent: &[u8], row: i64, first: i64, n: u32) -> u64 {
        if row < 0 || row >= self.height || n == 0 {
            return 0;
        }
        let end = first + i64::from(n);
        let start = self.start + row * self.row_bits;
        if first >= 0 && end <= self.row_bits {
            return read(latent, (start + first) as usize, n);
        }
        let (inside, last) = (first.max(0), end.min(self.row_bits));
        if inside >= last {
            return 0;
        }
        let bits = read(latent, (start + inside) as usize, (last - inside) as u32);
        bits << (inside - first)
    }
}

/// Collects what a reader reads.
pub(super) struct ReaderBuilder {
    reader: Reader,
    pieces: Vec<Piece>,
}

impl ReaderBuilder {
    pub(super) fn new(level: &Level, coarser: Option<&Level>) -> Self {
        Self {
            reader: Reader {
                fetches: Vec::new(),
                digits: Vec::new(),
                ops: Vec::new(),
                max_ring: 0,
                own: Grid::of(level),
                parent: coarser.map(Grid::of).unwrap_or_default(),
            },
            pieces: Vec::new(),
        }
    }

    /// Adds `bits` bits of a field, without the lowest `skipped`, at bit `shift` of the word.
    pub(super) fn push(&mut self, field: Field, skipped: usize, bits: usize, shift: u32) {
        let from = skipped as i64;
        let reader = &mut self.reader;
        let mut op = |source, steps, from, bits: usize, shift| {
            reader.ops.push(Op {
                source,
                steps,
                from,
                bits: bits as u32,
                shift,
            });
        };
        let fetches = (0..bits).step_by(MAX_FETCH as usize).map(|done| {
            let more = (bits - done).min(MAX_FETCH as usize);
            (done as i64, more, shift + done as u32)
        });
        match field {
            Field::Label => op(Source::Label, 0, from, bits, shift),
            Field::Site => op(Source::Site, 0, from, bits, shift),
            Field::Channel => op(Source::Channel, 0, from, bits, shift),
            Field::Steps { steps } => op(Source::Steps, steps as i64, from, bits, shift),
            Field::Own => fetches.for_each(|(done, bits, shift)| {
                op(Source::Own, 0, from + done, bits, shift);
            }),
            Field::Phase => op(Source::Phase, 0, from, bits, shift),
            Field::Digits { ring } | Field::ParentDigits { ring } => {
                let of_parent = matches!(field, Field::ParentDigits { .. });
                let ring = ring.into();
                if !of_parent {
                    reader.max_ring = reader.max_ring.max(ring);
                }
                reader.digits.push(Digits {
                    of_parent,
                    ring,
                    from: skipped as u32,
                    bits: bits as u32,
                    shift,
                });
            }
            Field::Row { up, first } => {
                let first = first * reader.own.channels + from;
                let up = up.into();
                self.push_row(false, up, first, fetches);
            }
            Field::ParentRow { up, first } => {
                let first = first * reader.parent.channels + from;
                self.push_row(true, up, first, fetches);
            }
        }
    }

    fn push_row(
        &mut self,
        of_parent: bool,
        up: i64,
        first: i64,
        fetches: impl Iterator<Item = (i64, usize, u32)>,
    ) {
        self.pieces.extend(fetches.map(|(done, bits, shift)| Piece {
            of_parent,
            up,
            from: first + done,
            bits: bits as u32,
            shift,
        }));
    }

    /// Returns the reader: pieces of one row in as few fetches as hold them.
    pub(super) fn finish(mut self) -> Reader {
        self.pieces
            .sort_by_key(|piece| (piece.of_parent, piece.up, piece.from));
        for piece in self.pieces {
            let end = piece.from + i64::from(piece.bits);
            let fetches = &mut self.reader.fetches;
            let fits = |fetch: &&mut Fetch| {
                (fetch.of_parent, fetch.up) == (piece.of_parent, piece.up)
                    && end - fetch.from <= MAX_FETCH
            };
            let fetch = match fetches.last_mut().filter(fits) {
                Some(fetch) => fetch,
                None => {
                    fetches.push(Fetch {
                        of_parent: piece.of_parent,
                        up: piece.up,
                        from: piece.from,
                        bits: 0,
                        parts: Vec::new(),
                    });
                    let last = fetches.len() - 1;
                    &mut fetches[last]
                }
            };
            // Pieces of a row do not overlap and are sorted, so the last one ends the fetch.
            fetch.bits = (end - fetch.from) as u32;
            let rotate = (i64::from(piece.shift) - (piece.from - fetch.from)).rem_euclid(64) as u32;
            let mask = !(!0 << piece.bits) << piece.shift;
            match fetch.parts.iter_mut().find(|(own, _)| *own == rotate) {
                Some((_, masks)) => *masks |= mask,
                None => fetch.parts.push((rotate, mask)),
            }
        }
        self.reader
    }
}

impl Reader {
    /// Returns the bits at a place of a latent; `latent` begins with its packed bytes and may go on.
    #[inline]
    pub fn read(&self, latent: &[u8], place: Place, label: u64) -> u64 {
        let (row, col) = (i64::from(place.row), i64::from(place.col));
        let site = col * self.own.channels;
        let mut word = 0;
        for fetch in &self.fetches {
            let bits = match fetch.of_parent {
                false => {
                    let (row, first) = (row - fetch.up, site + fetch.from);
                    self.own.row(latent, row, first, fetch.bits)
                }
                true => {
                    let row = i64::from(place.parent_row) - fetch.up;
                    let first = i64::from(place.parent_col) * self.parent.channels + fetch.from;
                    self.parent.row(latent, row, first, fetch.bits)
                }
            };
            for (rotate, mask) in &fetch.parts {
                word |= bits.rotate_left(*rotate) & mask;
            }
        }
        let right = self.own.width - 1 - col;
        let near = row.min(col).min(right) < self.max_ring;
        for digits in &self.digits {
            if near || digits.of_parent {
                let all = self.border(place, digits);
                word |= low(all, digits.from, digits.bits) << digits.shift;
            }
        }
        for op in &self.ops {
            let from = op.from as u32;
            let bits = match op.source {
                Source::Own => {
                    let earlier = (i64::from(place.channel) - op.from).clamp(0, i64::from(op.bits));
                    self.own.row(latent, row, site + op.from, earlier as u32)
                }
                Source::Channel => low(place.channel.into(), from, op.bits),
                Source::Site => low((row * self.own.width + col) as u64, from, op.bits),
                Source::Label => low(label, from, op.bits),
                Source::Phase => low(place.phase.into(), from, op.bits),
                Source::Steps => self.steps(latent, place, op),
            };
            word |= bits << op.shift;
        }
        word
    }

    /// Border digits of a ring, the last one lowest.
    #[inline]
    fn border(&self, place: Place, digits: &Digits) -> u64 {
        let is_cut = |side: i64| u64::from(side < digits.ring);
        if digits.of_parent {
            let (row, col) = (i64::from(place.parent_row), i64::from(place.parent_col));
            let (right, down) = (self.parent.width - 1 - col, self.parent.height - 1 - row);
            return is_cut(row) << 3 | is_cut(col) << 2 | is_cut(right) << 1 | is_cut(down);
        }
        let (row, col) = (i64::from(place.row), i64::from(place.col));
        is_cut(row) << 2 | is_cut(col) << 1 | is_cut(self.own.width - 1 - col)
    }

    fn steps(&self, latent: &[u8], place: Place, op: &Op) -> u64 {
        let position = i64::from(place.row) * self.own.row_bits
            + i64::from(place.col) * self.own.channels
            + i64::from(place.channel);
        // From the lowest: the value of the last step, whether it is absent, the step before that.
        (0..i64::from(op.bits)).fold(0, |word, bit| {
            let from_end = op.from + bit;
            let at = position - (op.steps - from_end / 2);
            let set = match from_end % 2 {
                0 => at >= 0 && read(latent, at as usize, 1) == 1,
                _ => at < 0,
            };
            word | u64::from(set) << bit
        })
    }
}

/// Bits `from` to `from + bits` of a number.
#[inline]
fn low(number: u64, from: u32, bits: u32) -> u64 {
    number >> from & !(!0 << bits)
}

/// Reads `1 ≤ n ≤ 56` bits from bit `at` on, lowest first.
#[inline]
pub(super) fn read(latent: &[u8], at: usize, n: u32) -> u64 {
    let bytes = latent.get(at / 8..).unwrap_or_default();
    let word = match bytes.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => words(bytes).next().unwrap_or(0),
    };
    word >> (at % 8) & !(!0 << n)
}
