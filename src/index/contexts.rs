//! All contexts of a window, read from its array block by block.

use std::ops::Range;
use std::sync::Arc;

use super::array::{Asked, Block, Blocks};
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
    /// without latents that are left out, unless nothing remains of it.
    pub(super) fn visit(
        &self,
        range: &Range<usize>,
        mut take: impl FnMut(u64, Histogram) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let index = self.index();
        let (array, bits) = self.place();
        let questions = index.questions(array)?;
        let mut begun: Option<(u64, Histogram)> = None;
        // The context that goes on from the block before belongs to who reads that.
        let mut last = match range.start.checked_sub(1) {
            Some(before) => questions.blocks.block(before)?.firsts.last().copied(),
            None => None,
        };
        let mut number = range.start;
        while number < self.index().arrays[array].blocks() {
            let block: Arc<Block> = questions.blocks.block(number)?;
            for group in 0..block.groups() {
                let first = block.firsts[group];
                let same = last.is_some_and(|last| questions.common_of(last, first, bits) >= bits);
                last = Some(first);
                if !same {
                    if let Some(ended) = begun.take() {
                        self.hand_over(ended, &mut take)?;
                    }
                    if number >= range.end {
                        return Ok(());
                    }
                    begun = Some((first, Histogram::default()));
                }
                if let Some((_, histogram)) = &mut begun {
                    let count = block.before(group + 1).0 - block.before(group).0;
                    match block.bit(group) {
                        false => histogram.n0 += count,
                        true => histogram.n1 += count,
                    }
                }
            }
            number += 1;
            if number >= range.end && begun.is_none() {
                return Ok(());
            }
        }
        match begun {
            Some(ended) => self.hand_over(ended, &mut take),
            None => Ok(()),
        }
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
        let (_, histogram) = index.range_of(array, &mut Asked::new(words), bits)?;
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
