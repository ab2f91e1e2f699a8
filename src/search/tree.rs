//! The tree of partial latents in scan order, walked depth first, bit by bit.
//!
//! At each free bit the index gives the histogram of the context; the value tried first is drawn from
//! it, the other is kept for later. The draw is a hash of (seed, sample, position, context), not a
//! running generator: a node of the tree always tries its values in the same order, however the walk
//! came to it. So pruning can change what a search costs but never which sample it finds first, and
//! chronological search and backjumping find the same one.
//!
//! Backjumping: a value that is not supported is the fault of the context's bits; a subtree that
//! failed is the fault of the bits that its dead ends blamed. When both values of a bit are used up,
//! no change of any other earlier bit can help: return to the latest blamed one, which inherits the
//! blame (Prosser 1993, conflict-directed backjumping). Complete: what is jumped over cannot matter.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::SearchError;
use super::options::{Counters, FixedBits, Method, SearchOptions, Status};
use crate::index::{Counts, Histogram};
use crate::window::{ContextKey, Frame, Geometry, MAX_KEY_BYTES};

/// Most memory for the blame of one search: a set of all bits for each bit, 46,340 free bits. MNIST's
/// 784 take 80 kB.
const MAX_BLAME_BYTES: usize = 1 << 28;

/// A search over bits.
pub(super) struct BitSearch<'a, C> {
    geometry: &'a Geometry,
    counts: &'a C,
    options: SearchOptions,
    draw_seed: u64,
    frame: Frame,
    /// The positions that are not fixed, ascending. A depth is an index into this.
    free: Vec<usize>,
    /// For each position, how many free ones come before it.
    depth_of: Vec<usize>,
    /// One node for each depth below `depth`.
    nodes: Vec<Node>,
    /// Blame of each depth, as a bit set over depths, `words` each.
    blame: Vec<u64>,
    words: usize,
    depth: usize,
    counters: Counters,
    /// Whether the latent as it stands is a completion that the caller has.
    handed_out: bool,
}

/// The choice at one free bit.
#[derive(Clone, Copy)]
struct Node {
    first: bool,
    supported: [bool; 2],
    /// Values used up: the first, then both.
    tried: u8,
}

impl<'a, C: Counts> BitSearch<'a, C> {
    /// `frame` has the fixed bits set.
    pub(super) fn new(
        geometry: &'a Geometry,
        counts: &'a C,
        fixed: &FixedBits,
        options: SearchOptions,
        draw_seed: u64,
        frame: Frame,
    ) -> Result<Self, SearchError> {
        let positions = 0..geometry.shape().bits();
        let free: Vec<_> = positions
            .clone()
            .filter(|p| fixed.get(*p).is_none())
            .collect();
        let depth_of = positions
            .chain([geometry.shape().bits()])
            .map(|position| free.partition_point(|p| *p < position))
            .collect();
        let words = free.len().div_ceil(64);
        let blame_words = if options.method == Method::Backjump {
            words * free.len()
        } else {
            0
        };
        if blame_words * 8 > MAX_BLAME_BYTES {
            return Err(SearchError::TooLarge { free: free.len() });
        }
        Ok(Self {
            geometry,
            counts,
            options,
            draw_seed,
            frame,
            depth_of,
            nodes: Vec::with_capacity(free.len()),
            blame: vec![0; blame_words],
            words,
            free,
            depth: 0,
            counters: Counters::default(),
            handed_out: false,
        })
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Goes on to the next completion.
    pub(super) fn advance(
        &mut self,
        interrupted: &dyn Fn() -> Option<Status>,
    ) -> Result<Status, SearchError> {
        // The leaf of a completion that was handed out is a dead end now, and since the completions of
        // every other choice are still wanted, it blames all bits.
        if std::mem::take(&mut self.handed_out) && !self.leave_leaf() {
            return Ok(Status::NoneExists);
        }
        let mut steps = 0u32;
        loop {
            if self.depth == self.free.len() {
                self.counters.deepest = self.geometry.shape().bits() as u64;
                self.handed_out = true;
                return Ok(Status::Sample);
            }
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(256)
                && let Some(status) = interrupted()
            {
                return Ok(status);
            }
            if self.nodes.len() == self.depth {
                let node = self.enter()?;
                self.nodes.push(node);
            }
            if self.try_next_value() {
                self.depth += 1;
                continue;
            }
            let limit = self.options.max_backtracks;
            if limit.is_some_and(|limit| self.counters.backtracks >= limit) {
                return Ok(Status::BudgetSpent);
            }
            if !self.backtrack() {
                return Ok(Status::NoneExists);
            }
        }
    }

    /// Looks up the context at the current depth.
    fn enter(&mut self) -> Result<Node, SearchError> {
        let position = self.free[self.depth];
        self.counters.deepest = self.counters.deepest.max(position as u64);
        self.counters.lookups += 1;
        let key = self.geometry.key(&mut self.frame, position);
        let histogram = self.counts.histogram(&key)?.unwrap_or_default();
        if self.options.method == Method::Backjump {
            let start = self.depth * self.words;
            self.blame[start..start + self.words].fill(0);
        }
        Ok(Node {
            first: draw(histogram, &key, position, self.draw_seed),
            supported: [histogram.n0 > 0, histogram.n1 > 0],
            tried: 0,
        })
    }

    /// Sets the bit at the current depth to its next supported value, if there is one left.
    fn try_next_value(&mut self) -> bool {
        let node = &mut self.nodes[self.depth];
        while node.tried < 2 {
            let bit = node.first != (node.tried == 1);
            node.tried += 1;
            if node.supported[usize::from(bit)] {
                self.frame.set(self.free[self.depth], bit);
                return true;
            }
        }
        false
    }

    /// Leaves a dead end at the current depth; `false` when there is nowhere to return to.
    fn backtrack(&mut self) -> bool {
        let target = if self.options.method == Method::Backjump {
            self.blame_and_target()
        } else {
            self.depth.checked_sub(1)
        };
        let Some(target) = target else {
            return false;
        };
        self.counters.backtracks += 1;
        let jump = (self.depth - target) as u64;
        self.counters.longest_jump = self.counters.longest_jump.max(jump);
        self.depth = target;
        self.nodes.truncate(target + 1);
        true
    }

    /// Completes the blame of the current depth, hands it to the latest depth blamed, and returns that.
    fn blame_and_target(&mut self) -> Option<usize> {
        if self.nodes[self.depth].supported != [true, true] {
            let context = self.geometry.context(self.free[self.depth]);
            for run in context {
                let depths = self.depth_of[run.start]..self.depth_of[run.end];
                add_range(&mut self.blame[self.depth * self.words..], depths);
            }
        }
        let (earlier, own) = self.blame.split_at_mut(self.depth * self.words);
        let own = &own[..self.words];
        let word = own.iter().rposition(|word| *word != 0)?;
        let target = word * 64 + own[word].ilog2() as usize;
        let heir = &mut earlier[target * self.words..(target + 1) * self.words];
        for (heir, own) in heir.iter_mut().zip(own) {
            *heir |= own;
        }
        heir[word] &= !(1 << (target % 64));
        Some(target)
    }

    /// Leaves the leaf of a completion that was handed out: one bit back, every earlier one to blame.
    fn leave_leaf(&mut self) -> bool {
        let Some(last) = self.free.len().checked_sub(1) else {
            return false;
        };
        self.depth = last;
        if self.options.method == Method::Backjump {
            add_range(&mut self.blame[last * self.words..], 0..last);
        }
        true
    }
}

/// Adds depths to a blame set.
fn add_range(words: &mut [u64], range: Range<usize>) {
    let mut at = range.start;
    while at < range.end {
        let n = (64 - at % 64).min(range.end - at);
        words[at / 64] |= (!0 >> (64 - n)) << (at % 64);
        at += n;
    }
}

/// The value tried first: 1 with probability n1 / (n0 + n1).
fn draw(histogram: Histogram, key: &ContextKey, position: usize, seed: u64) -> bool {
    let mut node = [0; MAX_KEY_BYTES + 8];
    let key = key.as_bytes();
    node[..8].copy_from_slice(&(position as u64).to_le_bytes());
    node[8..8 + key.len()].copy_from_slice(key);
    let uniform = u128::from(xxh3_64_with_seed(&node[..8 + key.len()], seed));
    // uniform / 2⁶⁴ < n1 / total, in integers.
    (uniform * u128::from(histogram.total())) >> 64 < u128::from(histogram.n1)
}
