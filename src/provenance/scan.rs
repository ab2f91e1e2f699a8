//! Every training latent, compared with a sample that lies on it moved by some sites: in all of its sites or in some.
//!
//! Numbers of ones of [tiles](super::tiles) tell how near latents may be. So few latents are compared bit by bit, those for which they leave it
//! open; where they leave it open for many, as for codes whose bits are all but random, all are.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::board::set_run;
use super::corpus::{Corpus, Planes, TOGETHER, words_of};
use super::overlay::{moved, overlap};
use super::tiles::{MAX_BITS, TileOnes};
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
    tiles: Vec<TileOnes>,
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
        let mut bits = vec![0; words.end + 1];
        let mut mask = vec![0; words.end + 1];
        let from = planes.level(level);
        let start = 64 * words.start;
        for channel in 0..level.channels() {
            for row in rows.clone() {
                let here = (channel * level.height() + row) * level.width() + columns.start;
                let under = (channel * level.height() + moved(row, down)) * level.width();
                let under = start + under + moved(columns.start, right);
                for done in (0..columns.len()).step_by(64) {
                    let n = (columns.len() - done).min(64);
                    push(&mut bits, under + done, read(from, here + done, n));
                    push(&mut mask, under + done, !0 >> (64 - n));
                }
            }
        }
        Self::of(corpus, Some(level), &bits, &mask)
    }

    /// Lays a row of a corpus, or one level of it, in its place: at least one word behind it.
    pub(super) fn in_place(corpus: &Corpus, level: Option<&Level>, row: &[u64]) -> Self {
        let mut mask = vec![0; corpus.row_words() + 1];
        let shape = corpus.shape();
        let levels = shape.levels().iter();
        for level in levels.filter(|own| level.is_none_or(|level| level.number() == own.number())) {
            set_run(&mut mask, 64 * words_of(&shape, level).start, level.bits());
        }
        Self::of(corpus, level, row, &mask)
    }

    /// Compares `bits` where `mask` has ones, both as a row of the corpus.
    fn of(corpus: &Corpus, level: Option<&Level>, bits: &[u64], mask: &[u64]) -> Self {
        let parts = bits.iter().zip(mask).enumerate();
        let parts = parts.filter(|(_, (_, mask))| **mask != 0);
        Self {
            parts: parts
                .map(|(word, (bits, mask))| Part {
                    word,
                    bits: *bits,
                    mask: *mask,
                })
                .collect(),
            tiles: corpus.tiling().ones_of(level, bits, mask),
            bits: mask.iter().map(|word| word.count_ones() as usize).sum(),
        }
    }

    /// Returns how many bits differ from those of a training latent.
    #[inline(always)]
    fn distance(&self, row: &[u64]) -> u32 {
        let parts = self.parts.iter();
        parts.map(|part| part.differing(row[part.word])).sum()
    }
}

/// Of so many latents the least distances are looked at together.
const AT_ONCE: usize = 32;
/// Differences of so many tiles are summed up as bytes: 10 times 25 bits.
const AS_BYTES: usize = (u8::MAX / MAX_BITS) as usize;
/// After so many latents it is known whether tiles spare comparing: they take half of what the bits take, so at least three of four.
const SURE: usize = 8 * TOGETHER;

impl Corpus {
    /// Hands every latent, in id order, that differs in at most `limit` of the bits that are compared to `found`, with how many;
    /// which says the next limit, no larger one. O(N · tiles), and the words of those that tiles leave open.
    pub(crate) fn scan(&self, moved: &Moved, limit: u32, found: impl FnMut(u32, u32) -> u32) {
        // POPCNT and AVX2 where the machine has them.
        Arch::new().dispatch(Scan {
            corpus: self,
            moved,
            limit,
            compared: 0,
            found,
        });
    }

    /// Returns how many of the bits that are compared differ in a latent; `None` where there is none of that id.
    pub(crate) fn distance(&self, moved: &Moved, id: u32) -> Option<u32> {
        let row = self.row_of(id)?;
        Some(moved.distance(row))
    }
}

/// What [`Corpus::scan`] does. No closure: it would not be compiled for what the machine has.
struct Scan<'a, F> {
    corpus: &'a Corpus,
    moved: &'a Moved,
    limit: u32,
    /// Latents that were compared bit by bit.
    compared: usize,
    found: F,
}

impl<F: FnMut(u32, u32) -> u32> WithSimd for Scan<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let mut least = [0; TOGETHER];
        for start in (0..self.corpus.latents()).step_by(TOGETHER) {
            least.fill(0);
            if start < SURE || self.compared < start / 4 {
                self.add_differences(start, &mut least);
            }
            let count = TOGETHER.min(self.corpus.latents() - start);
            for from in (0..count).step_by(AT_ONCE) {
                let some = &least[from..from + AT_ONCE];
                if some.iter().any(|least| u32::from(*least) <= self.limit) {
                    let to = count.min(from + AT_ONCE);
                    self.compare(start, from..to, &least);
                }
            }
        }
    }
}

impl<F: FnMut(u32, u32) -> u32> Scan<'_, F> {
    /// Adds by how many bits at least the latents from number `start` on differ.
    #[inline(always)]
    fn add_differences(&self, start: usize, least: &mut [u16; TOGETHER]) {
        for tiles in self.moved.tiles.chunks(AS_BYTES) {
            let mut sums = [0u8; TOGETHER];
            for own in tiles {
                let ones = self.corpus.ones(start, own.tile);
                for (sum, ones) in sums.iter_mut().zip(ones) {
                    *sum = own.least(*ones).saturating_add(*sum);
                }
            }
            // What would be more than a u16 is no less a bound.
            for (least, sum) in least.iter_mut().zip(sums) {
                *least = least.saturating_add(sum.into());
            }
        }
    }

    #[inline(always)]
    fn compare(&mut self, start: usize, some: Range<usize>, least: &[u16; TOGETHER]) {
        // Found first and compared then, so that reading one row does not wait for what came of the one before.
        let (mut near, mut many) = ([0; AT_ONCE], 0);
        for at in some {
            near[many] = at;
            many += usize::from(u32::from(least[at]) <= self.limit);
        }
        self.compared += many;
        for at in near[..many].iter().copied() {
            let distance = self.moved.distance(self.corpus.row(start + at));
            if distance <= self.limit {
                self.limit = (self.found)(self.corpus.id(start + at), distance);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::uniform_at;
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
            corpus.scan(&moved, limit, |id, distance| {
                found.push((id, distance));
                limit
            });
            prop_assert_eq!(found, expected);
        }
    }

    /// Bits that are all but random, so that tiles rule out few latents; and of one level of several.
    #[test]
    fn a_scan_of_many_latents_finds_what_comparing_all_finds() {
        let shape: Shape = "2x3x2+5x6x2".parse().unwrap();
        let mut set = LatentSet::new(shape);
        let count = 2 * SURE + 100;
        let mut draws = (0..).map(|draw| uniform_at(draw, 5) < 0.5);
        for _ in 0..count {
            set.push_bits(draws.by_ref().take(shape.bits())).unwrap();
        }
        let corpus = Corpus::of(&set);
        let asked = set.packed_latent(7);
        let planes = Planes::of(shape, asked);
        let bit = |packed: &[u8], at: usize| packed[at / 8] >> (at % 8) & 1;
        for level in shape.levels() {
            for limit in [level.bits() / 8, level.bits() / 2] {
                let whole = Rectangle::whole(level);
                let moved = Moved::new(&corpus, &planes, level, &whole, (0, 0));
                let distance = |id: usize| {
                    let other = set.packed_latent(id);
                    let differing = level
                        .positions()
                        .filter(|at| bit(asked, *at) != bit(other, *at));
                    differing.count() as u32
                };
                let limit = limit as u32;
                let expected: Vec<(u32, u32)> = (0..count)
                    .map(|id| (id as u32, distance(id)))
                    .filter(|(_, distance)| *distance <= limit)
                    .collect();
                assert!(expected.contains(&(7, 0)));
                let mut found = Vec::new();
                corpus.scan(&moved, limit, |id, distance| {
                    found.push((id, distance));
                    limit
                });
                assert!(found == expected, "level {}, limit {limit}", level.number());
            }
        }
    }
}
