//! Memory that is read at random, in large pages: that of tables, which is filled at once, and that of blocks, which are read one by one.
//!
//! A table of 80 MB lies in 20,000 pages of 4 KiB, far more than a processor remembers the places of:
//! each look into it then walks the page table as well, mostly in memory too. Large pages save a single hit a third of
//! its time, and a batch a fifth (`docs/notes/index.md`). The map is anonymous: no file is behind it, nobody else can
//! change it.

use std::io;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use bytemuck::NoUninit;
use bytes::{Bytes, BytesMut};
use memmap2::MmapMut;

/// Bytes in as few pages as the system allows.
pub(super) struct Pages(MmapMut);

impl Pages {
    /// Returns the blocks, one behind the other, at least one byte together. Each is let go once it is copied.
    pub(super) fn of(blocks: Vec<Vec<u8>>) -> io::Result<Self> {
        let bytes = blocks.iter().map(Vec::len).sum();
        let mut map = MmapMut::map_anon(bytes)?;
        // Where there are no large pages the small ones do.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let mut at = 0;
        for block in blocks {
            map[at..at + block.len()].copy_from_slice(&block);
            at += block.len();
        }
        Ok(Self(map))
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Returns words as the bytes that they are in memory; no words are no bytes.
pub(super) fn own<T: NoUninit + Send + 'static>(words: Vec<T>) -> Bytes {
    struct Own<T>(Vec<T>);
    impl<T: NoUninit> AsRef<[u8]> for Own<T> {
        fn as_ref(&self) -> &[u8] {
            bytemuck::cast_slice(&self.0)
        }
    }
    Bytes::from_owner(Own(words))
}

/// Bytes of the first chunk of an arena, and of the largest ones.
const FIRST_CHUNK: usize = 64 << 10;
const MAX_CHUNK: usize = 32 << 20;

/// Bytes of a large page.
const LARGE: usize = 2 << 20;

/// Runs of bytes begin at multiples of so many: they are read as words, and by lines of the processor's cache.
pub(super) const ALIGNED: usize = 64;

/// Many runs of bytes side by side, in large pages once they are many. Those of a chunk are let go together, when the last of them is.
#[derive(Debug, Default)]
pub(super) struct Arena(Mutex<Room>);

/// What is left of the last chunk, and how large it was.
#[derive(Debug, Default)]
struct Room {
    left: BytesMut,
    chunk: usize,
}

impl Arena {
    /// Keeps a copy of some words, as the machine has them in memory.
    pub(super) fn keep<T: NoUninit>(&self, words: &[T]) -> Bytes {
        let bytes: &[u8] = bytemuck::cast_slice(words);
        let needed = bytes.len().next_multiple_of(ALIGNED);
        // A thread that panics leaves a chunk whole.
        let room = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if room.left.capacity() < needed {
            room.chunk = (2 * room.chunk).clamp(FIRST_CHUNK, MAX_CHUNK);
            room.left = BytesMut::with_capacity(room.chunk.max(needed) + ALIGNED);
            advise(room.left.spare_capacity_mut());
            let start = room.left.as_ptr().addr();
            room.left.resize(start.next_multiple_of(ALIGNED) - start, 0);
            drop(room.left.split());
        }
        room.left.extend_from_slice(bytes);
        room.left.resize(needed, 0);
        let mut kept = room.left.split().freeze();
        kept.truncate(bytes.len());
        kept
    }
}

/// Asks the system for large pages where memory was taken and not yet touched. Where there are none the small ones do.
#[cfg(target_os = "linux")]
#[allow(
    unsafe_code,
    reason = "a histogram takes a seventh less, a miss a fifth (docs/notes/index.md); memmap2 cannot lend out pages that are still filled"
)]
fn advise(memory: &mut [std::mem::MaybeUninit<u8>]) {
    let start = memory.as_ptr().addr().next_multiple_of(LARGE) - memory.as_ptr().addr();
    let large = memory.get_mut(start..).unwrap_or_default();
    let whole = large.len() / LARGE * LARGE;
    if whole > 0 {
        // SAFETY: the range lies within memory that is borrowed here alone. The advice changes in which pages the system keeps
        // it, and no byte of it.
        unsafe { libc::madvise(large.as_mut_ptr().cast(), whole, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise(_: &mut [std::mem::MaybeUninit<u8>]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_arena_keeps_stays_and_begins_at_whole_words() {
        let arena = Arena::default();
        let lengths = [1, 7, 5000, 100_000, 3].into_iter().cycle();
        let kept: Vec<(Vec<u32>, Bytes)> = lengths
            .take(300)
            .enumerate()
            .map(|(at, length)| {
                let words: Vec<u32> = (0..length).map(|word| word * 0x9e37 + at as u32).collect();
                let kept = arena.keep(&words);
                (words, kept)
            })
            .collect();
        drop(arena);
        for (words, kept) in &kept {
            assert_eq!(bytemuck::cast_slice::<u8, u32>(kept), words);
            assert!(kept.as_ptr().addr().is_multiple_of(ALIGNED));
        }
    }
}
