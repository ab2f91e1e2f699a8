//! Posting runs: the occurrences of consecutive contexts, compressed.
//!
//! An occurrence is one number, `latent id · HWK + position`; a list holds the occurrences of one
//! (context, bit) in ascending order. A list of two or more is written as varints (LEB128), the first
//! occurrence and then the gaps minus one, into runs of about [`RUN_BYTES`] bytes, one list after the
//! other. A list may go on in the next runs; the first occurrence in a run is always written whole, so
//! a run is read without the one before. RocksDB compresses each run with zstd: neighbouring contexts
//! occur in the same places of the same shapes, which zstd finds and a code for single gaps cannot: Rice
//! codes take more room and as long to write (`docs/notes/index.md`). The byte-level page is `schemas/index.md`.

use super::record::List;

/// A run ends at the first occurrence that fills it to this: what is decompressed to reach a posting.
pub(super) const RUN_BYTES: usize = 16 << 10;

/// Fewest postings that fill a run, to number runs without knowing how long they get: a varint of a
/// `u64` takes at most 10 bytes.
pub(super) const MIN_RUN_POSTINGS: u64 = (RUN_BYTES / 10) as u64;

/// Packs lists into runs.
pub(super) struct RunWriter<F> {
    /// Takes each finished run: number and bytes.
    finish: F,
    number: u64,
    bytes: Vec<u8>,
    /// Occurrences of the list under work so far.
    count: u64,
    /// The first of them, held back until there is a second: a list of one needs no run.
    first: u64,
    /// Where the list begins, once there is a second.
    start: (u64, u32),
    /// The occurrence before, if it is in the same run and list.
    last: Option<u64>,
}

impl<E, F: FnMut(u64, &[u8]) -> Result<(), E>> RunWriter<F> {
    /// Runs are numbered from `first` on and handed to `finish` in that order.
    pub(super) fn new(first: u64, finish: F) -> Self {
        Self {
            finish,
            number: first,
            bytes: Vec::with_capacity(RUN_BYTES + 16),
            count: 0,
            first: 0,
            start: (0, 0),
            last: None,
        }
    }

    /// Adds an occurrence, larger than the one before, to the list under work.
    pub(super) fn push(&mut self, occurrence: u64) -> Result<(), E> {
        match self.count {
            0 => self.first = occurrence,
            1 => {
                self.flush_if_full()?;
                // A run is shorter than RUN_BYTES plus one varint, far below 2³².
                self.start = (self.number, self.bytes.len() as u32);
                self.write(self.first);
                self.flush_if_full()?;
                self.write(occurrence);
            }
            _ => {
                self.flush_if_full()?;
                self.write(occurrence);
            }
        }
        self.count += 1;
        Ok(())
    }

    /// Ends the list under work and says where it lies.
    pub(super) fn end_list(&mut self) -> List {
        let (run, offset) = self.start;
        let list = match self.count {
            0 => List::Empty,
            1 => List::One(self.first),
            count => List::Many { count, run, offset },
        };
        self.count = 0;
        self.last = None;
        list
    }

    /// Hands out the last run.
    pub(super) fn finish(mut self) -> Result<(), E> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        (self.finish)(self.number, &self.bytes)
    }

    fn write(&mut self, occurrence: u64) {
        let mut left = match self.last {
            Some(last) => occurrence - last - 1,
            None => occurrence,
        };
        while left >= 0x80 {
            self.bytes.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.bytes.push(left as u8);
        self.last = Some(occurrence);
    }

    fn flush_if_full(&mut self) -> Result<(), E> {
        if self.bytes.len() >= RUN_BYTES {
            (self.finish)(self.number, &self.bytes)?;
            self.number += 1;
            self.bytes.clear();
            self.last = None;
        }
        Ok(())
    }
}

/// Reads the part of a list that lies in one run.
pub(super) struct RunReader<B> {
    bytes: B,
    at: usize,
    last: Option<u64>,
}

impl<B: AsRef<[u8]>> RunReader<B> {
    /// Starts at `offset` of a run.
    pub(super) fn new(bytes: B, offset: usize) -> Self {
        Self {
            bytes,
            at: offset,
            last: None,
        }
    }

    /// Returns whether the run has nothing left: a list that goes on does so in the next one.
    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.as_ref().len()
    }

    /// Returns the next occurrence; `None` when the bytes are damaged.
    pub(super) fn read(&mut self) -> Option<u64> {
        let mut value = 0u64;
        let mut shift = 0;
        loop {
            let byte = *self.bytes.as_ref().get(self.at)?;
            self.at += 1;
            let part = u64::from(byte & 0x7f);
            // The tenth byte holds the 64th bit and nothing above it.
            if shift > 63 || part << shift >> shift != part {
                return None;
            }
            value |= part << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
        let occurrence = match self.last {
            Some(last) => last.checked_add(value)?.checked_add(1)?,
            None => value,
        };
        self.last = Some(occurrence);
        Some(occurrence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Runs = Vec<(u64, Vec<u8>)>;

    fn write(lists: &[Vec<u64>], first: u64) -> (Vec<List>, Runs) {
        let mut runs = Runs::new();
        let mut writer = RunWriter::new(first, |number, bytes: &[u8]| {
            runs.push((number, bytes.to_vec()));
            Ok::<(), ()>(())
        });
        let places = lists.iter().map(|list| {
            list.iter().for_each(|o| writer.push(*o).unwrap());
            writer.end_list()
        });
        let places = places.collect();
        writer.finish().unwrap();
        (places, runs)
    }

    fn read(list: &List, runs: &Runs) -> Vec<u64> {
        let List::Many { count, run, offset } = *list else {
            return match list {
                List::One(only) => vec![*only],
                _ => vec![],
            };
        };
        let mut found = Vec::new();
        let bytes_of = |run| &runs.iter().find(|(number, _)| *number == run).unwrap().1;
        let (mut run, mut reader) = (run, RunReader::new(bytes_of(run), offset as usize));
        while (found.len() as u64) < count {
            if reader.is_at_end() {
                run += 1;
                reader = RunReader::new(bytes_of(run), 0);
            }
            found.push(reader.read().unwrap());
        }
        found
    }

    fn lists() -> impl Strategy<Value = Vec<Vec<u64>>> {
        let gap = prop_oneof![1..3u64, 1..1000u64, 1..1u64 << 40];
        let list = prop::collection::vec(gap, 0..3000).prop_map(|gaps| {
            let ends = gaps.iter().scan(0u64, |at, gap| {
                *at += gap;
                Some(*at - 1)
            });
            ends.collect::<Vec<_>>()
        });
        prop::collection::vec(list, 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn lists_are_read_as_they_were_written(lists in lists(), first in 0..1000u64) {
            let (places, runs) = write(&lists, first);
            for (list, place) in lists.iter().zip(&places) {
                prop_assert_eq!(&read(place, &runs), list);
                prop_assert_eq!(place.count(), list.len() as u64);
            }
            for (i, ((number, bytes), expected)) in runs.iter().zip(first..).enumerate() {
                prop_assert_eq!(*number, expected);
                prop_assert!(bytes.len() >= RUN_BYTES || i + 1 == runs.len());
            }
            let postings: usize = lists.iter().map(Vec::len).sum();
            prop_assert!(runs.len() as u64 <= postings as u64 / MIN_RUN_POSTINGS + 1);
        }

        #[test]
        fn damaged_runs_are_no_panic(
            bytes in prop::collection::vec(prop_oneof![Just(0xffu8), any::<u8>()], 0..64),
            at in 0..70usize,
        ) {
            let mut reader = RunReader::new(&bytes, at);
            let mut last = None;
            while let Some(occurrence) = reader.read() {
                prop_assert!(last < Some(occurrence));
                last = Some(occurrence);
            }
        }
    }
}
