//! Maps: rows of panels, each a latent's picture with a caption above it and marks on its sites.
//!
//! A [`Map`] is drawn panel by panel from plain data. It does not know where regions, sources and differences come from.
//!
//! Arrows: `drawing` → {`layout`, `marks` → {`painter`, `colours`}} → `panel`.

pub(crate) mod colours;
mod drawing;
pub(crate) mod layout;
mod marks;
mod painter;
mod panel;

pub use drawing::Map;
pub use panel::{Heading, Marks, Panel, QuiltMarks};

#[cfg(test)]
mod tests;
