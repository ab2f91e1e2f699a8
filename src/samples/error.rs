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

    /// A bit for which no window of its level is named.
    #[error(
        "bits of level {level} are to be supported at a window of that level, and {window} is named"
    )]
    Level {
        /// The level.
        level: usize,
        /// A window that is named.
        window: crate::window::Window,
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
