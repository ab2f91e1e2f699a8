//! The samples file, and the proof that every bit of its samples is supported. How they were found is no part of it: the
//! proof believes neither the search nor, by brute force, the index.

mod attempt;
mod error;
mod file;
mod join;
mod proof;

pub use attempt::{Attempt, AttemptReport, Counters, INTERPOLATED, Status, answered_by, totals};
pub use error::SamplesError;
pub use file::{ANSWERED_FIXED, ANSWERED_INTERPOLATED, Run, SampleSet};
pub use join::join;
pub use proof::{SupportReport, Unsupported, verify_from_index, verify_from_latents};
