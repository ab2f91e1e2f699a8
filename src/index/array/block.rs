//! A block: occurrences that follow one another in the array, as the bytes of one record.
//!
//! Occurrences are sorted by context, next bit and number. Those of one block whose context (to the array's depth) and next
//! bit are equal form a group. Written are how many occurrences and groups there are, and then as bits: the first
//! number of every group, in as many bits as the largest number takes; its next bit; where groups begin; and the other
//! numbers of each group as a set between its first one and the largest. Where every context is unique that is one pointer
//! and one bit for each occurrence. The byte-level page is `schemas/context-array.md`.

use std::hint::black_box;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytemuck::NoUninit;
use bytes::Bytes;

use super::codes::{BitReader, BitWriter};
use super::within::Sketch;
use crate::base::bits::read;
use crate::index::Histogram;
use crate::index::pages::{ALIGNED, Arena, own};

/// Occurrences of every block but the last of a part (`docs/notes/index.md`).
pub(super) const BLOCK: usize = 512;

/// Bytes that are kept of each group of a block in memory: of `marks`, of `rests`.
const MARK: usize = size_of::<Mark>();
const REST: usize = size_of::<u16>();

/// Where a group begins, and how many occurrences before it are followed by 1.
type Mark = [u16; 2];

/// Bytes before the bits: the numbers of occurrences and of groups, less one, lowest byte first.
const HEADER: usize = 4;

/// Collects one block.
#[derive(Default)]
pub(super) struct BlockBuilder {
    occurrences: Vec<u64>,
    /// Where each group begins, and its next bit.
    groups: Vec<(usize, bool)>,
    bits: BitWriter,
}

impl BlockBuilder {
    pub(super) fn len(&self) -> usize {
        self.occurrences.len()
    }

    /// Begins a group whose occurrences are followed by `bit`.
    pub(super) fn begin_group(&mut self, bit: bool) {
        self.groups.push((self.occurrences.len(), bit));
    }

    /// Adds an occurrence to the last group, larger than those before it.
    pub(super) fn push(&mut self, occurrence: u64) {
        self.occurrences.push(occurrence);
    }

    /// Returns how many occurrences are followed by 1.
    pub(super) fn ones(&self) -> u64 {
        let ends = self.groups.iter().skip(1).map(|(start, _)| *start);
        let ends = ends.chain([self.occurrences.len()]);
        let groups = self.groups.iter().zip(ends);
        let ones = groups
            .filter(|((_, bit), _)| *bit)
            .map(|((start, _), end)| end - start);
        ones.sum::<usize>() as u64
    }

    /// Appends the block to `out` and is empty again. Occurrences are numbered below `total`.
    pub(super) fn write(&mut self, total: u64, out: &mut Vec<u8>) {
        let (count, groups) = (self.occurrences.len(), self.groups.len());
        out.extend_from_slice(&((count - 1) as u16).to_le_bytes());
        out.extend_from_slice(&((groups - 1) as u16).to_le_bytes());
        let width = number_bits(total);
        self.bits.clear();
        for (start, _) in &self.groups {
            self.bits.write(self.occurrences[*start], width);
        }
        for (_, bit) in &self.groups {
            self.bits.write(u64::from(*bit), 1);
        }
        let starts: Vec<u64> = self.groups[1..]
            .iter()
            .map(|(start, _)| *start as u64)
            .collect();
        self.bits.write_set(&starts, 1, count as u64 - 1);
        let ends = starts.iter().map(|start| *start as usize).chain([count]);
        for ((start, _), end) in self.groups.iter().zip(ends) {
            let rest = &self.occurrences[start + 1..end];
            let first = self.occurrences[*start];
            self.bits.write_set(rest, first + 1, total - 1);
        }
        self.bits.append_to(out);
        self.occurrences.clear();
        self.groups.clear();
    }
}

/// Returns the bits that hold every number below `total`.
fn number_bits(total: u64) -> usize {
    (64 - total.saturating_sub(1).leading_zeros()).max(1) as usize
}

/// A block that was read. Its bits stay as they are, which takes less memory than what they say: the more blocks it holds.
#[derive(Debug)]
pub(in crate::index) struct Block {
    /// Words as bytes, as the machine has them.
    words: Bytes,
    count: u16,
    groups: u16,
    /// Bits of a number.
    width: usize,
    /// [`Mark`]s of each group and of the end, as bytes. Nothing where every occurrence is a group: then the bits say both.
    marks: Bytes,
    /// Where in the words the other numbers of the groups lie.
    rest_at: usize,
    total: u64,
    /// Where what is kept of it lies; on its own where there is none.
    arena: Option<Arc<Arena>>,
    /// Where behind `rest_at` the other numbers of each group lie, once one was read; nothing where every occurrence is a group.
    rests: OnceLock<Box<[u16]>>,
    /// What is known of its contexts, once it was asked.
    pub(super) sketch: OnceLock<Sketch>,
}

impl Block {
    /// Reads a block; `None` when the bytes are none.
    pub(super) fn read(bytes: &[u8], total: u64) -> Option<Self> {
        let (header, bits) = bytes.split_first_chunk::<HEADER>()?;
        let number = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]])) + 1;
        let (count, groups) = (number(0), number(2));
        if count > BLOCK || groups > count || count as u64 > total {
            return None;
        }
        let width = number_bits(total);
        // What is missing at the end reads 0.
        let length = (groups * (width + 1))
            .div_ceil(64)
            .max(bits.len().div_ceil(8))
            + 2;
        let words = crate::base::bits::words(bits).chain(std::iter::repeat(0));
        let mut block = Self {
            words: own(words.take(length).collect()),
            arena: None,
            count: count as u16,
            groups: groups as u16,
            width,
            marks: Bytes::new(),
            rest_at: groups * (width + 1),
            total,
            rests: OnceLock::new(),
            sketch: OnceLock::new(),
        };
        if groups < count {
            block.read_marks();
        }
        // A group's other numbers lie between its first one and the last that there is.
        let fits = |group: usize| {
            let others = block.start(group + 1) - block.start(group) - 1;
            let last = block.first(group).checked_add(others as u64);
            last.is_some_and(|last| last < total)
        };
        (0..groups).all(fits).then_some(block)
    }

    /// Moves it to an arena, with what is kept of it later.
    pub(super) fn move_to(&mut self, arena: &Arc<Arena>) {
        self.words = arena.keep(&self.words);
        if !self.marks.is_empty() {
            self.marks = arena.keep(&self.marks);
        }
        self.arena = Some(arena.clone());
    }

    /// Keeps words where its own are.
    pub(super) fn keep<T: NoUninit + Send + 'static>(&self, words: Vec<T>) -> Bytes {
        match &self.arena {
            Some(arena) => arena.keep(&words),
            None => own(words),
        }
    }

    /// Has the numbers of sixteen groups, from one on, their next bits and marks come from memory, without waiting for them.
    #[inline]
    pub(super) fn touch(&self, group: usize) {
        let words = self.words();
        let numbers = group * self.width / 64;
        let bits = (self.groups() * self.width + group) / 64;
        for at in [numbers, numbers + 8, bits] {
            black_box(words.get(at).copied());
        }
        black_box(self.marks().get(group).copied());
    }

    #[inline]
    fn marks(&self) -> &[Mark] {
        // Where no bytes begin is anywhere: no place for marks.
        match self.marks.is_empty() {
            true => &[],
            false => bytemuck::cast_slice(&self.marks),
        }
    }

    #[inline]
    fn words(&self) -> &[u64] {
        bytemuck::cast_slice(&self.words)
    }

    fn read_marks(&mut self) {
        let (count, groups) = (self.count, usize::from(self.groups));
        let mut reader = BitReader::new(self.words(), self.rest_at);
        let mut starts = vec![0; groups + 1];
        reader.read_set(&mut starts[1..groups], 1, u64::from(count) - 1);
        starts[groups] = count.into();
        let rest_at = reader.at();
        let mut ones = 0;
        let mut marks = Vec::with_capacity(groups + 1);
        for group in 0..groups {
            let [start, end] = [group, group + 1].map(|group| starts[group] as u16);
            marks.push([start, ones]);
            ones += if self.bit(group) { end - start } else { 0 };
        }
        marks.push([count, ones]);
        (self.marks, self.rest_at) = (own(marks), rest_at);
    }

    /// Returns how many occurrences it holds.
    pub(super) fn len(&self) -> usize {
        self.count.into()
    }

    pub(in crate::index) fn groups(&self) -> usize {
        self.groups.into()
    }

    /// Returns the first occurrence of a group, which there must be.
    #[inline]
    pub(in crate::index) fn first(&self, group: usize) -> u64 {
        read(self.words(), group * self.width, self.width)
    }

    /// Returns the first occurrence of a group, if there is such a group.
    pub(in crate::index) fn get_first(&self, group: usize) -> Option<u64> {
        (group < self.groups()).then(|| self.first(group))
    }

    /// Returns the first occurrence of the last group.
    pub(in crate::index) fn last_first(&self) -> u64 {
        self.first(self.groups() - 1)
    }

    #[inline]
    fn start(&self, group: usize) -> usize {
        self.marks()
            .get(group)
            .map_or(group, |[start, _]| (*start).into())
    }

    /// Returns the occurrences, and those followed by 1, before a group (all of them for the number behind the last one).
    #[inline]
    pub(in crate::index) fn before(&self, group: usize) -> (u64, u64) {
        match self.marks().get(group) {
            Some([start, ones]) => (u64::from(*start), u64::from(*ones)),
            None => (group as u64, self.ones_before(group)),
        }
    }

    /// Returns how often each bit follows the occurrences of some groups.
    pub(in crate::index) fn histogram(&self, groups: Range<usize>) -> Histogram {
        let (start, end) = (self.before(groups.start), self.before(groups.end));
        let n1 = end.1 - start.1;
        Histogram {
            n0: end.0 - start.0 - n1,
            n1,
        }
    }

    /// Returns how many of the groups before one are followed by 1.
    fn ones_before(&self, group: usize) -> u64 {
        let (words, bits) = (self.words(), self.groups() * self.width);
        let ones = (0..group).step_by(64).map(|done| {
            let more = (group - done).min(64);
            read(words, bits + done, more).count_ones()
        });
        ones.sum::<u32>().into()
    }

    /// Returns whether the occurrences of a group are followed by 1.
    pub(in crate::index) fn bit(&self, group: usize) -> bool {
        read(self.words(), self.groups() * self.width + group, 1) == 1
    }

    /// Returns all occurrences, group after group.
    pub(in crate::index) fn occurrences(&self) -> Vec<u64> {
        let mut all = Vec::with_capacity(self.len());
        self.each_group(|own, _| all.extend_from_slice(own));
        all
    }

    /// Hands the occurrences of each group to `take`, in turn, with where behind `rest_at` the others of it lie.
    fn each_group(&self, mut take: impl FnMut(&[u64], usize)) {
        let mut reader = BitReader::new(self.words(), self.rest_at);
        let mut own = Vec::new();
        for group in 0..self.groups() {
            let at = reader.at() - self.rest_at;
            let (first, count) = (self.first(group), self.start(group + 1) - self.start(group));
            own.clear();
            own.resize(count, first);
            reader.read_set(&mut own[1..], first + 1, self.total - 1);
            take(&own, at);
        }
    }

    /// Appends the first occurrences of a group, `most` of them at most. Those behind them are not read, and those of other groups only the
    /// first time.
    pub(super) fn read_group(&self, group: usize, most: usize, into: &mut Vec<u64>) {
        let (first, others) = (
            self.first(group),
            self.start(group + 1) - self.start(group) - 1,
        );
        if most == 0 {
            return;
        }
        into.push(first);
        let wanted = others.min(most - 1);
        if wanted == 0 {
            return;
        }
        let rests = self.rests.get_or_init(|| {
            let mut rests = Vec::with_capacity(self.groups());
            // A block has less than 2^15 bits: 512 numbers of at most 52.
            self.each_group(|_, at| rests.push(at as u16));
            rests.into()
        });
        let at = self.rest_at + usize::from(rests[group]);
        let start = into.len();
        into.resize(start + wanted, 0);
        let mut reader = BitReader::new(self.words(), at);
        reader.read_first(&mut into[start..], others, first + 1, self.total - 1);
    }

    /// Returns the bytes that it takes in memory, with what is kept of each group later.
    pub(super) fn memory(&self) -> usize {
        let of_group = match self.marks.is_empty() {
            true => 0,
            false => MARK + REST,
        };
        self.words.len() + (of_group + Sketch::OF_GROUP) * self.groups() + size_of::<Self>()
    }

    /// Returns the bytes that blocks take at most, from what they are together: the bytes of their records, how many they are and
    /// how many groups they have.
    pub(super) fn most_memory(bytes: u64, blocks: u64, groups: u64) -> u64 {
        // Of each block: the last word filled and two more, the mark behind the last group; words, marks and heads at whole lines.
        let of_block = size_of::<OnceLock<Self>>() + 3 * 8 + MARK + 3 * ALIGNED;
        let of_group = MARK + REST + Sketch::OF_GROUP;
        let of_blocks = blocks.saturating_mul(of_block as u64);
        let of_groups = groups.saturating_mul(of_group as u64);
        bytes.saturating_add(of_blocks).saturating_add(of_groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Group = (bool, Vec<u64>);

    fn groups() -> impl Strategy<Value = (u64, Vec<Group>)> {
        (1..2000u64, any::<bool>()).prop_flat_map(|(total, far)| {
            let total = if far { total << 30 } else { total };
            let group = (any::<bool>(), prop::collection::btree_set(0..total, 1..40));
            let group = group.prop_map(|(bit, set)| (bit, set.into_iter().collect()));
            (Just(total), prop::collection::vec(group, 1..12))
        })
    }

    proptest! {
        #[test]
        fn a_block_is_read_as_it_was_written((total, groups) in groups()) {
            let mut builder = BlockBuilder::default();
            for (bit, occurrences) in &groups {
                builder.begin_group(*bit);
                occurrences.iter().for_each(|occurrence| builder.push(*occurrence));
            }
            let ones = builder.ones();
            let all: Vec<u64> = groups.iter().flat_map(|(_, group)| group.clone()).collect();
            let mut bytes = vec![9];
            builder.write(total, &mut bytes);
            prop_assert_eq!(builder.len(), 0);
            let Some(block) = Block::read(&bytes[1..], total) else {
                prop_assert!(all.len() as u64 > total, "none of {all:?}");
                return Ok(());
            };
            prop_assert_eq!(block.occurrences(), all);
            for (number, (_, group)) in groups.iter().enumerate() {
                for most in [0, 1, 2, 7, group.len(), group.len() + 1] {
                    let mut found = vec![5];
                    block.read_group(number, most, &mut found);
                    prop_assert_eq!(&found[1..], &group[..most.min(group.len())]);
                }
            }
            prop_assert_eq!(block.groups(), groups.len());
            let (mut before, mut before_ones) = (0, 0);
            for (number, (bit, group)) in groups.iter().enumerate() {
                prop_assert_eq!(block.bit(number), *bit);
                prop_assert_eq!(block.before(number), (before, before_ones));
                before += group.len() as u64;
                before_ones += group.len() as u64 * u64::from(*bit);
            }
            prop_assert_eq!(block.before(groups.len()), (before, before_ones));
            prop_assert_eq!(ones, before_ones);
        }

        #[test]
        fn bytes_that_are_no_block_are_no_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..100), small in any::<bool>(), total in 1..1u64 << 52,
        ) {
            let mut bytes = bytes;
            if small && bytes.len() > 4 {
                (bytes[1], bytes[3]) = (0, 0);
            }
            if let Some(block) = Block::read(&bytes, total) {
                let all = block.occurrences();
                prop_assert!(all.iter().all(|occurrence| *occurrence < total));
            }
        }
    }
}
