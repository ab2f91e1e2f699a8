//! A segment of a row, given all bits before it, as a chain.
//!
//! What later contexts still see of the segment so far is a state; deciding a bit leads from one state to
//! the next. Reachable states are few (tens, on MNIST), however many segments lead to them. A forward
//! pass finds them with one lookup each; a backward pass gives the probability with which each completes
//! the segment. A segment drawn with both is drawn from the exact distribution of its bits given that it
//! can be completed, so no dead end ever lies inside one.
//!
//! The states of a layer are kept in ascending order, oldest bit lowest. Appending a bit on top and
//! dropping old ones below keeps that order, so equal states of the next layer are neighbours and are
//! merged without a hash table.

use std::ops::Range;

use super::SearchError;
use super::options::FixedBits;
use crate::index::Counts;
use crate::window::{Frame, Geometry};

/// No state follows.
const NONE: u32 = u32::MAX;

/// Most bits of a state: what one integer holds.
const MAX_STATE_BITS: usize = 128;

/// One reachable state.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// The bits of the segment that later contexts see, oldest lowest.
    state: u128,
    /// Probability of each value by its histogram, 0 where it is not supported.
    chance: [f64; 2],
    /// Index in the next layer.
    next: [u32; 2],
    /// Probability of completing the segment from here, up to a factor that the layer shares.
    complete: f64,
}

impl Node {
    /// How likely each value is to be taken and to lead on to a complete segment, up to the layer's
    /// factor; above 0 exactly where it can. No product here underflows to 0: a chance is above 2⁻⁵² and
    /// what `Chain::weigh` leaves of `complete` at least 2⁻¹⁰²².
    fn ways(&self, next: &[Node]) -> [f64; 2] {
        [0, 1].map(|value| match next.get(self.next[value] as usize) {
            Some(after) => self.chance[value] * after.complete,
            None => 0.0,
        })
    }
}

/// A segment that can be completed.
#[derive(Debug)]
pub(super) struct Chain {
    /// The states before each bit, and one layer more for the complete segment.
    layers: Vec<Vec<Node>>,
}

/// What became of a segment.
#[derive(Debug)]
pub(super) enum Segment {
    /// It can be completed.
    Alive(Chain),
    /// It cannot: no way gets past this position.
    Dead {
        /// A bit of the segment.
        position: usize,
    },
}

/// What a chain is made from.
pub(super) struct Links<'a, C> {
    pub(super) geometry: &'a Geometry,
    pub(super) counts: &'a C,
    pub(super) fixed: &'a FixedBits,
    /// A segment ends where a layer would have more states, at least 2.
    pub(super) max_states: usize,
}

impl<C: Counts> Links<'_, C> {
    /// Follows every way from `positions.start` on, given the bits before it in `frame`; overwrites the
    /// bits from there on. The segment ends with `positions`, or earlier where it would get too wide.
    /// Adds its lookups to `lookups`.
    pub(super) fn follow(
        &self,
        frame: &mut Frame,
        positions: Range<usize>,
        lookups: &mut u64,
    ) -> Result<Segment, SearchError> {
        let start = positions.start;
        let seen = self.seen_from(&positions);
        let leaf = |state| Node {
            state,
            chance: [0.0; 2],
            next: [NONE; 2],
            complete: 1.0,
        };
        let mut layers = Vec::with_capacity(positions.len() + 1);
        let mut layer = vec![leaf(0)];
        for position in positions {
            let [first, later] = [seen[position - start], seen[position - start + 1]];
            let length = position - first;
            self.weigh_values(frame, position, first, &mut layer, lookups)?;
            let dropped = later - first;
            let mut next: Vec<Node> = Vec::with_capacity(2 * layer.len());
            for value in [0, 1] {
                for node in &mut layer {
                    if node.chance[value] == 0.0 {
                        continue;
                    }
                    // `dropped ≤ length + 1 ≤ 128`: a state of which nothing is seen any more is 0.
                    let state = node.state | (value as u128) << length;
                    let state = state.checked_shr(dropped as u32).unwrap_or(0);
                    if next.last().is_none_or(|last| last.state != state) {
                        next.push(leaf(state));
                    }
                    node.next[value] = next.len() as u32 - 1;
                }
            }
            if next.is_empty() {
                return Ok(Segment::Dead { position });
            }
            if next.len() > self.max_states || length + 1 - dropped >= MAX_STATE_BITS {
                // Too wide behind this bit: end before it. One bit alone never is.
                break;
            }
            layers.push(std::mem::replace(&mut layer, next));
        }
        for node in &mut layer {
            *node = leaf(node.state);
        }
        layers.push(layer);
        let mut chain = Chain { layers };
        chain.weigh();
        Ok(Segment::Alive(chain))
    }

    /// The probabilities of both values at each state of a layer.
    fn weigh_values(
        &self,
        frame: &mut Frame,
        position: usize,
        first: usize,
        layer: &mut [Node],
        lookups: &mut u64,
    ) -> Result<(), SearchError> {
        let fixed = self.fixed.get(position);
        for node in layer {
            node.chance = match fixed {
                Some(value) => [f64::from(u8::from(!value)), f64::from(u8::from(value))],
                None => {
                    frame.write(first, position - first, node.state);
                    *lookups += 1;
                    let key = self.geometry.key(frame, position);
                    let histogram = self.counts.histogram(&key)?.unwrap_or_default();
                    let total = histogram.total().max(1) as f64;
                    [histogram.n0 as f64 / total, histogram.n1 as f64 / total]
                }
            };
        }
        Ok(())
    }

    /// For each position of a segment and its end, the first position of the segment that a context
    /// from there on (within the row) sees.
    fn seen_from(&self, positions: &Range<usize>) -> Vec<usize> {
        let mut seen = vec![positions.end; positions.len() + 1];
        for position in positions.clone().rev() {
            let runs = self.geometry.context(position);
            let own = runs.filter(|run| run.end == position).last();
            let first = own.map_or(position, |run| run.start.max(positions.start));
            let i = position - positions.start;
            seen[i] = first.min(seen[i + 1]);
        }
        seen
    }
}

impl Chain {
    /// The backward pass.
    fn weigh(&mut self) {
        for bit in (0..self.layers.len() - 1).rev() {
            let (before, after) = self.layers.split_at_mut(bit + 1);
            let (layer, next) = (&mut before[bit], &after[0][..]);
            let mut most = 0.0;
            for node in layer.iter_mut() {
                let ways = node.ways(next);
                node.complete = ways[0] + ways[1];
                most = f64::max(most, node.complete);
            }
            // A product of hundreds of chances would leave the range of a float. Only the ratios
            // within a layer matter; a state that can be completed must not be rounded to one that
            // cannot, so what is left of it is at least the smallest normal number.
            for node in layer.iter_mut().filter(|node| node.complete > 0.0) {
                node.complete = (node.complete / most).max(f64::MIN_POSITIVE);
            }
        }
    }

    /// Bits of the segment.
    pub(super) fn length(&self) -> usize {
        self.layers.len() - 1
    }

    /// The start of every way.
    pub(super) fn root(&self) -> u32 {
        0
    }

    /// From state `at` before `bit`: the probability of each value, given that the segment is completed.
    pub(super) fn odds(&self, bit: usize, at: u32) -> [f64; 2] {
        let ways = self.layers[bit][at as usize].ways(&self.layers[bit + 1]);
        let sum = ways[0] + ways[1];
        // A way that is open must not be rounded to one that is not: the search would skip it.
        ways.map(|way| {
            if way > 0.0 {
                (way / sum).max(f64::MIN_POSITIVE)
            } else {
                0.0
            }
        })
    }

    /// The state that a value leads to.
    pub(super) fn step(&self, bit: usize, at: u32, value: bool) -> u32 {
        self.layers[bit][at as usize].next[usize::from(value)]
    }
}
