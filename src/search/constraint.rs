//! What a sample must satisfy beyond support: one small trait, one file for each constraint.

use std::ops::Range;

use super::SearchError;
use crate::latent::Shape;
use crate::window::Frame;

/// A condition on samples. A search holds it exactly: what it forces is never drawn otherwise, and a
/// part that it refutes is a dead end like any other, with the blame that it gives.
pub trait Constraint: Sync {
    /// The value that the bit at `position` must have, if there is one. Such a bit needs no support.
    fn forced(&self, position: usize) -> Option<bool> {
        let _ = position;
        None
    }

    /// Whether no latent that begins with the first `decided` bits of `frame` satisfies the condition;
    /// then the earlier positions that are to blame: every latent that agrees in them is refuted as well.
    ///
    /// Asked whenever the search has decided a row or, if it works bit by bit, a bit; and always when all
    /// are decided.
    fn refuted(&self, frame: &Frame, decided: usize) -> Option<Vec<Range<usize>>> {
        let _ = (frame, decided);
        None
    }

    /// Whether [`Constraint::refuted`] ever refutes anything.
    fn judges_whole_samples(&self) -> bool {
        true
    }

    /// Whether the condition can be met on a grid of this shape.
    ///
    /// # Errors
    /// What is wrong with it, as [`SearchError::OffGrid`].
    fn check(&self, shape: Shape) -> Result<(), SearchError> {
        let _ = shape;
        Ok(())
    }
}

/// Several conditions at once.
#[derive(Clone, Copy)]
pub(super) struct Constraints<'a>(pub(super) &'a [&'a dyn Constraint]);

impl Constraints<'_> {
    pub(super) fn forced(&self, position: usize) -> Option<bool> {
        self.0
            .iter()
            .find_map(|constraint| constraint.forced(position))
    }

    /// Whether two conditions force a bit to different values.
    pub(super) fn contradict(&self, position: usize) -> bool {
        let mut forced = self.0.iter().filter_map(|c| c.forced(position));
        let first = forced.next();
        forced.any(|value| Some(value) != first)
    }

    pub(super) fn refuted(&self, frame: &Frame, decided: usize) -> Option<Vec<Range<usize>>> {
        self.0
            .iter()
            .find_map(|constraint| constraint.refuted(frame, decided))
    }
}
