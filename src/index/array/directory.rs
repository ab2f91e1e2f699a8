//! The directory of an array: where each block begins, so that a question reads no block that does not answer it.

use super::halving::{Sorted, halved};

/// Where the array stands before an entry: how many entries come before it, and how many of them are followed by 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::index) struct Rank {
    pub(super) entries: u64,
    pub(super) ones: u64,
}

impl Rank {
    /// Returns how many of the entries are followed by `bit`.
    pub(super) fn count(&self, bit: bool) -> u64 {
        if bit {
            self.ones
        } else {
            self.entries - self.ones
        }
    }
}

/// What is known of every block without reading it.
#[derive(Debug, Default)]
pub(in crate::index) struct Directory {
    /// The first eight bytes of each block's separator, zeros behind it: mostly enough. There once the directory has ended.
    heads: Sorted<u64>,
    /// Separators, one behind the other, and where each ends.
    separators: Vec<u8>,
    ends: Vec<u64>,
    /// Before each block, and of all.
    before: Vec<Rank>,
}

impl Directory {
    /// Adds a block. Its separator is larger than every entry before the block, as bytes, and no larger than its first one.
    pub(super) fn push(&mut self, separator: &[u8], rank: Rank) {
        self.separators.extend_from_slice(separator);
        self.ends.push(self.separators.len() as u64);
        self.before.push(rank);
    }

    /// Ends the directory: `total` is what all blocks hold.
    pub(super) fn end(&mut self, total: Rank) {
        self.before.push(total);
        let head = |block| {
            let mut head = [0; 8];
            let bytes = head.iter_mut().zip(self.separator(block));
            bytes.for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(head)
        };
        self.heads = Sorted::new((0..self.blocks()).map(head).collect());
    }

    pub(in crate::index) fn blocks(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn separator(&self, block: usize) -> &[u8] {
        let start = block.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.separators[start as usize..self.ends[block] as usize]
    }

    /// Returns where the array stands before a block; behind the last one for the number of blocks.
    pub(super) fn before(&self, block: usize) -> Rank {
        self.before[block]
    }

    /// Returns the last block that may hold an entry below `bound` (words, the first bit highest, zeros behind it): the first
    /// entry that is not below it is in that block, or is the first one of the next. `None` where no entry is below it.
    pub(super) fn last_below(&self, mut bound: impl Iterator<Item = u64> + Clone) -> Option<usize> {
        let word = bound.next().unwrap_or(0);
        let equal = self.heads.equal(word);
        // Among separators that begin as the bound does, by what follows.
        let more = halved(equal.len(), |at| {
            self.is_at_most(equal.start + at, bound.clone())
        });
        (equal.start + more).checked_sub(1)
    }

    /// Returns whether a block may begin with what begins as the first word of a context does, in the bits that `mask` has ones for.
    pub(super) fn may_begin_with(&self, block: usize, word: u64, mask: u64) -> bool {
        let head = self.heads.get(block);
        head.is_some_and(|head| (head ^ word) & mask == 0)
    }

    /// Returns the last block before which fewer than `number` occurrences are followed by `bit`.
    pub(super) fn block_of(&self, bit: bool, number: u64) -> usize {
        let blocks = self.before.partition_point(|rank| rank.count(bit) < number);
        blocks.saturating_sub(1)
    }

    /// Whether what follows the head of a block's separator is no more than the words that follow a bound's first one.
    fn is_at_most(&self, block: usize, bound: impl Iterator<Item = u64>) -> bool {
        let rest = self.separator(block).get(8..).unwrap_or_default();
        let bound = bound.flat_map(u64::to_be_bytes);
        // A separator may end where the bound's zeros are not written, or the other way round.
        let length = rest.len();
        rest.iter()
            .copied()
            .le(bound.chain(std::iter::repeat(0)).take(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_block_found_is_the_one_that_a_scan_finds(
            separators in prop::collection::btree_set(prop::collection::vec(0..3u8, 1..20), 1..60),
            bound in prop::collection::vec(0..3u8, 16),
        ) {
            let mut directory = Directory::default();
            for separator in &separators {
                // A trailing zero says nothing: no two separators differ in it alone.
                if separator.last() != Some(&0) {
                    directory.push(separator, Rank::default());
                }
            }
            directory.end(Rank::default());
            let words: Vec<u64> = bound.as_chunks().0.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect();
            let padded: Vec<u8> = bound.iter().copied().chain([0; 16]).collect();
            let expected = separators.iter().filter(|separator| separator.last() != Some(&0));
            let expected = expected.filter(|separator| {
                let zeros = std::iter::repeat_n(0, 32 - separator.len());
                separator.iter().copied().chain(zeros).collect::<Vec<_>>() <= padded
            });
            prop_assert_eq!(directory.last_below(words.iter().copied()), expected.count().checked_sub(1));
        }
    }
}
