//! Where a sample is a copy: a training latent laid over it, moved by some sites, and the whole windows
//! that then agree.
//!
//! A bit is *evidence* for a training latent at a displacement when the latent has its whole context and
//! the bit itself there, at the largest window that supports the bit. Evidence vouches for the sites of its
//! window and its own: they are the *footprint*. Bits that merely agree, as half of all do by chance,
//! leave none.

use super::board::{
    Board, BoardLayout, and, and_run, move_down, move_up, or, or_run, runs, set_run,
};
use super::corpus::Corpus;
use crate::base::bits::push;
use crate::latent::Shape;
use crate::window::Window;

/// A training latent laid over a sample: the site (row, col) of the sample lies on the site
/// (row + `down`, col + `right`) of the latent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Overlay {
    pub(crate) latent: u32,
    pub(crate) down: i32,
    pub(crate) right: i32,
}

impl Overlay {
    /// Returns what decides between equally good overlays: the lowest id, then the least moved.
    pub(crate) fn rank(self) -> (u32, u32, i32, i32) {
        let moved = self.down.unsigned_abs() + self.right.unsigned_abs();
        (self.latent, moved, self.down, self.right)
    }
}

/// One window and the bits that it is the largest to support.
enum Sight {
    Square {
        radius: usize,
        /// For each channel, the supported bits, laid out as the grid.
        wanted: Vec<Board>,
    },
    Sites {
        window: Window,
        /// As a square's.
        wanted: Vec<Board>,
    },
    Sequence {
        length: usize,
        /// For each channel, the supported bits, one row of all sites.
        wanted: Vec<Board>,
    },
}

/// Finds footprints on one sample.
pub(crate) struct Footprints<'a> {
    training: &'a Corpus,
    shape: Shape,
    /// Bits of the sample, channel by channel.
    planes: &'a [u64],
    layout: BoardLayout,
    /// All sites of the grid in scan order, behind enough absent ones for every sequence.
    line: BoardLayout,
    sights: Vec<Sight>,
    /// The sites of the grid, without their margin.
    inside: Board,
    /// For each channel, the sites that agree in it and all channels before.
    agreeing: Vec<Board>,
    scratch: [Board; 3],
}

impl<'a> Footprints<'a> {
    /// Prepares the footprints of a sample. `supported_at` has, for each bit, the number of the largest of `windows`
    /// that supports it.
    pub(crate) fn new(
        training: &'a Corpus,
        shape: Shape,
        planes: &'a [u64],
        windows: &[Window],
        supported_at: &[Option<u8>],
    ) -> Self {
        let channels = shape.channels();
        // The bits that a sequence reaches back to lie in so many sites before.
        let reach = |window: &Window| {
            window
                .line_length(shape)
                .map_or(0, |n| n.div_ceil(channels))
        };
        let layout = BoardLayout {
            height: shape.height(),
            width: shape.width(),
            // At least 1: pieces of different rows must not touch.
            margin: windows
                .iter()
                .map(|window| window.reach())
                .max()
                .unwrap_or(0)
                .max(1),
        };
        let line = BoardLayout {
            height: 1,
            width: shape.height() * shape.width() + windows.iter().map(reach).max().unwrap_or(0),
            margin: 0,
        };
        let mut inside = vec![0; layout.words()];
        for row in 0..layout.height {
            set_run(&mut inside, layout.at(row, 0), layout.width);
        }
        let front = line.width - shape.height() * shape.width();
        let sights = windows.iter().enumerate().map(|(number, window)| {
            let on_line = window.line_length(shape);
            let words = if on_line.is_some() {
                line.words()
            } else {
                layout.words()
            };
            let mut wanted = vec![vec![0; words]; channels];
            for (position, at) in supported_at.iter().enumerate() {
                if *at != Some(number as u8) {
                    continue;
                }
                let (row, col, channel) = shape.place(position);
                let at = match on_line {
                    Some(_) => front + row * shape.width() + col,
                    None => layout.at(row, col),
                };
                push(&mut wanted[channel], at, 1);
            }
            match (on_line, window.radius()) {
                (Some(length), _) => Sight::Sequence { length, wanted },
                (None, Some(radius)) => Sight::Square { radius, wanted },
                (None, None) => Sight::Sites {
                    window: *window,
                    wanted,
                },
            }
        });
        // A window that supports nothing leaves no footprint.
        let sights = sights.filter(|sight| {
            let (Sight::Square { wanted, .. }
            | Sight::Sites { wanted, .. }
            | Sight::Sequence { wanted, .. }) = sight;
            wanted.iter().flatten().any(|word| *word != 0)
        });
        Self {
            training,
            shape,
            planes,
            layout,
            line,
            sights: sights.collect(),
            inside,
            agreeing: vec![vec![0; layout.words().max(line.words())]; channels],
            scratch: Default::default(),
        }
    }

    /// Returns the layout of footprints.
    pub(crate) fn layout(&self) -> BoardLayout {
        self.layout
    }

    /// Returns the shape of the training latents.
    pub(crate) fn source_shape(&self) -> Shape {
        self.training.shape()
    }

    /// Returns the sites of the grid.
    pub(crate) fn inside(&self) -> &Board {
        &self.inside
    }

    /// Writes the footprint of an overlay: whole sites, every bit of which the latent has in its place.
    /// `false` when the training set has no such latent.
    ///
    /// O(HWK/64 · log of the window's side) for squares.
    pub(crate) fn of(&mut self, overlay: Overlay, footprint: &mut Board) -> bool {
        footprint.clear();
        footprint.resize(self.layout.words(), 0);
        let Some(source) = self.training.planes(overlay.latent) else {
            return false;
        };
        let sights = std::mem::take(&mut self.sights);
        let mut laid = false;
        for sight in &sights {
            let on_grid = !matches!(sight, Sight::Sequence { .. });
            if on_grid && !laid {
                self.lay(source, overlay);
            }
            laid = on_grid;
            match sight {
                Sight::Square { radius, wanted } => self.add_square(*radius, wanted, footprint),
                Sight::Sites { window, wanted } => {
                    self.add_sites(*window, wanted, overlay, footprint);
                }
                Sight::Sequence { length, wanted } => {
                    self.lay_line(source, overlay);
                    self.add_sequence(*length, wanted, overlay, footprint);
                }
            }
        }
        self.sights = sights;
        and(footprint, &self.inside);
        true
    }

    /// Compares the sample with the latent under it, site by site. An absent site agrees with an absent
    /// one only: where both grids end.
    fn lay(&mut self, source: &[u64], overlay: Overlay) {
        let (own, other, layout) = (self.shape, self.training.shape(), self.layout);
        let columns = overlap(own.width(), other.width(), overlay.right);
        let rows = overlap(own.height(), other.height(), overlay.down);
        let words = layout.words();
        for channel in 0..own.channels() {
            let board = &mut self.agreeing[channel];
            board.clear();
            board.resize(words, 0);
            for row in rows.clone() {
                let here = (channel * own.height() + row) * own.width() + columns.start;
                let under = (channel * other.height() + moved(row, overlay.down)) * other.width();
                let under = under + moved(columns.start, overlay.right);
                let at = layout.at(row, columns.start);
                compare(board, at, self.planes, here, source, under, columns.len());
            }
            if channel > 0 {
                let (before, after) = self.agreeing.split_at_mut(channel);
                and(&mut after[0], &before[channel - 1]);
            }
        }
        let whole = &mut self.agreeing[own.channels() - 1];
        let left_agrees = overlay.right == 0;
        let right_agrees = other.width() as i64 - own.width() as i64 == i64::from(overlay.right);
        let stride = layout.stride();
        for row in 0..layout.margin + layout.height {
            let start = row * stride;
            if left_agrees {
                set_run(whole, start, layout.margin);
            }
            if right_agrees {
                set_run(whole, start + layout.margin + layout.width, layout.margin);
            }
            if row < layout.margin && overlay.down == 0 {
                set_run(whole, start + layout.margin + columns.start, columns.len());
            }
        }
    }

    /// As a square, row by row.
    fn add_sites(
        &mut self,
        window: Window,
        wanted: &[Board],
        overlay: Overlay,
        footprint: &mut Board,
    ) {
        let stride = self.layout.stride();
        let rows = (0..=window.reach()).map(|up| (up, window.columns(up)));
        // Of each row how many sites, and how far behind its last one the window's own is.
        let rows: Vec<(usize, usize)> = rows
            .filter(|(_, columns)| !columns.is_empty())
            .map(|(up, columns)| {
                (
                    columns.len(),
                    (up * stride).saturating_add_signed(1 - columns.end),
                )
            })
            .collect();
        let mut context = self.same_border(window.reach(), overlay);
        let [row, left, evidence] = &mut self.scratch;
        for (sites, back) in &rows {
            row.clone_from(&self.agreeing[self.shape.channels() - 1]);
            and_run(row, *sites, 1);
            move_up(row, *back);
            and(&mut context, row);
        }
        if !find_evidence(&context, &self.agreeing, wanted, left, evidence) {
            return;
        }
        or(footprint, left);
        for (sites, back) in &rows {
            row.clone_from(evidence);
            move_down(row, *back);
            or_run(row, *sites, 1);
            or(footprint, row);
        }
    }

    /// Returns the sites from which the edges of both grids, up to `reach` sites away, are equally far: part of every context.
    fn same_border(&self, reach: usize, overlay: Overlay) -> Board {
        let (own, other) = (self.shape, self.training.shape());
        let near = |side: i64| side < reach as i64;
        let right = |col: i64, width: usize| near(width as i64 - 1 - col);
        let columns = overlap(own.width(), other.width(), overlay.right);
        let columns: Vec<usize> = columns
            .filter(|col| {
                let (col, under) = (*col as i64, *col as i64 + i64::from(overlay.right));
                near(col) == near(under) && right(col, own.width()) == right(under, other.width())
            })
            .collect();
        let mut board = vec![0; self.layout.words()];
        for row in overlap(own.height(), other.height(), overlay.down) {
            if near(row as i64) == near(row as i64 + i64::from(overlay.down)) {
                let first = self.layout.at(row, 0);
                columns
                    .iter()
                    .for_each(|col| set_run(&mut board, first + col, 1));
            }
        }
        board
    }

    fn add_square(&mut self, radius: usize, wanted: &[Board], footprint: &mut Board) {
        let side = 2 * radius + 1;
        let stride = self.layout.stride();
        let channels = self.shape.channels();
        let [context, left, evidence] = &mut self.scratch;
        let whole = &self.agreeing[channels - 1];
        // Rows above: runs of a window's side, `radius` of them one above the other.
        context.clone_from(whole);
        and_run(context, side, 1);
        and_run(context, radius, stride);
        move_up(context, stride - radius);
        left.clone_from(whole);
        and_run(left, radius, 1);
        move_up(left, 1);
        and(context, left);
        if !find_evidence(context, &self.agreeing, wanted, left, evidence) {
            return;
        }
        or(footprint, left);
        // The same windows again, from the bits that see them.
        left.clone_from(evidence);
        move_down(left, 1);
        or_run(left, radius, 1);
        or(footprint, left);
        move_down(evidence, stride - radius);
        or_run(evidence, side, 1);
        or_run(evidence, radius, stride);
        or(footprint, evidence);
    }

    /// Compares the sample with the latent under it in scan order, rows running on into each other.
    fn lay_line(&mut self, source: &[u64], overlay: Overlay) {
        let sites = self.shape.height() * self.shape.width();
        let front = self.line.width - sites;
        let shift = along(overlay, self.shape);
        let both = overlap(sites, sites, shift);
        for (channel, board) in self.agreeing.iter_mut().enumerate() {
            board.clear();
            board.resize(self.line.words(), 0);
            let here = channel * sites + both.start;
            let under = channel * sites + moved(both.start, shift);
            compare(
                board,
                front + both.start,
                self.planes,
                here,
                source,
                under,
                both.len(),
            );
            if shift == 0 {
                set_run(board, 0, front);
            }
        }
    }

    fn add_sequence(
        &mut self,
        length: usize,
        wanted: &[Board],
        overlay: Overlay,
        footprint: &mut Board,
    ) {
        let shape = self.shape;
        let (width, channels) = (shape.width(), shape.channels() as i64);
        let sites = shape.height() * width;
        let front = self.line.width - sites;
        // Sites with a site of the latent under them; others of the window wrap around its edge, at
        // another displacement.
        let columns = overlap(width, width, overlay.right);
        let rows = overlap(shape.height(), shape.height(), overlay.down);
        let mut here = vec![0; self.line.words()];
        for row in rows {
            set_run(
                &mut here,
                front + row * width + columns.start,
                columns.len(),
            );
        }
        let mut vouched = vec![vec![0; self.line.words()]; shape.channels()];
        let [evidence, seen, _] = &mut self.scratch;
        for (channel, wanted) in wanted.iter().enumerate() {
            // For each channel, the sites in which the context and the bit itself hold a bit of it: from
            // `first` to `last` before or at the bit's own.
            let spans = (0..channels).map(|other| {
                let own = channel as i64;
                let last = if other <= own { 0 } else { -1 };
                let first = (own - length as i64 - other + channels - 1).div_euclid(channels);
                // At most the width of the line.
                (
                    other as usize,
                    (-last) as usize,
                    (last - first + 1).max(0) as usize,
                )
            });
            evidence.clone_from(wanted);
            and(evidence, &here);
            for (other, back, n) in spans.clone().filter(|(_, _, n)| *n > 0) {
                seen.clone_from(&self.agreeing[other]);
                and_run(seen, n, 1);
                move_up(seen, back);
                and(evidence, seen);
            }
            for (other, back, n) in spans.filter(|(_, _, n)| *n > 0) {
                seen.clone_from(evidence);
                move_down(seen, back);
                or_run(seen, n, 1);
                or(&mut vouched[other], seen);
            }
        }
        for channel in &vouched {
            and(&mut here, channel);
        }
        for row in 0..shape.height() {
            let at = self.layout.at(row, 0);
            for (offset, bits) in runs(&here, front + row * width, width) {
                push(footprint, at + offset, bits);
            }
        }
    }
}

/// Finds the sites where the sample's bits have their whole context, which `context` says, and agree themselves; whether there
/// are any. `last` is left with those of the last channel, which comes last: they vouch for their own site as a whole.
fn find_evidence(
    context: &Board,
    agreeing: &[Board],
    wanted: &[Board],
    last: &mut Board,
    evidence: &mut Board,
) -> bool {
    evidence.clear();
    evidence.resize(context.len(), 0);
    for (wanted, agreeing) in wanted.iter().zip(agreeing) {
        last.clone_from(context);
        and(last, agreeing);
        and(last, wanted);
        or(evidence, last);
    }
    evidence.iter().any(|word| *word != 0)
}

/// Sets the bits of `board` from `at` on where `n` bits of `a` from `from_a` and of `b` from `from_b` agree.
fn compare(
    board: &mut Board,
    at: usize,
    a: &[u64],
    from_a: usize,
    b: &[u64],
    from_b: usize,
    n: usize,
) {
    let pairs = runs(a, from_a, n).zip(runs(b, from_b, n));
    for ((offset, a), (_, b)) in pairs {
        let length = (n - offset).min(64);
        push(board, at + offset, !(a ^ b) & !0 >> (64 - length));
    }
}

/// Returns the numbers below `own` that lie below `other` when moved.
fn overlap(own: usize, other: usize, by: i32) -> std::ops::Range<usize> {
    let (own, other, by) = (own as i64, other as i64, i64::from(by));
    let start = (-by).clamp(0, own);
    let end = (other - by).clamp(start, own);
    // Between 0 and `own`.
    start as usize..end as usize
}

/// Moves a number that stays at least 0.
fn moved(number: usize, by: i32) -> usize {
    number.saturating_add_signed(by as isize)
}

/// Returns an overlay on a grid of the same shape, as a distance in scan order.
fn along(overlay: Overlay, shape: Shape) -> i32 {
    overlay.down * shape.width() as i32 + overlay.right
}
