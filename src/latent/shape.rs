//! The shape of a latent and the arithmetic of its bit positions.

use std::fmt;
use std::str::FromStr;

use super::LatentError;

/// Most bits one latent may hold: a 1024×1024×1 or a 64×64×256 grid. Positions then fit 20 bits,
/// and 2³² latents of 2²⁰ bits give occurrence numbers below 2⁵², far from overflow in a `u64`.
pub const MAX_BITS: usize = 1 << 20;

/// Height × width × channels of a latent.
///
/// Bit `i = (row·W + col)·K + channel`: raster over sites, channels innermost.
///
/// ```
/// # use bitquilt::Shape;
/// let shape: Shape = "14x14x2".parse().unwrap();
/// assert_eq!(shape.bits(), 392);
/// assert_eq!(shape.position(1, 3, 1), 35);
/// assert_eq!(shape.place(35), (1, 3, 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    height: usize,
    width: usize,
    channels: usize,
}

impl Shape {
    /// Makes a shape of 1 to [`MAX_BITS`] bits.
    ///
    /// # Errors
    /// [`LatentError::Shape`] when a side is 0 or the product passes [`MAX_BITS`] (or overflows).
    pub fn new(height: usize, width: usize, channels: usize) -> Result<Self, LatentError> {
        let bits = height
            .checked_mul(width)
            .and_then(|sites| sites.checked_mul(channels));
        match bits {
            Some(1..=MAX_BITS) => Ok(Self {
                height,
                width,
                channels,
            }),
            _ => Err(LatentError::Shape {
                found: format!("{height}x{width}x{channels}"),
            }),
        }
    }

    /// Returns the number of rows of the grid, H.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the number of columns of the grid, W.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of bits of a site, K.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the number of bits of one latent, H·W·K.
    pub fn bits(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Returns the number of bytes of one packed latent, ⌈HWK/8⌉.
    pub fn packed_bytes(&self) -> usize {
        self.bits().div_ceil(8)
    }

    /// Returns the bit position of (row, col, channel).
    pub fn position(&self, row: usize, col: usize, channel: usize) -> usize {
        (row * self.width + col) * self.channels + channel
    }

    /// Returns the positions from `position` to the end of its row.
    pub fn rest_of_row(&self, position: usize) -> std::ops::Range<usize> {
        let row_bits = self.width * self.channels;
        position..(position / row_bits + 1) * row_bits
    }

    /// Returns the (row, col, channel) of a bit position.
    pub fn place(&self, position: usize) -> (usize, usize, usize) {
        let site = position / self.channels;
        (
            site / self.width,
            site % self.width,
            position % self.channels,
        )
    }
}

impl fmt::Display for Shape {
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
        let sides = text
            .split('x')
            .map(|side| side.parse().map_err(|_| wrong()))
            .collect::<Result<Vec<usize>, _>>()?;
        match sides[..] {
            [height, width] => Self::new(height, width, 1),
            [height, width, channels] => Self::new(height, width, channels),
            _ => Err(wrong()),
        }
    }
}
