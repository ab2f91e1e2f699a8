//! The latent index: for every context, what followed it and where.
//!
//! An index is built once ([`build()`]), is then immutable, and is opened read-only ([`Index`]) by any
//! number of threads and processes. Its occurrences are sorted by their contexts, nearest bits first, so that it answers
//! exactly how often a context was seen and where for every window up to the depth to which it was built.

mod array;
mod array_id;
mod build;
mod contexts;
mod error;
mod found;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gather;
mod histogram;
mod identity;
mod labels;
mod layout;
mod lists;
mod load;
mod manifest;
mod output;
mod pages;
pub mod parts;
mod plan;
mod questions;
mod reader;
mod resident;
mod stage;
mod store;
mod verify;
mod wanted;
mod window;
mod without;

pub use array::ContentSum;
pub use build::{ArrayReport, BuildOptions, BuildReport, build};
pub use error::IndexError;
pub use found::{Found, Longest};
pub use histogram::{Counts, Histogram, Question, UpperQuestion};
pub use lists::{Posting, Postings};
pub use manifest::{ArrayEntry, FORMAT_VERSION, FileEntry, Manifest, Source, WindowEntry};
pub use reader::{DEFAULT_CACHE_BYTES, Index, StoredLatent};
pub use resident::Resident;
pub use wanted::default_depth;
pub use window::WindowIndex;
