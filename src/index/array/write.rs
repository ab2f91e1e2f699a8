//! Sorted occurrences → blocks, with a separator for each.

use super::block::{BLOCK, BlockBuilder};
use super::content::ContentSum;
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

/// What takes sorted contexts with their occurrences.
pub(in crate::index) trait TakeContexts {
    /// What they become.
    type Done;
    /// Why one cannot be taken.
    type Error: From<Stopped>;

    /// Returns in how many bits a context begins as the last one that was taken; 0 where there is none.
    fn common_with_last(&self, occurrence: u64) -> usize;

    /// Takes all occurrences of one context, ascending; it begins as the one before it in `common` bits.
    fn context<N: Number>(&mut self, common: usize, occurrences: &[N]) -> Result<(), Self::Error>;

    /// Begins a context whose occurrences come one by one, first those that are followed by 0.
    fn begin(&mut self, occurrence: u64) -> Result<(), Self::Error>;

    /// Takes an occurrence of it that is followed by `bit`, larger than those before it.
    fn push(&mut self, bit: bool, occurrence: u64) -> Result<(), Self::Error>;

    /// Ends it.
    fn end(&mut self) -> Result<(), Self::Error>;

    /// Ends everything.
    fn finish(self) -> Result<Self::Done, Self::Error>;
}

/// An entry of an array without its context: next bit and number.
pub(super) type Entry = (bool, u64);

/// Cuts the entries of one part into blocks.
pub(super) struct BlockWriter<S> {
    total: u64,
    sink: S,
    builder: BlockBuilder,
    /// Separator of the block under work.
    separator: Vec<u8>,
    first: Option<u64>,
    pub(super) last: Option<Entry>,
    bytes: Vec<u8>,
    /// Next bit of the run under work, and whether it has no group in the block yet.
    bit: bool,
    is_new: bool,
    distinct: Distinct,
    holds: Rank,
    content: ContentSum,
}

/// What a part came to.
pub(in crate::index) struct Part<S> {
    pub(in crate::index) sink: S,
    pub(super) distinct: Distinct,
    pub(super) holds: Rank,
    /// Its first and its last occurrence.
    pub(super) ends: Option<(u64, u64)>,
    pub(super) content: ContentSum,
}

impl<S: Sink> BlockWriter<S> {
    /// Starts a part whose first block has the separator `first`; the contexts of `prefixes` are counted. Occurrences are numbered
    /// below `total`.
    pub(super) fn new(total: u64, prefixes: &[usize], first: Vec<u8>, sink: S) -> Self {
        Self {
            total,
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
            content: ContentSum::default(),
        }
    }

    /// Counts a context that begins as the one before it in `common` bits: which bits follow it.
    pub(super) fn count(&mut self, common: usize, zeros: bool, ones: bool) {
        self.distinct.add(common, zeros, ones);
    }

    /// Begins a run of occurrences of one context that are followed by `bit`.
    pub(super) fn begin_run(&mut self, bit: bool) {
        (self.bit, self.is_new) = (bit, true);
    }

    /// Adds an occurrence to the run, larger than those before it. `spell` tells the last entry and this one as bytes that sort as
    /// entries do, where a new block begins.
    pub(super) fn push(
        &mut self,
        occurrence: u64,
        spell: impl FnOnce(Entry, Entry) -> [Vec<u8>; 2],
    ) -> Result<(), S::Error> {
        if self.builder.len() == BLOCK {
            self.end_block()?;
            if let Some(last) = self.last {
                let [last, own] = spell(last, (self.bit, occurrence));
                self.separator = separator(&last, own);
            }
            self.is_new = true;
        }
        if std::mem::take(&mut self.is_new) {
            self.builder.begin_group(self.bit);
        }
        self.builder.push(occurrence);
        self.content.push(occurrence);
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
            content: self.content,
        })
    }
}

/// The shortest beginning of an entry that is larger than the entry before it.
fn separator(last: &[u8], mut own: Vec<u8>) -> Vec<u8> {
    let same = own.iter().zip(last).take_while(|(a, b)| a == b).count();
    own.truncate(same + 1);
    own
}

/// Writes one part of an array, whose contexts are read from latents.
pub(in crate::index) struct PartWriter<'a, S> {
    latents: &'a Latents<'a>,
    readers: &'a [Reader],
    blocks: BlockWriter<S>,
    /// Of a context that comes one by one: in how many bits it begins as the one before it, and what has followed.
    common: usize,
    followed: [bool; 2],
}

impl<'a, S: Sink> PartWriter<'a, S> {
    /// Starts a part whose first block has the separator `first`; the contexts of `prefixes` are counted.
    pub(in crate::index) fn new(
        latents: &'a Latents<'a>,
        readers: &'a [Reader],
        prefixes: &[usize],
        first: Vec<u8>,
        sink: S,
    ) -> Self {
        Self {
            latents,
            readers,
            blocks: BlockWriter::new(latents.occurrences(), prefixes, first, sink),
            common: 0,
            followed: [false; 2],
        }
    }

    #[inline]
    fn put(&mut self, occurrence: u64) -> Result<(), S::Error> {
        let spell = |(_, occurrence)| self.latents.spell(self.readers, occurrence);
        self.blocks
            .push(occurrence, |last, own| [spell(last), spell(own)])
    }
}

impl<S: Sink> TakeContexts for PartWriter<'_, S> {
    type Done = Part<S>;
    type Error = S::Error;

    fn common_with_last(&self, occurrence: u64) -> usize {
        let last = self.blocks.last.map(|(_, last)| last);
        last.map_or(0, |last| {
            self.latents.common(self.readers, last, occurrence)
        })
    }

    fn context<N: Number>(&mut self, common: usize, occurrences: &[N]) -> Result<(), S::Error> {
        let ones = occurrences
            .iter()
            .filter(|occurrence| self.latents.bit(occurrence.get()));
        let zeros = occurrences.len() - ones.count();
        let holds = [zeros > 0, zeros < occurrences.len()];
        self.blocks.count(common, holds[0], holds[1]);
        for bit in [false, true]
            .into_iter()
            .filter(|bit| holds[usize::from(*bit)])
        {
            self.blocks.begin_run(bit);
            for occurrence in occurrences {
                if self.latents.bit(occurrence.get()) == bit {
                    self.put(occurrence.get())?;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, occurrence: u64) -> Result<(), S::Error> {
        self.common = self.common_with_last(occurrence);
        self.followed = [false; 2];
        Ok(())
    }

    fn push(&mut self, bit: bool, occurrence: u64) -> Result<(), S::Error> {
        if !std::mem::replace(&mut self.followed[usize::from(bit)], true) {
            self.blocks.begin_run(bit);
        }
        self.put(occurrence)
    }

    fn end(&mut self) -> Result<(), S::Error> {
        let [zeros, ones] = self.followed;
        self.blocks.count(self.common, zeros, ones);
        Ok(())
    }

    fn finish(self) -> Result<Part<S>, S::Error> {
        self.blocks.finish()
    }
}
