//! What can go wrong when copies are looked for.

use std::io;
use std::path::PathBuf;

use crate::base::Stopped;
use crate::index::IndexError;

/// Why copies could not be looked for, or no verdict be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopiesError {
    /// The index could not be read.
    #[error(transparent)]
    Index(#[from] IndexError),

    /// A file that is no calibration.
    #[error(
        "{path}: expected a calibration (bitquilt.calibration version 2), found {found}",
        path = path.display()
    )]
    NotACalibration {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },

    /// A calibration that was made against something else.
    #[error(
        "{of}made with other {what}: expected {expected}, found {found}: calibrate again with held-out latents",
        of = path.as_ref().map_or_else(|| "a calibration ".to_owned(), |path| format!("{}: ", path.display()))
    )]
    OtherMeasure {
        /// The file.
        path: Option<PathBuf>,
        /// What differs.
        what: &'static str,
        /// What the index says.
        expected: String,
        /// What the calibration says.
        found: String,
    },

    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),

    /// The observer asked to stop.
    // Not transparent: whoever asks whether work was stopped looks for it among the causes.
    #[error("{0}")]
    Stopped(#[from] Stopped),
}
