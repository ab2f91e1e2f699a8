//! What can go wrong with the training latents in memory.

use std::path::PathBuf;

use crate::base::OutOfMemory;
use crate::index::IndexError;

/// An error of the `provenance` module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvenanceError {
    /// The training latents do not fit in memory.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),

    /// An index from which every latent is left out.
    #[error("{path}: no latent is left to trace to", path = path.display())]
    Empty {
        /// The index.
        path: PathBuf,
    },

    /// The index refused.
    #[error(transparent)]
    Index(#[from] IndexError),
}
