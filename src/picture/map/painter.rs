//! Paints on the sites of one panel.

use std::ops::Range;

use crate::latent::Shape;
use crate::picture::Picture;
use crate::picture::canvas::{Area, Canvas, Colour};

/// The sites of a panel on a canvas, named by their numbers, row by row.
pub(super) struct Painter<'a> {
    pub(super) canvas: &'a mut Canvas,
    /// Where the sites lie.
    pub(super) area: Area,
    pub(super) shape: Shape,
    /// Height and width of a site, in pixels.
    pub(super) cell: usize,
}

impl Painter<'_> {
    /// Stretches a picture over the sites; `change` gets the site and the colour of each pixel.
    pub(super) fn picture(&mut self, picture: &Picture, change: impl Fn(usize, Colour) -> Colour) {
        let (area, shape, cell) = (self.area, self.shape, self.cell);
        self.canvas.paint(area, |row, col| {
            let colour = picture.colour(
                row * picture.height() / area.height,
                col * picture.width() / area.width,
            );
            change(row / cell * shape.width() + col / cell, colour)
        });
    }

    /// Draws slanted stripes over the sites that hold. Those of phases 0 and 2 leave room for each other.
    pub(super) fn stripes(&mut self, holds: impl Fn(usize) -> bool, phase: usize, colour: Colour) {
        for site in self.sites().filter(|site| holds(*site)) {
            let (top, left) = self.corner(site);
            let striped = |row, col| (top + row + left + col + phase) % 4 < 2;
            self.fill(site, striped, colour);
        }
    }

    /// Draws a line of one pixel between neighbours that are `cut` from each other.
    pub(super) fn seams(&mut self, cut: impl Fn(usize, usize) -> bool, colour: Colour) {
        let width = self.shape.width();
        for site in self.sites() {
            let left = site % width > 0 && cut(site, site - 1);
            let above = site >= width && cut(site, site - width);
            let seam = |row, col| (left && col == 0) || (above && row == 0);
            self.fill(site, seam, colour);
        }
    }

    /// Draws a line of `thickness` pixels within the sites that hold, along those that do not and the sides of the
    /// grid.
    pub(super) fn outline(
        &mut self,
        holds: impl Fn(usize) -> bool,
        thickness: usize,
        colour: Colour,
    ) {
        let (height, width, cell) = (self.shape.height(), self.shape.width(), self.cell);
        for site in self.sites().filter(|site| holds(*site)) {
            let (row, col) = (site / width, site % width);
            let left = col == 0 || !holds(site - 1);
            let right = col + 1 == width || !holds(site + 1);
            let above = row == 0 || !holds(site - width);
            let below = row + 1 == height || !holds(site + width);
            let edge = |row, col| {
                (left && col < thickness)
                    || (right && cell - 1 - col < thickness)
                    || (above && row < thickness)
                    || (below && cell - 1 - row < thickness)
            };
            self.fill(site, edge, colour);
        }
    }

    /// Draws a spot in the middle of the sites that hold: what is there stays to be seen around it.
    pub(super) fn spots(&mut self, holds: impl Fn(usize) -> bool, colour: Colour) {
        let margin = self.cell / 4;
        let middle = margin..self.cell - margin;
        for site in self.sites().filter(|site| holds(*site)) {
            let spot = |row, col| middle.contains(&row) && middle.contains(&col);
            self.fill(site, spot, colour);
        }
    }

    fn sites(&self) -> Range<usize> {
        0..self.shape.height() * self.shape.width()
    }

    /// Returns the upper left corner of a site on the canvas.
    fn corner(&self, site: usize) -> (usize, usize) {
        let (row, col) = (site / self.shape.width(), site % self.shape.width());
        (
            self.area.top + row * self.cell,
            self.area.left + col * self.cell,
        )
    }

    /// Colours the pixels of a site that hold, by their row and column in it.
    fn fill(&mut self, site: usize, holds: impl Fn(usize, usize) -> bool, colour: Colour) {
        let (top, left) = self.corner(site);
        for row in 0..self.cell {
            for col in 0..self.cell {
                if holds(row, col) {
                    self.canvas.set(top + row, left + col, colour);
                }
            }
        }
    }
}
