//! What of a sample is a copy, errors and all, and how sure that is.
//!
//! A [`CopyFinder`] tells a sample, or a part of it, as a copy of one training latent at one displacement, with errors, and counts
//! the bits that this saves: against a model of honest data that does not know that latent (*gain*), and beyond what the next best
//! latent saves (*margin*). Honest latents resemble several training latents; noise resembles none; a copy has one source that
//! beats all others.

mod calibration;
mod code;
mod error;
mod finder;
mod honest;
mod level;
mod limit;
mod parts;
mod rectangle;
mod seeds;
mod stroke;
mod verdict;
mod watch;

pub use calibration::{
    CALIBRATION_VERSION, Calibration, HeldOut, Measure, Ranks, check_held_out, check_measure,
    scores,
};
pub use error::CopiesError;
pub use finder::{Copied, CopyFinder, CopyWorker, Evidence};
pub use limit::{Carried, CopyLimit};
pub use stroke::Stroke;
pub use verdict::{CopyCount, Judge, Judged, LevelVerdict, Verdict, worst_first};
pub use watch::{CopyWatch, TooMuch};
