//! The postings of one (context, bit).

use super::array::{Range, Walk};
use super::{Index, IndexError};

/// One occurrence of (context, next bit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Posting {
    /// Id of the latent.
    pub latent: u64,
    /// Position of the bit in it.
    pub position: usize,
}

/// The occurrences of one (context, bit), read block by block as they are asked for.
pub struct Postings<'a> {
    index: &'a Index,
    /// The number of the array.
    array: usize,
    walk: Walk,
    /// Postings not yet handed out: those of latents that are left out never are.
    left: u64,
    /// Occurrences that were read, the next one last.
    read: Vec<u64>,
    /// How many are read at a time: few at first, since most lists are only begun.
    most: u64,
}

/// Occurrences that are read first, and at most at a time.
const FIRST: u64 = 16;
const MOST: u64 = 512;

impl<'a> Postings<'a> {
    /// Starts to read the entries of a range that `bit` follows, `count` of which are of latents that are not left out.
    pub(super) fn new(index: &'a Index, array: usize, range: Range, bit: bool, count: u64) -> Self {
        Self {
            index,
            array,
            walk: Walk::new(range, bit),
            left: count,
            read: Vec::new(),
            most: FIRST,
        }
    }

    /// Returns the next posting of a latent that is not left out.
    fn read_kept(&mut self) -> Result<Posting, IndexError> {
        let index = self.index;
        let level = *index.arrays[self.array].order.level();
        let bits = level.bits() as u64;
        loop {
            while let Some(occurrence) = self.read.pop() {
                let latent = occurrence / bits;
                if !index.is_left_out(latent) {
                    let position = level.start() + (occurrence % bits) as usize;
                    return Ok(Posting { latent, position });
                }
            }
            if !index
                .questions(self.array)?
                .step(&mut self.walk, self.most, &mut self.read)?
            {
                let found = format!("{} too few", self.left + 1);
                return Err(index.damaged("as many postings as are counted", found));
            }
            self.read.reverse();
            self.most = (2 * self.most).min(MOST);
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
