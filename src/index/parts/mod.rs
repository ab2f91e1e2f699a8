//! Building an index in tasks that know nothing of each other, so that many processes or machines can share the work: whatever
//! runs them needs no more than a folder that all of them see.
//!
//! [`PartPlan`] says which latents each *map* task reads and where each part of an array begins. A map task sorts the contexts
//! of its latents and writes them for every part; a *reduce* task merges what all of them wrote for one part; [`publish()`] puts the
//! parts together, which is then the index that [`build`](super::build()) makes of the same latents: entry by entry, as its content sums
//! tell. Every file is whole or not there, and named by a note that its task wrote last: nothing is found by listing a
//! folder, and a task that is run twice does no harm.

mod map;
mod note;
mod plan;
mod publish;
mod reduce;
mod sample;
mod work;

pub use map::map;
pub use note::Task;
pub use plan::{Cut, PartPlan, PlannedArray};
pub use publish::publish;
pub use reduce::reduce;
pub use work::{Ended, Progress, WorkFolder};
