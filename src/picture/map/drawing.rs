//! Draws a map, panel by panel.

use super::colours::{self, FRAME};
use super::layout::{GAP, LINE, Layout, TITLE};
use super::marks;
use super::painter::Painter;
use super::panel::{Heading, Marks, Panel};
use crate::latent::Shape;
use crate::picture::canvas::{Area, BLACK, Canvas, Face, INK, mix};
use crate::picture::{Picture, PictureError};

/// A map under work: a heading, and below it rows of panels.
///
/// Takes 3 bytes for each pixel. Panels are drawn as they come, and none is kept.
///
/// ```
/// use bitquilt::picture::{Heading, Map, Marks, Panel, Picture, QuiltMarks};
/// # use bitquilt::Shape;
///
/// let shape = Shape::new(1, 4, 1)?;
/// let heading = Heading { title: "One latent, of two sources".to_owned(), ..Heading::default() };
/// let mut map = Map::new(&heading, &[shape], (1, 2))?;
/// let panel = Panel {
///     shape,
///     caption: ["latent 7".to_owned(), "0110".to_owned()],
///     picture: &Picture::of_code(shape, &[0b0110]),
///     marks: Marks::None,
/// };
/// map.draw((0, 0), &panel);
/// let quilt = QuiltMarks {
///     region_of: vec![Some(0), Some(0), Some(1), None],
///     ranks: vec![Some(0), Some(1)],
///     unsupported: vec![false, false, false, true],
///     ..QuiltMarks::default()
/// };
/// map.draw((0, 1), &Panel { marks: Marks::Quilt(quilt), ..panel });
/// let map = map.into_picture();
/// assert_eq!((map.channels(), map.width()), (3, 640));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Map {
    canvas: Canvas,
    layout: Layout,
}

impl Map {
    /// Begins a map with rows × columns of panels, none larger than the largest of `shapes`; all sites are of one size.
    ///
    /// # Errors
    /// [`PictureError::Map`] when it would have more than [`MAX_PIXELS`](crate::picture::MAX_PIXELS) pixels, which is
    /// asked before memory is taken for them.
    pub fn new(
        heading: &Heading,
        shapes: &[Shape],
        panels: (usize, usize),
    ) -> Result<Self, PictureError> {
        let layout = Layout::new(shapes, panels)?;
        let mut canvas = Canvas::new(layout.height, layout.width);
        let max_width = layout.width - 2 * GAP;
        canvas.text((GAP, GAP), max_width, &heading.title, Face::Bold, INK);
        for (number, text) in heading.lines.iter().enumerate() {
            let top = GAP + TITLE + number * LINE;
            canvas.text((top, GAP), max_width, text, Face::Plain, INK);
        }
        Ok(Self { canvas, layout })
    }

    /// Draws a panel at a row and column, both from 0. Draws nothing where the map has no such row or column.
    pub fn draw(&mut self, place: (usize, usize), panel: &Panel<'_>) {
        let Some((top, left)) = self.layout.corner(place) else {
            return;
        };
        let colour = match &panel.marks {
            Marks::Copied { rank, .. } => mix(colours::of_rank(*rank), BLACK, 0.75),
            _ => INK,
        };
        let max_width = self.layout.pitch - GAP / 2;
        let [title, below] = &panel.caption;
        let canvas = &mut self.canvas;
        canvas.text((top, left), max_width, title, Face::Plain, colour);
        canvas.text((top + LINE, left), max_width, below, Face::Plain, INK);
        let area = self.layout.sites((top, left), panel.shape);
        // A frame of one pixel: images may be as white as the paper.
        let frame = Area {
            top: area.top - 1,
            left: area.left - 1,
            height: area.height + 2,
            width: area.width + 2,
        };
        canvas.paint(frame, |_, _| FRAME);
        let mut painter = Painter {
            canvas,
            area,
            shape: panel.shape,
            cell: self.layout.cell,
        };
        marks::draw(&mut painter, panel.picture, &panel.marks);
    }

    /// Returns the map as a picture.
    pub fn into_picture(self) -> Picture {
        self.canvas.into_picture()
    }
}
