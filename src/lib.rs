//! A search engine for binary image latents.
//!
//! Bitquilt indexes every local context of a set of binary latents, generates new latents in which
//! every local window was seen in that set, and tells for every bit which training patches it reuses. It
//! implements retrieval and both networks of Zhao & Basu, "Exploring Image Generation via Mutually Exclusive
//! Probability Spaces and Local Correlation Hypothesis" (arXiv 2506.21731); equation numbers in these
//! pages are that paper's.
//!
//! # The house
//!
//! | module | what is in it |
//! | --- | --- |
//! | `serve` | (feature `serve`) the explorer: an index and samples looked at in a browser, and asked over HTTP |
//! | [`page`] | reports as web pages |
//! | [`engine`] | what every user of the library calls: owned sessions, requests and reports that serialize |
//! | [`trace`] | where samples come from: support, quilts of copied regions, summaries, the trace file |
//! | [`audit`] | the field's own numbers for memorization |
//! | [`copies`] | what of a sample is a copy, errors and all; a limit on it |
//! | [`search`] | generation: rows, bits, constraints, back-off, a network where no window has a match |
//! | [`picture`] | PNG pictures of latents and images, grids of them, maps with marks on their sites |
//! | `neural` | (feature `neural`) the binary latent autoencoder, the ARVM and its peers, and the loop that trains them |
//! | [`provenance`] | what a copy is measured by: training latents in memory, footprints, information |
//! | [`samples`] | the samples file and the proof that its bits are supported |
//! | [`model`] | the index as a model; diagnostics of codes and encoders |
//! | [`index`] | build (extract → sort → merge → ingest), RocksDB, lookup, postings, verification |
//! | [`images`] | image files → pixels; import of images and codes |
//! | [`window`] | which bits a context selects; packing a context into a key |
//! | [`latent`] | the bit grid, the latent set, its file, sets of ids |
//! | [`base`] | bits in words, whole-or-nothing files, memory, progress and stopping |
//!
//! Each stands on those below it and on no other. The library never prints and never reads the environment; it opens no
//! path that it was not given, except the labels beside IDX images. The `bitquilt` command is a client of it like any
//! other.
//!
//! # The worked example of the paper
//!
//! Two latents of six bits, windows of three: from the prefix 111 exactly two latents can be reached,
//! one of them new.
//!
//! ```
//! use bitquilt::{
//!     BuildOptions, FixedBits, Index, LatentSet, Rung, Search, SearchOptions, Shape, Status, Task,
//!     Unobserved, Window, build,
//! };
//!
//! let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
//! for bits in ["101100", "111010"] {
//!     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
//! }
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("index");
//! let window: Window = "seq:3".parse()?;
//! build(&set, &path, &BuildOptions::new(window), &Unobserved)?;
//!
//! let index = Index::open(&path)?;
//! let window = index.window(window)?;
//! let prefix = FixedBits::prefix([true, true, true]);
//! let rung = Rung { geometry: window.geometry(), counts: &window };
//! let task = Task::new(rung, SearchOptions::default()).with(&prefix);
//! let mut search = Search::new(&task, 0)?;
//! let mut found = Vec::new();
//! while search.advance(&|| false)? == Status::Sample {
//!     found.push(search.to_packed()[0]);
//! }
//! found.sort();
//! assert_eq!(found, [0b010111, 0b110111]); // 111010 and 111011, lowest bit first
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Memory and time
//!
//! A build sorts latents × bits occurrences for each window within a memory limit and spills the rest;
//! an opened index takes 10 bits a context for filters and a cache for blocks. A lookup is one point
//! read; [`Resident`] holds the histograms of a window in memory instead. Shapes are limited to 2²⁰
//! bits, sets to 2³² − 1 latents.
//!
//! Files, latents and tables that are held in memory are checked against a [`Budget`] before they are loaded, and refused
//! with [`OutOfMemory`]. The caller hands the budget in: as a field of the options where there are options
//! ([`SessionOptions::memory`](engine::SessionOptions::memory)), else as a parameter. Whoever leaves the options at their
//! default, or reads a file with a plain `read`, has what the machine can give.

// One exception: `neural::Device` loads libtorch's CUDA library where there is a GPU.
#![deny(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::dbg_macro
)]
#![warn(
    clippy::todo,
    clippy::unimplemented,
    clippy::print_stdout,
    clippy::exit
)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod audit;
pub mod base;
pub mod copies;
pub mod engine;
pub mod images;
pub mod index;
pub mod latent;
pub mod model;
#[cfg(feature = "neural")]
pub mod neural;
pub mod page;
pub mod picture;
pub mod provenance;
pub mod samples;
pub mod search;
#[cfg(feature = "serve")]
pub mod serve;
pub mod trace;
pub mod window;

pub use base::{Budget, Observer, OutOfMemory, Stopped, Unobserved};
pub use index::{
    BuildOptions, BuildReport, Counts, Histogram, Index, IndexError, Manifest, Posting, Postings,
    Question, Resident, Source, UpperQuestion, WindowIndex, build,
};
pub use latent::{Bits, Codec, Ids, LatentError, LatentSet, Level, PerLevel, Shape};
pub use samples::{
    Attempt, Counters, SampleSet, SamplesError, Status, verify_from_index, verify_from_latents,
};
pub use search::{
    Backoff, Constraint, Count, Fallback, FixedBits, Method, Novel, Policy, Rung, Search,
    SearchError, SearchOptions, Taken, Task, count, enumerate, generate,
};
pub use window::{
    Anchor, Condition, Context, ContextKey, Contexts, Direction, Frame, Geometry, Given,
    Interpolator, UpperKey, Window, WindowError,
};
