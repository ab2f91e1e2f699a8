//! All contexts of a window, read from its array block by block.

use std::ops::Range;

use super::array::{Blocks, Range as Entries};
use super::{Histogram, IndexError, WindowIndex};
use crate::window::Context;

/// Blocks that one thread reads at a time.
const BLOCKS: usize = 64;

impl<'a> WindowIndex<'a> {
    /// Returns runs of blocks that together hold every context, to be read in parallel.
    pub(super) fn ranges(&self) -> Vec<Range<usize>> {
        let blocks = self.index().arrays[self.place().0].blocks();
        let starts = (0..blocks).step_by(BLOCKS);
        starts
            .map(|start| start..(start + BLOCKS).min(blocks))
            .collect()
    }

    /// Hands every context that begins in some blocks to `take`, in the array's order: an occurrence of it, and its histogram
    /// without latents that are left out, unless nothing remains of it. Blocks that one context fills are passed over.
    pub(super) fn visit(
        &self,
        range: &Range<usize>,
        mut take: impl FnMut(u64, Histogram) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let index = self.index();
        let (array, bits) = self.place();
        let questions = index.questions(array)?;
        let mut asked = Vec::new();
        let mut at = questions.start(range.start)?;
        // The context that goes on from the block before belongs to who reads that.
        if let Some(before) = range.start.checked_sub(1) {
            let last = questions.blocks.block(before)?.last_first();
            questions.beginning(last, bits, &mut asked);
            at = questions.end_of(&at, &asked, bits)?;
        }
        let mut starts = Vec::new();
        while at.number < range.end {
            questions.contexts_of(&at, bits, &mut starts);
            let Some(last) = starts.last() else {
                if at.number + 1 == questions.directory.blocks() {
                    break;
                }
                at = questions.start(at.number + 1)?;
                continue;
            };
            for pair in starts.windows(2) {
                let histogram = at.block.histogram(pair[0]..pair[1]);
                self.hand_over((at.block.first(pair[0]), histogram), &mut take)?;
            }
            let first = at.block.first(*last);
            let start = questions.rank(at.number, &at.block, *last);
            questions.beginning(first, bits, &mut asked);
            let block = at.number;
            at = questions.behind(&at, &asked, bits)?;
            let held = Entries {
                block,
                start,
                end: at.rank,
            };
            self.hand_over((first, held.histogram()), &mut take)?;
        }
        Ok(())
    }

    fn hand_over(
        &self,
        (occurrence, histogram): (u64, Histogram),
        take: &mut impl FnMut(u64, Histogram) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let index = self.index();
        if index.left_out.is_none() {
            return take(occurrence, histogram);
        }
        let (array, bits) = self.place();
        let words = index.questions(array)?.words_of(occurrence);
        let (_, histogram) = index.range_of(array, &words, bits)?;
        match histogram.total() {
            0 => Ok(()),
            _ => take(occurrence, histogram),
        }
    }

    /// Reads every context with its histogram, in the array's order.
    ///
    /// # Errors
    /// As [`WindowIndex::lookup`], for each.
    pub fn contexts(
        &self,
    ) -> Result<impl Iterator<Item = Result<(Context, Histogram), IndexError>> + 'a, IndexError>
    {
        let this = *self;
        let (array, bits) = self.place();
        let questions = this.index().questions(array)?;
        Ok(self.ranges().into_iter().flat_map(move |range| {
            let mut found = Vec::new();
            let read = this.visit(&range, |occurrence, histogram| {
                let context = Context::cut(questions.words_of(occurrence), bits);
                found.push(Ok((context, histogram)));
                Ok(())
            });
            found.extend(read.err().map(Err));
            found
        }))
    }
}
