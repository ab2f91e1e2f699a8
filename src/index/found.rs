//! What the index holds of a context: one search for its histogram and for where its postings lie; and of the longest part of
//! one that it holds.

use super::array::{Asked, Range, longest_of};
use super::{Histogram, Index, IndexError, Postings, WindowIndex};
use crate::window::{Context, Window};

/// A context that occurred.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    index: &'a Index,
    /// The number of the array.
    array: usize,
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
        let count = self.histogram.count(bit);
        Postings::new(self.index, self.array, self.range, bit, count)
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
            index: self.index(),
            array: self.place().0,
            range,
            histogram,
        };
        Ok((histogram.total() > 0).then_some(found))
    }

    /// Finds the longest part of a context, nearest sites first, that occurred at least `min_count` times (1 for 0); `None` where
    /// not even its beginning, the site's own earlier channels, did. Among as many sites as that every shorter part occurred
    /// as often or more. One search for the part, and one for its entries.
    ///
    /// # Errors
    /// As [`WindowIndex::lookup`].
    pub fn longest(
        &self,
        context: &Context,
        min_count: u64,
    ) -> Result<Option<Longest<'a>>, IndexError> {
        let (array, bits) = self.place();
        if context.bits() != bits {
            return Ok(None);
        }
        let index = self.index();
        let order = &index.arrays[array].order;
        let mut asked = Asked::new(context.words().to_vec());
        let min_count = min_count.max(1);
        let found = match index.left_out {
            None => index
                .questions(array)?
                .longest(&mut asked, bits, min_count)?,
            Some(_) => longest_of(order, bits, |bits| {
                let (range, histogram) = index.range_of(array, &mut asked, bits)?;
                Ok::<_, IndexError>((histogram.total() >= min_count).then_some(range))
            })?,
        };
        let Some((length, range)) = found else {
            return Ok(None);
        };
        let (_, histogram) = index.range_of(array, &mut asked, length)?;
        let window = index
            .all_windows()
            .map(|held| (held.place(), held.geometry().window()));
        let mut window = window.filter(|(place, _)| *place == (array, length));
        let found = Found {
            index,
            array,
            range,
            histogram,
        };
        Ok(Some(Longest {
            sites: order.sites_within(length),
            window: window.next().map(|(_, window)| window),
            found,
        }))
    }
}

/// The longest part of a context that occurred.
#[derive(Clone, Copy)]
pub struct Longest<'a> {
    /// Sites of it, nearest first, the context's own not counted; bits, of a line.
    pub sites: usize,
    /// The window that it is, where it is a whole one.
    pub window: Option<Window>,
    /// What the index holds of it.
    pub found: Found<'a>,
}
