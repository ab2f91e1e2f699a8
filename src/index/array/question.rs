//! Questions to an array: where the entries of a context are, how many of them each bit follows, which match furthest.

use std::hint::black_box;
use std::ops::Deref;

use super::block::Block;
use super::directory::{Directory, Rank};
use super::halving::halved;
use super::latents::Latents;
use super::within::{Contexts, mask as mask_of};
use super::words::alike;
use crate::index::Histogram;
use crate::window::{Order, Reader};

/// Where blocks are read from.
pub(in crate::index) trait Blocks {
    /// Why one cannot be read.
    type Error;
    /// One that was read.
    type Block: Deref<Target = Block> + Clone;

    fn block(&self, number: usize) -> Result<Self::Block, Self::Error>;
}

/// Entries of an array that follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::index) struct Range {
    /// The block that it begins in, or the one before where it begins with a block.
    pub(in crate::index) block: usize,
    pub(in crate::index) start: Rank,
    pub(in crate::index) end: Rank,
}

impl Range {
    pub(in crate::index) fn histogram(&self) -> Histogram {
        let n1 = self.end.ones - self.start.ones;
        Histogram {
            n0: self.end.entries - self.start.entries - n1,
            n1,
        }
    }
}

/// Returns the bound below which lies what comes before all contexts with the first `bits` bits of what is asked.
fn before(asked: &[u64], bits: usize) -> impl Iterator<Item = u64> + Clone {
    let words = asked.iter().enumerate();
    words.map(move |(number, word)| word & mask_of(bits, number))
}

/// Returns the bound below which lie these too; `None` for no bound: the bits are all ones.
fn behind(asked: &[u64], bits: usize) -> Option<Vec<u64>> {
    let mut bound: Vec<u64> = before(asked, bits).collect();
    let last = bits.checked_sub(1)?;
    let mut carry = 1 << (63 - last % 64);
    for word in bound[..=last / 64].iter_mut().rev() {
        let (sum, over) = word.overflowing_add(carry);
        *word = sum;
        if !over {
            return Some(bound);
        }
        carry = 1;
    }
    None
}

/// Where entries followed by one bit are, block after block.
pub(in crate::index) struct Walk {
    bit: bool,
    /// The block that the next one may be in, or behind it.
    block: usize,
    /// Entries followed by the bit before the next one to be told, and before the end.
    next: u64,
    end: u64,
}

impl Walk {
    /// Walks the entries of a range that are followed by `bit`.
    pub(in crate::index) fn new(range: Range, bit: bool) -> Self {
        Self {
            bit,
            block: range.block,
            next: range.start.count(bit),
            end: range.end.count(bit),
        }
    }
}

/// What answers questions: an order, the latents, the directory, and the blocks.
pub(in crate::index) struct Questions<'a, B> {
    pub(super) order: &'a Order,
    pub(super) readers: &'a [Reader],
    pub(super) latents: &'a Latents<'a>,
    pub(in crate::index) directory: &'a Directory,
    pub(in crate::index) blocks: B,
}

/// A place in the array: before a group of a block, or behind its last one.
#[derive(Clone)]
pub(in crate::index) struct Point<B> {
    pub(in crate::index) number: usize,
    pub(in crate::index) block: B,
    pub(in crate::index) group: usize,
    pub(in crate::index) rank: Rank,
}

impl<B: Blocks> Questions<'_, B> {
    fn contexts(&self) -> Contexts<'_> {
        Contexts {
            latents: self.latents,
            readers: self.readers,
        }
    }

    /// Returns in how many bits the context at an occurrence begins as the asked one.
    pub(super) fn common(&self, occurrence: u64, asked: &[u64]) -> usize {
        let standing = self.latents.standing(occurrence);
        let pairs = self.readers.iter().zip(asked);
        let pairs = pairs.map(|(reader, asked)| (standing.read(reader), *asked));
        alike(pairs).unwrap_or(self.order.bits())
    }

    /// Returns in how many bits the contexts at two occurrences begin alike, as far as the first `bits` tell.
    pub(in crate::index) fn common_of(&self, one: u64, other: u64, bits: usize) -> usize {
        let readers = &self.readers[..bits.div_ceil(64).min(self.readers.len())];
        self.latents.common(readers, one, other)
    }

    /// Reads the first `bits` bits of the context at an occurrence into words, at least one.
    pub(in crate::index) fn beginning(&self, occurrence: u64, bits: usize, words: &mut Vec<u64>) {
        let last = bits.div_ceil(64).clamp(1, self.readers.len());
        self.latents
            .lay_out(&self.readers[..last], occurrence, words);
        words[last - 1] &= mask_of(bits, last - 1);
    }

    /// Returns the whole context at an occurrence, laid out.
    pub(in crate::index) fn words_of(&self, occurrence: u64) -> Vec<u64> {
        let mut words = Vec::new();
        self.latents.lay_out(self.readers, occurrence, &mut words);
        words
    }

    /// Returns the place before the first entry that has the first `bits` bits of what is asked or more, with `after` more
    /// than those.
    pub(super) fn point(
        &self,
        asked: &[u64],
        bits: usize,
        after: bool,
    ) -> Result<Point<B::Block>, B::Error> {
        let number = match after {
            false => self.directory.last_below(before(asked, bits)).unwrap_or(0),
            true => self.last(asked, bits),
        };
        let block = self.blocks.block(number)?;
        let groups = self.contexts().groups(&block, asked, bits);
        let group = if after { groups.end } else { groups.start };
        let rank = self.rank(number, &block, group);
        Ok(Point {
            number,
            block,
            group,
            rank,
        })
    }

    /// Returns the block of the last entry that has the first `bits` bits of what is asked, or comes before those that have.
    fn last(&self, asked: &[u64], bits: usize) -> usize {
        match behind(asked, bits) {
            Some(bound) => self.directory.last_below(bound.into_iter()).unwrap_or(0),
            None => self.directory.blocks() - 1,
        }
    }

    /// Returns the entries of contexts with the first `bits` bits of what is asked. Reads at most two blocks.
    pub(in crate::index) fn range(&self, asked: &[u64], bits: usize) -> Result<Range, B::Error> {
        let number = self.directory.last_below(before(asked, bits)).unwrap_or(0);
        // Comes from memory meanwhile.
        black_box(self.directory.before(number));
        // Mostly the same block holds the end. Where another one may, that is looked at beside it.
        let word = asked.first().copied().unwrap_or(0);
        let goes_on = self
            .directory
            .may_begin_with(number + 1, word, mask_of(bits, 0));
        let last = goes_on.then(|| self.last(asked, bits));
        let other = match last.filter(|last| *last > number) {
            Some(last) => {
                black_box(self.directory.before(last));
                Some((last, self.blocks.block(last)?))
            }
            None => None,
        };
        let block = self.blocks.block(number)?;
        let contexts = self.contexts();
        let sought = contexts.seek(&block, asked, bits);
        let other = other.as_ref().map(|(last, other)| {
            let sought = contexts.seek(other, asked, bits);
            (*last, other, sought)
        });
        let groups = contexts.found(&block, asked, bits, sought);
        let start = self.rank(number, &block, groups.start);
        let end = match (groups.end < block.groups(), other) {
            (true, _) => self.rank(number, &block, groups.end),
            (false, Some((last, other, sought))) => {
                let groups = contexts.found(other, asked, bits, sought);
                self.rank(last, other, groups.end)
            }
            (false, None) => self.point(asked, bits, true)?.rank,
        };
        Ok(Range {
            block: number,
            start,
            end,
        })
    }

    /// Returns the place before a block.
    pub(in crate::index) fn start(&self, number: usize) -> Result<Point<B::Block>, B::Error> {
        Ok(Point {
            number,
            block: self.blocks.block(number)?,
            group: 0,
            rank: self.directory.before(number),
        })
    }

    /// Returns the place behind the entries, from a place on, that have the first `bits` bits of what is asked.
    pub(in crate::index) fn end_of(
        &self,
        from: &Point<B::Block>,
        asked: &[u64],
        bits: usize,
    ) -> Result<Point<B::Block>, B::Error> {
        let group = self.contexts().end(&from.block, asked, bits, from.group);
        if group == from.block.groups() {
            return self.behind(from, asked, bits);
        }
        Ok(Point {
            number: from.number,
            block: from.block.clone(),
            group,
            rank: self.rank(from.number, &from.block, group),
        })
    }

    /// Finds the groups of a block, from a place on, at which another context of `bits` bits begins; the place's own is the
    /// first one.
    pub(in crate::index) fn contexts_of(
        &self,
        from: &Point<B::Block>,
        bits: usize,
        starts: &mut Vec<usize>,
    ) {
        starts.clear();
        if from.group == from.block.groups() {
            return;
        }
        starts.push(from.group);
        if self.contexts().shared(&from.block) >= bits {
            return;
        }
        // One word of every group in a loop of its own: the latents that it is read from come from memory side by side.
        let groups = from.group..from.block.groups();
        let occurrences: Vec<u64> = groups.map(|group| from.block.first(group)).collect();
        black_box(occurrences.iter().fold(0, |bits, occurrence| {
            bits ^ u8::from(self.latents.bit(*occurrence))
        }));
        let words: Vec<u64> = occurrences
            .iter()
            .map(|occurrence| self.latents.read(&self.readers[0], *occurrence))
            .collect();
        let rest = &self.readers[1..bits.div_ceil(64).clamp(1, self.readers.len())];
        let mask = mask_of(bits, 0);
        starts.extend((1..words.len()).filter_map(|at| {
            let begins = (words[at] ^ words[at - 1]) & mask != 0 || {
                let (before, own) = (occurrences[at - 1], occurrences[at]);
                !rest.is_empty() && 64 + self.latents.common(rest, before, own) < bits
            };
            begins.then_some(from.group + at)
        }));
    }

    /// Returns the place behind all entries that have the first `bits` bits of what is asked: the last context of the block of
    /// `from`.
    pub(in crate::index) fn behind(
        &self,
        from: &Point<B::Block>,
        asked: &[u64],
        bits: usize,
    ) -> Result<Point<B::Block>, B::Error> {
        if from.number + 1 < self.directory.blocks() {
            return self.point(asked, bits, true);
        }
        let group = from.block.groups();
        Ok(Point {
            number: from.number,
            block: from.block.clone(),
            group,
            rank: self.rank(from.number, &from.block, group),
        })
    }

    /// Returns where the array stands before a group of a block.
    pub(in crate::index) fn rank(&self, number: usize, block: &Block, group: usize) -> Rank {
        let (entries, ones) = block.before(group);
        let before = self.directory.before(number);
        Rank {
            entries: before.entries + entries,
            ones: before.ones + ones,
        }
    }

    /// Returns the longest prefix of the first `bits` bits of the asked context, in whole sites, that occurred, and its range; `None`
    /// where not even the site's own channels did.
    pub(in crate::index) fn longest(
        &self,
        asked: &[u64],
        bits: usize,
    ) -> Result<Option<(usize, Range)>, B::Error> {
        // What the two neighbours share with it: no other entry shares more.
        let point = self.point(asked, bits, false)?;
        let after = match point.block.get_first(point.group) {
            Some(first) => Some(first),
            None if point.number + 1 < self.directory.blocks() => {
                self.blocks.block(point.number + 1)?.get_first(0)
            }
            None => None,
        };
        let before = match point.group.checked_sub(1) {
            Some(group) => point.block.get_first(group),
            None if point.number > 0 => Some(self.blocks.block(point.number - 1)?.last_first()),
            None => None,
        };
        let neighbours = [before, after].into_iter().flatten();
        let common = neighbours.map(|occurrence| self.common(occurrence, asked));
        let common = common.max().unwrap_or(0).min(bits);
        let Some(found) = self.order.whole_sites(common) else {
            return Ok(None);
        };
        // Mostly the block that the neighbours are in holds all entries that share so much, and more on both sides.
        let groups = self.contexts().groups(&point.block, asked, found);
        let range = match groups.start > 0 && groups.end < point.block.groups() {
            true => Range {
                block: point.number,
                start: self.rank(point.number, &point.block, groups.start),
                end: self.rank(point.number, &point.block, groups.end),
            },
            false => self.range(asked, found)?,
        };
        Ok(Some((found, range)))
    }

    /// Appends the next occurrences of a walk to `found`, in the array's order, `most` of them at most and of one block; whether there were
    /// any.
    pub(in crate::index) fn step(
        &self,
        walk: &mut Walk,
        most: u64,
        found: &mut Vec<u64>,
    ) -> Result<bool, B::Error> {
        if walk.next >= walk.end {
            return Ok(false);
        }
        let end = walk.end.min(walk.next.saturating_add(most.max(1)));
        // Mostly the block is known; those in which the bit follows nothing are passed over.
        let before = |number: usize| self.directory.before(number).count(walk.bit);
        let number = match before(walk.block + 1) > walk.next {
            true => walk.block,
            false => self.directory.block_of(walk.bit, walk.next + 1),
        };
        walk.block = number;
        let block = self.blocks.block(number)?;
        let start = before(number);
        let count = |group: usize| {
            let (entries, ones) = block.before(group);
            start + Rank { entries, ones }.count(walk.bit)
        };
        // Only the groups that hold some of what is wanted.
        let from = halved(block.groups(), |group| count(group + 1) <= walk.next);
        let mut before = count(from);
        let mut own = Vec::new();
        for group in from..block.groups() {
            if before >= end {
                break;
            }
            if block.bit(group) != walk.bit {
                continue;
            }
            let behind = count(group + 1);
            own.clear();
            block.read_group(group, (end - before) as usize, &mut own);
            let told = walk.next.saturating_sub(before) as usize;
            found.extend(own.iter().skip(told));
            before = behind.min(end);
        }
        walk.next = before.max(walk.next + 1);
        Ok(true)
    }

    /// Hands each context that has the bits of what is asked where `mask` has ones, among the first `bits`, to `take`, laid
    /// out, until that returns false. Leaps from one value of the others to the next that occurs.
    pub(in crate::index) fn each_with(
        &self,
        asked: &[u64],
        mask: &[u64],
        bits: usize,
        mut take: impl FnMut(&[u64]) -> Result<bool, B::Error>,
    ) -> Result<(), B::Error> {
        let fixed: Vec<u64> = asked
            .iter()
            .zip(mask)
            .map(|(word, mask)| word & mask)
            .collect();
        let mut bound = fixed.clone();
        let mut entry = Vec::new();
        loop {
            let point = self.point(&bound, bits, false)?;
            let occurrence = match point.block.get_first(point.group) {
                Some(first) => first,
                None if point.number + 1 < self.directory.blocks() => {
                    let block = self.blocks.block(point.number + 1)?;
                    match block.get_first(0) {
                        Some(first) => first,
                        None => return Ok(()),
                    }
                }
                None => return Ok(()),
            };
            self.latents.lay_out(self.readers, occurrence, &mut entry);
            let differs = |at: usize| (entry[at] ^ fixed[at]) & mask[at] & mask_of(bits, at);
            let differing = (0..fixed.len()).find(|at| differs(*at) != 0);
            if differing.is_none() && !take(&entry)? {
                return Ok(());
            }
            // After one that has them the next value of the open bits is wanted.
            let at = differing.map_or(bits, |word| {
                64 * word + differs(word).leading_zeros() as usize
            });
            let set = |words: &[u64], at: usize| words[at / 64] << (at % 64) >> 63 == 1;
            // Up to here the entry's own values of what is open; behind it the lowest.
            let last = if differing.is_none() || set(&entry, at) {
                // Beyond what is asked: the last open bit before that can still be raised.
                let open = (0..at)
                    .rev()
                    .find(|at| !set(mask, *at) && !set(&entry, *at));
                match open {
                    Some(open) => open,
                    None => return Ok(()),
                }
            } else {
                at
            };
            for (number, word) in bound.iter_mut().enumerate() {
                let kept = mask_of(last, number);
                *word = entry[number] & kept | fixed[number] & !kept;
            }
            if last != at {
                bound[last / 64] |= 1 << 63 >> (last % 64);
            }
        }
    }
}

/// Returns the longest prefix of at most `bits` bits, in whole sites, for which `holds` has an answer, with that: whatever holds
/// of a longer prefix holds of a shorter one.
pub(in crate::index) fn longest_of<T, E>(
    order: &Order,
    bits: usize,
    mut holds: impl FnMut(usize) -> Result<Option<T>, E>,
) -> Result<Option<(usize, T)>, E> {
    let (mut low, mut high) = (0, order.sites_within(bits));
    let head = order.prefix_of_sites(0).unwrap_or(0);
    let Some(answer) = holds(head)? else {
        return Ok(None);
    };
    let mut found = (head, answer);
    while low < high {
        let sites = low + (high - low).div_ceil(2);
        let bits = order.prefix_of_sites(sites).unwrap_or(0);
        match holds(bits)? {
            Some(answer) => (low, found) = (sites, (bits, answer)),
            None => high = sites - 1,
        }
    }
    Ok(Some(found))
}
