//! What can go wrong between images, a network and its checkpoint.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::{OutOfMemory, Stopped};
use crate::index::IndexError;
use crate::latent::LatentError;
use crate::model::NoiseError;

/// An error of the `neural` module. Every variant about a file names it, what was expected and what
/// was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NeuralError {
    /// A network, a training or images that cannot be.
    #[error("expected {expected}, found {found}")]
    Setting {
        /// What is possible, and what to do.
        expected: String,
        /// What was asked for.
        found: String,
    },

    /// A file that is not the checkpoint it was read as.
    #[error("{path}: expected {expected}, found {found}", path = path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What it should hold, and what to do.
        expected: String,
        /// What it holds.
        found: String,
    },

    /// CUDA was asked for, and there is none.
    #[error(
        "no CUDA device can be used ({why}): use device=cpu, or device=auto to take a GPU where there is one"
    )]
    NoCuda {
        /// What is missing.
        why: String,
    },

    /// The loss or its gradient is no longer a number.
    #[error("training diverged at step {step}: {what} is {value}; {kept}. Try a lower `lr`")]
    Diverged {
        /// The step, counted from 1.
        step: u64,
        /// "the loss" or "its gradient".
        what: &'static str,
        /// NaN or infinity.
        value: f64,
        /// Which checkpoint still stands, in words.
        kept: String,
    },

    /// A network whose updates take more memory than they may.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),

    /// Asked to stop.
    #[error("{0}")]
    Stopped(#[from] Stopped),

    /// Noise that is no distribution.
    #[error(transparent)]
    Noise(#[from] NoiseError),

    /// Of the index that a network learns.
    #[error(transparent)]
    Index(#[from] IndexError),

    /// Of images, latents and pictures.
    #[error(transparent)]
    Latent(#[from] LatentError),

    /// libtorch refused.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),

    /// The operating system refused; its message names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl NeuralError {
    /// Returns the error, as one of a file where its configuration cannot be.
    pub(crate) fn of(self, path: &Path) -> Self {
        match self {
            Self::Setting { expected, found } => Self::checkpoint(path, expected, found),
            other => other,
        }
    }

    /// Makes a [`NeuralError::Setting`] from anything that can be shown.
    pub(crate) fn setting(expected: impl ToString, found: impl ToString) -> Self {
        Self::Setting {
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Makes a [`NeuralError::Checkpoint`] from anything that can be shown.
    pub(crate) fn checkpoint(path: &Path, expected: impl ToString, found: impl ToString) -> Self {
        Self::Checkpoint {
            path: path.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}
