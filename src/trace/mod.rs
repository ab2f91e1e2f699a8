//! Where samples come from: for each bit its support and its postings, for each sample a [`Quilt`] of
//! regions copied from training latents, and summaries.

mod board;
mod components;
mod error;
mod footprint;
mod information;
mod quilt;
mod support;
mod tracer;
mod training;

pub use error::TraceError;
pub use information::{Information, copy_line};
pub use quilt::{Quilt, Region};
pub use support::{Occurrences, Support};
pub use tracer::{Trace, TraceOptions, Tracer, Worker};
pub use training::{Neighbour, Neighbours, Training};
