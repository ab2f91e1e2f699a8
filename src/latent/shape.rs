//! The shape of a latent, one grid or several levels, and the arithmetic of its bit positions.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::LatentError;

/// Most bits one latent may hold: a 1024×1024×1 or a 64×64×256 grid. Positions then fit 20 bits,
/// and 2³² latents of 2²⁰ bits give occurrence numbers below 2⁵², far from overflow in a `u64`.
pub const MAX_BITS: usize = 1 << 20;

/// Most levels of a pyramid: the tokenizers of VAR and Infinity have 10 to 13.
pub const MAX_LEVELS: usize = 16;

/// One level of a latent: a grid of sites, and where its bits begin among the latent's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Level {
    // Each is at most MAX_BITS.
    number: u32,
    start: u32,
    height: u32,
    width: u32,
    channels: u32,
}

impl Level {
    /// Returns its number: 0 for the coarsest.
    pub fn number(&self) -> usize {
        self.number as usize
    }

    /// Returns the number of rows of the grid, H.
    pub fn height(&self) -> usize {
        self.height as usize
    }

    /// Returns the number of columns of the grid, W.
    pub fn width(&self) -> usize {
        self.width as usize
    }

    /// Returns the number of bits of a site, K.
    pub fn channels(&self) -> usize {
        self.channels as usize
    }

    /// Returns the number of its bits, H·W·K.
    pub fn bits(&self) -> usize {
        self.height() * self.width() * self.channels()
    }

    /// Returns the number of bits of one row, W·K.
    pub fn row_bits(&self) -> usize {
        self.width() * self.channels()
    }

    /// Returns its first position.
    pub fn start(&self) -> usize {
        self.start as usize
    }

    /// Returns its positions.
    pub fn positions(&self) -> Range<usize> {
        self.start()..self.start() + self.bits()
    }

    /// Returns the position of (row, col, channel) in the latent.
    pub fn position(&self, row: usize, col: usize, channel: usize) -> usize {
        self.start() + (row * self.width() + col) * self.channels() + channel
    }

    /// Returns the (row, col, channel) of one of its positions.
    pub fn place(&self, position: usize) -> (usize, usize, usize) {
        let own = position - self.start();
        let site = own / self.channels();
        (
            site / self.width(),
            site % self.width(),
            own % self.channels(),
        )
    }

    /// Returns the site of this level that covers a site of a finer one.
    pub fn parent_of(&self, finer: &Self, row: usize, col: usize) -> (usize, usize) {
        (
            row * self.height() / finer.height(),
            col * self.width() / finer.width(),
        )
    }

    /// Returns it as the shape of a latent of its own.
    pub fn shape(&self) -> Shape {
        Shape::of(&[(self.height, self.width, self.channels)])
    }
}

/// The grids of a latent: one, or the levels of a pyramid, coarse to fine.
///
/// Bit `i = start + (row·W + col)·K + channel` of a level: raster over sites, channels innermost. Every coarser level comes
/// before every finer one.
///
/// ```
/// # use bitquilt::Shape;
/// let shape: Shape = "14x14x2".parse()?;
/// assert_eq!(shape.bits(), 392);
/// assert_eq!(shape.position(1, 3, 1), 35);
/// assert_eq!(shape.place(35), (1, 3, 1));
///
/// let shape: Shape = "7x7x2+14x14".parse()?;
/// assert_eq!((shape.levels().len(), shape.bits()), (2, 98 + 196));
/// assert_eq!(shape.finest().height(), 14);
/// assert_eq!(shape.level_of(98).number(), 1);
/// assert_eq!(shape.place(98), (0, 0, 0));
/// # Ok::<(), bitquilt::LatentError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    levels: [Level; MAX_LEVELS],
    count: u32,
}

impl Shape {
    /// Makes a shape of one level of 1 to [`MAX_BITS`] bits.
    ///
    /// # Errors
    /// [`LatentError::Shape`] when a side is 0 or the product passes [`MAX_BITS`] (or overflows).
    pub fn new(height: usize, width: usize, channels: usize) -> Result<Self, LatentError> {
        let bits = height
            .checked_mul(width)
            .and_then(|sites| sites.checked_mul(channels));
        match bits {
            Some(1..=MAX_BITS) => Ok(Self::of(&[(height as u32, width as u32, channels as u32)])),
            _ => Err(LatentError::Shape {
                found: format!("{height}x{width}x{channels}"),
            }),
        }
    }

    /// Makes a pyramid: the levels of `shapes` one after the other, coarse to fine.
    ///
    /// # Errors
    /// [`LatentError::Shape`] for none, for more than [`MAX_LEVELS`], for more than [`MAX_BITS`] bits, and when a level has
    /// fewer rows or columns than the one before it.
    pub fn pyramid(shapes: &[Self]) -> Result<Self, LatentError> {
        let levels: Vec<&Level> = shapes.iter().flat_map(Self::levels).collect();
        let grow = levels.is_sorted_by(|coarse, fine| {
            coarse.height <= fine.height && coarse.width <= fine.width
        });
        let bits: usize = levels.iter().map(|level| level.bits()).sum();
        if !(1..=MAX_LEVELS).contains(&levels.len()) || bits > MAX_BITS || !grow {
            let found: Vec<String> = shapes.iter().map(Self::to_string).collect();
            return Err(LatentError::Shape {
                found: found.join("+"),
            });
        }
        let sides = levels.iter();
        let sides = sides.map(|level| (level.height, level.width, level.channels));
        Ok(Self::of(&sides.collect::<Vec<_>>()))
    }

    /// Lays levels one after the other: at most [`MAX_LEVELS`].
    fn of(sides: &[(u32, u32, u32)]) -> Self {
        let mut levels = [Level::default(); MAX_LEVELS];
        let mut start = 0;
        for (number, (level, (height, width, channels))) in levels.iter_mut().zip(sides).enumerate()
        {
            *level = Level {
                number: number as u32,
                start,
                height: *height,
                width: *width,
                channels: *channels,
            };
            start += height * width * channels;
        }
        Self {
            levels,
            count: sides.len() as u32,
        }
    }

    /// Makes the shape with a finest level of so many rows and columns, its coarser levels larger or smaller by the same factors,
    /// and every level's sites lying over its parents as here.
    ///
    /// # Errors
    /// [`LatentError::Resized`] when a level would not have a whole number of rows or columns; as [`Shape::pyramid`].
    pub fn resized(&self, height: usize, width: usize) -> Result<Self, LatentError> {
        let finest = self.finest();
        let wrong = || LatentError::Resized {
            shape: (*self).into(),
            height,
            width,
            rows: step(self.levels(), Level::height),
            columns: step(self.levels(), Level::width),
        };
        let side = |own: usize, asked: usize, finest: usize| {
            let product = own.checked_mul(asked).filter(|all| all % finest == 0);
            product.map(|all| all / finest).ok_or_else(wrong)
        };
        let levels = self.levels().iter().map(|level| {
            let rows = side(level.height(), height, finest.height())?;
            let columns = side(level.width(), width, finest.width())?;
            Self::new(rows, columns, level.channels())
        });
        Self::pyramid(&levels.collect::<Result<Vec<_>, _>>()?)
    }

    /// Returns whether it is of another size at most: as many levels, of the same channels, and as many sites of each for one of
    /// the level before.
    pub fn lies_like(&self, other: &Self) -> bool {
        let alike = |(own, of): (&Level, &Level)| own.channels() == of.channels();
        let (all, of) = (self.levels(), other.levels());
        // a/b = c/d, without a fraction.
        let over = |own: &[Level], of: &[Level], side: fn(&Level) -> usize| {
            side(&own[0]) * side(&of[1]) == side(&own[1]) * side(&of[0])
        };
        let pairs = || all.windows(2).zip(of.windows(2));
        all.len() == of.len()
            && all.iter().zip(of).all(alike)
            && pairs().all(|(own, of)| over(own, of, Level::height) && over(own, of, Level::width))
    }

    /// Returns its levels, the coarsest first; at least one.
    pub fn levels(&self) -> &[Level] {
        &self.levels[..self.count as usize]
    }

    /// Returns whether it has several levels.
    pub fn is_pyramid(&self) -> bool {
        self.count > 1
    }

    /// Returns a level by its number; `None` where there are not so many.
    pub fn level(&self, number: usize) -> Option<&Level> {
        self.levels().get(number)
    }

    /// Returns the finest level, which is the last one: the only one of a grid.
    pub fn finest(&self) -> &Level {
        &self.levels[self.count as usize - 1]
    }

    /// Returns the level that a position is in.
    pub fn level_of(&self, position: usize) -> &Level {
        let after = self
            .levels()
            .partition_point(|level| level.start() <= position);
        &self.levels[after - 1]
    }

    /// Returns the number of rows of the finest level.
    pub fn height(&self) -> usize {
        self.finest().height()
    }

    /// Returns the number of columns of the finest level.
    pub fn width(&self) -> usize {
        self.finest().width()
    }

    /// Returns the number of bits of a site of the finest level.
    pub fn channels(&self) -> usize {
        self.finest().channels()
    }

    /// Returns the number of bits of one latent, those of all levels.
    pub fn bits(&self) -> usize {
        self.finest().positions().end
    }

    /// Returns the number of bytes of one packed latent.
    pub fn packed_bytes(&self) -> usize {
        self.bits().div_ceil(8)
    }

    /// Returns the position of (row, col, channel) of the finest level.
    pub fn position(&self, row: usize, col: usize, channel: usize) -> usize {
        self.finest().position(row, col, channel)
    }

    /// Returns how many rows its levels have together.
    pub fn rows(&self) -> usize {
        self.levels().iter().map(Level::height).sum()
    }

    /// Returns the number of a position's row among those of all levels.
    pub fn row_of(&self, position: usize) -> usize {
        let level = self.level_of(position);
        let before = self.levels()[..level.number()].iter().map(Level::height);
        before.sum::<usize>() + level.place(position).0
    }

    /// Returns the positions from `position` to the end of its row.
    pub fn rest_of_row(&self, position: usize) -> Range<usize> {
        let level = self.level_of(position);
        let (row, ..) = level.place(position);
        position..level.position(row + 1, 0, 0)
    }

    /// Returns the (row, col, channel) of a position in its level.
    pub fn place(&self, position: usize) -> (usize, usize, usize) {
        self.level_of(position).place(position)
    }
}

/// Returns of what a side of the finest level must be a multiple for all levels to have a whole number of sites: 4 for sides of
/// 7, 14 and 28.
fn step(levels: &[Level], side: impl Fn(&Level) -> usize) -> usize {
    let all = levels.iter().map(&side).fold(0, divisor);
    levels.last().map_or(1, |finest| side(finest) / all)
}

/// Returns the greatest common divisor.
pub(crate) fn divisor(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shape({self})")
    }
}

/// `HxWxK`, levels joined by `+`, coarse to fine.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for level in self.levels() {
            let plus = if level.number == 0 { "" } else { "+" };
            write!(f, "{plus}{level}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.height, self.width, self.channels)
    }
}

impl FromStr for Shape {
    type Err = LatentError;

    fn from_str(text: &str) -> Result<Self, LatentError> {
        let wrong = || LatentError::Shape {
            found: text.to_owned(),
        };
        let grid = |text: &str| {
            let sides = text
                .split('x')
                .map(|side| side.parse().map_err(|_| wrong()));
            match sides.collect::<Result<Vec<usize>, _>>()?[..] {
                [height, width] => Self::new(height, width, 1),
                [height, width, channels] => Self::new(height, width, channels),
                _ => Err(wrong()),
            }
        };
        let levels = text.split('+').map(grid).collect::<Result<Vec<_>, _>>()?;
        Self::pyramid(&levels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_run_through_all_levels_coarse_to_fine() {
        let shape: Shape = "1x2x3+3x3+4x5x2".parse().unwrap();
        assert_eq!(shape.bits(), 6 + 9 + 40);
        let (mut next, mut rows) = (0, 0);
        for level in shape.levels() {
            assert_eq!(level.start(), next);
            for row in 0..level.height() {
                let end = next + level.row_bits();
                for col in 0..level.width() {
                    for channel in 0..level.channels() {
                        assert_eq!(level.position(row, col, channel), next);
                        assert_eq!(shape.level_of(next), level);
                        assert_eq!(shape.place(next), (row, col, channel));
                        assert_eq!(shape.rest_of_row(next), next..end);
                        assert_eq!(shape.row_of(next), rows);
                        next += 1;
                    }
                }
                rows += 1;
            }
        }
        assert_eq!((next, rows), (shape.bits(), shape.rows()));
    }

    #[test]
    fn levels_that_shrink_or_are_too_many_are_refused() {
        for text in ["4x4+2x2", "4x4+4x3", "2x2+", "+2x2", "1024x1024+1024x1024"] {
            assert!(text.parse::<Shape>().is_err(), "{text}");
        }
        let levels = |count| vec!["2x2"; count].join("+").parse::<Shape>();
        assert!(levels(MAX_LEVELS).is_ok());
        assert!(levels(MAX_LEVELS + 1).is_err());
    }
}
