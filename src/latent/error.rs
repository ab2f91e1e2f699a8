//! What can go wrong between a file of images or codes and a latent set.

use std::io;
use std::path::PathBuf;

use super::shape::{MAX_BITS, MAX_LEVELS, Shape};
use crate::base::{OutOfMemory, Stopped};

/// An error of the `latent` module. Every variant about a file names it, what was expected and
/// what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LatentError {
    /// A grid with a side of 0, or with more than [`MAX_BITS`] bits, or a text that is no shape.
    #[error(
        "'{found}' is not a latent shape: expected HEIGHTxWIDTHxCHANNELS, each at least 1, for each level, joined by '+', \
         none smaller than the one before, at most {MAX_LEVELS} of them and {MAX_BITS} bits together"
    )]
    Shape {
        /// The shape or the text that was given.
        found: String,
    },

    /// A size at which the levels of a pyramid would not lie over each other as they do.
    #[error(
        "{height}x{width}: at that size not every level of {shape} has a whole number of rows and columns: expected multiples \
         of {rows} and {columns}"
    )]
    Resized {
        /// The shape of the pyramid.
        shape: Box<Shape>,
        /// Rows of the finest level that were asked for.
        height: usize,
        /// Columns of it.
        width: usize,
        /// What its rows must be a multiple of.
        rows: usize,
        /// What its columns must be a multiple of.
        columns: usize,
    },

    /// A latent of one shape where the set has another.
    #[error("expected a latent of {expected} bits, found {found} bits")]
    Length {
        /// Bits of the set's shape.
        expected: usize,
        /// Bits that were given.
        found: usize,
    },

    /// Two sets of different shapes.
    #[error("expected {expected} latents, found {found}")]
    Shapes {
        /// The shape of the first set.
        expected: Box<Shape>,
        /// The shape of the second.
        found: Box<Shape>,
    },

    /// Labels that are not one for each latent.
    #[error("expected {latents} labels, one for each latent, found {labels}")]
    Labels {
        /// Latents of the set.
        latents: usize,
        /// Labels that were given.
        labels: usize,
    },

    /// More latents to set aside than there are, or fewer than are equal.
    #[error(
        "{count} latents to hold out: expected fewer than there are, and enough to hold equal ones together: of {latents} that are \
         not left out {drawn} would be held out"
    )]
    HoldOut {
        /// How many were asked for.
        count: u64,
        /// How many there are to draw from.
        latents: u64,
        /// How many would be drawn.
        drawn: u64,
    },

    /// A file of something else where latents are to be set aside.
    #[error(
        "{path}: exists, and is not what would be held out: remove it, or name another file",
        path = path.display()
    )]
    Taken {
        /// The file.
        path: PathBuf,
    },

    /// Sets that are no levels of the same latents.
    #[error("the levels do not belong together: {why}")]
    Levels {
        /// What does not fit.
        why: String,
    },

    /// Values that are no whole number of images, or sides that no image has.
    #[error(
        "{values} values are no images of {sides}: expected HEIGHTxWIDTHxCOLOURS, each at least 1, 1 or 3 \
         colours, and the values of a whole number of them"
    )]
    Images {
        /// The sides that were given.
        sides: String,
        /// Values that were given.
        values: usize,
    },

    /// A set of no latents where at least one is needed.
    #[error("{path}: the set is empty: expected at least one latent", path = path.display())]
    Empty {
        /// The file or folder that held none.
        path: PathBuf,
    },

    /// The file is not in the format it was read as, or breaks one of its rules.
    #[error("{path}: expected {expected}, found {found}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the format asks for, and what to do about it where that is not obvious.
        expected: String,
        /// What the file holds.
        found: String,
    },

    /// The file's own header asks for more memory than the machine has to give; `what` names the file.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),

    /// The observer asked to stop.
    #[error("{0}")]
    Stopped(#[from] Stopped),

    /// The operating system refused; its message names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl LatentError {
    /// Makes a [`LatentError::Format`] of anything that can be shown.
    pub(crate) fn format(
        path: impl Into<PathBuf>,
        expected: impl ToString,
        found: impl ToString,
    ) -> Self {
        Self::Format {
            path: path.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}
