//! Blocks that were read: all of them, by number, where there is room for all; else those that were asked for last.
//!
//! With room for all nothing is ever dropped, so nothing has to be counted or looked for: a block is lent where it lies
//! (`docs/notes/index.md`).

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache as Recent;

use super::block::Block;
use crate::index::pages::Arena;

/// Blocks by number, weighed by the bytes that they take.
#[derive(Clone)]
pub(super) struct ByBytes;

impl Weighter<u32, Arc<Block>> for ByBytes {
    fn weight(&self, _: &u32, block: &Arc<Block>) -> u64 {
        block.memory() as u64
    }
}

/// Blocks side by side: so few shelves that where they are does not have to come from memory itself.
const SHELF: usize = 64;

/// Room for some blocks.
type Shelf = Box<[OnceLock<Block>; SHELF]>;

/// The blocks of an array that were read.
pub(super) enum Cache {
    /// Every one that was ever read.
    All {
        shelves: Box<[OnceLock<Shelf>]>,
        arena: Arc<Arena>,
    },
    /// Some of those.
    Recent(Recent<u32, Arc<Block>, ByBytes>),
}

/// A block of a cache.
#[derive(Clone)]
pub(in crate::index) enum Lent<'a> {
    /// One that stays.
    Kept(&'a Block),
    /// One that the cache may drop meanwhile.
    Shared(Arc<Block>),
}

impl Deref for Lent<'_> {
    type Target = Block;

    #[inline]
    fn deref(&self) -> &Block {
        match self {
            Self::Kept(block) => block,
            Self::Shared(block) => block,
        }
    }
}

impl Cache {
    /// Makes room of `room` bytes for an array of so many blocks, which take at most `most` bytes together.
    pub(super) fn new(blocks: usize, most: u64, room: u64) -> Self {
        let shelves = blocks.div_ceil(SHELF);
        match most <= room {
            true => Self::All {
                shelves: (0..shelves).map(|_| OnceLock::new()).collect(),
                arena: Arc::default(),
            },
            false => Self::Recent(Recent::with_weighter(
                blocks.clamp(1, 1 << 20),
                room,
                ByBytes,
            )),
        }
    }

    /// Returns a block, if it is there.
    #[inline]
    pub(super) fn get(&self, number: usize) -> Option<Lent<'_>> {
        match self {
            Self::All { shelves, .. } => {
                let shelf = shelves.get(number / SHELF)?.get()?;
                shelf[number % SHELF].get().map(Lent::Kept)
            }
            Self::Recent(blocks) => blocks.get(&(number as u32)).map(Lent::Shared),
        }
    }

    /// Takes a block that was read, and lends it.
    pub(super) fn keep(&self, number: usize, mut block: Block) -> Lent<'_> {
        match self {
            // Whoever reads the same one meanwhile keeps the same.
            Self::All { shelves, arena } => {
                let shelf = shelves[number / SHELF]
                    .get_or_init(|| Box::new([const { OnceLock::new() }; SHELF]));
                Lent::Kept(shelf[number % SHELF].get_or_init(|| {
                    block.move_to(arena);
                    block
                }))
            }
            Self::Recent(blocks) => {
                let block = Arc::new(block);
                // Blocks are numbered in four bytes: 2³² of them would be 2⁴¹ occurrences.
                blocks.insert(number as u32, block.clone());
                Lent::Shared(block)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::array::block::BlockBuilder;

    fn block(occurrence: u64) -> Block {
        let mut builder = BlockBuilder::default();
        builder.begin_group(true);
        builder.push(occurrence);
        let mut bytes = Vec::new();
        builder.write(100, &mut bytes);
        Block::read(&bytes, 100).unwrap()
    }

    #[test]
    fn with_room_for_all_every_block_stays_and_with_less_the_memory_is_bounded() {
        let most = Block::most_memory(1000 * 8, 1000, 1000);
        assert!(most >= 1000 * block(0).memory() as u64);
        let all = Cache::new(1000, most, 2 * most);
        let some = Cache::new(1000, most, most / 10);
        assert!(matches!(all, Cache::All { .. }) && matches!(some, Cache::Recent(_)));
        for cache in [&all, &some] {
            assert!(cache.get(7).is_none());
            for number in 0..1000 {
                let kept = cache.keep(number, block(number as u64 % 100));
                assert_eq!(kept.first(0), number as u64 % 100);
            }
        }
        let held = |cache: &Cache| {
            (0..1000)
                .filter(|number| cache.get(*number).is_some())
                .count()
        };
        assert_eq!(held(&all), 1000);
        assert!((1..500).contains(&held(&some)), "{}", held(&some));
        let first = |number: usize| all.get(number).unwrap().first(0);
        assert!((0..1000).all(|number| first(number) == number as u64 % 100));
    }
}
