//! What can go wrong with the training latents in memory.

use std::path::PathBuf;

use crate::index::IndexError;

/// An error of the `provenance` module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvenanceError {
    /// The training latents do not fit in memory.
    #[error(
        "{path}: its {latents} latents take {needed} bytes of memory, {available} are available: trace on a \
         machine with more, or build an index of fewer latents",
        path = path.display()
    )]
    Memory {
        /// The index.
        path: PathBuf,
        /// Training latents.
        latents: u64,
        /// Bytes that they take.
        needed: u64,
        /// Bytes that can be had.
        available: u64,
    },

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
