//! What the index holds of a context: one search for its histogram and for where its postings lie.

use super::array::Range;
use super::{Histogram, IndexError, Postings, WindowIndex};
use crate::window::Context;

/// A context that occurred.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    window: WindowIndex<'a>,
    range: Range,
    histogram: Histogram,
}

impl<'a> Found<'a> {
    /// Returns the counts of the bits that followed the context.
    pub fn histogram(&self) -> Histogram {
        self.histogram
    }

    /// Returns the places where the context was followed by `bit`, as [`WindowIndex::postings`] does.
    pub fn postings(&self, bit: bool) -> Postings<'a> {
        Postings::new(self.window, self.range, bit, self.histogram.count(bit))
    }
}

impl<'a> WindowIndex<'a> {
    /// Looks up a context; `None` when it never occurred. Finding the postings afterwards takes no other search.
    ///
    /// # Errors
    /// As [`WindowIndex::lookup`].
    pub fn find(&self, context: &Context) -> Result<Option<Found<'a>>, IndexError> {
        let (range, histogram) = self.range(context)?;
        let found = Found {
            window: *self,
            range,
            histogram,
        };
        Ok((histogram.total() > 0).then_some(found))
    }
}
