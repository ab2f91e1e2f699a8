//! Coarser grids from bits alone: what a coarser level can be where there are no images to take it from.

use std::fmt;
use std::str::FromStr;

use super::{Codec, LatentError, LatentSet, Shape};
use crate::base::choice;

choice! {
    "lowercase",
    /// When a pooled bit is 1, by the ones of its channel in its block.
    pub enum PoolRule {
        /// When they cover at least half of it.
        #[strum(message = "1 when at least half of the block is")]
        Majority,
        /// When there are any.
        #[strum(message = "1 when any of the block is")]
        Any,
        /// When they cover it all.
        #[strum(message = "1 when all of the block is")]
        All,
    }
}

/// A coarser grid and the rule that it is pooled by: `RULE:HxW`.
///
/// ```
/// use bitquilt::latent::{Pool, PoolRule};
///
/// let pool: Pool = "majority:7x7".parse()?;
/// assert_eq!((pool.rule, pool.height, pool.width), (PoolRule::Majority, 7, 7));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// When a bit is 1.
    pub rule: PoolRule,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl FromStr for Pool {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected RULE:HxW, as in majority:7x7".to_owned();
        let (rule, sides) = text.split_once(':').ok_or_else(wrong)?;
        let (height, width) = sides.split_once('x').ok_or_else(wrong)?;
        Ok(Self {
            rule: rule.parse().map_err(|error| format!("{error}"))?,
            height: height.parse().map_err(|_| wrong())?,
            width: width.parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}x{}", self.rule, self.height, self.width)
    }
}

impl LatentSet {
    /// Returns latents of a coarser grid of as many channels, each bit pooled from its block, which need not be of whole sites:
    /// then what of a site lies in the block counts. Labels are kept.
    ///
    /// ```
    /// use bitquilt::{LatentSet, Shape};
    ///
    /// let mut set = LatentSet::new(Shape::new(1, 4, 1)?);
    /// set.push_bits([true, false, false, false])?;
    /// let pooled = set.pooled("majority:1x2".parse()?)?;
    /// assert_eq!(pooled.packed_latent(0), [0b01]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`LatentError::Shape`] for a grid that no latent has; [`LatentError::Levels`] for one that is no coarser, and for pyramids.
    pub fn pooled(&self, pool: Pool) -> Result<Self, LatentError> {
        let from = self.shape();
        let shape = Shape::new(pool.height, pool.width, from.channels())?;
        if from.is_pyramid() || pool.height > from.height() || pool.width > from.width() {
            return Err(LatentError::Levels {
                why: format!("{pool} is no coarser grid of latents {from}"),
            });
        }
        let rows = blocks(from.height(), pool.height);
        let columns = blocks(from.width(), pool.width);
        // In units of 1/(H′·W′) of a site: every block covers H·W of them.
        let area = from.height() * from.width();
        let mut packed = Vec::with_capacity(self.len() * shape.packed_bytes());
        for id in 0..self.len() {
            let latent = self.latent(id);
            let mut row = vec![0u8; shape.packed_bytes()];
            for position in 0..shape.bits() {
                let (down, right, channel) = shape.place(position);
                let mut ones = 0;
                for (from_row, height) in &rows[down] {
                    for (from_col, width) in &columns[right] {
                        if latent[from.position(*from_row, *from_col, channel)] {
                            ones += height * width;
                        }
                    }
                }
                let bit = match pool.rule {
                    PoolRule::Majority => 2 * ones >= area,
                    PoolRule::Any => ones > 0,
                    PoolRule::All => ones == area,
                };
                row[position / 8] |= u8::from(bit) << (position % 8);
            }
            packed.extend_from_slice(&row);
        }
        let codec = match self.codec() {
            pixels @ (Codec::Threshold | Codec::Thermometer { .. }) => pixels.clone(),
            Codec::Codes | Codec::Other(_) => Codec::Codes,
        };
        let source = format!("{}, pooled {pool}", self.source());
        let set = Self::from_packed(shape, packed)?;
        let set = set.with_codec(codec).with_source(source);
        match self.labels() {
            Some(labels) => set.with_labels(labels.to_vec()),
            None => Ok(set),
        }
    }
}

/// Returns for each of `coarse` blocks of a side of `fine` sites, which it covers and how much of each, in units of 1/`coarse` of
/// a site.
fn blocks(fine: usize, coarse: usize) -> Vec<Vec<(usize, usize)>> {
    let block = |number: usize| {
        let (start, end) = (number * fine, (number + 1) * fine);
        let sites = start / coarse..end.div_ceil(coarse);
        let covered = sites.map(|site| {
            let (from, to) = ((site * coarse).max(start), ((site + 1) * coarse).min(end));
            (site, to - from)
        });
        covered.collect()
    };
    (0..coarse).map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_pooled_bit_says_what_every_small_square_of_its_block_says(
            bits in prop::collection::vec(any::<bool>(), 2 * 5 * 6 * 2),
            height in 1..=5usize,
            width in 1..=6usize,
        ) {
            let shape = Shape::new(5, 6, 2).unwrap();
            let mut set = LatentSet::new(shape);
            for latent in bits.chunks(60) {
                set.push_bits(latent.iter().copied()).unwrap();
            }
            let set = set.with_labels(vec![3, 4]).unwrap();
            for rule in [PoolRule::Majority, PoolRule::Any, PoolRule::All] {
                let pooled = set.pooled(Pool { rule, height, width }).unwrap();
                prop_assert_eq!(pooled.labels(), set.labels());
                for (id, latent) in bits.chunks(60).enumerate() {
                    for position in 0..pooled.shape().bits() {
                        let (row, col, k) = pooled.shape().place(position);
                        // Sites cut into height × width small squares each.
                        let (mut ones, mut all) = (0, 0);
                        for down in row * 5..(row + 1) * 5 {
                            for right in col * 6..(col + 1) * 6 {
                                let bit = shape.position(down / height, right / width, k);
                                ones += usize::from(latent[bit]);
                                all += 1;
                            }
                        }
                        let expected = match rule {
                            PoolRule::Majority => 2 * ones >= all,
                            PoolRule::Any => ones > 0,
                            PoolRule::All => ones == all,
                        };
                        prop_assert_eq!(pooled.latent(id)[position], expected);
                    }
                }
            }
        }
    }
}
