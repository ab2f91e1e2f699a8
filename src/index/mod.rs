//! The latent index: for every context of a window, what followed it and where.
//!
//! Built once ([`build()`]), then immutable and opened read-only ([`Index`]) by any number of threads
//! and processes. Useful for exact counts of contexts that were seen, and for every place where they
//! were; not for contexts longer or shorter than the windows it was built with.

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
