//! Where samples come from.
//!
//! A [`Tracer`] asks the index how often each bit of a sample is supported and where it occurred
//! ([`Support`]), cuts the sample into regions that training latents have bit for bit ([`Quilt`]), and finds
//! the training latents nearest to it ([`Neighbours`](crate::provenance::Neighbours)); [`summarize`] and [`SetSummaries`] make figures of
//! that, [`TraceWriter`] the trace file.
//!
//! The samples may come from anywhere: this search, a network, held-out data. Useful to tell what a
//! generator of binary latents copies, and from where. Not for copies that are not bit for bit: one flipped
//! bit in every window hides them from the quilt, though not from the nearest latents. [`copies`](crate::copies) finds those.
//!
//! Arrows: `part` → `document`; `document`, `summaries` → `summary` → `tracer`; `tracer` → {`remembered` → `support`, `quilt` → {`footprint` → `training`, `components`} → `board`}.

mod background;
mod document;
mod error;
mod part;
mod quilt;
mod remembered;
mod spread;
mod summaries;
mod summary;
mod support;
mod tracer;

pub use background::Background;
pub use document::{Header, TRACE_VERSION, TraceWriter, Traced};
pub use error::TraceError;
pub use part::TracePart;
pub use quilt::{Quilt, Region};
pub use remembered::Remembered;
pub use spread::Spread;
pub use summaries::{Credit, LevelFigures, NamedSpread, SetSummaries, SetSummary, WindowShare};
pub use summary::{LevelSummary, Nearness, SampleSummary, Used, summarize};
pub use support::{Occurrences, Support};
pub use tracer::{Trace, TraceOptions, Tracer, Worker};
