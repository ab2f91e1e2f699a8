//! What can go wrong in a trace.

use crate::base::Stopped;
use crate::index::IndexError;
use crate::latent::Shape;
use crate::provenance::ProvenanceError;
use crate::window::Window;

/// An error of the `trace` module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// Samples on a grid on which displacements have no meaning.
    #[error(
        "window {window} reads latents bit by bit, whatever their grid: expected {held} samples, as the index \
         holds, found {found}; trace with square windows only (`window`)"
    )]
    Grid {
        /// The window.
        window: Window,
        /// Shape of the training latents.
        held: Box<Shape>,
        /// Shape of the samples.
        found: Box<Shape>,
    },

    /// Samples without labels where contexts are bound to labels.
    #[error(
        "the samples have no labels: expected one for each, since contexts here are bound to labels"
    )]
    Unlabelled,

    /// More postings than can be told.
    #[error(
        "sample {sample} has {postings} postings, more than {max}: ask for fewer of each bit (`top`), or none \
         (brief=true)"
    )]
    Postings {
        /// The sample.
        sample: usize,
        /// Postings asked for.
        postings: u64,
        /// Most that may be listed.
        max: u64,
    },

    /// The observer asked to stop.
    #[error("{0}")]
    Stopped(#[from] Stopped),

    /// The training latents cannot be held.
    #[error(transparent)]
    Provenance(#[from] ProvenanceError),

    /// The index refused.
    #[error(transparent)]
    Index(#[from] IndexError),
}
