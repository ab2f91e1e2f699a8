//! The forward pass over a segment of a row: the states that can be reached, what the windows say at each,
//! and, where no way gets through, why.
//!
//! The states of a layer are kept in ascending order, oldest bit lowest. Appending a bit on top and
//! dropping old ones below keeps that order, so equal states of the next layer are neighbours and are
//! merged without a hash table.

use std::ops::Range;

use super::SearchError;
use super::chain::{Chain, Link};
use super::constraint::Constraints;
use super::ladder::{Answer, Ladder};

use crate::samples::Status;
use crate::window::Frame;

/// Most bits of a state: what one integer holds.
const MAX_STATE_BITS: usize = 128;

/// Most bits of a state of which all values are tried in search of an explanation: 15x15 with one channel,
/// 7x7 with two. At 9x9 and 11x11 with two it would cost more lookups than the dead ends that it saves.
const MAX_EXPLAINED_BITS: usize = 7;

/// What became of a segment.
#[derive(Debug)]
pub(super) enum Segment {
    /// It can be completed.
    Alive(Chain),
    /// It cannot: whatever its bits before these positions, no way leads past the last of them.
    Dead {
        /// At least one position of the segment.
        positions: Range<usize>,
    },
    /// It was not followed to its end: the search is to stop, or its time is up.
    Interrupted(Status),
}

/// States that are followed between two looks at whether to go on: some hundred microseconds, or ten milliseconds where a
/// network answers.
const STATES_BETWEEN_LOOKS: usize = 1 << 12;

/// What a forward pass works with, and room that the next one can use again.
pub(super) struct Links<'a> {
    pub(super) ladder: Ladder<'a>,
    pub(super) constraints: Constraints<'a>,
    /// A segment ends where a layer would have more states, at least 2.
    pub(super) max_states: usize,
    answers: Vec<Answer>,
    /// States followed since the last look at whether to go on.
    unlooked: usize,
}

impl<'a> Links<'a> {
    pub(super) fn new(ladder: Ladder<'a>, constraints: Constraints<'a>, max_states: usize) -> Self {
        Self {
            ladder,
            constraints,
            max_states: max_states.max(2),
            answers: Vec::new(),
            unlooked: 0,
        }
    }

    /// Follows every way from `positions.start` on, given the bits before it in `frame`; overwrites the
    /// bits from there on. The segment ends with `positions`, or earlier where it would get too wide.
    /// `from` gives the first window to ask for each position of the row; `interrupted` is asked now and then.
    pub(super) fn follow(
        &mut self,
        frame: &mut Frame,
        positions: Range<usize>,
        from: &[u8],
        interrupted: &dyn Fn() -> Option<Status>,
    ) -> Result<Segment, SearchError> {
        let start = positions.start;
        let seen = self.seen_from(&positions);
        let mut layers = Vec::with_capacity(positions.len());
        let mut states = vec![0u128];
        for position in positions {
            let i = position - start;
            let [first, later] = [seen[i], seen[i + 1]];
            let length = position - first;
            self.unlooked += states.len();
            if self.unlooked >= STATES_BETWEEN_LOOKS {
                self.unlooked = 0;
                if let Some(status) = interrupted() {
                    return Ok(Segment::Interrupted(status));
                }
            }
            self.answers(frame, position, first, &states, from[i])?;
            let mut links: Vec<_> = self
                .answers
                .iter()
                .map(|answer| Link {
                    answer: *answer,
                    next: [Link::NOWHERE; 2],
                })
                .collect();
            let dropped = later - first;
            let mut next: Vec<u128> = Vec::with_capacity(2 * states.len());
            for value in [0, 1] {
                for (state, link) in states.iter().zip(&mut links) {
                    if link.answer.chance[value] == 0.0 {
                        continue;
                    }
                    // `dropped ≤ length + 1 ≤ 128`: a state of which nothing is seen any more is 0.
                    let state = state | (value as u128) << length;
                    let state = state.checked_shr(dropped as u32).unwrap_or(0);
                    if next.last() != Some(&state) {
                        next.push(state);
                    }
                    link.next[value] = next.len() as u32 - 1;
                }
            }
            if next.is_empty() {
                let first = self.dead_from(frame, start, position, &seen, from)?;
                return Ok(Segment::Dead {
                    positions: first..position + 1,
                });
            }
            if next.len() > self.max_states || length + 1 - dropped >= MAX_STATE_BITS {
                // Too wide behind this bit: end before it. One bit alone never is.
                break;
            }
            layers.push(links);
            states = next;
        }
        Ok(Segment::Alive(Chain::new(layers, states.len())))
    }

    /// Returns what is said at each of some states, ascending, of the bits from `first` to before `position`.
    fn answers(
        &mut self,
        frame: &mut Frame,
        position: usize,
        first: usize,
        states: &[u128],
        from: u8,
    ) -> Result<(), SearchError> {
        if let Some(value) = self.constraints.forced(position) {
            self.answers.clear();
            self.answers.resize(states.len(), Answer::forced(value));
            return Ok(());
        }
        let write = |frame: &mut Frame, i: usize| frame.write(first, position - first, states[i]);
        self.ladder.answers(
            frame,
            position,
            from,
            states.len(),
            write,
            &mut self.answers,
        )
    }

    /// Returns whether the rows above alone tell that a free position has no value.
    pub(super) fn is_unknown_from_above(
        &mut self,
        frame: &mut Frame,
        position: usize,
    ) -> Result<bool, SearchError> {
        let free = self.constraints.forced(position).is_none();
        Ok(free && self.ladder.is_unknown_from_above(frame, position)?)
    }

    /// Returns the latest position from which no way gets past `end`, whatever the bits of the segment before it:
    /// starts from every state that `end` can see and goes back over those that lead to one that is alive.
    fn dead_from(
        &mut self,
        frame: &mut Frame,
        start: usize,
        end: usize,
        seen: &[usize],
        from: &[u8],
    ) -> Result<usize, SearchError> {
        // Mostly the rows above alone tell: one lookup then, not one for each state.
        if self.is_unknown_from_above(frame, end)? {
            return Ok(end);
        }
        let length = end - seen[end - start];
        if length > MAX_EXPLAINED_BITS {
            return Ok(start);
        }
        let mut states: Vec<u128> = (0..1 << length).collect();
        // For each state, the values by which it leads to one that is alive.
        let mut wanted = vec![[true; 2]; states.len()];
        for position in (start..=end).rev() {
            let first = seen[position - start];
            self.answers(frame, position, first, &states, from[position - start])?;
            let answers = self.answers.iter().zip(&wanted);
            let alive = states.iter().zip(answers).filter(|(_, (answer, wanted))| {
                (0..2).any(|value| wanted[value] && answer.chance[value] > 0.0)
            });
            let alive: Vec<u128> = alive.map(|(state, _)| *state).collect();
            if alive.is_empty() {
                return Ok(position);
            }
            if position == start {
                break;
            }
            let earlier = seen[position - 1 - start];
            let (dropped, kept) = (first - earlier, position - 1 - first);
            if dropped > MAX_EXPLAINED_BITS || alive.len() << dropped > 1 << MAX_EXPLAINED_BITS {
                break;
            }
            // The bit before `position` is the top one of a state; below it are the bits it shares with
            // the states before that bit, which have `dropped` more at the bottom.
            let mut before: Vec<(u128, usize)> = Vec::with_capacity(alive.len() << dropped);
            for state in &alive {
                let (value, rest) = (state >> kept & 1, state & !(1 << kept));
                for oldest in 0..1 << dropped {
                    before.push((rest << dropped | oldest, value as usize));
                }
            }
            before.sort_unstable();
            states.clear();
            wanted.clear();
            for group in before.chunk_by(|a, b| a.0 == b.0) {
                states.push(group[0].0);
                wanted.push([0, 1].map(|value| group.iter().any(|(_, by)| *by == value)));
            }
        }
        Ok(start)
    }

    /// Returns, for each position of a segment and its end, the first position of the segment that a context from there
    /// on (within the row) sees.
    fn seen_from(&self, positions: &Range<usize>) -> Vec<usize> {
        let mut seen = vec![positions.end; positions.len() + 1];
        for position in positions.clone().rev() {
            let runs = self.ladder.context(position);
            let own = runs.filter(|run| run.end == position);
            let first = own.map(|run| run.start).min().unwrap_or(position);
            let i = position - positions.start;
            seen[i] = first.max(positions.start).min(seen[i + 1]);
        }
        seen
    }
}
