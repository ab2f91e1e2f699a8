//! Next-bit histograms, and who can be asked for one.

use super::IndexError;
use crate::window::{Context, ContextKey, Frame, Geometry, UpperKey};

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

/// A context that is asked about, in the form in which whoever answers looks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// By its key: a table.
    Key(ContextKey),
    /// Laid out: an array.
    Context(Context),
}

/// The rows above a site, as whoever answers looks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpperQuestion {
    /// By the part of a key: a table.
    Key(UpperKey),
    /// Laid out, with ones where the rows above are: an array.
    Context(Context, Context),
}

/// Answers what followed a context: an index, or anything that stands in for one.
pub trait Counts: Sync {
    /// Returns the question about the context at `position`, in the form that is answered. `frame` must be made for
    /// `geometry`.
    fn question(&self, geometry: &Geometry, frame: &mut Frame, position: usize) -> Question {
        Question::Key(geometry.key(frame, position))
    }

    /// Returns the question about the rows above `position`, where [`Geometry::upper_key`] has one.
    fn upper_question(
        &self,
        geometry: &Geometry,
        frame: &mut Frame,
        position: usize,
    ) -> Option<UpperQuestion> {
        geometry.upper_key(frame, position).map(UpperQuestion::Key)
    }

    /// Returns the histogram of a context, `None` when it never occurred ("no match"), or was asked about in another form.
    ///
    /// # Errors
    /// Whatever keeps the answer from being read; never a wrong answer.
    fn histogram(&self, question: &Question) -> Result<Option<Histogram>, IndexError>;

    /// Returns the histograms of many contexts, in the order given: `found` is cleared first.
    ///
    /// # Errors
    /// As [`Counts::histogram`].
    fn histograms(
        &self,
        questions: &[Question],
        found: &mut Vec<Option<Histogram>>,
    ) -> Result<(), IndexError> {
        found.clear();
        for question in questions {
            found.push(self.histogram(question)?);
        }
        Ok(())
    }

    /// Returns what tells one array of contexts from another, where [`Counts::longest_part`] answers from one: windows of the
    /// same array are parts of each other.
    fn array(&self) -> Option<usize> {
        None
    }

    /// Returns how many bits of a context, laid out, make up its longest part of whole sites that one of the bits followed at least
    /// `min_count` times, and what followed that; `None` where none did, or there is no [`Counts::array`].
    ///
    /// # Errors
    /// As [`Counts::histogram`].
    fn longest_part(
        &self,
        question: &Question,
        min_count: u64,
    ) -> Result<Option<(usize, Histogram)>, IndexError> {
        let _ = (question, min_count);
        Ok(None)
    }

    /// Returns whether any context with these rows above occurred.
    ///
    /// # Errors
    /// As [`Counts::histogram`].
    fn has_upper(&self, question: &UpperQuestion) -> Result<bool, IndexError>;
}
