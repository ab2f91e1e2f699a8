//! What a map shows, as plain data.

use crate::latent::Shape;
use crate::picture::Picture;

/// What is written at the top of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heading {
    /// The first line, in bold.
    pub title: String,
    /// The lines below it.
    pub lines: [String; 2],
}

/// One panel of a map: a latent's picture, a caption above it and marks on its sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel<'a> {
    /// The grid of the latent; its channels play no part.
    pub shape: Shape,
    /// The lines above the picture.
    pub caption: [String; 2],
    /// The latent's picture, of any size: it is stretched over the sites of the grid.
    pub picture: &'a Picture,
    /// What is drawn on its sites.
    pub marks: Marks,
}

/// Marks on the sites of a panel.
///
/// Lists have one entry for each site, row by row: H·W. Sites behind the end of a list are not marked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Marks {
    /// Nothing: the picture as it is.
    #[default]
    None,
    /// Every site in the colour of the source that its region was copied from.
    Quilt(QuiltMarks),
    /// The sites that were copied from this latent, in its colour and outlined. The caption has that colour too.
    Copied {
        /// Rank of the latent among the sources of its row, from 0: chooses its colour.
        rank: usize,
        /// Whether each site was copied.
        sites: Vec<bool>,
    },
    /// A spot in the middle of each site that differs.
    Differing(Vec<bool>),
}

/// How a latent is cut into regions, each copied from one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuiltMarks {
    /// For each site, the number of its region; `None` for a site that no region covers.
    pub region_of: Vec<Option<usize>>,
    /// For each region, the rank of its source, from 0, which chooses its colour; `None` for background, drawn gray.
    pub ranks: Vec<Option<usize>>,
    /// Whether any bit of each site is in no training latent: red stripes.
    pub unsupported: Vec<bool>,
    /// Whether a network answered any bit of each site: white stripes.
    pub interpolated: Vec<bool>,
}
