//! The bit grid, sets of latents and of their ids, the latents file.

mod error;
mod file;
mod hold_out;
mod ids;
mod levels;
mod pool;
mod set;
mod shape;
pub(crate) mod tensors;

pub use error::LatentError;
pub use ids::{Ids, IdsError};
pub use pool::{Pool, PoolRule};
pub use set::{Bits, Codec, LatentSet};
pub use shape::{Level, MAX_BITS, MAX_LEVELS, Shape};
