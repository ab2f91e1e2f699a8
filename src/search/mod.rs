//! Generation by retrieval: latents in which every local window was seen in training.
//!
//! A [`Task`] is windows ([`Rung`]s, which together are a `ladder`), [`Constraint`]s and
//! [`SearchOptions`]; a [`Search`] finds its samples one after the other, [`generate`] and
//! [`enumerate()`] many of them, and [`count()`] counts them. A search walks bit by bit (`tree`) or row by row (`rows`:
//! `links` finds the states of a row, `chain` draws from them, `blame` and `nogoods` keep why rows died). With a
//! [`Fallback`], a network answers where the windows do not, and each of its bits is marked.

mod blame;
mod chain;
mod constraint;
mod copied;
mod count;
mod error;
mod fallback;
mod fixed;
mod ladder;
mod links;
mod nogoods;
mod novel;
mod options;
mod rows;
mod run;
mod task;
mod tree;
mod walk;

pub use constraint::{Constraint, Watch};
pub use count::{Count, count};
pub use error::SearchError;
pub use fallback::{Fallback, MIN_PROBABILITY, Policy};
pub use fixed::FixedBits;
pub use ladder::Rung;
pub use novel::{Novel, Taken};
pub use options::{Backoff, Method, SearchOptions};
pub use run::{enumerate, enumerate_into, generate, generate_into};
pub use task::{MAX_WINDOWS, Task};
pub use walk::Search;
