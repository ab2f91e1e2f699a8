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
use super::corpus::{Corpus, Planes};
use super::overlay::{Grid, Overlay, compare, lay, moved, overlap};
use super::parents::Parents;
use crate::base::bits::push;
use crate::latent::{Level, Shape};
use crate::window::Window;

/// One window and the bits that it is the largest to support.
struct Sight {
    window: SightWindow,
    /// The square around the parent that it sees, of a finer level.
    parent: Option<usize>,
    /// For each channel, the supported bits: laid out as the grid, those of a sequence as one row of all sites.
    wanted: Vec<Board>,
}

enum SightWindow {
    Square { radius: usize },
    Sites(Window),
    Sequence { length: usize },
}

impl Sight {
    fn new(window: Window, shape: Shape, wanted: Vec<Board>) -> Self {
        let (square, parent) = match window.of_level() {
            Some((radius, parent)) => (Some(radius), parent),
            None => (window.radius(), None),
        };
        let window = match (window.line_length(shape), square) {
            (Some(length), _) => SightWindow::Sequence { length },
            (None, Some(radius @ 1..)) => SightWindow::Square { radius },
            (None, _) => SightWindow::Sites(window),
        };
        Self {
            window,
            parent,
            wanted,
        }
    }
}

/// Finds footprints on one level of one sample.
pub(crate) struct Footprints<'a> {
    training: &'a Corpus,
    /// The level of the training latents.
    source: Level,
    own: Grid<'a>,
    layout: BoardLayout,
    /// All sites of the grid in scan order, behind enough absent ones for every sequence.
    line: BoardLayout,
    sights: Vec<Sight>,
    /// The coarser level, where a window sees some of it.
    parents: Option<Parents<'a>>,
    /// The sites of the grid, without their margin.
    inside: Board,
    /// For each channel, the sites that agree in it and all channels before.
    agreeing: Vec<Board>,
    scratch: [Board; 3],
}

impl<'a> Footprints<'a> {
    /// Prepares the footprints of a level of a sample of `shape`; `None` where the training latents have no such level.
    /// `supported_at` has, for each bit of the sample, the number of the largest of `windows` that supports it; those of other
    /// levels have no part in it.
    pub(crate) fn new(
        training: &'a Corpus,
        (shape, level): (Shape, Level),
        planes: &'a Planes,
        windows: &[Window],
        supported_at: &[Option<u8>],
    ) -> Option<Self> {
        let source = *training.shape().level(level.number())?;
        let grid = level.shape();
        let channels = level.channels();
        let held = windows.iter().enumerate();
        let held = held.filter(|(_, window)| window.level() == level.number());
        let held: Vec<_> = held.map(|(number, window)| (number, *window)).collect();
        let windows = held.iter().map(|(_, window)| window);
        // The bits that a sequence reaches back to lie in so many sites before.
        let reach = |window: &Window| window.line_length(grid).map_or(0, |n| n.div_ceil(channels));
        let layout = BoardLayout {
            height: level.height(),
            width: level.width(),
            // At least 1: pieces of different rows must not touch.
            margin: windows
                .clone()
                .map(|window| window.reach())
                .max()
                .unwrap_or(0)
                .max(1),
        };
        let sites = level.height() * level.width();
        let line = BoardLayout {
            height: 1,
            width: sites + windows.map(reach).max().unwrap_or(0),
            margin: 0,
        };
        let mut inside = vec![0; layout.words()];
        for row in 0..layout.height {
            set_run(&mut inside, layout.at(row, 0), layout.width);
        }
        let front = line.width - sites;
        let sights = held.iter().map(|(number, window)| {
            let on_line = window.line_length(grid).is_some();
            let words = if on_line {
                line.words()
            } else {
                layout.words()
            };
            let mut wanted = vec![vec![0; words]; channels];
            for position in level.positions() {
                if supported_at[position] != Some(*number as u8) {
                    continue;
                }
                let (row, col, channel) = level.place(position);
                let at = match on_line {
                    true => front + row * level.width() + col,
                    false => layout.at(row, col),
                };
                push(&mut wanted[channel], at, 1);
            }
            Sight::new(*window, grid, wanted)
        });
        // A window that supports nothing leaves no footprint.
        let supports = |sight: &Sight| sight.wanted.iter().flatten().any(|word| *word != 0);
        let sights: Vec<_> = sights.filter(supports).collect();
        let radiuses: Vec<_> = sights.iter().filter_map(|sight| sight.parent).collect();
        let coarser = level.number().checked_sub(1).and_then(|n| shape.level(n));
        let coarser = coarser.filter(|_| !radiuses.is_empty());
        let parents = coarser.map(|coarser| {
            let own = Grid {
                level: *coarser,
                planes: planes.level(coarser),
            };
            Parents::new(own, level, layout, radiuses)
        });
        Some(Self {
            training,
            source,
            own: Grid {
                level,
                planes: planes.level(&level),
            },
            layout,
            line,
            sights,
            parents,
            inside,
            agreeing: vec![vec![0; layout.words().max(line.words())]; channels],
            scratch: Default::default(),
        })
    }

    /// Returns the layout of footprints.
    pub(crate) fn layout(&self) -> BoardLayout {
        self.layout
    }

    /// Returns the level of the sample.
    pub(crate) fn level(&self) -> &Level {
        &self.own.level
    }

    /// Returns the level of the training latents.
    pub(crate) fn source(&self) -> &Level {
        &self.source
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
        let training = self.training;
        let under = |level| {
            let planes = training.level(overlay.latent, level)?;
            let level = *level;
            Some(Grid { level, planes })
        };
        let Some(source) = under(&self.source) else {
            return false;
        };
        if let Some(parents) = &mut self.parents {
            // The levels above are the same: pyramids keep their levels.
            let above = training
                .shape()
                .level(self.source.number() - 1)
                .and_then(under);
            let Some(above) = above else { return false };
            parents.lay(above, overlay, self.layout);
        }
        let sights = std::mem::take(&mut self.sights);
        let mut laid = false;
        for sight in &sights {
            let on_grid = !matches!(sight.window, SightWindow::Sequence { .. });
            if on_grid && !laid {
                lay(&mut self.agreeing, self.layout, self.own, source, overlay);
            }
            laid = on_grid;
            match sight.window {
                SightWindow::Square { radius } => self.add_square(radius, sight, footprint),
                SightWindow::Sites(window) => self.add_sites(window, sight, overlay, footprint),
                SightWindow::Sequence { length } => {
                    self.lay_line(source.planes, overlay);
                    self.add_sequence(length, &sight.wanted, overlay, footprint);
                }
            }
        }
        self.sights = sights;
        and(footprint, &self.inside);
        true
    }

    /// As a square, row by row.
    fn add_sites(
        &mut self,
        window: Window,
        sight: &Sight,
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
            row.clone_from(&self.agreeing[self.own.level.channels() - 1]);
            and_run(row, *sites, 1);
            move_up(row, *back);
            and(&mut context, row);
        }
        see_parents(&mut context, sight, self.parents.as_ref());
        if !find_evidence(&context, &self.agreeing, &sight.wanted, left, evidence) {
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
        let (own, other) = (self.own.level, self.source);
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

    fn add_square(&mut self, radius: usize, sight: &Sight, footprint: &mut Board) {
        let side = 2 * radius + 1;
        let stride = self.layout.stride();
        let channels = self.own.level.channels();
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
        see_parents(context, sight, self.parents.as_ref());
        if !find_evidence(context, &self.agreeing, &sight.wanted, left, evidence) {
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
        let grid = self.own.level;
        let sites = grid.height() * grid.width();
        let front = self.line.width - sites;
        let shift = along(overlay, &grid);
        let both = overlap(sites, sites, shift);
        for (channel, board) in self.agreeing.iter_mut().enumerate() {
            board.clear();
            board.resize(self.line.words(), 0);
            let here = channel * sites + both.start;
            let under = channel * sites + moved(both.start, shift);
            compare(
                board,
                front + both.start,
                (self.own.planes, here),
                (source, under),
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
        let shape = self.own.level;
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

/// Keeps the sites from which what a window sees of the coarser level agrees.
fn see_parents(context: &mut Board, sight: &Sight, parents: Option<&Parents<'_>>) {
    let square = sight.parent.zip(parents);
    if let Some(square) = square.and_then(|(radius, parents)| parents.square(radius)) {
        and(context, square);
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

/// Returns an overlay on a grid of the same shape, as a distance in scan order.
fn along(overlay: Overlay, grid: &Level) -> i32 {
    overlay.down * grid.width() as i32 + overlay.right
}
