//! Sorted occurrences → blocks, with a separator for each.

use super::block::{BLOCK, BlockBuilder};
use super::directory::Rank;
use super::distinct::Distinct;
use super::latents::Latents;
use super::number::Number;
use crate::base::Stopped;
use crate::window::Reader;

/// Where the blocks of a part go, in order.
pub(in crate::index) trait Sink {
    /// Why one cannot be kept.
    type Error: From<Stopped>;

    /// Keeps a block: its separator (see [`Directory::push`](super::directory::Directory::push)), what it holds, its bytes.
    fn block(&mut self, separator: &[u8], holds: Rank, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Writes one part of an array.
pub(super) struct PartWriter<'a, S> {
    latents: &'a Latents<'a>,
    readers: &'a [Reader],
    total: u64,
    sink: S,
    builder: BlockBuilder,
    /// Separator of the block under work.
    separator: Vec<u8>,
    first: Option<u64>,
    last: Option<(bool, u64)>,
    bytes: Vec<u8>,
    /// Next bit of the run under work, and whether it has no group in the block yet.
    bit: bool,
    is_new: bool,
    distinct: Distinct,
    holds: Rank,
}

/// What a part came to.
pub(in crate::index) struct Part<S> {
    pub(in crate::index) sink: S,
    pub(super) distinct: Distinct,
    pub(super) holds: Rank,
    /// Its first and its last occurrence.
    pub(super) ends: Option<(u64, u64)>,
}

impl<'a, S: Sink> PartWriter<'a, S> {
    /// Starts a part whose first block has the separator `first`; the contexts of `prefixes` are counted.
    pub(super) fn new(
        latents: &'a Latents<'a>,
        readers: &'a [Reader],
        prefixes: &[usize],
        first: Vec<u8>,
        sink: S,
    ) -> Self {
        Self {
            latents,
            readers,
            total: latents.occurrences(),
            sink,
            builder: BlockBuilder::default(),
            separator: first,
            first: None,
            last: None,
            bytes: Vec::new(),
            bit: false,
            is_new: false,
            distinct: Distinct::new(prefixes),
            holds: Rank::default(),
        }
    }

    /// Adds all occurrences of one context, ascending; it begins as the one before it in `common` bits.
    pub(super) fn group<N: Number>(
        &mut self,
        common: usize,
        occurrences: &[N],
    ) -> Result<(), S::Error> {
        let ones = occurrences
            .iter()
            .filter(|occurrence| self.latents.bit(occurrence.get()));
        let zeros = occurrences.len() - ones.count();
        let holds = [zeros > 0, zeros < occurrences.len()];
        self.distinct.add(common, holds[0], holds[1]);
        for bit in [false, true]
            .into_iter()
            .filter(|bit| holds[usize::from(*bit)])
        {
            self.begin_run(bit);
            for occurrence in occurrences {
                if self.latents.bit(occurrence.get()) == bit {
                    self.push(occurrence.get())?;
                }
            }
        }
        Ok(())
    }

    /// Returns in how many bits a context begins as the last one that was written; 0 where there is none.
    pub(super) fn common_with_last(&self, occurrence: u64) -> usize {
        let last = self.last.map(|(_, last)| last);
        last.map_or(0, |last| {
            self.latents.common(self.readers, last, occurrence)
        })
    }

    /// Counts a context whose occurrences are pushed by themselves, run by run.
    pub(super) fn begin_context(&mut self, common: usize, zeros: bool, ones: bool) {
        self.distinct.add(common, zeros, ones);
    }

    /// Begins a run of occurrences of one context that are followed by `bit`.
    pub(super) fn begin_run(&mut self, bit: bool) {
        (self.bit, self.is_new) = (bit, true);
    }

    /// Adds an occurrence to the run, larger than those before it.
    pub(super) fn push(&mut self, occurrence: u64) -> Result<(), S::Error> {
        if self.builder.len() == BLOCK {
            self.end_block()?;
            self.separator = self.separate((self.bit, occurrence));
            self.is_new = true;
        }
        if std::mem::take(&mut self.is_new) {
            self.builder.begin_group(self.bit);
        }
        self.builder.push(occurrence);
        self.first.get_or_insert(occurrence);
        self.last = Some((self.bit, occurrence));
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), S::Error> {
        let holds = Rank {
            entries: self.builder.len() as u64,
            ones: self.builder.ones(),
        };
        self.holds.entries += holds.entries;
        self.holds.ones += holds.ones;
        self.bytes.clear();
        self.builder.write(self.total, &mut self.bytes);
        self.sink.block(&self.separator, holds, &self.bytes)
    }

    /// The shortest beginning of an entry that is larger than the entry before it.
    fn separate(&self, entry: (bool, u64)) -> Vec<u8> {
        let spell = |(_, occurrence)| self.latents.spell(self.readers, occurrence);
        let last = self.last.map(spell).unwrap_or_default();
        let mut spelled = spell(entry);
        let same = spelled
            .iter()
            .zip(&last)
            .take_while(|(a, b)| a == b)
            .count();
        spelled.truncate(same + 1);
        spelled
    }

    /// Ends the part.
    pub(super) fn finish(mut self) -> Result<Part<S>, S::Error> {
        if self.builder.len() > 0 {
            self.end_block()?;
        }
        Ok(Part {
            sink: self.sink,
            distinct: self.distinct,
            holds: self.holds,
            ends: self.first.zip(self.last.map(|(_, last)| last)),
        })
    }
}
