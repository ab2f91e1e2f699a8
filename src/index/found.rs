//! What the index holds of a context: one search for its histogram and for where its postings lie; and of the longest part of
//! one that it holds.

use super::array::{Range, longest_of};
use super::{Histogram, Index, IndexError, Postings, WindowIndex};
use crate::window::{Context, Direction, Window};

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
        let found = self.longest_of(context, min_count, |histogram| histogram.total())?;
        let Some((length, range, histogram)) = found else {
            return Ok(None);
        };
        let (index, (array, _)) = (self.index(), self.place());
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
            sites: index.arrays[array].order.sites_within(length),
            window: window.next().map(|(_, window)| window),
            found,
        }))
    }
}

impl WindowIndex<'_> {
    /// Returns the bits of the longest part of a context, in whole sites, of which `often` says `min_count` or more (1 for 0), its
    /// entries, and what followed it. What `often` says of a part must be no more than it says of a shorter one, and 0 only
    /// of one that never occurred.
    pub(super) fn longest_of(
        &self,
        context: &Context,
        min_count: u64,
        often: impl Fn(Histogram) -> u64,
    ) -> Result<Option<(usize, Range, Histogram)>, IndexError> {
        let (index, (array, bits)) = (self.index(), self.place());
        if context.bits() != bits {
            return Ok(None);
        }
        if min_count <= 1 && index.left_out.is_none() {
            let found = index.questions(array)?.longest(context.words(), bits)?;
            return Ok(found.map(|(bits, range)| (bits, range, range.histogram())));
        }
        let found = longest_of(&index.arrays[array].order, bits, |bits| {
            let (range, histogram) = index.range_of(array, context.words(), bits)?;
            let holds = often(histogram) >= min_count.max(1);
            Ok::<_, IndexError>(holds.then_some((range, histogram)))
        })?;
        Ok(found.map(|(bits, (range, histogram))| (bits, range, histogram)))
    }

    /// Returns the windows within this one, itself first: one for each number of nearest sites, or bits on a line; where those are
    /// more than `max_windows`, the whole ones.
    pub fn parts(&self, max_windows: usize) -> Vec<Window> {
        let (array, bits) = self.place();
        let order = &self.index().arrays[array].order;
        let sites = order.sites_within(bits);
        // No bit before a bit is no window.
        let smallest = usize::from(order.direction() == Direction::Line);
        if sites + 1 - smallest > max_windows {
            return self.whole_parts();
        }
        let of = |sites: usize| match order.direction() {
            Direction::Rings => Window::of_sites(sites),
            Direction::Line => Window::Sequence { length: sites },
        };
        let smaller = (smallest..sites).rev().map(of);
        std::iter::once(self.geometry().window())
            .chain(smaller)
            .collect()
    }

    /// Returns the whole windows within this one that are counted, itself first.
    pub fn whole_parts(&self) -> Vec<Window> {
        let (array, bits) = self.place();
        let held = self.index().all_windows();
        let within = held.filter(|held| held.place().0 == array && held.place().1 < bits);
        let whole = within.map(|held| held.geometry().window());
        let mut whole: Vec<Window> = whole.filter(|window| window.whole() == *window).collect();
        whole.push(self.geometry().window());
        whole.reverse();
        whole
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
