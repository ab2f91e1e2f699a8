//! How many bits of each tile of a latent are 1.
//!
//! Of two latents that differ by `d` bits the numbers of ones of their tiles, summed over all tiles, differ by `d` at most. Tiles are squares of
//! 4x4 sites: of 60,000 digits 376 may be as near to a digit as the fifth nearest by 49 such tiles, 1,675 by 49 runs of sixteen bits
//! in scan order, 9,002 by 13 words.

use std::ops::Range;

use super::corpus::words_of;
use crate::base::bits::read;
use crate::latent::{Level, Shape};

/// Side of a tile, in sites, as nearly as a grid lets it be: 3 to 5.
const SIDE: usize = 4;
/// Bits of a tile at most.
pub(super) const MAX_BITS: u8 = 25;
/// Bits of a tile of a level that is less than a tile high or wide.
const RUN: usize = SIDE * SIDE;

/// Some bits of a latent as [`super::Corpus`] holds it: in each of `rows` rows, `stride` bits apart, `width` bits from `at` on.
#[derive(Clone, Copy, Debug)]
struct Tile {
    at: usize,
    rows: usize,
    stride: usize,
    width: usize,
}

impl Tile {
    /// At most [`MAX_BITS`].
    fn ones(&self, words: &[u64]) -> u8 {
        let rows = (0..self.rows).map(|row| read(words, self.at + row * self.stride, self.width));
        rows.map(|row| row.count_ones() as u8).sum()
    }
}

/// The tiles of latents of one shape, level by level.
#[derive(Clone, Debug)]
pub(super) struct Tiling {
    tiles: Vec<Tile>,
    levels: Vec<Range<usize>>,
}

impl Tiling {
    /// Cuts each channel of each level into tiles.
    pub(super) fn of(shape: &Shape) -> Self {
        let mut tiling = Self {
            tiles: Vec::new(),
            levels: Vec::new(),
        };
        for level in shape.levels() {
            let first = tiling.tiles.len();
            tiling.cut(level, 64 * words_of(shape, level).start);
            tiling.levels.push(first..tiling.tiles.len());
        }
        tiling
    }

    fn cut(&mut self, level: &Level, start: usize) {
        let (height, width) = (level.height(), level.width());
        if height.min(width) < SIDE {
            self.tiles
                .extend((0..level.bits()).step_by(RUN).map(|at| Tile {
                    at: start + at,
                    rows: 1,
                    stride: 0,
                    width: RUN.min(level.bits() - at),
                }));
            return;
        }
        for channel in 0..level.channels() {
            let plane = start + channel * height * width;
            for rows in parts(height) {
                self.tiles.extend(parts(width).map(|columns| Tile {
                    at: plane + rows.start * width + columns.start,
                    rows: rows.len(),
                    stride: width,
                    width: columns.len(),
                }));
            }
        }
    }

    /// Returns the number of tiles.
    pub(super) fn len(&self) -> usize {
        self.tiles.len()
    }

    /// Returns how many bits are 1 in each tile of a latent, at least one word behind it.
    pub(super) fn ones<'a>(&'a self, words: &'a [u64]) -> impl Iterator<Item = u8> + 'a {
        self.tiles.iter().map(|tile| tile.ones(words))
    }

    /// Returns what tiles say of some bits, those where `mask` has ones, of a level or of all: of each tile with any.
    pub(super) fn ones_of(
        &self,
        level: Option<&Level>,
        bits: &[u64],
        mask: &[u64],
    ) -> Vec<TileOnes> {
        let within = level.map_or(0..self.len(), |level| self.levels[level.number()].clone());
        let tiles = within.filter_map(|number| {
            let tile = &self.tiles[number];
            let compared = tile.ones(mask);
            let ones = tile.ones(bits);
            (compared > 0).then(|| TileOnes {
                tile: number,
                ones,
                at_most: ones + (tile.rows * tile.width) as u8 - compared,
            })
        });
        tiles.collect()
    }
}

/// What is known of a tile where some of its bits are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct TileOnes {
    /// Its number.
    pub(super) tile: usize,
    /// How many of the bits are 1; and with them all that are not compared.
    ones: u8,
    at_most: u8,
}

impl TileOnes {
    /// Returns in how many of the bits that are compared a latent differs at least, with so many ones in the tile: those beyond what the bits that are not
    /// compared may be.
    #[inline(always)]
    pub(super) fn least(self, ones: u8) -> u8 {
        let (too_few, too_many) = (
            self.ones.saturating_sub(ones),
            ones.saturating_sub(self.at_most),
        );
        too_few.max(too_many)
    }
}

/// Cuts a side of at least [`SIDE`] into parts that are as equal as can be.
fn parts(side: usize) -> impl Iterator<Item = Range<usize>> {
    let many = (side + SIDE / 2) / SIDE;
    (0..many).map(move |part| part * side / many..(part + 1) * side / many)
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Planes;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_bit_lies_in_one_tile_of_its_level(
            sides in prop::collection::vec((1..15usize, 1..15usize), 1..4),
            channels in 1..4usize,
            flipped in any::<prop::sample::Index>(),
        ) {
            let mut sides = sides;
            sides.sort();
            sides.dedup();
            let levels = sides.iter().map(|(height, width)| format!("{height}x{width}x{channels}"));
            let shape = levels.collect::<Vec<_>>().join("+").parse::<Shape>();
            prop_assume!(shape.is_ok());
            let shape = shape.unwrap();
            let tiling = Tiling::of(&shape);
            let position = flipped.index(shape.bits());
            let mut packed = vec![0; shape.packed_bytes()];
            packed[position / 8] |= 1 << (position % 8);
            let planes = Planes::of(shape, &packed);
            let ones: Vec<u8> = tiling.ones(planes.words()).collect();
            let tile = ones.iter().position(|ones| *ones == 1).unwrap();
            prop_assert_eq!(ones.iter().map(|ones| usize::from(*ones)).sum::<usize>(), 1);
            prop_assert!(tiling.levels[shape.level_of(position).number()].contains(&tile));
            let full = vec![u64::MAX; planes.words().len()];
            let all: Vec<u8> = tiling.ones(&full).collect();
            prop_assert_eq!(all.iter().map(|ones| usize::from(*ones)).sum::<usize>(), shape.bits());
            prop_assert!(all.iter().all(|ones| *ones <= MAX_BITS));
        }
    }
}
