//! What can go wrong in a metric.

use super::NoiseError;
use crate::base::{OutOfMemory, Stopped};
use crate::latent::{LatentError, Shape};

/// An error of the `model` module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// Two things that should be of one size are not.
    #[error("expected {what} of {expected}, as the others are, found {found}")]
    Sizes {
        /// "images" or "latents".
        what: &'static str,
        /// Size of the first.
        expected: String,
        /// Size of the second.
        found: String,
    },

    /// Not one for each.
    #[error("expected {expected} {what}, one for each of the others, found {found}")]
    Counts {
        /// "images" or "latents".
        what: &'static str,
        /// How many the first are.
        expected: usize,
        /// How many the second are.
        found: usize,
    },

    /// Too few to say anything.
    #[error("expected at least {min} {what}, found {found}")]
    TooFew {
        /// "images" or "latents".
        what: &'static str,
        /// Least number.
        min: usize,
        /// How many there are.
        found: usize,
    },

    /// Latents of several levels where codes of one are measured.
    #[error("expected latents of one level, found pyramids {found}")]
    Pyramids {
        /// Their shape.
        found: Box<Shape>,
    },

    /// A share that is none.
    #[error("expected a share of bits to flip of at least 0 and at most 1, found {found}")]
    Share {
        /// What was given.
        found: f64,
    },

    /// More memory than the machine has to give.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),

    /// The observer asked to stop.
    #[error("{0}")]
    Stopped(#[from] Stopped),

    /// A distribution that cannot be.
    #[error(transparent)]
    Noise(#[from] NoiseError),

    /// The latent set refused.
    #[error(transparent)]
    Latent(#[from] LatentError),
}
