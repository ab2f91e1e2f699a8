//! Next-bit histograms, and who can be asked for one.

use super::IndexError;
use crate::window::{ContextKey, UpperKey};

/// How often 0 and 1 followed a context in the latent set: Eqn 12 times its denominator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Histogram {
    /// Occurrences of the context with next bit 0.
    pub n0: u64,
    /// Occurrences of the context with next bit 1.
    pub n1: u64,
}

impl Histogram {
    /// Returns how often the context occurred. Cannot overflow: an index holds fewer than 2⁵² positions.
    pub fn total(&self) -> u64 {
        self.n0 + self.n1
    }

    /// Returns how often this bit came next.
    pub fn count(&self, bit: bool) -> u64 {
        if bit { self.n1 } else { self.n0 }
    }

    /// Returns whether both bits came next somewhere in the latent set.
    pub fn is_ambiguous(&self) -> bool {
        self.n0 > 0 && self.n1 > 0
    }
}

/// Answers what followed a context: an index, or anything that stands in for one.
pub trait Counts: Sync {
    /// Returns the histogram of a context, `None` when it never occurred ("no match").
    ///
    /// # Errors
    /// Whatever keeps the answer from being read; never a wrong answer.
    fn histogram(&self, key: &ContextKey) -> Result<Option<Histogram>, IndexError>;

    /// Returns the histograms of many contexts, in the order given: `found` is cleared first.
    ///
    /// # Errors
    /// As [`Counts::histogram`].
    fn histograms(
        &self,
        keys: &[ContextKey],
        found: &mut Vec<Option<Histogram>>,
    ) -> Result<(), IndexError> {
        found.clear();
        for key in keys {
            found.push(self.histogram(key)?);
        }
        Ok(())
    }

    /// Returns whether any context with this upper part occurred.
    ///
    /// # Errors
    /// As [`Counts::histogram`].
    fn has_upper(&self, upper: &UpperKey) -> Result<bool, IndexError>;
}
