//! What can go wrong in a search.

use crate::copies::CopiesError;
use crate::index::IndexError;
use crate::latent::LatentError;

/// An error of the `search` module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// A bit fixed to 0 and to 1.
    #[error("the fixed bits contradict each other: position {position} is fixed to both 0 and 1")]
    Contradiction {
        /// The bit.
        position: usize,
    },

    /// A fixed position that the latent does not have.
    #[error("position {position} is fixed, a {shape} latent has positions 0 to {last}", last = shape.bits() - 1)]
    OffGrid {
        /// The position.
        position: usize,
        /// The latent's shape.
        shape: Box<crate::latent::Shape>,
    },

    /// More free bits than backjumping can keep the blame of.
    #[error("{free} free bits are too many for backjumping: use search=chronological")]
    TooLarge {
        /// Bits that are not fixed.
        free: usize,
    },

    /// A task that no search can take.
    #[error("this cannot be searched for: {why}")]
    Task {
        /// What is wrong with it.
        why: String,
    },

    /// A task whose samples can only be enumerated.
    #[error("counting {why}: enumerate the samples instead")]
    Count {
        /// What counting does not do.
        why: &'static str,
    },

    /// A network whose answer is none.
    #[error(
        "the network that answers where no window does: expected probabilities of 0 to 1, found {found}: train it \
         again, or search without it"
    )]
    Interpolator {
        /// What it answered.
        found: String,
    },

    /// A text of fixed bits that cannot be read.
    #[error("the fixed bits '{text}': {why}")]
    Fix {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },

    /// A part of a latent that it does not have.
    #[error("a part to fix: expected {expected}, found {found}")]
    Part {
        /// What the grid has.
        expected: String,
        /// What was given.
        found: String,
    },

    /// A pattern of fixed bits that is not one.
    #[error("expected {expected}, found {found}")]
    Pattern {
        /// What a pattern for this grid looks like.
        expected: String,
        /// What was given.
        found: String,
    },

    /// A latents or samples file that cannot be used.
    #[error(transparent)]
    Latent(#[from] LatentError),

    /// What a sample has of training latents could not be told.
    #[error(transparent)]
    Copies(#[from] CopiesError),

    /// The index refused.
    #[error(transparent)]
    Index(#[from] IndexError),
}
