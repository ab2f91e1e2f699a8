//! Where on a map each panel lies.

use crate::latent::Shape;
use crate::picture::canvas::Area;
use crate::picture::{MAX_PIXELS, PictureError};

/// Pixels that the longer side of a panel has at most, unless its grid has more sites.
pub(crate) const SIDE: usize = 168;
pub(crate) const GAP: usize = 14;
/// Pixels from one line of text to the next.
pub(super) const LINE: usize = 12;
/// Pixels from the title to the line below it.
pub(super) const TITLE: usize = 18;
/// Two lines of text above each panel.
pub(crate) const CAPTION: usize = 2 * LINE + 2;
pub(crate) const HEADER: usize = GAP + TITLE + 2 * LINE + GAP;
/// Columns of pixels that the header needs at least.
const MIN_WIDTH: usize = 640;

/// The sides of a map and of its parts, in pixels.
pub(super) struct Layout {
    /// Height of the map.
    pub(super) height: usize,
    /// Width of the map.
    pub(super) width: usize,
    /// Rows and columns of panels.
    panels: (usize, usize),
    /// Height and width of a site.
    pub(super) cell: usize,
    /// From the top of one row to the next.
    row_pitch: usize,
    /// From the left of one panel to the next.
    pub(super) pitch: usize,
}

impl Layout {
    /// Lays out rows × columns of panels, none larger than the largest of `shapes`.
    ///
    /// # Errors
    /// [`PictureError::Map`].
    pub(super) fn new(
        shapes: &[Shape],
        (rows, columns): (usize, usize),
    ) -> Result<Self, PictureError> {
        let largest = |side: fn(&Shape) -> usize| shapes.iter().map(side).max().unwrap_or(1);
        let (grid_height, grid_width) = (largest(Shape::height), largest(Shape::width));
        let cell = (SIDE / grid_height.max(grid_width)).max(1);
        let row_pitch = CAPTION + cell * grid_height + GAP;
        let pitch = GAP + cell * grid_width.max(SIDE / cell);
        let height = rows.saturating_mul(row_pitch).saturating_add(HEADER);
        let width = columns.saturating_mul(pitch).saturating_add(GAP);
        let width = width.max(MIN_WIDTH);
        if height.saturating_mul(width) > MAX_PIXELS {
            return Err(PictureError::Map {
                height,
                width,
                max: MAX_PIXELS,
            });
        }
        Ok(Self {
            height,
            width,
            panels: (rows, columns),
            cell,
            row_pitch,
            pitch,
        })
    }

    /// Returns the upper left corner of a panel's caption; `None` where the map has no such row or column.
    pub(super) fn corner(&self, (row, column): (usize, usize)) -> Option<(usize, usize)> {
        let (rows, columns) = self.panels;
        (row < rows && column < columns)
            .then(|| (HEADER + row * self.row_pitch, GAP + column * self.pitch))
    }

    /// Returns where the sites of a panel lie, below the corner of its caption.
    pub(super) fn sites(&self, (top, left): (usize, usize), shape: Shape) -> Area {
        Area {
            top: top + CAPTION,
            left,
            height: shape.height() * self.cell,
            width: shape.width() * self.cell,
        }
    }
}
