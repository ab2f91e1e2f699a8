//! The latent index: for every context of a window, what followed it and where.
//!
//! An index is built once ([`build()`]), is then immutable, and is opened read-only ([`Index`]) by any
//! number of threads and processes. It answers exactly how often a context was seen and where, for the
//! windows it was built with; it knows nothing of longer or shorter contexts.

mod build;
mod error;
mod extract;
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
mod occurrence;
mod pages;
mod plan;
mod postings;
mod reader;
mod record;
mod resident;
mod sort;
mod stage;
mod store;
mod verify;
mod without;
mod write;

pub use build::{BuildOptions, BuildReport, WindowReport, build};
pub use error::IndexError;
pub use found::Found;
pub use histogram::{Counts, Histogram};
pub use lists::{Posting, Postings};
pub use manifest::{FORMAT_VERSION, FileEntry, Manifest, Source, WindowEntry};
pub use reader::{DEFAULT_CACHE_BYTES, Index, StoredLatent, WindowIndex};
pub use resident::Resident;
