//! Where samples come from: for each bit its support and its postings, for each sample a [`Quilt`] of
//! regions copied from training latents, and summaries.

mod background;
mod board;
mod components;
mod document;
mod error;
mod footprint;
mod information;
mod quilt;
mod summary;
mod support;
mod tracer;
mod training;

pub use background::Background;
pub use document::{Header, TRACE_VERSION, TraceWriter, Traced};
pub use error::TraceError;
pub use information::{Information, copy_line};
pub use quilt::{Quilt, Region};
pub use summary::{
    Credit, NamedSpread, Nearness, SampleSummary, SetSummaries, SetSummary, Spread, Used,
    WindowShare, summarize,
};
pub use support::{Occurrences, Support};
pub use tracer::{Trace, TraceOptions, Tracer, Worker};
pub use training::{Neighbour, Neighbours, Training};
