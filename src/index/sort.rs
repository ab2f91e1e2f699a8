//! External sort of the occurrences of one window: sorted batches within the memory limit, spilled
//! to files when there is more than one, merged by key range.
//!
//! The key space is cut into parts at the quantiles of the first batch, always between two contexts,
//! and every spill remembers where its parts begin: so parts are merged in parallel and each becomes
//! files of its own, with nothing left to merge afterwards.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::occurrence::OccurrenceLayout;
use crate::base::files::naming;

/// Most spills that one merge reads: file descriptors and read buffers.
pub(super) const MAX_SPILLS: u64 = 512;

/// Occurrences aimed at in one part: SST files of tens of megabytes.
const PART: usize = 1 << 22;

/// Most parts, however many occurrences: each is two SST files.
const MAX_PARTS: usize = 1 << 10;

/// Occurrences written to a spill at a time.
const CHUNK: usize = 1 << 15;

/// Everything sorted, in memory or in spills.
pub(super) struct Sorted<const W: usize> {
    layout: OccurrenceLayout,
    /// First key of each part but the first.
    splitters: Vec<[u64; W]>,
    batches: Vec<Batch<W>>,
    /// Bytes of read buffers that a merge may use in all.
    buffer_bytes: usize,
}

enum Batch<const W: usize> {
    Memory(Vec<[u64; W]>),
    Spill(Spill),
}

struct Spill {
    file: File,
    path: PathBuf,
    /// Where each part begins, in occurrences; the end last.
    bounds: Vec<u64>,
}

impl Drop for Spill {
    fn drop(&mut self) {
        // A spill that stays behind is removed with the build's own folder.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl<const W: usize> Sorted<W> {
    /// Returns an empty sort for `total` occurrences. Its merge uses read buffers of `buffer_bytes` at most.
    pub(super) fn new(layout: OccurrenceLayout, buffer_bytes: usize) -> Self {
        Self {
            layout,
            splitters: Vec::new(),
            batches: Vec::new(),
            buffer_bytes,
        }
    }

    /// Sorts a batch and keeps it in memory: the only batch, then.
    pub(super) fn keep(&mut self, mut batch: Vec<[u64; W]>, total: u64) {
        batch.par_sort_unstable();
        self.choose_splitters(&batch, total);
        self.batches.push(Batch::Memory(batch));
    }

    /// Sorts a batch and writes it to `folder`, leaving the buffer for the next one.
    pub(super) fn spill(
        &mut self,
        batch: &mut [[u64; W]],
        total: u64,
        folder: &Path,
    ) -> io::Result<()> {
        batch.par_sort_unstable();
        if self.batches.is_empty() {
            self.choose_splitters(batch, total);
        }
        let path = folder.join(format!("spill-{}", self.batches.len()));
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(naming(&path))?;
        let mut spill = Spill {
            file,
            path: path.clone(),
            bounds: vec![0],
        };
        for splitter in &self.splitters {
            let bound = batch.partition_point(|occurrence| occurrence < splitter);
            spill.bounds.push(bound as u64);
        }
        spill.bounds.push(batch.len() as u64);
        let mut bytes = Vec::with_capacity(CHUNK * W * 8);
        for chunk in batch.chunks(CHUNK) {
            bytes.clear();
            bytes.extend(
                chunk
                    .as_flattened()
                    .iter()
                    .flat_map(|word| word.to_le_bytes()),
            );
            (&spill.file).write_all(&bytes).map_err(naming(&path))?;
        }
        self.batches.push(Batch::Spill(spill));
        Ok(())
    }

    fn choose_splitters(&mut self, batch: &[[u64; W]], total: u64) {
        let parts = (total as usize / PART).clamp(1, MAX_PARTS);
        self.splitters = (1..parts)
            .map(|part| self.layout.key_only(batch[part * batch.len() / parts]))
            .collect();
        self.splitters.dedup();
    }

    /// Returns the number of key ranges, at least 1. Some may be empty.
    pub(super) fn parts(&self) -> usize {
        self.splitters.len() + 1
    }

    /// Returns the number of occurrences in each part.
    pub(super) fn part_sizes(&self) -> Vec<u64> {
        let mut sizes = vec![0; self.parts()];
        for batch in &self.batches {
            for (part, size) in sizes.iter_mut().enumerate() {
                let range = self.range(batch, part);
                *size += range.1 - range.0;
            }
        }
        sizes
    }

    fn range(&self, batch: &Batch<W>, part: usize) -> (u64, u64) {
        match batch {
            Batch::Spill(spill) => (spill.bounds[part], spill.bounds[part + 1]),
            Batch::Memory(all) => {
                let bound = |splitter: Option<&[u64; W]>, otherwise| {
                    splitter.map_or(otherwise, |s| all.partition_point(|o| o < s))
                };
                let start = bound(part.checked_sub(1).and_then(|p| self.splitters.get(p)), 0);
                let end = bound(self.splitters.get(part), all.len());
                (start as u64, end as u64)
            }
        }
    }

    /// Hands every occurrence of one part to `take`, in order.
    ///
    /// # Errors
    /// What `take` returns, or a spill that cannot be read back.
    pub(super) fn merge<E: From<io::Error>>(
        &self,
        part: usize,
        mut take: impl FnMut(&[u64; W]) -> Result<(), E>,
    ) -> Result<(), E> {
        if let [Batch::Memory(all)] = self.batches.as_slice() {
            let (start, end) = self.range(&self.batches[0], part);
            return all[start as usize..end as usize].iter().try_for_each(take);
        }
        let open = self.batches.len() * rayon::current_num_threads();
        let buffer = (self.buffer_bytes / open.max(1)).clamp(16 << 10, 1 << 20);
        let mut readers = Vec::new();
        let mut heap = BinaryHeap::new();
        for batch in &self.batches {
            let Batch::Spill(spill) = batch else { continue };
            let (start, end) = self.range(batch, part);
            let mut reader = SpillReader {
                spill,
                next: start,
                end,
                buffer: Vec::new(),
                at: 0,
                capacity: buffer / (8 * W),
            };
            if let Some(first) = reader.next()? {
                heap.push(Reverse((first, readers.len())));
                readers.push(reader);
            }
        }
        while let Some(mut smallest) = heap.peek_mut() {
            let Reverse((occurrence, reader)) = &mut *smallest;
            take(occurrence)?;
            match readers[*reader].next()? {
                Some(next) => *occurrence = next,
                None => {
                    PeekMut::pop(smallest);
                }
            }
        }
        Ok(())
    }
}

/// Reads one part of one spill.
struct SpillReader<'a, const W: usize> {
    spill: &'a Spill,
    /// The next occurrence to read from the file, and the end of the part.
    next: u64,
    end: u64,
    buffer: Vec<[u64; W]>,
    at: usize,
    capacity: usize,
}

impl<const W: usize> SpillReader<'_, W> {
    fn next(&mut self) -> io::Result<Option<[u64; W]>> {
        if self.at == self.buffer.len() {
            let count = self.capacity.min((self.end - self.next) as usize);
            if count == 0 {
                return Ok(None);
            }
            let mut bytes = vec![0; count * W * 8];
            self.spill
                .file
                .read_exact_at(&mut bytes, self.next * W as u64 * 8)
                .map_err(naming(&self.spill.path))?;
            self.buffer.clear();
            let (words, _) = bytes.as_chunks::<8>();
            let (words, _) = words.as_chunks::<W>();
            self.buffer
                .extend(words.iter().map(|words| words.map(u64::from_le_bytes)));
            self.next += count as u64;
            self.at = 0;
        }
        self.at += 1;
        Ok(Some(self.buffer[self.at - 1]))
    }
}
