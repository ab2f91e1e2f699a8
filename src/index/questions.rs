//! Questions to the arrays of an index, less the latents that are left out.

use super::array::{Questions, Range, Stored};
use super::{Histogram, Index, IndexError};
use crate::window::Context;

impl Index {
    /// Returns what answers from an array.
    pub(super) fn questions(&self, array: usize) -> Result<Questions<'_, Stored<'_>>, IndexError> {
        Ok(self.arrays[array].questions(self.packed(array)?, self.store()))
    }

    /// Returns the entries of contexts with the first `bits` bits of what is asked, and their histogram without latents that
    /// are left out.
    pub(super) fn range_of(
        &self,
        array: usize,
        asked: &[u64],
        bits: usize,
    ) -> Result<(Range, Histogram), IndexError> {
        let range = self.questions(array)?.range(asked, bits)?;
        let mut histogram = range.histogram();
        if let Some(left_out) = &self.left_out {
            let gone = left_out
                .range(
                    array,
                    self.packed(array)?,
                    &self.arrays[array].order,
                    asked,
                    bits,
                )
                .histogram();
            let rest = |held: u64, gone: u64| {
                held.checked_sub(gone).ok_or_else(|| {
                    self.damaged(&format!("at least {gone} occurrences of a context"), held)
                })
            };
            histogram = Histogram {
                n0: rest(histogram.n0, gone.n0)?,
                n1: rest(histogram.n1, gone.n1)?,
            };
        }
        Ok((range, histogram))
    }

    /// Returns whether a context of latents that are not left out has the bits of what is asked where `mask` has ones.
    pub(super) fn any_with(
        &self,
        array: usize,
        asked: &Context,
        mask: &Context,
        bits: usize,
    ) -> Result<bool, IndexError> {
        let questions = self.questions(array)?;
        let mut found = false;
        questions.each_with(asked.words(), mask.words(), bits, |entry| {
            let (_, histogram) = match self.left_out {
                None => {
                    found = true;
                    return Ok(false);
                }
                Some(_) => self.range_of(array, entry, bits)?,
            };
            found = histogram.total() > 0;
            Ok(!found)
        })?;
        Ok(found)
    }
}
