//! One latent watched as it grows: what is judged of its rows is kept until they change.
//!
//! Rows are judged as they are completed: of all rectangles that end there, over each candidate, the one that carries most. Which
//! training latents are candidates the bits themselves say (`seeds`); where there are few, all are.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::CopiesError;
use super::honest::without_one;
use super::limit::{Bit, Carried, Carries, CopyLimit, Under, in_bits, in_units};
use super::seeds::each_vote;
use crate::base::bits::replace;
use crate::index::WindowIndex;
use crate::latent::Level;
use crate::provenance::Overlay;
use crate::window::{Frame, Geometry, Given};

/// Bits that must vote for a candidate, where not all are.
const VOTES: u32 = 2;

/// A row that is decided.
struct Row {
    told: Vec<Bit>,
    /// What it and the rows above it tell, in units.
    sum: i64,
    /// What its bits vote for; `None` for as long as nobody needed to know.
    votes: Option<Vec<Overlay>>,
}

/// A training latent that may be copied from.
#[derive(Default)]
struct Candidate {
    votes: u32,
    /// For each row that was judged, what a rectangle that ends there carries at most, in units.
    at_most: Vec<i64>,
}

/// One level of a latent that is watched.
struct Watched {
    level: Level,
    /// The bits, channel by channel.
    planes: Vec<u64>,
    rows: Vec<Row>,
    candidates: FxHashMap<Overlay, Candidate>,
    /// Whether candidates are all that there are.
    all: bool,
}

impl Watched {
    fn new(limit: &CopyLimit<'_>, level: Level) -> Self {
        let most = limit.most[level.number()];
        let all = most.and_then(|_| limit.all_overlays(&level));
        let voted = |overlay| {
            let candidate = Candidate {
                votes: VOTES,
                at_most: Vec::new(),
            };
            (overlay, candidate)
        };
        Self {
            planes: vec![0; level.bits().div_ceil(64) + 1],
            rows: Vec::new(),
            all: all.is_some(),
            candidates: all.into_iter().flatten().map(voted).collect(),
            level,
        }
    }

    fn positions(&self, row: usize) -> Range<usize> {
        self.level.position(row, 0, 0)..self.level.position(row + 1, 0, 0)
    }

    /// Returns how many rows are whole where so many positions are decided.
    fn whole_rows(&self, decided: usize) -> usize {
        let own = decided.saturating_sub(self.level.start());
        (own / self.level.row_bits()).min(self.level.height())
    }

    /// Forgets all rows but the first few.
    fn withdraw(&mut self, rows: usize) {
        for row in self.rows.drain(rows..) {
            for overlay in row.votes.into_iter().flatten() {
                if let Some(candidate) = self.candidates.get_mut(&overlay) {
                    candidate.votes -= 1;
                    if candidate.votes == 0 {
                        self.candidates.remove(&overlay);
                    }
                }
            }
        }
        for candidate in self.candidates.values_mut() {
            candidate.at_most.truncate(rows);
        }
    }

    /// Asks what the bits of those rows vote for that were not asked yet.
    fn ask_votes(&mut self, window: &WindowIndex<'_>, frame: &Frame) -> Result<(), CopiesError> {
        if self.all {
            return Ok(());
        }
        for (number, row) in self.rows.iter_mut().enumerate() {
            if row.votes.is_none() {
                let mut votes = Vec::new();
                each_vote(window, &self.level, frame, number, |overlay| {
                    votes.push(overlay)
                })?;
                for overlay in &votes {
                    self.candidates.entry(*overlay).or_default().votes += 1;
                }
                row.votes = Some(votes);
            }
        }
        Ok(())
    }

    /// Judges the rows that were not yet: returns what carries most, and more than `most`, of the regions that end in one.
    fn judge(&mut self, limit: &CopyLimit<'_>, most: i64) -> Option<(Overlay, Carries)> {
        let rows = &self.rows;
        let mut found: Option<(Overlay, Carries)> = None;
        for (overlay, candidate) in &mut self.candidates {
            if candidate.votes < VOTES {
                continue;
            }
            let Some(under) = Under::new(limit, &self.level, &self.planes, *overlay) else {
                continue;
            };
            for row in candidate.at_most.len()..rows.len() {
                let before = candidate.at_most.last().copied().unwrap_or(0);
                let at_most = before + under.best_of_row(row, &rows[row].told);
                candidate.at_most.push(at_most);
                let least = found.as_ref().map_or(most + 1, |(_, (_, held))| *held);
                if at_most < least {
                    continue;
                }
                let Some(best) = under.best_ending_at(row, |row| &rows[row].told) else {
                    continue;
                };
                // The order of a hash table must not decide between equals.
                let key = |overlay: &Overlay, (rectangle, units): &Carries| {
                    (-units, overlay.rank(), rectangle.rows.end)
                };
                let first =
                    |(held, carries): &(Overlay, Carries)| key(overlay, &best) < key(held, carries);
                if best.1 >= least && found.as_ref().is_none_or(first) {
                    found = Some((*overlay, best));
                }
            }
        }
        found
    }
}

/// A region that carries more than it may.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TooMuch {
    /// The region.
    pub carried: Carried,
    /// The positions that this depends on: its bits and their contexts.
    pub depends_on: Vec<Range<usize>>,
}

/// Watches one latent as its rows are decided and withdrawn.
pub struct CopyWatch<'l> {
    limit: &'l CopyLimit<'l>,
    /// The rows that are watched, as they were decided.
    frame: Frame,
    given: Vec<bool>,
    levels: Vec<Watched>,
}

impl<'l> CopyWatch<'l> {
    /// Begins to watch a latent some of whose bits are `given` from the start.
    pub fn new(limit: &'l CopyLimit<'l>, given: impl Fn(usize) -> bool) -> Self {
        let model = limit.model.iter().map(|window| window.geometry);
        let deepest = limit.deepest.iter().map(WindowIndex::geometry);
        let geometries: Vec<_> = model.chain(deepest).collect();
        let shape = limit.shape();
        let levels = shape.levels().iter();
        Self {
            limit,
            frame: Frame::new(shape, &geometries),
            given: (0..shape.bits()).map(given).collect(),
            levels: levels.map(|level| Watched::new(limit, *level)).collect(),
        }
    }

    /// Looks at a latent of which the first `decided` bits are decided. Returns a region that carries more than it may:
    /// it does in every latent that agrees in what this depends on. Regions lie in rows that are decided whole; rows
    /// that are as they were at the last look are not judged again.
    ///
    /// # Errors
    /// Whatever the index reports.
    pub fn look(&mut self, frame: &Frame, decided: usize) -> Result<Option<TooMuch>, CopiesError> {
        for level in 0..self.levels.len() {
            self.withdraw_what_changed(level, frame, decided);
            while self.levels[level].rows.len() < self.levels[level].whole_rows(decided) {
                self.decide(level, frame)?;
                let Some(most) = self.limit.most[level] else {
                    continue;
                };
                if let Some(carried) = self.judge(level, most)? {
                    // Asked again, it is to say the same.
                    let row = self.levels[level].rows.len() - 1;
                    self.levels[level].withdraw(row);
                    return Ok(Some(TooMuch {
                        depends_on: self.depends_on(&carried),
                        carried,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Forgets the rows of a level, and the finer levels that see them, from the first one on that is not as it was.
    fn withdraw_what_changed(&mut self, level: usize, frame: &Frame, decided: usize) {
        if self.frame.given() != frame.given() {
            self.frame.begin(frame.given());
            self.levels.iter_mut().for_each(|level| level.withdraw(0));
        }
        let watched = &self.levels[level];
        let same = |row: usize| {
            let positions = watched.positions(row);
            positions.clone().step_by(64).all(|from| {
                let n = (positions.end - from).min(64);
                self.frame.bits(from, n) == frame.bits(from, n)
            })
        };
        let held = watched.rows.len().min(watched.whole_rows(decided));
        let kept = (0..held).find(|row| !same(*row)).unwrap_or(held);
        if kept < watched.rows.len() {
            self.levels[level].withdraw(kept);
            for finer in &mut self.levels[level + 1..] {
                finer.withdraw(0);
            }
        }
    }

    /// Takes up the next row of a level.
    fn decide(&mut self, level: usize, frame: &Frame) -> Result<(), CopiesError> {
        let watched = &mut self.levels[level];
        let grid = watched.level;
        let row = watched.rows.len();
        let positions = watched.positions(row);
        for position in positions.clone() {
            let bit = frame.get(position);
            self.frame.set(position, bit);
            let (_, col, channel) = grid.place(position);
            let at = (channel * grid.height() + row) * grid.width() + col;
            replace(&mut watched.planes, at, 1, u64::from(bit));
        }
        let told = match self.limit.most[level] {
            Some(_) => without_one(&self.limit.model, &mut self.frame, positions.clone())?,
            None => vec![0.0; positions.len()],
        };
        let told = positions.zip(told).map(|(position, told)| {
            let given = self.given[position];
            (!given).then(|| in_units(f64::from(told)))
        });
        let told: Vec<Bit> = told.collect();
        let above = watched.rows.last().map_or(0, |row| row.sum);
        watched.rows.push(Row {
            sum: above + told.iter().flatten().sum::<i64>(),
            told,
            votes: None,
        });
        Ok(())
    }

    /// Returns what carries most, and more than `most`, of the regions of a level that end in rows that were not judged.
    fn judge(&mut self, level: usize, most: i64) -> Result<Option<Carried>, CopiesError> {
        let watched = &mut self.levels[level];
        // What a region carries is part of what all tell.
        if watched.rows.last().is_none_or(|row| row.sum <= most) {
            return Ok(None);
        }
        watched.ask_votes(&self.limit.deepest[level], &self.frame)?;
        let found = watched.judge(self.limit, most);
        Ok(found.map(|(overlay, (rectangle, units))| Carried {
            level,
            latent: overlay.latent,
            down: overlay.down,
            right: overlay.right,
            rows: rectangle.rows,
            columns: rectangle.columns,
            bits: in_bits(units),
        }))
    }

    /// Returns what a region's carrying so much depends on: its bits and their contexts.
    fn depends_on(&self, found: &Carried) -> Vec<Range<usize>> {
        let level = self.levels[found.level].level;
        let of_level = |geometry: &&Geometry| geometry.window().level() == found.level;
        let mut windows = self.limit.model.iter().map(|window| window.geometry);
        let largest = windows.find(of_level);
        let mut runs = Vec::new();
        for row in found.rows.clone() {
            let position = |col| level.position(row, col, 0);
            let bits = position(found.columns.start)..position(found.columns.end);
            runs.push(bits.clone());
            let contexts = largest.into_iter();
            runs.extend(
                contexts.flat_map(|window| bits.clone().flat_map(|bit| window.context(bit))),
            );
        }
        runs
    }
}

impl CopyLimit<'_> {
    /// Returns the region of each limited level of a whole latent that carries most, coarse to fine, whatever it may; `None` where none
    /// carries anything.
    ///
    /// # Errors
    /// Whatever the index reports.
    pub fn most_carried(
        &self,
        packed: &[u8],
        given: Given,
    ) -> Result<Vec<Option<Carried>>, CopiesError> {
        let shape = self.shape();
        let mut frame = Frame::new(shape, &[]);
        frame.load(packed, given);
        let mut watch = CopyWatch::new(self, |_| false);
        watch.frame.begin(given);
        let mut carried = Vec::new();
        for level in 0..shape.levels().len() {
            while watch.levels[level].rows.len() < watch.levels[level].level.height() {
                watch.decide(level, &frame)?;
            }
            let limited = self.most[level].is_some();
            carried.push(if limited {
                watch.judge(level, 0)?
            } else {
                None
            });
        }
        Ok(carried)
    }
}
