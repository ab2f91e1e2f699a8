//! An array held in memory: a small one, such as that of latents that are left out.

use std::convert::Infallible;
use std::sync::Arc;

use super::block::Block;
use super::directory::{Directory, Rank};
use super::distinct::Distinct;
use super::latents::Latents;
use super::question::{Blocks, Questions};
use super::sort::{Room, Sort, join};
use super::write::Sink;
use crate::window::{Order, Reader};

/// The blocks of a part: separators, what each holds, bytes.
#[derive(Default)]
struct Kept(Vec<(Vec<u8>, Rank, Vec<u8>)>);

impl Sink for Kept {
    type Error = Infallible;

    fn block(&mut self, separator: &[u8], holds: Rank, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.push((separator.to_vec(), holds, bytes.to_vec()));
        Ok(())
    }
}

/// Blocks in memory.
pub(super) struct Held(Vec<Arc<Block>>);

impl Blocks for Held {
    type Error = Infallible;

    fn block(&self, number: usize) -> Result<Arc<Block>, Infallible> {
        Ok(self.0[number].clone())
    }
}

/// An array in memory.
pub(super) struct MemoryArray {
    readers: Vec<Reader>,
    pub(super) directory: Directory,
    pub(super) blocks: Held,
    pub(super) distinct: Distinct,
}

impl MemoryArray {
    /// Sorts the contexts of the latents `ids`.
    pub(super) fn build(latents: &Latents<'_>, order: &Order, ids: &[u32], prefixes: &[usize], room: Room) -> Self {
        let sort = Sort {
            latents,
            order,
            ids,
            prefixes,
            room,
        };
        let Ok(parts) = sort.run::<u64, _>(|_| Kept::default());
        let (before, distinct) = join(&parts, &sort);
        let mut directory = Directory::default();
        let mut blocks = Vec::new();
        for (part, before) in parts.iter().zip(&before) {
            let mut rank = *before;
            for (separator, holds, bytes) in &part.sink.0 {
                directory.push(separator, rank);
                rank.entries += holds.entries;
                rank.ones += holds.ones;
                // What was just written can be read.
                blocks.extend(Block::read(bytes, latents.occurrences()).map(Arc::new));
            }
        }
        directory.end(before.last().copied().unwrap_or_default());
        Self {
            readers: order.word_readers(),
            directory,
            blocks: Held(blocks),
            distinct,
        }
    }

    /// Asks it, with what it was built of.
    pub(super) fn questions<'a>(&'a self, latents: &'a Latents<'a>, order: &'a Order) -> Questions<'a, Held> {
        Questions {
            order,
            readers: &self.readers,
            latents,
            directory: &self.directory,
            blocks: &self.blocks,
        }
    }
}
