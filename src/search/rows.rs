//! Row-exact search: rows drawn whole from their exact conditional distribution, backtracking over rows.
//!
//! A row that cannot be completed is a dead end. It blames the bits that the contexts up to the column
//! where its chain died have seen: in each row above, a prefix. The search returns to the latest row
//! with a blamed bit, is done with every value of it that has the same prefix, lets it inherit the
//! blame on the rows above, and draws it anew from what is left. Complete: a row is exhausted only when
//! each of its values has been shown to lead nowhere, and its own blame is then all that its chain has
//! seen and all that it inherited.
//!
//! The blame is a prefix because that is what the tree of tried values can be done with at once; an
//! interval would be sharper. On MNIST at 9x9 and 11x11 one or two searches in a hundred still meet
//! more than 20,000 dead rows.
//!
//! A row whose chain gets wider than [`SearchOptions::max_states`] is cut there into segments, which
//! are then searched as rows are; nothing else changes, completeness included.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::SearchError;
use super::chain::{Chain, Links, Segment};
use super::options::{Counters, FixedBits, SearchOptions, Status};
use super::tried::Tried;
use crate::index::Counts;
use crate::window::{Frame, Geometry};

/// A search over rows.
pub(super) struct RowSearch<'a, C> {
    geometry: &'a Geometry,
    counts: &'a C,
    fixed: FixedBits,
    options: SearchOptions,
    draw_seed: u64,
    /// Draws so far: the counter of the counter-based generator.
    draws: u64,
    frame: Frame,
    levels: Vec<Level>,
    counters: Counters,
    handed_out: bool,
}

/// A decided segment.
struct Level {
    /// Its first position and the one behind its last.
    start: usize,
    end: usize,
    chain: Chain,
    tried: Tried,
    /// For each level before, how long a prefix of it is to blame should this one be exhausted.
    blame: Vec<usize>,
}

impl<'a, C: Counts> RowSearch<'a, C> {
    pub(super) fn new(
        geometry: &'a Geometry,
        counts: &'a C,
        fixed: &FixedBits,
        options: SearchOptions,
        draw_seed: u64,
        frame: Frame,
    ) -> Self {
        Self {
            geometry,
            counts,
            fixed: fixed.clone(),
            options,
            draw_seed,
            draws: 0,
            frame,
            levels: Vec::new(),
            counters: Counters::default(),
            handed_out: false,
        }
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(super) fn advance(
        &mut self,
        interrupted: &dyn Fn() -> Option<Status>,
    ) -> Result<Status, SearchError> {
        if std::mem::take(&mut self.handed_out) && !self.leave_completion() {
            return Ok(Status::NoneExists);
        }
        let shape = self.geometry.shape();
        let row_bits = shape.width() * shape.channels();
        loop {
            let start = self.levels.last().map_or(0, |level| level.end);
            self.counters.deepest = self.counters.deepest.max(start as u64);
            if start == shape.bits() {
                self.handed_out = true;
                return Ok(Status::Sample);
            }
            if let Some(status) = interrupted() {
                return Ok(status);
            }
            let row_end = (start / row_bits + 1) * row_bits;
            let links = Links {
                geometry: self.geometry,
                counts: self.counts,
                fixed: &self.fixed,
                // With fewer than 2 a segment of one bit could be too wide to end.
                max_states: self.options.max_states.max(2),
            };
            match links.follow(&mut self.frame, start..row_end, &mut self.counters.lookups)? {
                Segment::Alive(chain) => {
                    let end = start + chain.length();
                    let blame = self.seen_by(start, end);
                    self.levels.push(Level {
                        start,
                        end,
                        chain,
                        tried: Tried::new(),
                        blame,
                    });
                    self.draw();
                }
                Segment::Dead { position } => {
                    let limit = self.options.max_backtracks;
                    if limit.is_some_and(|limit| self.counters.backtracks >= limit) {
                        return Ok(Status::BudgetSpent);
                    }
                    let blame = self.seen_by(start, position + 1);
                    if !self.backtrack(start, blame) {
                        return Ok(Status::NoneExists);
                    }
                }
            }
        }
    }

    /// How long a prefix of each level the contexts of the positions `start..end` see.
    fn seen_by(&self, start: usize, end: usize) -> Vec<usize> {
        let mut blame = vec![0; self.levels.len()];
        let free = (start..end).filter(|position| self.fixed.get(*position).is_none());
        for run in free.flat_map(|position| self.geometry.context(position)) {
            let run = run.start..run.end.min(start);
            let below = self.levels.partition_point(|level| level.start < run.end);
            for (level, blame) in self.levels[..below].iter().zip(&mut blame).rev() {
                if level.end <= run.start {
                    break;
                }
                *blame = (*blame).max(run.end.min(level.end) - level.start);
            }
        }
        blame
    }

    /// Leaves a dead end that began at `from`; `false` when there is nowhere to return to.
    fn backtrack(&mut self, from: usize, mut blame: Vec<usize>) -> bool {
        if blame.iter().all(|prefix| *prefix == 0) {
            return false;
        }
        self.counters.backtracks += 1;
        while let Some(target) = blame.iter().rposition(|prefix| *prefix > 0) {
            self.levels.truncate(target + 1);
            // `blame` has an entry for each level there was, so there is one at `target`.
            let level = &mut self.levels[target];
            let jump = (from - level.start) as u64;
            self.counters.longest_jump = self.counters.longest_jump.max(jump);
            level.tried.discard(&level.chain, blame[target]);
            for (heir, prefix) in level.blame.iter_mut().zip(&blame) {
                *heir = (*heir).max(*prefix);
            }
            if !level.tried.is_exhausted() {
                self.draw();
                return true;
            }
            blame = std::mem::take(&mut level.blame);
            self.levels.pop();
        }
        false
    }

    /// Draws the last level anew and writes it into the frame.
    fn draw(&mut self) {
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        let (seed, draws) = (self.draw_seed, &mut self.draws);
        let uniform = || {
            *draws += 1;
            // 53 bits: as many as a float in [0, 1) has.
            (xxh3_64_with_seed(&draws.to_le_bytes(), seed) >> 11) as f64 / (1u64 << 53) as f64
        };
        let bits = level.tried.draw(&level.chain, uniform);
        for (position, (bit, _, _)) in (level.start..).zip(bits) {
            self.frame.set(position, *bit);
        }
    }

    /// Leaves a completion that was handed out: every completion of every other choice is still wanted,
    /// so all bits are to blame.
    fn leave_completion(&mut self) -> bool {
        let blame = self.levels.iter().map(|level| level.end - level.start);
        let blame = blame.collect();
        let bits = self.geometry.shape().bits();
        let before = self.counters;
        let more = self.backtrack(bits, blame);
        // Going on is no dead end.
        self.counters = before;
        more
    }
}
