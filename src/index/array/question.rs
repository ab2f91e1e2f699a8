//! Questions to an array: where the entries of a context are, how many of them each bit follows, which match furthest.

use std::cmp::Ordering;
use std::sync::Arc;

use super::block::Block;
use super::directory::{Directory, Rank};
use super::latents::Latents;
use crate::index::Histogram;
use crate::window::{Order, Reader};

/// Where blocks are read from.
pub(super) trait Blocks {
    /// Why one cannot be read.
    type Error;

    fn block(&self, number: usize) -> Result<Arc<Block>, Self::Error>;
}

/// Entries of an array that follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: Rank,
    pub(super) end: Rank,
}

impl Range {
    pub(super) fn histogram(&self) -> Histogram {
        let n1 = self.end.ones - self.start.ones;
        Histogram {
            n0: self.end.entries - self.start.entries - n1,
            n1,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start.entries == self.end.entries
    }
}

/// A context that is asked about, laid out whole, and room to work in.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) words: Vec<u64>,
    bound: Vec<u64>,
}

impl Asked {
    /// Takes a context, laid out whole.
    pub(super) fn new(words: Vec<u64>) -> Self {
        Self {
            words,
            bound: Vec::new(),
        }
    }

    /// Makes the bound below which lies what comes before the prefix of `bits` bits; with `after`, and what has it. `None` for
    /// no bound: the prefix is all ones.
    fn bound(&mut self, bits: usize, after: bool) -> Option<&[u64]> {
        self.bound.clear();
        self.bound.extend_from_slice(&self.words);
        let (last, within) = (bits / 64, bits % 64);
        if let Some(word) = self.bound.get_mut(last) {
            *word &= !(!0 >> within);
            self.bound[last + 1..].fill(0);
        }
        if !after {
            return Some(&self.bound);
        }
        if bits == 0 {
            return None;
        }
        let last = (bits - 1) / 64;
        let mut carry = 1 << (63 - (bits - 1) % 64);
        for word in self.bound[..=last].iter_mut().rev() {
            let (sum, over) = word.overflowing_add(carry);
            *word = sum;
            if !over {
                return Some(&self.bound);
            }
            carry = 1;
        }
        None
    }
}

/// What answers questions: an order, the latents, the directory, and the blocks.
pub(super) struct Questions<'a, B> {
    pub(super) order: &'a Order,
    pub(super) readers: &'a [Reader],
    pub(super) latents: &'a Latents<'a>,
    pub(super) directory: &'a Directory,
    pub(super) blocks: &'a B,
}

/// A place in the array: before a group of a block, or behind its last one.
#[derive(Clone)]
pub(super) struct Point {
    pub(super) number: usize,
    pub(super) block: Arc<Block>,
    pub(super) group: usize,
    pub(super) rank: Rank,
}

impl<B: Blocks> Questions<'_, B> {
    /// Returns how the context at an occurrence compares with the first `bits` bits of the asked one.
    #[inline]
    fn compare(&self, occurrence: u64, asked: &[u64], bits: usize) -> Ordering {
        let standing = self.latents.standing(occurrence);
        for (number, (reader, asked)) in self.readers.iter().zip(asked).enumerate() {
            let Some(left) = bits.checked_sub(64 * number).filter(|left| *left > 0) else {
                break;
            };
            let mask = if left < 64 { !(!0 >> left) } else { !0 };
            match (standing.read(reader) & mask).cmp(&(asked & mask)) {
                Ordering::Equal => {}
                other => return other,
            }
        }
        Ordering::Equal
    }

    /// Returns in how many bits the context at an occurrence begins as the asked one.
    pub(super) fn common(&self, occurrence: u64, asked: &[u64]) -> usize {
        let standing = self.latents.standing(occurrence);
        for (number, (reader, asked)) in self.readers.iter().zip(asked).enumerate() {
            let differ = standing.read(reader) ^ asked;
            if differ != 0 {
                return 64 * number + differ.leading_zeros() as usize;
            }
        }
        self.order.bits()
    }

    /// Returns the place before the first entry that has the first `bits` bits of what is asked or more, with `after` more
    /// than those.
    pub(super) fn point(&self, asked: &mut Asked, bits: usize, after: bool) -> Result<Point, B::Error> {
        let number = match asked.bound(bits, after) {
            Some(bound) => self.directory.last_below(bound).unwrap_or(0),
            None => self.directory.blocks() - 1,
        };
        let block = self.blocks.block(number)?;
        let group = block.firsts.partition_point(|first| {
            match self.compare(*first, &asked.words, bits) {
                Ordering::Less => true,
                Ordering::Equal => after,
                Ordering::Greater => false,
            }
        });
        let (entries, ones) = block.before(group);
        let before = self.directory.before(number);
        let rank = Rank {
            entries: before.entries + entries,
            ones: before.ones + ones,
        };
        Ok(Point {
            number,
            block,
            group,
            rank,
        })
    }

    /// Returns the entries of contexts with the first `bits` bits of what is asked. Reads at most two blocks.
    pub(super) fn range(&self, asked: &mut Asked, bits: usize) -> Result<Range, B::Error> {
        let start = self.point(asked, bits, false)?;
        // Mostly the same block holds the end: a few steps on.
        let mut group = start.group;
        let firsts = &start.block.firsts;
        let mut step = 1;
        while group < firsts.len() && self.compare(firsts[group], &asked.words, bits) == Ordering::Equal {
            let next = (group + step).min(firsts.len());
            let whole = self.compare(firsts[next - 1], &asked.words, bits) == Ordering::Equal;
            if !whole {
                let between = &firsts[group + 1..next - 1];
                group += 1 + between.partition_point(|first| {
                    self.compare(*first, &asked.words, bits) == Ordering::Equal
                });
                break;
            }
            group = next;
            step *= 2;
        }
        if group < firsts.len() {
            let before = self.directory.before(start.number);
            let (entries, ones) = start.block.before(group);
            let end = Rank {
                entries: before.entries + entries,
                ones: before.ones + ones,
            };
            return Ok(Range {
                start: start.rank,
                end,
            });
        }
        let end = self.point(asked, bits, true)?.rank;
        Ok(Range {
            start: start.rank,
            end,
        })
    }

    /// Returns the longest prefix of the asked context that at least `min_count` entries have, in whole sites, and their range:
    /// `(0, all)` where not even the channel is known so often.
    pub(super) fn longest(&self, asked: &mut Asked, min_count: u64) -> Result<(usize, Range), B::Error> {
        let mut common = 0;
        if min_count <= 1 {
            // What the two neighbours share with it: no other entry shares more.
            let point = self.point(asked, self.order.bits(), false)?;
            let after = match point.block.firsts.get(point.group) {
                Some(first) => Some(*first),
                None if point.number + 1 < self.directory.blocks() => {
                    self.blocks.block(point.number + 1)?.firsts.first().copied()
                }
                None => None,
            };
            let before = match point.group.checked_sub(1) {
                Some(group) => Some(point.block.firsts[group]),
                None if point.number > 0 => self.blocks.block(point.number - 1)?.firsts.last().copied(),
                None => None,
            };
            for occurrence in [before, after].into_iter().flatten() {
                common = common.max(self.common(occurrence, &asked.words));
            }
            let bits = self.order.whole_sites(common);
            return Ok((bits, self.range(asked, bits)?));
        }
        // Whoever has a longer prefix has a shorter one too: halve the number of sites.
        let (mut low, mut high) = (0, self.order.sites());
        let mut found = (0, Range { start: Rank::default(), end: self.directory.total() });
        let head = self.order.prefix_of_sites(0).unwrap_or(0);
        let range = self.range(asked, head)?;
        if range.histogram().total() < min_count {
            return Ok(found);
        }
        found = (head, range);
        while low < high {
            let sites = low + (high - low).div_ceil(2);
            let bits = self.order.prefix_of_sites(sites).unwrap_or(0);
            let range = self.range(asked, bits)?;
            if range.histogram().total() >= min_count {
                (low, found) = (sites, (bits, range));
            } else {
                high = sites - 1;
            }
        }
        Ok(found)
    }
}
