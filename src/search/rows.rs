//! Row-exact search: rows drawn whole from their exact conditional distribution, backtracking over rows.
//!
//! A row that cannot be completed is a dead end. What kills it is an interval of its columns that no way
//! gets through, whatever stands to their left; it blames what the contexts of that interval see: in each
//! row above, an interval again. The search returns to the latest row with a blamed bit, rules out every
//! value of it that agrees in the blamed interval, lets it inherit the blame on the rows above, and draws
//! it anew from what is left. Complete: a row is exhausted only when each of its values has been shown to
//! lead nowhere, and its own blame is then what its chain has seen up to where the last way ended and what
//! the patterns ruled out up to there have inherited.
//!
//! A row that has died before is first asked site by site whether any context has the rows above it as they
//! are: one lookup a site instead of some ten, and all the sites that have none are ruled out at once.
//!
//! Together with nogoods and restarts this saves half of the lookups or more. Nogoods that move with their rows, looking for
//! every dead interval of a row, and wider chains do not help. `docs/notes/search.md` has the measurements.
//!
//! A row whose chain gets wider than [`SearchOptions::max_states`] is cut there into segments, which
//! are then searched as rows are; nothing else changes, completeness included.
//!
//! [`SearchOptions::max_states`]: super::SearchOptions::max_states

use std::ops::Range;

use super::SearchError;
use super::blame::Blame;
use super::chain::Chain;
use super::constraint::{Conditions, Constraints};
use super::ladder::Ladder;
use super::links::{Links, Segment};
use super::nogoods::Nogoods;
use super::options::{Backoff, SearchOptions};
use crate::base::random::uniform_at;
use crate::latent::Shape;
use crate::samples::{Counters, INTERPOLATED, Status};
use crate::window::Frame;

/// A search over rows.
pub(super) struct RowSearch<'a> {
    links: Links<'a>,
    conditions: Conditions<'a>,
    shape: Shape,
    backoff: Backoff,
    max_backtracks: Option<u64>,
    draw_seed: u64,
    /// Draws so far: the counter of the counter-based generator.
    draws: u64,
    frame: Frame,
    /// For each position that is decided, the window that answered.
    answered: Vec<u8>,
    levels: Vec<Level>,
    nogoods: Nogoods,
    /// For each row, whether it has been dead before.
    died: Vec<bool>,
    restarts: Option<Restarts>,
    counters: Counters,
    handed_out: bool,
}

/// When the search starts afresh.
struct Restarts {
    /// Dead ends until the next one, and how many of them there have been.
    limit: u64,
    spent: u64,
}

/// A decided segment.
struct Level {
    /// Its first position and the one behind its last.
    start: usize,
    end: usize,
    chain: Chain,
    /// Whether a smaller window was let in somewhere in its row. That this was needed depends on all that
    /// the larger ones saw, so the whole row is to blame.
    backed_off: bool,
    ruled_out: Vec<RuledOut>,
}

/// Bits of a level that have no completion, given the bits blamed in the levels before.
struct RuledOut {
    /// Behind the last bit, counted from the level's start.
    end: usize,
    blame: Blame,
}

/// A segment that cannot be completed.
struct DeadEnd {
    /// Its first position.
    start: usize,
    /// Why, perhaps in several ways, each of which is enough.
    blames: Vec<Blame>,
}

/// What became of the segment behind those that are there.
enum Next {
    /// It is a level now.
    Level,
    /// It cannot be completed.
    Dead(DeadEnd),
    /// There was no time to know.
    Interrupted(Status),
}

impl<'a> RowSearch<'a> {
    /// Prepares a search; `frame` has the forced bits set.
    pub(super) fn new(
        ladder: Ladder<'a>,
        constraints: Constraints<'a>,
        options: &SearchOptions,
        draw_seed: u64,
        frame: Frame,
    ) -> Self {
        let shape = ladder.shape();
        Self {
            links: Links::new(ladder, constraints, options.max_states),
            conditions: constraints.follow(),
            shape,
            backoff: options.backoff,
            max_backtracks: options.max_backtracks,
            draw_seed,
            draws: 0,
            frame,
            answered: vec![0; shape.bits()],
            levels: Vec::new(),
            nogoods: Nogoods::default(),
            died: vec![false; shape.rows()],
            restarts: options.restart.map(|limit| Restarts { limit, spent: 0 }),
            counters: Counters::default(),
            handed_out: false,
        }
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            lookups: self.links.ladder.lookups,
            ..self.counters
        }
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(super) fn answered(&self) -> &[u8] {
        &self.answered
    }

    pub(super) fn advance(
        &mut self,
        interrupted: &dyn Fn() -> Option<Status>,
    ) -> Result<Status, SearchError> {
        if std::mem::take(&mut self.handed_out) {
            // From afresh it would find again what it has handed out.
            self.restarts = None;
            if !self.leave_completion() {
                return Ok(Status::NoneExists);
            }
        }
        loop {
            let decided = self.decided();
            self.counters.deepest = self.counters.deepest.max(decided as u64);
            if let Some(status) = interrupted() {
                return Ok(status);
            }
            let dead = match self.conditions.refuted(&self.frame, decided)? {
                Some(runs) => Some(DeadEnd {
                    start: decided,
                    blames: vec![self.blame_on(runs.into_iter(), decided)],
                }),
                None if decided == self.shape.bits() => {
                    if self.cap_is_passed() {
                        return Ok(Status::CapReached);
                    }
                    self.handed_out = true;
                    return Ok(Status::Sample);
                }
                None => match self.next_level(decided, interrupted)? {
                    Next::Level => None,
                    Next::Dead(dead) => Some(dead),
                    Next::Interrupted(status) => return Ok(status),
                },
            };
            let Some(dead) = dead else {
                self.draw();
                continue;
            };
            let limit = self.max_backtracks;
            if limit.is_some_and(|limit| self.counters.backtracks >= limit) {
                return Ok(Status::BudgetSpent);
            }
            if !self.backtrack(dead, true) {
                return Ok(Status::NoneExists);
            }
            self.restart_if_due();
        }
    }

    /// Returns whether the network has answered more bits than it may.
    fn cap_is_passed(&self) -> bool {
        let max_interpolated = self.links.ladder.max_interpolated();
        max_interpolated.is_some_and(|max_interpolated| {
            let answered = self.answered.iter().filter(|rung| **rung == INTERPOLATED);
            answered.count() as u64 > max_interpolated
        })
    }

    /// Returns how many positions are decided: all before this one.
    fn decided(&self) -> usize {
        self.levels.last().map_or(0, |level| level.end)
    }

    /// Adds the segment from `start` on, unless it is a dead end.
    fn next_level(
        &mut self,
        start: usize,
        interrupted: &dyn Fn() -> Option<Status>,
    ) -> Result<Next, SearchError> {
        let row = self.shape.row_of(start);
        // With a network let in, a site that no context has from above is one that it answers.
        let with_network = self.links.ladder.fallback(start).is_some();
        if self.died[row] && !with_network {
            let blames = self.unknown_from_above(start)?;
            if !blames.is_empty() {
                return Ok(Next::Dead(DeadEnd { start, blames }));
            }
        }
        let row_bits = self.shape.rest_of_row(start);
        let mut from = vec![self.links.ladder.first(start); row_bits.len()];
        let mut backed_off = false;
        let chain = loop {
            let segment =
                self.links
                    .follow(&mut self.frame, row_bits.clone(), &from, interrupted)?;
            match segment {
                Segment::Alive(chain) => break chain,
                Segment::Interrupted(status) => return Ok(Next::Interrupted(status)),
                Segment::Dead { positions } => {
                    let last = self.links.ladder.last(start);
                    let dead = &mut from[positions.start - start..positions.end - start];
                    if self.backoff == Backoff::OnDeadEnd && dead.iter().any(|from| *from < last) {
                        for from in dead.iter_mut().filter(|from| **from < last) {
                            *from += 1;
                        }
                        backed_off = true;
                        continue;
                    }
                    // No way gets past the last of these: one column is enough.
                    if with_network
                        && let Some(from) = dead.last_mut().filter(|from| **from != INTERPOLATED)
                    {
                        *from = INTERPOLATED;
                        backed_off = true;
                        continue;
                    }
                    self.died[row] = true;
                    let seen = if backed_off { row_bits } else { positions };
                    let blames = vec![self.seen_by(seen, start)];
                    return Ok(Next::Dead(DeadEnd { start, blames }));
                }
            }
        };
        let mut level = Level {
            start,
            end: start + chain.length(),
            chain,
            backed_off,
            ruled_out: Vec::new(),
        };
        let segment = level.start..level.end;
        for nogood in self.nogoods.recall(&self.frame, &segment) {
            level.chain.forbid(nogood.at, &nogood.pattern);
            level.ruled_out.push(RuledOut {
                end: nogood.at + nogood.pattern.len(),
                blame: self.blame_on(nogood.above.into_iter(), start),
            });
        }
        if level.chain.is_exhausted() {
            let blames = vec![self.blame_of(&level)];
            return Ok(Next::Dead(DeadEnd { start, blames }));
        }
        self.levels.push(level);
        Ok(Next::Level)
    }

    /// Returns why the row from `start` on cannot be completed as far as the rows above alone tell, for each site that
    /// no context has them of.
    fn unknown_from_above(&mut self, start: usize) -> Result<Vec<Blame>, SearchError> {
        let mut blames = Vec::new();
        for position in self.shape.rest_of_row(start) {
            if self
                .links
                .is_unknown_from_above(&mut self.frame, position)?
            {
                let context = self.links.ladder.context(position);
                blames.push(self.blame_on(context, start));
            }
        }
        Ok(blames)
    }

    /// Returns what the contexts of free positions see before `start`.
    fn seen_by(&self, positions: Range<usize>, start: usize) -> Blame {
        let links = &self.links;
        let free = positions.filter(|position| links.constraints.forced(*position).is_none());
        self.blame_on(
            free.flat_map(|position| links.ladder.context(position)),
            start,
        )
    }

    /// Puts the blame on what lies before `start` in runs of positions.
    fn blame_on(&self, runs: impl Iterator<Item = Range<usize>>, start: usize) -> Blame {
        let mut blame = Blame::default();
        for run in runs {
            let run = run.start..run.end.min(start);
            let below = self.levels.partition_point(|level| level.start < run.end);
            for (number, level) in self.levels[..below].iter().enumerate().rev() {
                if level.end <= run.start {
                    break;
                }
                let from = run.start.max(level.start) - level.start;
                blame.add(number, from..run.end.min(level.end) - level.start);
            }
        }
        blame
    }

    /// Returns what is to blame for an exhausted level, given the levels before it.
    fn blame_of(&self, level: &Level) -> Blame {
        let (seen, reach) = if level.backed_off {
            (self.shape.rest_of_row(level.start), level.end - level.start)
        } else {
            let reach = level.chain.reach();
            (level.start..level.start + reach, reach)
        };
        let mut blame = self.seen_by(seen, level.start);
        for pattern in level.ruled_out.iter().filter(|p| p.end <= reach) {
            blame.inherit(&pattern.blame);
        }
        blame
    }

    /// Leaves a dead end for a draw that it says nothing about; `false` when there is none.
    fn backtrack(&mut self, mut dead: DeadEnd, learn: bool) -> bool {
        let from = dead.start;
        if dead.blames.iter().all(|blame| blame.latest().is_some()) {
            self.counters.backtracks += 1;
        }
        loop {
            // Each blame is enough, so the one that leads furthest back leaves the least to search.
            let targets = dead.blames.iter();
            let targets = targets.map(|blame| blame.latest().map(|(level, _)| level));
            let Some(Some(target)) = targets.min() else {
                return false;
            };
            self.levels.truncate(target + 1);
            for blame in dead.blames {
                if let Some((level, bits)) = blame.latest()
                    && level == target
                {
                    self.rule_out(target, bits, blame, learn);
                }
            }
            let level = &self.levels[target];
            let jump = (from - level.start) as u64;
            self.counters.longest_jump = self.counters.longest_jump.max(jump);
            if !level.chain.is_exhausted() {
                let coarser = level.start < self.shape.level_of(from).start();
                self.counters.returns += u64::from(coarser);
                self.draw();
                return true;
            }
            let Some(level) = self.levels.pop() else {
                return false;
            };
            let blames = vec![self.blame_of(&level)];
            dead = DeadEnd {
                start: level.start,
                blames,
            };
        }
    }

    /// Rules out, at the last level, everything that agrees with its current draw in `bits`.
    fn rule_out(&mut self, target: usize, bits: Range<usize>, blame: Blame, learn: bool) {
        if learn {
            let intervals = blame.levels().iter().map(|(number, bits)| {
                let start = self.levels[*number].start;
                start + bits.start..start + bits.end
            });
            let intervals: Vec<_> = intervals.collect();
            let segment = self.levels[target].start;
            self.nogoods.learn(&self.frame, segment, &intervals);
        }
        let level = &mut self.levels[target];
        let pattern = bits.clone().map(|bit| self.frame.get(level.start + bit));
        let pattern: Vec<_> = pattern.collect();
        level.chain.forbid(bits.start, &pattern);
        level.ruled_out.push(RuledOut {
            end: bits.end,
            blame: blame.before_latest(),
        });
    }

    /// Leaves a completion that was handed out: every completion of every other choice is still wanted, so
    /// all bits are to blame. That is no dead end and nothing to learn from.
    fn leave_completion(&mut self) -> bool {
        let mut blame = Blame::default();
        for (number, level) in self.levels.iter().enumerate() {
            blame.add(number, 0..level.end - level.start);
        }
        let dead = DeadEnd {
            start: self.shape.bits(),
            blames: vec![blame],
        };
        let before = self.counters;
        let more = self.backtrack(dead, false);
        self.counters = before;
        more
    }

    /// Starts afresh when there have been too many dead ends: with what was learned, and with twice as many
    /// until the next time, so that the search stays complete.
    fn restart_if_due(&mut self) {
        if let Some(restarts) = &mut self.restarts {
            restarts.spent += 1;
            if restarts.spent >= restarts.limit {
                restarts.spent = 0;
                restarts.limit = restarts.limit.saturating_mul(2);
                self.levels.clear();
            }
        }
    }

    /// Draws the last level anew and writes it into the frame.
    fn draw(&mut self) {
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        let (seed, draws) = (self.draw_seed, &mut self.draws);
        let uniform = || {
            *draws += 1;
            uniform_at(*draws, seed)
        };
        let bits = level.chain.draw(uniform);
        for (position, (bit, rung)) in (level.start..).zip(bits) {
            self.frame.set(position, bit);
            self.answered[position] = rung;
        }
    }
}
