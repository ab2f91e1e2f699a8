//! What every other module stands on: runs of bits, whole-or-nothing files, memory, progress and stopping.

pub(crate) mod bits;
pub mod files;
pub(crate) mod hamming;
pub mod memory;
mod names;
mod progress;
pub(crate) mod random;

pub use memory::{Budget, OutOfMemory};
pub use names::UnknownName;
pub use progress::{Observer, Stopped, Unobserved};
