//! What the index holds of a context: one read for its histogram and for where its postings lie.

use super::record::ContextRecord;
use super::{Histogram, IndexError, Postings, WindowIndex};
use crate::window::ContextKey;

/// A context that occurred.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    window: WindowIndex<'a>,
    record: ContextRecord,
    histogram: Histogram,
}

impl<'a> Found<'a> {
    /// Returns the counts of the bits that followed the context.
    pub fn histogram(&self) -> Histogram {
        self.histogram
    }

    /// Returns the places where the context was followed by `bit`, in ascending order of latent and position, as
    /// [`WindowIndex::postings`] does.
    pub fn postings(&self, bit: bool) -> Postings<'a> {
        let count = self.histogram.count(bit);
        self.window.read_list(*self.record.list(bit), count)
    }
}

impl<'a> WindowIndex<'a> {
    /// Looks up many contexts, in the order given. Costs the reads of [`WindowIndex::lookup_batch`]; finding the
    /// postings afterwards takes no other read.
    ///
    /// # Errors
    /// As [`WindowIndex::lookup`].
    pub fn find_batch(&self, keys: &[ContextKey]) -> Result<Vec<Option<Found<'a>>>, IndexError> {
        let records = keys.iter().zip(self.read_batch(keys)?);
        let found = records.map(|(key, record)| {
            let record = record?;
            Some(Found {
                window: *self,
                histogram: self.answer(key, &record)?,
                record,
            })
        });
        Ok(found.collect())
    }
}
