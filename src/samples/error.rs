//! What can go wrong with a samples file and its proof.

use std::path::PathBuf;

use crate::index::IndexError;
use crate::latent::LatentError;

/// An error of the `samples` module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SamplesError {
    /// Samples of another shape than the latents that should support them.
    #[error("expected {expected} samples, as the index holds, found {found}")]
    Shape {
        /// Shape of the training latents.
        expected: Box<crate::latent::Shape>,
        /// Shape of the samples.
        found: Box<crate::latent::Shape>,
    },

    /// Bits for which no window of their level is named, or several are.
    #[error(
        "bits of level {level} are to be supported at one window of that level: expected one, found {found}"
    )]
    Level {
        /// The level.
        level: usize,
        /// The windows that are named, in words.
        found: String,
    },

    /// A bit that is said to be answered by a window that is none of the samples'.
    #[error("a bit answered by window number {number}: the samples name {windows}")]
    Answered {
        /// The number, counted from 1.
        number: usize,
        /// Windows that there are.
        windows: usize,
    },

    /// Latents without labels where contexts are bound to labels.
    #[error(
        "{which} have no labels: expected one for each, since contexts here are bound to labels"
    )]
    Unlabelled {
        /// The samples or the training latents.
        which: &'static str,
    },

    /// A samples file that breaks its own rules.
    #[error("{path}: expected {expected}, found {found}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected, and what to do.
        expected: String,
        /// What the file holds.
        found: String,
    },

    /// A latents file that cannot be used.
    #[error(transparent)]
    Latent(#[from] LatentError),

    /// The index refused.
    #[error(transparent)]
    Index(#[from] IndexError),
}
