//! A training latent laid over a sample, moved by some sites, and where the two agree.

use super::board::{Board, BoardLayout, and, runs, set_run};
use crate::base::bits::push;
use crate::latent::Level;

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

    /// Returns how the parents of sites of a finer level lie under it; `None` where sites do not keep their places in their
    /// parents, at any site then: (row + down)·H′ mod H = row·H′ mod H says nothing of the row.
    pub(crate) fn of_parents(self, finer: &Level, coarser: &Level) -> Option<Self> {
        // Sides and displacements are at most 2²⁰.
        let steps = |by: i32, own: usize, above: usize| {
            let steps = i64::from(by) * above as i64;
            (steps % own as i64 == 0).then_some((steps / own as i64) as i32)
        };
        Some(Self {
            latent: self.latent,
            down: steps(self.down, finer.height(), coarser.height())?,
            right: steps(self.right, finer.width(), coarser.width())?,
        })
    }
}

/// One level of a latent: its grid, and its bits channel by channel.
#[derive(Clone, Copy)]
pub(super) struct Grid<'a> {
    pub(super) level: Level,
    pub(super) planes: &'a [u64],
}

/// Compares a grid with the one under it, site by site: for each channel, the sites that agree in it and all channels before. An
/// absent site agrees with an absent one only: where both grids end. A layout that is higher than the grid has absent sites below.
pub(super) fn lay(
    agreeing: &mut [Board],
    layout: BoardLayout,
    own: Grid<'_>,
    source: Grid<'_>,
    overlay: Overlay,
) {
    let (grid, other) = (own.level, source.level);
    let columns = overlap(grid.width(), other.width(), overlay.right);
    let rows = overlap(grid.height(), other.height(), overlay.down);
    let words = layout.words();
    for channel in 0..grid.channels() {
        let board = &mut agreeing[channel];
        board.clear();
        board.resize(words, 0);
        for row in rows.clone() {
            let here = (channel * grid.height() + row) * grid.width() + columns.start;
            let under = (channel * other.height() + moved(row, overlay.down)) * other.width();
            let under = under + moved(columns.start, overlay.right);
            let at = layout.at(row, columns.start);
            let (here, under) = ((own.planes, here), (source.planes, under));
            compare(board, at, here, under, columns.len());
        }
        if channel > 0 {
            let (before, after) = agreeing.split_at_mut(channel);
            and(&mut after[0], &before[channel - 1]);
        }
    }
    let whole = &mut agreeing[grid.channels() - 1];
    let left_agrees = overlay.right == 0;
    let right_agrees = other.width() as i64 - grid.width() as i64 == i64::from(overlay.right);
    let below_agrees = other.height() as i64 - grid.height() as i64 == i64::from(overlay.down);
    let (margin, stride) = (layout.margin, layout.stride());
    for row in 0..margin + layout.height {
        let start = row * stride;
        if left_agrees {
            set_run(whole, start, margin);
        }
        if right_agrees {
            set_run(whole, start + margin + layout.width, margin);
        }
        let above = row < margin && overlay.down == 0;
        if above || row >= margin + grid.height() && below_agrees {
            set_run(whole, start + margin + columns.start, columns.len());
        }
    }
}

/// Sets the bits of `board` from `at` on where `n` bits of both, from where each begins, agree.
pub(super) fn compare(
    board: &mut Board,
    at: usize,
    (a, from_a): (&[u64], usize),
    (b, from_b): (&[u64], usize),
    n: usize,
) {
    let pairs = runs(a, from_a, n).zip(runs(b, from_b, n));
    for ((offset, a), (_, b)) in pairs {
        let length = (n - offset).min(64);
        push(board, at + offset, !(a ^ b) & !0 >> (64 - length));
    }
}

/// Returns the numbers below `own` that lie below `other` when moved.
pub(super) fn overlap(own: usize, other: usize, by: i32) -> std::ops::Range<usize> {
    let (own, other, by) = (own as i64, other as i64, i64::from(by));
    let start = (-by).clamp(0, own);
    let end = (other - by).clamp(start, own);
    // Between 0 and `own`.
    start as usize..end as usize
}

/// Moves a number that stays at least 0.
pub(super) fn moved(number: usize, by: i32) -> usize {
    number.saturating_add_signed(by as isize)
}
