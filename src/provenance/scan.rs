//! Every training latent, compared with a sample that lies on it moved by some sites: in all of its sites or in some.

use std::ops::Range;

use pulp::Arch;

use super::corpus::{Corpus, Planes, words_of};
use super::overlay::{moved, overlap};
use crate::base::bits::{push, read};
use crate::latent::Level;

/// A rectangle of sites.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rectangle {
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
}

impl Rectangle {
    /// Returns all sites of a level.
    pub(crate) fn whole(level: &Level) -> Self {
        Self {
            rows: 0..level.height(),
            columns: 0..level.width(),
        }
    }

    /// Returns the sites of it that have one of a training latent under them.
    pub(crate) fn over(&self, level: &Level, (down, right): (i32, i32)) -> Self {
        let part = |own: &Range<usize>, side: usize, by: i32| {
            let both = overlap(side, side, by);
            let start = own.start.max(both.start);
            start..own.end.min(both.end).max(start)
        };
        Self {
            rows: part(&self.rows, level.height(), down),
            columns: part(&self.columns, level.width(), right),
        }
    }
}

/// One word of a training latent that is compared.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Its number in a row of the corpus.
    word: usize,
    bits: u64,
    mask: u64,
}

impl Part {
    #[inline(always)]
    fn differing(&self, word: u64) -> u32 {
        ((word ^ self.bits) & self.mask).count_ones()
    }
}

/// Some sites of a sample, moved, as a [`Corpus`] holds latents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moved {
    parts: Vec<Part>,
    /// Bits that are compared.
    pub(crate) bits: usize,
}

impl Moved {
    /// Lays those sites of a rectangle that have a site of the training latents under them.
    pub(crate) fn new(
        corpus: &Corpus,
        planes: &Planes,
        level: &Level,
        rectangle: &Rectangle,
        (down, right): (i32, i32),
    ) -> Self {
        let Rectangle { rows, columns } = rectangle.over(level, (down, right));
        let words = words_of(&corpus.shape(), level);
        let mut bits = vec![0; words.len() + 1];
        let mut mask = vec![0; words.len() + 1];
        let from = planes.level(level);
        for channel in 0..level.channels() {
            for row in rows.clone() {
                let here = (channel * level.height() + row) * level.width() + columns.start;
                let under = (channel * level.height() + moved(row, down)) * level.width();
                let under = under + moved(columns.start, right);
                for done in (0..columns.len()).step_by(64) {
                    let n = (columns.len() - done).min(64);
                    push(&mut bits, under + done, read(from, here + done, n));
                    push(&mut mask, under + done, !0 >> (64 - n));
                }
            }
        }
        let parts = bits.into_iter().zip(mask).enumerate();
        let parts = parts.filter(|(_, (_, mask))| *mask != 0);
        Self {
            parts: parts
                .map(|(word, (bits, mask))| Part {
                    word: words.start + word,
                    bits,
                    mask,
                })
                .collect(),
            bits: rows.len() * columns.len() * level.channels(),
        }
    }

    /// Puts first what tells most latents apart: `spread` says of each word of a row how much its bits differ.
    pub(crate) fn by_spread(mut self, spread: &[f64]) -> Self {
        self.parts
            .sort_by(|a, b| spread[b.word].total_cmp(&spread[a.word]));
        self
    }

    /// Returns how many bits differ from those of a training latent.
    fn distance(&self, row: &[u64]) -> u32 {
        let parts = self.parts.iter();
        parts.map(|part| part.differing(row[part.word])).sum()
    }
}

/// Latents that are compared at once, and words before those of them are given up that are all too far away.
const BLOCK: usize = 64;
const STAGE: usize = 3;

/// The words of all latents in blocks, in each block word by word: many latents are compared at once.
pub(crate) struct Columns {
    ids: Vec<u32>,
    row_words: usize,
    words: Vec<u64>,
}

impl Columns {
    /// Returns the bytes that those of a corpus take.
    pub(crate) fn bytes_needed(corpus: &Corpus) -> u64 {
        let blocks = corpus.latents().div_ceil(BLOCK) as u64;
        blocks * (BLOCK * (8 * corpus.row_words() + 4)) as u64
    }

    /// Lays out a corpus.
    pub(crate) fn new(corpus: &Corpus) -> Self {
        let row_words = corpus.row_words();
        let mut words = vec![0; corpus.latents().div_ceil(BLOCK) * BLOCK * row_words];
        let mut ids = Vec::with_capacity(corpus.latents());
        for (number, (row, id)) in corpus.rows().enumerate() {
            let block = &mut words[number / BLOCK * BLOCK * row_words..][..BLOCK * row_words];
            for (word, bits) in row.iter().enumerate() {
                block[word * BLOCK + number % BLOCK] = *bits;
            }
            ids.push(id);
        }
        Self {
            ids,
            row_words,
            words,
        }
    }

    /// Hands every latent, in id order, that differs in at most `limit` of the bits that are compared to `found`, with how many;
    /// which says the next limit. O(N · words), most latents given up after a few.
    pub(crate) fn scan(
        &self,
        moved: &Moved,
        mut limit: u32,
        mut found: impl FnMut(u32, u32) -> u32,
    ) {
        let arch = Arch::new();
        let blocks = self.words.chunks_exact(BLOCK * self.row_words);
        'blocks: for (block, ids) in blocks.zip(self.ids.chunks(BLOCK)) {
            let mut sums = [0; BLOCK];
            for stage in moved.parts.chunks(STAGE) {
                // Vectors of words where the machine has them. Nothing else within: what is too large is not compiled for them.
                arch.dispatch(
                    #[inline(always)]
                    || add_differing(&mut sums, block, stage),
                );
                if sums[..ids.len()].iter().all(|sum| *sum > u64::from(limit)) {
                    continue 'blocks;
                }
            }
            for (sum, id) in sums.iter().zip(ids) {
                // A latent has at most 2²⁰ bits.
                let distance = *sum as u32;
                if distance <= limit {
                    limit = found(*id, distance);
                }
            }
        }
    }
}

/// Adds to the sums of a block how many bits differ in some words.
#[inline(always)]
fn add_differing(sums: &mut [u64; BLOCK], block: &[u64], parts: &[Part]) {
    for part in parts {
        let column = &block[part.word * BLOCK..(part.word + 1) * BLOCK];
        for (sum, word) in sums.iter_mut().zip(column) {
            *sum += u64::from(part.differing(*word));
        }
    }
}

impl Corpus {
    /// Returns for each word of a row how much its bits differ between latents: the sum of their variances, over some latents.
    pub(crate) fn spread_of_words(&self) -> Vec<f64> {
        let some: Vec<u32> = self.spaced(500).collect();
        let rows: Vec<&[u64]> = some.iter().filter_map(|id| self.row_of(*id)).collect();
        let of = |word: usize| {
            let bit = |bit: usize| {
                let ones = rows.iter().filter(|row| row[word] >> bit & 1 == 1).count();
                let share = ones as f64 / rows.len().max(1) as f64;
                share * (1.0 - share)
            };
            (0..64).map(bit).sum()
        };
        (0..self.row_words()).map(of).collect()
    }

    /// Returns how many of the bits that are compared differ in a latent; `None` where there is none of that id.
    pub(crate) fn distance(&self, moved: &Moved, id: u32) -> Option<u32> {
        let row = self.row_of(id)?;
        Some(moved.distance(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::{LatentSet, Shape};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_scan_finds_what_comparing_bit_by_bit_finds(
            bits in prop::collection::vec(any::<bool>(), 6 * 5 * 4 * 2),
            (down, right) in (-5..6i32, -5..6i32),
            (top, left) in (0..4usize, 0..3usize),
            limit in 0..30u32,
        ) {
            let shape = Shape::new(5, 4, 2).unwrap();
            let mut set = LatentSet::new(shape);
            for latent in bits.chunks(40) {
                set.push_bits(latent.iter().copied()).unwrap();
            }
            let corpus = Corpus::of(&set);
            let level = shape.finest();
            let planes = Planes::of(shape, set.packed_latent(0));
            let rectangle = Rectangle { rows: top..5, columns: left..4 };
            let moved = Moved::new(&corpus, &planes, level, &rectangle, (down, right));
            let mut expected = Vec::new();
            for id in 0..6 {
                let (mut compared, mut differing) = (0, 0);
                for row in top..5 {
                    for col in left..4 {
                        let under = (row as i32 + down, col as i32 + right);
                        if !(0..5).contains(&under.0) || !(0..4).contains(&under.1) {
                            continue;
                        }
                        for channel in 0..2 {
                            let own = shape.position(row, col, channel);
                            let under = shape.position(under.0 as usize, under.1 as usize, channel);
                            compared += 1;
                            differing += u32::from(bits[own] != bits[id * 40 + under]);
                        }
                    }
                }
                prop_assert_eq!(moved.bits, compared);
                prop_assert_eq!(corpus.distance(&moved, id as u32), Some(differing));
                if differing <= limit {
                    expected.push((id as u32, differing));
                }
            }
            let mut found = Vec::new();
            let moved = moved.by_spread(&corpus.spread_of_words());
            Columns::new(&corpus).scan(&moved, limit, |id, distance| {
                found.push((id, distance));
                limit
            });
            prop_assert_eq!(found, expected);
        }
    }
}
