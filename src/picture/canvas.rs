//! A picture to draw on: pictures, lines of text, cells of a grid.

use std::convert::Infallible;

use embedded_graphics::mono_font::ascii::{FONT_6X10, FONT_7X13_BOLD};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Baseline, Text};

use super::Picture;

/// Red, green and blue, 0 to 255.
pub(crate) type Colour = [u8; 3];

pub(crate) const WHITE: Colour = [255, 255, 255];
pub(crate) const INK: Colour = [32, 34, 40];
pub(crate) const BLACK: Colour = [0, 0, 0];

/// The faces of letters.
#[derive(Clone, Copy)]
pub(crate) enum Face {
    Plain,
    Bold,
}

impl Face {
    fn font(self) -> &'static MonoFont<'static> {
        match self {
            Self::Plain => &FONT_6X10,
            Self::Bold => &FONT_7X13_BOLD,
        }
    }
}

/// A rectangle of pixels.
#[derive(Clone, Copy)]
pub(crate) struct Area {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// Pixels that are drawn on. What lies outside is not drawn.
pub(crate) struct Canvas {
    height: usize,
    width: usize,
    pixels: Vec<Colour>,
}

impl Canvas {
    /// Makes a white canvas.
    pub(crate) fn new(height: usize, width: usize) -> Self {
        Self {
            height,
            width,
            pixels: vec![WHITE; height * width],
        }
    }

    pub(crate) fn into_picture(self) -> Picture {
        Picture::of_colours(self.height, self.width, self.pixels.into_flattened())
    }

    pub(crate) fn set(&mut self, row: usize, col: usize, colour: Colour) {
        if row < self.height && col < self.width {
            self.pixels[row * self.width + col] = colour;
        }
    }

    /// Colours every pixel of an area by its place in it.
    pub(crate) fn paint(&mut self, area: Area, colour: impl Fn(usize, usize) -> Colour) {
        for row in 0..area.height {
            for col in 0..area.width {
                self.set(area.top + row, area.left + col, colour(row, col));
            }
        }
    }

    /// Draws one line of text, cut off where it would leave `max_width` pixels.
    pub(crate) fn text(
        &mut self,
        (top, left): (usize, usize),
        max_width: usize,
        text: &str,
        face: Face,
        colour: Colour,
    ) {
        let font = face.font();
        let letters = max_width / font.character_size.width as usize;
        let shown: String = text.chars().take(letters).collect();
        let [red, green, blue] = colour;
        let style = MonoTextStyle::new(font, Rgb888::new(red, green, blue));
        // A canvas has far fewer than 2³¹ pixels on a side.
        let place = Point::new(left as i32, top as i32);
        let Ok(_) = Text::with_baseline(&shown, place, style, Baseline::Top).draw(self);
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(Point { x, y }, colour) in pixels {
            if let (Ok(row), Ok(col)) = (usize::try_from(y), usize::try_from(x)) {
                self.set(row, col, [colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

/// Mixes `share` of `colour` and the rest of `other`.
pub(crate) fn mix(colour: Colour, other: Colour, share: f32) -> Colour {
    std::array::from_fn(|i| {
        let value = f32::from(colour[i]) * share + f32::from(other[i]) * (1.0 - share);
        value.round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_is_not_drawn_and_text_keeps_within_its_width() {
        let mut canvas = Canvas::new(20, 40);
        let area = Area {
            top: 15,
            left: 35,
            height: 10,
            width: 10,
        };
        canvas.paint(area, |_, _| BLACK);
        canvas.text((2, 1), 20, "MMMMMMMM", Face::Plain, INK);
        let picture = canvas.into_picture();
        assert_eq!((picture.height(), picture.width()), (20, 40));
        let dark = |row: usize, col: usize| picture.pixels()[(row * 40 + col) * 3] < 128;
        let dark = |(row, col): &(usize, usize)| dark(*row, *col);
        let all = (0..20).flat_map(|row| (0..40).map(move |col| (row, col)));
        let (inside, text): (Vec<_>, Vec<_>) = all.filter(dark).partition(|(row, _)| *row >= 15);
        assert_eq!(inside.len(), 25);
        // Three letters of 6 pixels, no fourth.
        assert!(text.iter().all(|(_, col)| (1..19).contains(col)));
        assert!(text.iter().any(|(_, col)| *col > 12));
    }

    #[test]
    fn colours_are_mixed_by_their_shares() {
        assert_eq!(mix(WHITE, BLACK, 1.0), WHITE);
        assert_eq!(mix(WHITE, BLACK, 0.0), BLACK);
        assert_eq!(mix([200, 100, 0], [0, 100, 200], 0.5), [100, 100, 100]);
    }
}
