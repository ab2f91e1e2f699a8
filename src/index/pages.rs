//! Memory that is read at random, in large pages.
//!
//! A table of 80 MB lies in 20,000 pages of 4 KiB, far more than a processor remembers the places of:
//! each look into it then walks the page table as well, mostly in memory too. Large pages save a single hit a third of
//! its time, and a batch a fifth (`docs/notes/index.md`). The map is anonymous: no file is behind it, nobody else can
//! change it.

use std::io;
use std::ops::Deref;

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
