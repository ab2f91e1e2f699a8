//! What can go wrong with a request.

use std::io;
use std::path::PathBuf;

use crate::base::{OutOfMemory, Stopped};
use crate::copies::CopiesError;
use crate::index::IndexError;
use crate::latent::LatentError;
use crate::picture::PictureError;
use crate::provenance::ProvenanceError;
use crate::samples::SamplesError;
use crate::search::SearchError;
use crate::trace::TraceError;
use crate::window::{Window, WindowError};

/// An error of the `engine` module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No window was named, and the index holds several.
    #[error(
        "{path}: holds several windows: expected one of them to be named ({held})",
        path = path.display()
    )]
    WindowNeeded {
        /// The index.
        path: PathBuf,
        /// The windows that it holds.
        held: String,
        /// The last of them.
        last: Window,
    },

    /// Windows that are not asked from the largest to the smallest.
    #[error(
        "windows {first} and {second}: windows are asked in turn: expected the larger one first, each once"
    )]
    WindowOrder {
        /// The one that was named first.
        first: Window,
        /// The one behind it.
        second: Window,
    },

    /// Two parts of a request that exclude each other, or one that lacks another.
    #[error("{why}")]
    Request {
        /// The part of the request.
        part: &'static str,
        /// What was expected, what was found, and what to do.
        why: String,
    },

    /// No label was named where contexts are bound to one.
    #[error(
        "{path}: its contexts are bound to labels: expected the label of the samples, one of {held}",
        path = path.display()
    )]
    LabelNeeded {
        /// The index.
        path: PathBuf,
        /// The labels that it holds, or the first of them.
        held: String,
    },

    /// Windows, samples or training latents that do not fit into the memory that they may take.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),

    /// A samples file without samples.
    #[error("expected at least one sample, found none")]
    NoSamples,

    /// Samples generated without latents that the index does not hold.
    #[error("generated without {without}: {error}")]
    Without {
        /// What they were generated without.
        without: String,
        /// What the index says of it.
        #[source]
        error: IndexError,
    },

    /// A training latent of which the index tells, and which it does not hold.
    #[error("{path}: damaged: expected latent {latent}, of which a posting tells, found none", path = path.display())]
    NoSuchLatent {
        /// The index.
        path: PathBuf,
        /// Its id.
        latent: u64,
    },

    /// The index refused.
    #[error(transparent)]
    Index(#[from] IndexError),

    /// The search refused.
    #[error(transparent)]
    Search(#[from] SearchError),

    /// A samples file or its proof.
    #[error(transparent)]
    Samples(#[from] SamplesError),

    /// Copies could not be looked for.
    #[error(transparent)]
    Copies(#[from] CopiesError),

    /// The trace refused.
    #[error(transparent)]
    Trace(#[from] TraceError),

    /// The training latents cannot be held in memory.
    #[error(transparent)]
    Provenance(#[from] ProvenanceError),

    /// A picture that cannot be drawn.
    #[error(transparent)]
    Picture(#[from] PictureError),

    /// Latents that cannot be used.
    #[error(transparent)]
    Latent(#[from] LatentError),

    /// A window that does not fit.
    #[error(transparent)]
    Window(#[from] WindowError),

    /// The work was told to stop.
    #[error("{0}")]
    Stopped(#[from] Stopped),

    /// Whoever takes the results cannot; the message names the file.
    #[error(transparent)]
    Io(#[from] io::Error),
}
