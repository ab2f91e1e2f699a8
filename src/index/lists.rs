//! The postings of one (context, bit).

use super::postings::RunReader;
use super::record::List;
use super::store::Family;
use super::{Index, IndexError};
use crate::window::Window;

/// One occurrence of (context, next bit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Posting {
    /// Id of the latent.
    pub latent: u64,
    /// Position of the bit in it.
    pub position: usize,
}

/// The occurrences of one (context, bit), read as they are asked for.
pub struct Postings<'a> {
    index: &'a Index,
    window: Window,
    /// Bits of a latent.
    bits: u64,
    list: List,
    /// Postings not yet handed out.
    left: u64,
    /// The run under work and its number.
    run: Option<(u64, RunReader<Vec<u8>>)>,
}

impl<'a> Postings<'a> {
    pub(super) fn new(index: &'a Index, window: Window, bits: u64, list: List) -> Self {
        Self {
            index,
            window,
            bits,
            left: list.count(),
            list,
            run: None,
        }
    }

    fn read(&mut self) -> Result<u64, IndexError> {
        let (run, offset) = match self.list {
            List::Many { run, offset, .. } => (run, offset as usize),
            List::One(only) => return Ok(only),
            // Nothing is left of an empty list, so `next` does not come here.
            List::Empty => return Err(self.index.damaged("a posting", "an empty list")),
        };
        let (number, reader) = match self.run.take() {
            None => (run, self.open_run(run, offset)?),
            Some((number, reader)) if reader.is_at_end() => {
                (number + 1, self.open_run(number + 1, 0)?)
            }
            Some(same) => same,
        };
        let (_, reader) = self.run.insert((number, reader));
        reader.read().ok_or_else(|| {
            let found = format!("bytes that are none in run {number}");
            self.index.damaged("a posting", found)
        })
    }

    fn open_run(&self, number: u64, offset: usize) -> Result<RunReader<Vec<u8>>, IndexError> {
        let family = Family::Postings(self.window);
        match self.index.store().get(family, &number.to_be_bytes())? {
            Some(bytes) => Ok(RunReader::new(bytes.to_vec(), offset)),
            None => Err(self
                .index
                .damaged("a posting run", format!("no run {number}"))),
        }
    }
}

impl Iterator for Postings<'_> {
    type Item = Result<Posting, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let number = self.read();
        if number.is_err() {
            self.left = 0;
        }
        Some(number.map(|number| Posting {
            latent: number / self.bits,
            position: (number % self.bits) as usize,
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.left as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Postings<'_> {}
