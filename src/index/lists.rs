//! The postings of one (context, bit).

use super::postings::RunReader;
use super::record::List;
use super::store::{Family, Value};
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
    /// Postings of the list not yet read.
    unread: u64,
    /// Postings not yet handed out: those of latents that are left out never are.
    left: u64,
    /// The run under work and its number.
    run: Option<(u64, RunReader<Value<'a>>)>,
}

impl<'a> Postings<'a> {
    /// Starts to read a list, `count` of whose postings are of latents that are not left out.
    pub(super) fn new(index: &'a Index, window: Window, bits: u64, list: List, count: u64) -> Self {
        Self {
            index,
            window,
            bits,
            unread: list.count(),
            left: count,
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

    /// Returns the next posting of a latent that is not left out.
    fn read_kept(&mut self) -> Result<Posting, IndexError> {
        while self.unread > 0 {
            self.unread -= 1;
            let number = self.read()?;
            let latent = number / self.bits;
            if !self.index.is_left_out(latent) {
                let position = (number % self.bits) as usize;
                return Ok(Posting { latent, position });
            }
        }
        let found = format!("{} too few", self.left + 1);
        Err(self.index.damaged("as many postings as are counted", found))
    }

    fn open_run(&self, number: u64, offset: usize) -> Result<RunReader<Value<'a>>, IndexError> {
        let family = Family::Postings(self.window);
        match self.index.store().get(family, &number.to_be_bytes())? {
            Some(bytes) => Ok(RunReader::new(bytes, offset)),
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
        let posting = self.read_kept();
        if posting.is_err() {
            self.left = 0;
        }
        Some(posting)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.left as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Postings<'_> {}
