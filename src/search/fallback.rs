//! Where no window has an answer, and the user allows it: a network's.

use super::SearchError;
use crate::base::choice;
use crate::window::Interpolator;
use crate::window::{Contexts, Frame, Geometry};

/// The least probability that a network gives a value: it never rules one out, so a bit that it may answer is
/// never a dead end.
pub const MIN_PROBABILITY: f64 = 1.0 / (1 << 20) as f64;

choice! {
    "kebab-case",
    /// When the network answers.
    #[non_exhaustive]
    pub enum Policy {
        /// For every bit whose context no window has a match for, instead of a dead end; found bit by bit.
        #[strum(
            message = "Where no window has a match, instead of a dead end; bits are then found one by one"
        )]
        OnNoMatch,
        /// When a search without it has proved that no sample exists, or spent its budget: then one that lets it in
        /// where a row would be dead otherwise, one column at a time.
        #[strum(
            message = "When a search without it has proved that there is no sample, or spent its budget"
        )]
        OnDeadEnd,
        /// For every free bit; no window is asked.
        #[strum(message = "For every free bit; no window is asked")]
        Always,
    }
}

/// A network that may answer.
#[derive(Clone, Copy)]
pub struct Fallback<'a> {
    /// Its window, laid on the grid of the samples.
    pub geometry: &'a Geometry,
    /// What it answers.
    pub network: &'a dyn Interpolator,
    /// When it is asked.
    pub policy: Policy,
    /// Most bits of a sample that it may answer; a sample that needs more ends as
    /// [`Status::CapReached`](crate::samples::Status::CapReached).
    pub max_interpolated: Option<u64>,
}

impl Fallback<'_> {
    /// The probabilities of a 0 and a 1 for each context.
    pub(super) fn ask(
        &self,
        contexts: &Contexts,
        chances: &mut Vec<[f64; 2]>,
    ) -> Result<(), SearchError> {
        let mut found = Vec::with_capacity(contexts.len());
        self.network.probabilities(contexts, &mut found);
        if found.len() != contexts.len() {
            return Err(SearchError::Interpolator {
                found: format!("{} answers to {} contexts", found.len(), contexts.len()),
            });
        }
        chances.clear();
        for one in found {
            if !(0.0..=1.0).contains(&one) {
                return Err(SearchError::Interpolator {
                    found: format!("a probability of {one}"),
                });
            }
            let one = f64::from(one).clamp(MIN_PROBABILITY, 1.0 - MIN_PROBABILITY);
            chances.push([1.0 - one, one]);
        }
        Ok(())
    }

    /// Adds the context of a position to those that are asked.
    pub(super) fn push(&self, frame: &Frame, position: usize, contexts: &mut Contexts) {
        contexts.push(self.geometry, frame, position);
    }
}
