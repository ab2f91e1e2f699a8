//! Metrics, each a pure function over latents, images or features.

mod triangular;

pub use triangular::{NoiseError, NoiseForm, Triangular};
