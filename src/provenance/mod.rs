//! What a copy is measured by: the training latents in memory, where a window of a sample equals theirs, and how much
//! information the bits of a region carry.

mod board;
mod components;
mod corpus;
mod error;
mod footprint;
mod information;
mod neighbours;
mod overlay;
mod parents;
mod scan;
mod tiles;

pub(crate) use board::*;
pub(crate) use components::{Components, Gain, Run, Weights};
pub use corpus::Corpus;
pub(crate) use corpus::Planes;
pub use error::ProvenanceError;
pub(crate) use footprint::Footprints;
pub use information::{Information, copy_line};
pub(crate) use neighbours::Neighbourhood;
pub use neighbours::{Neighbour, Neighbours};
pub(crate) use overlay::Overlay;
pub(crate) use scan::{Moved, Rectangle};
