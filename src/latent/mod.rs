//! The bit grid, the latent set, its file, import and export.

mod error;
mod file;
mod set;
mod shape;
pub(crate) mod tensors;

pub mod images;
pub mod import;
pub mod picture;

pub use error::LatentError;
pub use picture::{GridOptions, Picture, write_grid};
pub use set::{Bits, Codec, LatentSet};
pub use shape::{MAX_BITS, Shape};
