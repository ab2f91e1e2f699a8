//! Who answers where the index has no match.

use super::{Contexts, Window};

/// A function from contexts to the probability of a 1: what a search falls back on.
///
/// The answer for a context must be a function of that context alone, bit for bit, whatever else is asked in the
/// same batch and on whichever thread: samples depend on it.
pub trait Interpolator: Sync {
    /// Returns the window of its contexts.
    fn window(&self) -> Window;

    /// Puts the probability of a 1 of each context, in 0..=1, into `found`.
    fn probabilities(&self, contexts: &Contexts, found: &mut Vec<f32>);
}
