//! Latents → pictures, for the codecs whose bits are pixels; and the channels of any latent as
//! black and white planes.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::base::files;
use crate::images::ImageSet;
use crate::latent::{Bits, Codec, LatentError, LatentSet, Shape};

/// Most pixels of one picture, 8192×8192.
pub const MAX_PIXELS: usize = 1 << 26;
/// Pixels between two tiles of a grid.
pub const GRID_GAP: usize = 2;
/// Pixels between two planes of one latent.
pub const PLANE_GAP: usize = 1;
/// The gray of every gap.
pub const GAP_GRAY: u8 = 128;

/// An 8-bit picture: height × width pixels of 1 (gray) or 3 (red, green, blue) bytes, row by row.
///
/// ```
/// use std::path::Path;
///
/// use bitquilt::latent::Codec;
/// use bitquilt::picture::{GridOptions, Picture, write_grid};
/// # use bitquilt::{LatentSet, Shape};
///
/// let mut set = LatentSet::new(Shape::new(2, 2, 1)?).with_codec(Codec::Threshold);
/// set.push_bits([true, false, false, true])?;
/// set.push_bits([true, true, true, true])?;
/// let options = GridOptions { scale: 3, ..GridOptions::default() };
/// let picture = Picture::of(&set, 0, &options, Path::new("latents"))?;
/// assert_eq!((picture.height(), picture.width()), (6, 6));
/// assert_eq!((picture.colour(0, 0), picture.colour(0, 3)), ([255; 3], [0; 3]));
///
/// // Both side by side, in a file:
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("grid.png");
/// write_grid(&set, &path, &options)?;
/// assert!(std::fs::read(&path)?.starts_with(b"\x89PNG"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    height: usize,
    width: usize,
    channels: usize,
    pixels: Vec<u8>,
}

/// How latents are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridOptions {
    /// Pixels of the picture for each site, in both directions; at least 1.
    pub scale: usize,
    /// Tiles in a row of the grid; ⌈√n⌉ when `None`.
    pub columns: Option<usize>,
    /// Draws every channel as a black and white plane of its own, side by side, channel 0 first.
    pub planes: bool,
}

impl Default for GridOptions {
    fn default() -> Self {
        Self {
            scale: 4,
            columns: None,
            planes: false,
        }
    }
}

/// Why something cannot be drawn; becomes a [`LatentError`] where a path is known.
struct Refusal {
    expected: String,
    found: String,
}

impl Refusal {
    fn new(expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self {
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    fn at(self, path: &Path) -> LatentError {
        LatentError::format(path, self.expected, self.found)
    }
}

/// The size and channels of one tile.
#[derive(Clone, Copy)]
struct Tile {
    height: usize,
    width: usize,
    channels: usize,
}

impl Tile {
    fn of(shape: Shape, codec: &Codec, options: &GridOptions) -> Result<Self, Refusal> {
        let planes = if options.planes { shape.channels() } else { 1 };
        let channels = match (codec, shape.channels()) {
            _ if options.planes => 1,
            (Codec::Threshold, channels @ (1 | 3)) => channels,
            (Codec::Thermometer { thresholds }, channels)
                if [1, 3]
                    .map(|colours| colours * thresholds)
                    .contains(&channels) =>
            {
                channels / thresholds
            }
            (Codec::Threshold | Codec::Thermometer { .. }, channels) => {
                return Err(Refusal::new(
                    "1 or 3 colours, or planes=true to see each channel in black and white",
                    format!("{channels} channels, codec {codec}"),
                ));
            }
            (codec, _) => {
                return Err(Refusal::new(
                    "bits that are pixels (codec threshold)",
                    format!(
                        "codec {codec}: these are codes, which only their own model turns into \
                         images; planes=true shows each channel in black and white"
                    ),
                ));
            }
        };
        if options.scale == 0 || options.columns == Some(0) {
            return Err(Refusal::new("a scale and columns of at least 1", 0));
        }
        let size = || {
            let height = shape.height().checked_mul(options.scale)?;
            let width = shape.width().checked_mul(options.scale)?;
            let width = width.checked_add(PLANE_GAP)?.checked_mul(planes)? - PLANE_GAP;
            Some((height, width))
        };
        let (height, width) = size().ok_or_else(|| too_large("a tile"))?;
        check_size(height, width)?;
        Ok(Self {
            height,
            width,
            channels,
        })
    }
}

fn too_large(found: impl fmt::Display) -> Refusal {
    Refusal::new(
        format!(
            "a picture of at most {MAX_PIXELS} pixels: draw fewer latents (`limit`) or smaller ones (`scale`)"
        ),
        found,
    )
}

fn check_size(height: usize, width: usize) -> Result<(), Refusal> {
    match height.checked_mul(width) {
        Some(0..=MAX_PIXELS) => Ok(()),
        _ => Err(too_large(format!("{height}x{width} (height x width)"))),
    }
}

impl Picture {
    /// Draws latent `id`: black for 0, white for 1, or a colour where three channels are red, green
    /// and blue. `options.columns` plays no part. Panics when `id ≥ set.len()`, as indexing does.
    ///
    /// # Errors
    /// [`LatentError::Format`], naming `path`, when the set's codec is not pixels and planes are not
    /// asked for, or the picture would have more than [`MAX_PIXELS`] pixels.
    pub fn of(
        set: &LatentSet,
        id: usize,
        options: &GridOptions,
        path: &Path,
    ) -> Result<Self, LatentError> {
        let refused = |refusal: Refusal| refusal.at(path);
        let tile = Tile::of(set.shape(), set.codec(), options).map_err(refused)?;
        let mut picture = Self::filled(tile.height, tile.width, tile.channels);
        picture.draw(set, id, options, 0, 0);
        Ok(picture)
    }

    /// Draws one latent, a pixel for each site: in its colours where its bits are pixels, else as [`Picture::of_code`] does.
    ///
    /// # Errors
    /// As [`Picture::of`]; `path` is named.
    pub fn of_latent(
        shape: Shape,
        packed: &[u8],
        codec: &Codec,
        path: &Path,
    ) -> Result<Self, LatentError> {
        let is_pixels = match codec {
            Codec::Threshold => matches!(shape.channels(), 1 | 3),
            Codec::Thermometer { .. } => true,
            _ => false,
        };
        if !is_pixels {
            return Ok(Self::of_code(shape, packed));
        }
        let plain = GridOptions {
            scale: 1,
            ..GridOptions::default()
        };
        let set = LatentSet::from_packed(shape, packed.to_vec())?;
        Self::of(&set.with_codec(codec.clone()), 0, &plain, path)
    }

    /// Makes a picture of red, green and blue bytes, row by row: height × width × 3 of them.
    pub(crate) fn of_colours(height: usize, width: usize, pixels: Vec<u8>) -> Self {
        debug_assert_eq!(pixels.len(), height * width * 3);
        Self {
            height,
            width,
            channels: 3,
            pixels,
        }
    }

    /// Draws the gray level of each site, one pixel each, by how many of its bits are 1: what a code looks like where
    /// no model makes an image of it. `packed` is a latent of `shape`.
    pub fn of_code(shape: Shape, packed: &[u8]) -> Self {
        let bits = Bits::from_slice(packed);
        let pixels = bits[..shape.bits()].chunks(shape.channels());
        Self {
            height: shape.height(),
            width: shape.width(),
            channels: 1,
            pixels: pixels
                .map(|site| (255 * site.count_ones() / site.len()) as u8)
                .collect(),
        }
    }

    /// Returns the red, green and blue of a pixel. Panics when there is none, as indexing does.
    pub fn colour(&self, row: usize, col: usize) -> [u8; 3] {
        let at = (row * self.width + col) * self.channels;
        match self.channels {
            1 => [self.pixels[at]; 3],
            _ => [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]],
        }
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of bytes of one pixel: 1 gray, 3 red, green and blue.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the pixels, row by row: height × width × channels bytes.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Writes a PNG file, whole or not at all.
    ///
    /// # Errors
    /// [`LatentError::Io`].
    pub fn write_png(&self, path: &Path) -> Result<(), LatentError> {
        let png = self.to_png(path)?;
        files::write_whole(path, |out| Ok(out.write_all(&png)?))
    }

    /// Returns the bytes of a PNG file.
    ///
    /// # Errors
    /// [`LatentError::Format`], naming `path`, for a picture that PNG cannot hold.
    pub fn to_png(&self, path: &Path) -> Result<Vec<u8>, LatentError> {
        let colour = if self.channels == 1 {
            ExtendedColorType::L8
        } else {
            ExtendedColorType::Rgb8
        };
        let mut png = Vec::new();
        // The sides are far below 2³²: `check_size` saw them.
        PngEncoder::new(&mut png)
            .write_image(&self.pixels, self.width as u32, self.height as u32, colour)
            .map_err(|error| LatentError::format(path, "a picture that PNG can hold", error))?;
        Ok(png)
    }

    /// Returns the pixels of some rows and columns; `None` for any that are not there, or none.
    pub fn cropped(&self, rows: Range<usize>, columns: Range<usize>) -> Option<Self> {
        if rows.is_empty()
            || columns.is_empty()
            || rows.end > self.height
            || columns.end > self.width
        {
            return None;
        }
        let line = |row: usize| {
            let at = |col: usize| (row * self.width + col) * self.channels;
            &self.pixels[at(columns.start)..at(columns.end)]
        };
        Some(Self {
            height: rows.len(),
            width: columns.len(),
            channels: self.channels,
            pixels: rows.flat_map(line).copied().collect(),
        })
    }

    /// Returns the picture with each pixel as `scale` × `scale`; `None` for more than [`MAX_PIXELS`] pixels.
    pub fn scaled(self, scale: usize) -> Option<Self> {
        if scale <= 1 {
            return Some(self);
        }
        let (height, width) = (
            self.height.checked_mul(scale)?,
            self.width.checked_mul(scale)?,
        );
        check_size(height, width).ok()?;
        let mut scaled = Self::filled(height, width, self.channels);
        scaled.put(&self, (0, 0), scale);
        Some(scaled)
    }

    /// Arranges pictures as one, row by row, `columns` in each, without gaps; all have the sides of the first. `None` for none, for pictures
    /// of other sides, or more than [`MAX_PIXELS`] pixels.
    pub fn sheet(pictures: &[Self], columns: usize) -> Option<Self> {
        let first = pictures.first()?;
        let columns = columns.clamp(1, pictures.len());
        let rows = pictures.len().div_ceil(columns);
        let (height, width) = (
            first.height.checked_mul(rows)?,
            first.width.checked_mul(columns)?,
        );
        check_size(height, width).ok()?;
        let mut sheet = Self::filled(height, width, first.channels);
        for (number, picture) in pictures.iter().enumerate() {
            if (picture.height, picture.width, picture.channels)
                != (first.height, first.width, first.channels)
            {
                return None;
            }
            sheet.put(
                picture,
                (
                    number / columns * first.height,
                    number % columns * first.width,
                ),
                1,
            );
        }
        Some(sheet)
    }

    /// Copies a picture to a place, each pixel as `scale` × `scale`. It must lie inside.
    fn put(&mut self, picture: &Self, (top, left): (usize, usize), scale: usize) {
        let each = self.channels;
        for row in 0..picture.height * scale {
            for col in 0..picture.width * scale {
                let from = (row / scale * picture.width + col / scale) * each;
                let to = ((top + row) * self.width + left + col) * each;
                self.pixels[to..to + each].copy_from_slice(&picture.pixels[from..from + each]);
            }
        }
    }

    /// Makes a picture that is all gap.
    fn filled(height: usize, width: usize, channels: usize) -> Self {
        Self {
            height,
            width,
            channels,
            pixels: vec![GAP_GRAY; height * width * channels],
        }
    }

    /// Draws a latent with its upper left corner at (top, left). The tile must lie inside.
    fn draw(&mut self, set: &LatentSet, id: usize, options: &GridOptions, top: usize, left: usize) {
        let shape = set.shape();
        let bits = set.latent(id);
        let plane_width = shape.width() * options.scale + PLANE_GAP;
        // Bits of one value.
        let each = match set.codec() {
            Codec::Thermometer { thresholds } if !options.planes => *thresholds,
            _ => 1,
        };
        for row in 0..shape.height() {
            for col in 0..shape.width() {
                for channel in 0..shape.channels() / each {
                    let first = shape.position(row, col, channel * each);
                    // At most 255.
                    let value = (255 * bits[first..first + each].count_ones() / each) as u8;
                    let (byte, shift) = if options.planes {
                        (0, channel * plane_width)
                    } else {
                        (channel, 0)
                    };
                    for y in 0..options.scale {
                        for x in 0..options.scale {
                            let y = top + row * options.scale + y;
                            let x = left + shift + col * options.scale + x;
                            self.pixels[(y * self.width + x) * self.channels + byte] = value;
                        }
                    }
                }
            }
        }
    }
}

/// Returns the columns of a grid of so many tiles that has as many rows, or one less: ⌈√n⌉.
pub fn square(tiles: usize) -> usize {
    let root = tiles.isqrt();
    root + usize::from(root * root < tiles)
}

/// Draws all latents of a set as one picture: row by row, [`GRID_GAP`] pixels of gray between tiles.
///
/// # Errors
/// As [`Picture::of`], and [`LatentError::Empty`] when the set has no latent; `path` is named.
pub fn grid(set: &LatentSet, options: &GridOptions, path: &Path) -> Result<Picture, LatentError> {
    if set.is_empty() {
        return Err(LatentError::Empty { path: path.into() });
    }
    let refused = |refusal: Refusal| refusal.at(path);
    let tile = Tile::of(set.shape(), set.codec(), options).map_err(refused)?;
    let columns = options.columns.unwrap_or_else(|| square(set.len()));
    let columns = columns.min(set.len());
    let rows = set.len().div_ceil(columns);
    let side = |tiles: usize, side: usize| {
        tiles
            .checked_mul(side + GRID_GAP)
            .map(|length| length - GRID_GAP)
    };
    let (height, width) = side(rows, tile.height)
        .zip(side(columns, tile.width))
        .ok_or_else(|| too_large(format!("{rows} rows of {columns} tiles")).at(path))?;
    check_size(height, width).map_err(refused)?;

    let mut picture = Picture::filled(height, width, tile.channels);
    for id in 0..set.len() {
        let top = id / columns * (tile.height + GRID_GAP);
        let left = id % columns * (tile.width + GRID_GAP);
        picture.draw(set, id, options, top, left);
    }
    Ok(picture)
}

/// Draws all latents of a set into one PNG file, as [`grid`] arranges them.
///
/// # Errors
/// As [`grid`] and [`Picture::write_png`].
pub fn write_grid(set: &LatentSet, path: &Path, options: &GridOptions) -> Result<(), LatentError> {
    grid(set, options, path)?.write_png(path)
}

/// Arranges images as one picture: row by row, `columns` in each, every pixel as `scale` × `scale`,
/// [`GRID_GAP`] pixels of gray between tiles.
///
/// # Errors
/// [`LatentError::Empty`] when there is no image, [`LatentError::Format`] when the picture would have more
/// than [`MAX_PIXELS`] pixels; both name the source of the images.
pub fn grid_of_images(
    images: &ImageSet,
    columns: usize,
    scale: usize,
) -> Result<Picture, LatentError> {
    let path = Path::new(images.source());
    if images.is_empty() {
        return Err(LatentError::Empty { path: path.into() });
    }
    let (columns, scale) = (columns.clamp(1, images.len()), scale.max(1));
    let rows = images.len().div_ceil(columns);
    let side = |tiles: usize, pixels: usize| {
        let tile = pixels.checked_mul(scale)?.checked_add(GRID_GAP)?;
        Some(tiles.checked_mul(tile)? - GRID_GAP)
    };
    let (height, width) = side(rows, images.height())
        .zip(side(columns, images.width()))
        .ok_or_else(|| too_large(format!("{rows} rows of {columns} tiles")).at(path))?;
    check_size(height, width).map_err(|refusal| refusal.at(path))?;

    let colours = images.colours();
    let mut picture = Picture::filled(height, width, colours);
    for (id, image) in images.images().enumerate() {
        let top = id / columns * (images.height() * scale + GRID_GAP);
        let left = id % columns * (images.width() * scale + GRID_GAP);
        for (pixel, value) in image.chunks_exact(colours).enumerate() {
            let (row, col) = (pixel / images.width(), pixel % images.width());
            for y in top + row * scale..top + (row + 1) * scale {
                for x in left + col * scale..left + (col + 1) * scale {
                    let at = (y * width + x) * colours;
                    picture.pixels[at..at + colours].copy_from_slice(value);
                }
            }
        }
    }
    Ok(picture)
}
