//! Where the coarser level around the parents of sites agrees with a training latent's: part of the contexts that see it.

use super::board::{Board, BoardLayout, and_run, get, set_run};
use super::overlay::{Grid, Overlay, lay};
use crate::latent::Level;

/// The coarser level of a sample, to be compared with that of training latents.
pub(super) struct Parents<'a> {
    own: Grid<'a>,
    finer: Level,
    /// With room for squares around the sites at every edge.
    layout: BoardLayout,
    agreeing: Vec<Board>,
    /// For each radius that is asked for: the sites of the finer level whose parents agree with all around them.
    squares: Vec<(usize, Board)>,
}

impl<'a> Parents<'a> {
    /// Prepares squares of some radiuses, the boards of sites laid out as `finer_layout`.
    pub(super) fn new(
        own: Grid<'a>,
        finer: Level,
        finer_layout: BoardLayout,
        mut radiuses: Vec<usize>,
    ) -> Self {
        radiuses.sort_unstable();
        radiuses.dedup();
        let margin = radiuses.last().copied().unwrap_or(0).max(1);
        let layout = BoardLayout {
            height: own.level.height() + margin,
            width: own.level.width(),
            margin,
        };
        let board = |radius| (radius, vec![0; finer_layout.words()]);
        Self {
            own,
            finer,
            layout,
            agreeing: vec![Vec::new(); own.level.channels()],
            squares: radiuses.into_iter().map(board).collect(),
        }
    }

    /// Compares with the coarser level of the latent of an overlay of the finer one, laid out as `finer_layout`.
    pub(super) fn lay(&mut self, source: Grid<'_>, overlay: Overlay, finer_layout: BoardLayout) {
        let coarser = self.own.level;
        let under = overlay.of_parents(&self.finer, &coarser);
        for (_, board) in &mut self.squares {
            board.fill(0);
        }
        let Some(under) = under else { return };
        lay(&mut self.agreeing, self.layout, self.own, source, under);
        let stride = self.layout.stride();
        for (radius, board) in &mut self.squares {
            // Bit by bit the last corner of a square that agrees as a whole.
            let mut corners = self.agreeing[coarser.channels() - 1].clone();
            and_run(&mut corners, 2 * *radius + 1, 1);
            and_run(&mut corners, 2 * *radius + 1, stride);
            for row in 0..self.finer.height() {
                for col in 0..self.finer.width() {
                    let (up, left) = coarser.parent_of(&self.finer, row, col);
                    if get(&corners, self.layout.at(up + *radius, left + *radius)) {
                        set_run(board, finer_layout.at(row, col), 1);
                    }
                }
            }
        }
    }

    /// Returns the sites whose parents agree with a square of that radius around them.
    pub(super) fn square(&self, radius: usize) -> Option<&Board> {
        let mut squares = self.squares.iter();
        squares
            .find(|(own, _)| *own == radius)
            .map(|(_, board)| board)
    }
}
