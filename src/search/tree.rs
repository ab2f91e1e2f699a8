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
use super::constraint::{Conditions, Constraints};
use super::fallback::Fallback;
use super::ladder::{Answer, FORCED, Ladder};
use super::options::{Method, SearchOptions};
use crate::base::random::uniform;
use crate::samples::{Counters, INTERPOLATED, Status};
use crate::window::{ContextKey, Contexts, Frame, MAX_KEY_BYTES};

/// Most memory for the blame of one search: a set of all bits for each bit, 46,340 free bits. MNIST's
/// 784 take 80 kB.
const MAX_BLAME_BYTES: usize = 1 << 28;

/// A search over bits.
pub(super) struct BitSearch<'a> {
    ladder: Ladder<'a>,
    conditions: Conditions<'a>,
    method: Method,
    max_backtracks: Option<u64>,
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
    /// Whether the constraints have been asked about what is decided.
    asked: bool,
    answered: Vec<u8>,
    counters: Counters,
    /// Whether the latent as it stands is a completion that the caller has.
    handed_out: bool,
    /// What the network said of the bit that the walk waits for.
    told: Option<[f64; 2]>,
    /// What the windows said of that bit: nothing.
    asked_for: Option<(Answer, ContextKey)>,
}

/// How far a walk got.
pub(super) enum Walked<'a> {
    /// It ended, or found a sample.
    Ended(Status),
    /// It waits for this network's answer to the context of its next bit.
    Asks(Fallback<'a>),
}

/// The choice at one free bit.
#[derive(Clone, Copy)]
struct Node {
    first: bool,
    supported: [bool; 2],
    /// Windows that were asked: all up to this number.
    rung: u8,
    /// Values used up: the first, then both.
    tried: u8,
}

/// What a context says of a bit.
enum Entered<'a> {
    /// Its values.
    Node(Node),
    /// Nothing: the network is to answer and has not yet.
    Asks(Fallback<'a>),
}

impl<'a> BitSearch<'a> {
    /// Prepares a search; `frame` has the forced bits set.
    pub(super) fn new(
        ladder: Ladder<'a>,
        constraints: Constraints<'a>,
        options: &SearchOptions,
        draw_seed: u64,
        frame: Frame,
    ) -> Result<Self, SearchError> {
        let bits = ladder.shape().bits();
        let free: Vec<_> = (0..bits)
            .filter(|position| constraints.forced(*position).is_none())
            .collect();
        let depth_of = (0..=bits)
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
            ladder,
            conditions: constraints.follow(),
            method: options.method,
            max_backtracks: options.max_backtracks,
            draw_seed,
            frame,
            depth_of,
            nodes: Vec::with_capacity(free.len()),
            blame: vec![0; blame_words],
            words,
            free,
            depth: 0,
            asked: false,
            answered: vec![FORCED; bits],
            counters: Counters::default(),
            handed_out: false,
            told: None,
            asked_for: None,
        })
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            lookups: self.ladder.lookups,
            ..self.counters
        }
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Returns, for each position that is decided, the window that answered.
    pub(super) fn answered(&self) -> &[u8] {
        &self.answered
    }

    /// Takes the network's answer that the walk waits for: the probabilities of a 0 and a 1.
    pub(super) fn tell(&mut self, chances: [f64; 2]) {
        self.told = Some(chances);
    }

    /// Adds the context that the walk waits for.
    pub(super) fn push(&self, fallback: &Fallback<'_>, contexts: &mut Contexts) {
        fallback.push(&self.frame, self.free[self.depth], contexts);
    }

    /// Goes on to the next completion, or to the next bit that the network answers.
    pub(super) fn advance(
        &mut self,
        interrupted: &dyn Fn() -> Option<Status>,
    ) -> Result<Walked<'a>, SearchError> {
        // The leaf of a completion that was handed out is a dead end now, and since the completions of
        // every other choice are still wanted, it blames all bits.
        if std::mem::take(&mut self.handed_out) && !self.leave_leaf() {
            return Ok(Walked::Ended(Status::NoneExists));
        }
        let mut steps = 0u32;
        loop {
            if !std::mem::replace(&mut self.asked, true) {
                let decided = self.decided();
                if let Some(ranges) = self.conditions.refuted(&self.frame, decided)? {
                    if self.depth == 0 {
                        return Ok(Walked::Ended(Status::NoneExists));
                    }
                    // The value just set has failed.
                    self.depth -= 1;
                    self.blame_ranges(&ranges);
                }
            }
            if self.depth == self.free.len() {
                self.counters.deepest = self.ladder.shape().bits() as u64;
                self.handed_out = true;
                return Ok(Walked::Ended(Status::Sample));
            }
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(256)
                && let Some(status) = interrupted()
            {
                return Ok(Walked::Ended(status));
            }
            if self.nodes.len() == self.depth {
                let node = match self.enter()? {
                    Entered::Node(node) => node,
                    Entered::Asks(_) if self.cap_is_reached() => {
                        return Ok(Walked::Ended(Status::CapReached));
                    }
                    // The walk returns at each question, long before it has made 256 steps.
                    Entered::Asks(fallback) => {
                        return Ok(match interrupted() {
                            Some(status) => Walked::Ended(status),
                            None => Walked::Asks(fallback),
                        });
                    }
                };
                self.nodes.push(node);
            }
            if self.try_next_value() {
                self.depth += 1;
                self.asked = false;
                continue;
            }
            let limit = self.max_backtracks;
            if limit.is_some_and(|limit| self.counters.backtracks >= limit) {
                return Ok(Walked::Ended(Status::BudgetSpent));
            }
            if !self.backtrack() {
                return Ok(Walked::Ended(Status::NoneExists));
            }
        }
    }

    /// Returns how many positions are decided: all before this one.
    fn decided(&self) -> usize {
        let next = self.free.get(self.depth).copied();
        next.unwrap_or(self.ladder.shape().bits())
    }

    /// Returns whether networks have answered as many bits of the walk as they may.
    fn cap_is_reached(&self) -> bool {
        self.ladder
            .max_interpolated()
            .is_some_and(|max_interpolated| {
                let answered = self.nodes.iter().filter(|node| node.rung == INTERPOLATED);
                answered.count() as u64 >= max_interpolated
            })
    }

    /// Looks up the context at the current depth.
    fn enter(&mut self) -> Result<Entered<'a>, SearchError> {
        let position = self.free[self.depth];
        self.counters.deepest = self.counters.deepest.max(position as u64);
        let (mut answer, key) = match self.asked_for.take() {
            Some(waiting) => waiting,
            None => self.ladder.answer(&mut self.frame, position)?,
        };
        let fallback = self.ladder.fallback(position);
        if let Some(fallback) = fallback.filter(|_| answer.is_dead()) {
            match self.told.take() {
                Some(chances) => answer = self.ladder.interpolation(position, chances),
                None => {
                    self.asked_for = Some((answer, key));
                    return Ok(Entered::Asks(fallback));
                }
            }
        }
        if self.method == Method::Backjump {
            let start = self.depth * self.words;
            self.blame[start..start + self.words].fill(0);
        }
        self.answered[position] = answer.rung;
        Ok(Entered::Node(Node {
            first: draw(answer, &key, position, self.draw_seed),
            supported: answer.chance.map(|chance| chance > 0.0),
            rung: answer.rung,
            tried: 0,
        }))
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
        let target = if self.method == Method::Backjump {
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
        let own = self.ladder.shape().level_of(self.free[self.depth]).start();
        self.counters.returns += u64::from(self.free[target] < own);
        self.depth = target;
        self.nodes.truncate(target + 1);
        true
    }

    /// Completes the blame of the current depth, hands it to the latest depth blamed, and returns that.
    fn blame_and_target(&mut self) -> Option<usize> {
        let node = self.nodes[self.depth];
        if node.supported != [true, true] {
            let context = self.ladder.context_of(self.free[self.depth], node.rung);
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

    /// Blames positions for the failure of a value at the current depth, which itself is no part of it.
    fn blame_ranges(&mut self, ranges: &[Range<usize>]) {
        if self.method == Method::Backjump {
            for range in ranges {
                let depths = self.depth_of[range.start]..self.depth_of[range.end].min(self.depth);
                add_range(&mut self.blame[self.depth * self.words..], depths);
            }
        }
    }

    /// Leaves the leaf of a completion that was handed out: one bit back, every earlier one to blame.
    fn leave_leaf(&mut self) -> bool {
        let Some(last) = self.free.len().checked_sub(1) else {
            return false;
        };
        self.depth = last;
        if self.method == Method::Backjump {
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

/// Draws the value tried first: 1 with the probability that the answer gives it.
fn draw(answer: Answer, key: &ContextKey, position: usize, seed: u64) -> bool {
    let mut node = [0; MAX_KEY_BYTES + 8];
    let key = key.as_bytes();
    node[..8].copy_from_slice(&(position as u64).to_le_bytes());
    node[8..8 + key.len()].copy_from_slice(key);
    uniform(xxh3_64_with_seed(&node[..8 + key.len()], seed)) < answer.chance[1]
}
