//! Generation by retrieval: latents in which every local window was seen in training.

mod chain;
mod error;
mod options;
mod rows;
mod run;
mod samples;
mod tree;
mod tried;
mod verify;
mod walk;

pub use error::SearchError;
pub use options::{Counters, FixedBits, Method, SearchOptions, Status};
pub use run::{Attempt, generate};
pub use samples::{ANSWERED_FIXED, Run, SampleSet, totals};
pub use verify::{SupportReport, Unsupported, verify_from_index, verify_from_latents};
pub use walk::Search;
