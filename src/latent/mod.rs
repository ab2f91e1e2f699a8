//! The bit grid, sets of latents and of their ids, the latents file.

mod error;
mod file;
mod hold_out;
mod ids;
mod levels;
mod per_level;
mod pool;
mod set;
mod shape;
pub(crate) mod tensors;

pub use error::LatentError;
pub use hold_out::HeldOut;
pub use ids::{Ids, IdsError};
pub use per_level::{LevelValue, PerLevel};
pub use pool::{Pool, PoolRule};
pub use set::{Bits, Codec, LatentSet};
pub(crate) use shape::divisor;
pub use shape::{Level, MAX_BITS, MAX_LEVELS, Shape};
