//! An array held in memory: a small one, such as that of latents that are left out.

use std::convert::Infallible;

use super::block::Block;
use super::directory::{Directory, Rank};
use super::distinct::Distinct;
use super::latents::Latents;
use super::question::{Blocks, Questions};
use super::sort::{Joined, Room, Sort};
use super::write::{PartWriter, Sink};
use crate::base::{Observer, Stopped};
use crate::window::{Order, Reader};

/// The blocks of a part: separators, what each holds, bytes.
#[derive(Default)]
struct Kept(Vec<(Vec<u8>, Rank, Vec<u8>)>);

impl Sink for Kept {
    type Error = Stopped;

    fn block(&mut self, separator: &[u8], holds: Rank, bytes: &[u8]) -> Result<(), Stopped> {
        self.0.push((separator.to_vec(), holds, bytes.to_vec()));
        Ok(())
    }
}

/// Blocks in memory.
pub(in crate::index) struct Held(Vec<Block>);

impl Held {
    /// Returns the blocks, in order.
    pub(in crate::index) fn iter(&self) -> impl Iterator<Item = &Block> {
        self.0.iter()
    }
}

impl<'a> Blocks for &'a Held {
    type Error = Infallible;
    type Block = &'a Block;

    fn block(&self, number: usize) -> Result<&'a Block, Infallible> {
        Ok(&self.0[number])
    }
}

/// An array in memory.
pub(in crate::index) struct MemoryArray {
    readers: Vec<Reader>,
    pub(super) directory: Directory,
    pub(in crate::index) blocks: Held,
}

impl MemoryArray {
    /// Sorts the contexts of the latents `ids`; counts the different ones of each of `prefixes`.
    pub(in crate::index) fn build(
        latents: &Latents<'_>,
        order: &Order,
        ids: &[u32],
        prefixes: &[usize],
        room: Room,
        observer: &dyn Observer,
    ) -> Result<(Self, Distinct), Stopped> {
        let sort = Sort {
            latents,
            order,
            ids,
            room,
            observer,
        };
        let readers = order.word_readers();
        let mut parts = Vec::new();
        let writer =
            |_, first| PartWriter::new(latents, &readers, prefixes, first, Kept::default());
        sort.run::<u64, _>(writer, |part| {
            parts.push(part);
            Ok(())
        })?;
        let joined = Joined::of(&parts, latents, &readers, prefixes);
        let mut directory = Directory::default();
        let mut blocks = Vec::new();
        for (part, before) in parts.iter().zip(&joined.before) {
            let mut rank = *before;
            for (separator, holds, bytes) in &part.sink.0 {
                directory.push(separator, rank);
                rank.entries += holds.entries;
                rank.ones += holds.ones;
                // What was just written can be read.
                blocks.extend(Block::read(bytes, latents.occurrences()));
            }
        }
        directory.end(joined.before.last().copied().unwrap_or_default());
        let array = Self {
            readers,
            directory,
            blocks: Held(blocks),
        };
        Ok((array, joined.distinct))
    }

    /// Asks it, with what it was built of.
    pub(in crate::index) fn questions<'a>(
        &'a self,
        latents: &'a Latents<'a>,
        order: &'a Order,
    ) -> Questions<'a, &'a Held> {
        Questions {
            order,
            readers: &self.readers,
            latents,
            directory: &self.directory,
            blocks: &self.blocks,
        }
    }
}
