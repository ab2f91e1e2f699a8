//! Latents as 64-bit words: by rows to compare latents, by columns to compare bits.

use pulp::Arch;
use rayon::prelude::*;

use super::EvalError;
use crate::base::{Budget, bits, hamming};
use crate::latent::LatentSet;

/// One row of words for each latent.
pub(super) struct Rows {
    row_words: usize,
    words: Vec<u64>,
}

impl Rows {
    pub(super) fn of(set: &LatentSet, memory: Budget) -> Result<Self, EvalError> {
        let row_words = set.shape().bits().div_ceil(64);
        memory.check(8 * (set.len() * row_words) as u64, "comparing latents")?;
        let mut words = Vec::with_capacity(set.len() * row_words);
        for id in 0..set.len() {
            words.extend(bits::words(set.packed_latent(id)));
        }
        Ok(Self { row_words, words })
    }

    /// Returns the Hamming distances of latent `id` to all later ones, in order.
    pub(super) fn distances_to_later(&self, id: usize, distances: &mut Vec<u32>) {
        let row = &self.words[id * self.row_words..(id + 1) * self.row_words];
        let later = &self.words[(id + 1) * self.row_words..];
        hamming::distances(row, later, (self.row_words, 0), distances);
    }
}

/// One row of words for each of some positions: bit j of a row is the bit of latent j.
pub(super) struct Columns {
    latents: usize,
    column_words: usize,
    words: Vec<u64>,
}

impl Columns {
    pub(super) fn of(
        set: &LatentSet,
        positions: &[usize],
        memory: Budget,
    ) -> Result<Self, EvalError> {
        let column_words = set.len().div_ceil(64).max(1);
        memory.check(
            8 * (positions.len() * column_words) as u64,
            "comparing bits",
        )?;
        let mut words = vec![0u64; positions.len() * column_words];
        let (packed, row) = (set.packed(), set.shape().packed_bytes());
        let columns = words.par_chunks_exact_mut(column_words);
        columns.zip(positions).for_each(|(column, position)| {
            let bytes = packed.iter().skip(position / 8).step_by(row);
            for (latent, byte) in bytes.enumerate() {
                column[latent / 64] |= u64::from(byte >> (position % 8) & 1) << (latent % 64);
            }
        });
        Ok(Self {
            latents: set.len(),
            column_words,
            words,
        })
    }

    fn column(&self, number: usize) -> &[u64] {
        &self.words[number * self.column_words..(number + 1) * self.column_words]
    }

    /// Returns how many latents have a 1 in a column.
    pub(super) fn ones(&self, number: usize) -> u64 {
        let words = self.column(number).iter();
        words.map(|word| u64::from(word.count_ones())).sum()
    }

    /// Returns how many latents there are.
    pub(super) fn latents(&self) -> usize {
        self.latents
    }

    /// Returns how many latents have a 1 both in a column and in each of the others, in their order.
    pub(super) fn common(
        &self,
        number: usize,
        others: std::ops::Range<usize>,
        common: &mut Vec<u64>,
    ) {
        common.clear();
        let column = self.column(number);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                common.extend(others.map(|other| {
                    let pairs = column.iter().zip(self.column(other));
                    pairs
                        .map(|(a, b)| u64::from((a & b).count_ones()))
                        .sum::<u64>()
                }));
            },
        );
    }
}
