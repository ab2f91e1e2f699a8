//! Pictures: latents and images as PNG, in grids, and a canvas to draw on.

pub(crate) mod canvas;
mod image;

pub use image::*;
