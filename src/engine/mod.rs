//! What every user of the library calls: the command, a Python package, a server.
//!
//! A [`Session`] owns an opened index and what it holds in memory; any number of threads may share one. Requests
//! ([`GenerateRequest`], [`TraceRequest`], [`VerifyRequest`], [`QueryRequest`]) and reports are plain data that serialize;
//! results are handed on as they come; an [`Observer`](crate::Observer) shows progress and is the one way to stop.
//!
//! What a session loads and keeps comes out of one [`Budget`](crate::Budget), [`SessionOptions::memory`]: what would take
//! more is refused, with what it is needed for, before it is taken. The answers do not depend on it.
//!
//! ```
//! use bitquilt::engine::{GenerateRequest, Session, SessionOptions, TraceRequest, VerifyRequest};
//! use bitquilt::{Budget, BuildOptions, LatentSet, SampleSet, Shape, Unobserved, build};
//!
//! let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
//! for bits in ["101100", "111010"] {
//!     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
//! }
//! let folder = tempfile::tempdir()?;
//! let (index, samples) = (folder.path().join("index"), folder.path().join("samples.safetensors"));
//! build(&set, &index, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
//!
//! let options = SessionOptions::default().memory(Budget::bytes(1 << 30));
//! let session = Session::open(&index, &options)?;
//! let request = GenerateRequest { samples: 0..8, seed: 7, ..GenerateRequest::default() };
//! let generated = session.generate(&request, &[], &Unobserved)?;
//! generated.write(&samples)?;
//!
//! let samples = SampleSet::read(&samples)?;
//! let report = session.verify(&samples, &VerifyRequest::default(), &Unobserved)?;
//! assert!(report.verified && report.checked == 48);
//! let tracing = session.tracing(&samples, &TraceRequest::default(), &Unobserved)?;
//! let summary = tracing.trace(&Unobserved, |_| Ok(()))?;
//! assert_eq!((summary.samples, summary.supported), (8, 1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audit;
mod choice;
mod copies;
mod error;
mod generate;
mod info;
mod judge;
mod latent;
mod limit;
mod lookup;
mod map;
mod measure;
mod proof;
mod query;
mod session;
mod tables;
mod trace;
mod windows;

pub use audit::{Audit, AuditReport, AuditRequest, AuditedSample, Exhibit, Lent, WorstSample};
pub use choice::WindowChoice;
pub use copies::{CopyRequest, Copying};
pub use error::EngineError;
pub use generate::{CountReport, GenerateRequest, Generated, Network};
pub use info::{InfoReport, WindowInfo};
pub use judge::{JudgeBy, Judged};
pub use latent::{LatentReport, bits_in_words};
pub use limit::MaxCopied;
pub use map::{BACKGROUND, MapRequest};
pub use measure::{CountsReport, CountsRequest, LevelCounts};
pub use proof::{UnsupportedBit, VerifyReport, VerifyRequest};
pub use query::{QueryReport, QueryRequest};
pub use session::{Session, SessionOptions};
pub use tables::Preload;
pub use trace::{TraceNames, TraceRequest, TracedSample, Tracing};
pub use windows::{LevelWindows, WindowWorth, WindowsReport};
