//! Pictures: latents and images as PNG, in grids; maps of latents with marks on their sites; and a canvas to draw on.

pub(crate) mod canvas;
mod error;
mod image;
pub(crate) mod map;

pub use error::PictureError;
pub use image::*;
pub use map::{Heading, Map, Marks, Panel, QuiltMarks};
