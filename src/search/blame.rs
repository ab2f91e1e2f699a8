//! Which decided bits a dead end is due to.

use std::ops::Range;

/// For some levels of a search, an interval of their bits, counted from the level's start. Whatever agrees
/// with the latent in these bits meets the same dead end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Blame(
    /// By level, ascending; no interval is empty.
    Vec<(usize, Range<usize>)>,
);

impl Blame {
    /// Blames more bits of a level: the interval grows to the hull of both.
    pub(super) fn add(&mut self, level: usize, more: Range<usize>) {
        if more.is_empty() {
            return;
        }
        match self.0.binary_search_by_key(&level, |(level, _)| *level) {
            Ok(i) => {
                let bits = &mut self.0[i].1;
                *bits = bits.start.min(more.start)..bits.end.max(more.end);
            }
            Err(i) => self.0.insert(i, (level, more)),
        }
    }

    /// Adds what another dead end blames.
    pub(super) fn inherit(&mut self, other: &Self) {
        for (level, bits) in &other.0 {
            self.add(*level, bits.clone());
        }
    }

    /// Returns the latest level blamed, with its bits.
    pub(super) fn latest(&self) -> Option<(usize, Range<usize>)> {
        self.0.last().cloned()
    }

    /// Returns the levels blamed with their bits, ascending.
    pub(super) fn levels(&self) -> &[(usize, Range<usize>)] {
        &self.0
    }

    /// Returns what is blamed on levels before the latest one.
    pub(super) fn before_latest(mut self) -> Self {
        self.0.pop();
        self
    }
}
