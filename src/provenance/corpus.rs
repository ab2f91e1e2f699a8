//! The training latents in memory, channel by channel: what regions are compared with.

use std::ops::Range;

use xxhash_rust::xxh3::Xxh3;

use super::ProvenanceError;
use super::tiles::Tiling;
use crate::base::bits::{push, read, words};
use crate::base::{Budget, Observer};
use crate::index::Index;
use crate::latent::{Level, Shape};

/// Every latent that an index answers for, in memory: N × ⌈HWK/64⌉ words, summed over its levels, and a byte for each of its tiles, about half as
/// much.
///
/// Each level of a latent begins with a word. Bit `k·HW + site` of it is channel k of a site, so that the sites of a row of the
/// grid lie side by side in each channel. Hamming distances do not mind.
///
/// ```
/// use bitquilt::Budget;
/// use bitquilt::provenance::Corpus;
/// # use bitquilt::{BuildOptions, Index, LatentSet, Shape, Unobserved, build};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
/// # let index = Index::open(&path)?;
/// let corpus = Corpus::load(&index, Budget::share(0.5), &Unobserved)?;
/// assert_eq!((corpus.latents(), corpus.shape()), (2, index.shape()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Corpus {
    shape: Shape,
    /// Ascending.
    ids: Vec<u32>,
    labels: Vec<i64>,
    row_words: usize,
    /// One spare word at the end.
    words: Vec<u64>,
    tiling: Tiling,
    /// How many bits of each tile are 1: [`TOGETHER`] rows at a time, or what is left, tile by tile.
    ones: Vec<u8>,
}

/// The words of a level in a row of a [`Corpus`].
pub(super) fn words_of(shape: &Shape, level: &Level) -> Range<usize> {
    let words = |level: &Level| level.bits().div_ceil(64);
    let start = shape.levels()[..level.number()].iter().map(words).sum();
    start..start + words(level)
}

/// Rows whose ones lie side by side.
pub(super) const TOGETHER: usize = 512;

/// Returns how many bits of each tile of some rows are 1, as [`Corpus::ones`] has them; `words` ends with a spare word.
fn ones(tiling: &Tiling, words: &[u64], row_words: usize) -> Vec<u8> {
    let rows = (words.len() - 1) / row_words;
    let mut all = vec![0; rows * tiling.len()];
    for (number, some) in all.chunks_mut(TOGETHER * tiling.len()).enumerate() {
        let count = some.len() / tiling.len();
        for row in 0..count {
            let row_of = &words[(number * TOGETHER + row) * row_words..];
            let own = tiling.ones(row_of).enumerate();
            own.for_each(|(tile, ones)| some[tile * count + row] = ones);
        }
    }
    all
}

/// The bits of one latent in the order of [`Corpus`].
pub(crate) struct Planes {
    shape: Shape,
    words: Vec<u64>,
}

impl Planes {
    /// Lays out a packed latent.
    pub(crate) fn of(shape: Shape, packed: &[u8]) -> Self {
        let mut scan = vec![0; shape.bits().div_ceil(64) + 1];
        for (word, packed) in scan.iter_mut().zip(words(packed)) {
            *word = packed;
        }
        if !shape.is_pyramid() && shape.channels() == 1 {
            return Self { shape, words: scan };
        }
        let mut planes = vec![0; words_of(&shape, shape.finest()).end + 1];
        for level in shape.levels() {
            let start = 64 * words_of(&shape, level).start;
            let (channels, sites) = (level.channels(), level.height() * level.width());
            for (own, position) in level.positions().enumerate() {
                let at = start + own % channels * sites + own / channels;
                push(&mut planes, at, read(&scan, position, 1));
            }
        }
        Self {
            shape,
            words: planes,
        }
    }

    /// Returns all bits, and what follows in memory.
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Returns the bits of a level, at least one word behind them.
    pub(crate) fn level(&self, level: &Level) -> &[u64] {
        &self.words[words_of(&self.shape, level).start..]
    }
}

impl Corpus {
    /// Loads every latent of an index.
    ///
    /// # Errors
    /// [`ProvenanceError::Memory`] when they would take more than the budget, [`ProvenanceError::Empty`],
    /// [`ProvenanceError::Index`].
    pub fn load(
        index: &Index,
        budget: Budget,
        observer: &dyn Observer,
    ) -> Result<Self, ProvenanceError> {
        let shape = index.shape();
        let row_words = words_of(&shape, shape.finest()).end;
        let tiling = Tiling::of(&shape);
        // Words, tiles, an id and at most a label.
        let needed = index.latents() * (8 * row_words + tiling.len() + 12) as u64;
        let what = format!(
            "{}: its {} latents",
            index.path().display(),
            index.latents()
        );
        budget.check(needed, what)?;
        observer.stage("latents", index.latents(), "latents");
        let mut training = Self {
            shape,
            ids: Vec::new(),
            labels: Vec::new(),
            row_words,
            words: Vec::with_capacity(index.latents() as usize * row_words + 1),
            tiling,
            ones: Vec::new(),
        };
        for entry in index.scan_latents()? {
            let (id, latent) = entry?;
            // Ids are below 2³²: `scan_latents` reads them from 4 bytes.
            training.ids.push(id as u32);
            training.labels.extend(latent.label());
            let planes = Planes::of(shape, latent.packed());
            training.words.extend_from_slice(&planes.words[..row_words]);
            observer.advance(1);
        }
        if training.ids.is_empty() {
            return Err(ProvenanceError::Empty {
                path: index.path().to_owned(),
            });
        }
        training.words.push(0);
        training.ones = ones(&training.tiling, &training.words, row_words);
        Ok(training)
    }

    /// Holds the latents of a set, at least one.
    #[cfg(test)]
    pub(crate) fn of(set: &crate::latent::LatentSet) -> Self {
        let shape = set.shape();
        let row_words = words_of(&shape, shape.finest()).end;
        let mut words = Vec::new();
        for id in 0..set.len() {
            let planes = Planes::of(shape, set.packed_latent(id));
            words.extend_from_slice(&planes.words[..row_words]);
        }
        words.push(0);
        let tiling = Tiling::of(&shape);
        let ones = ones(&tiling, &words, row_words);
        Self {
            shape,
            ids: (0..set.len() as u32).collect(),
            labels: Vec::new(),
            row_words,
            words,
            tiling,
            ones,
        }
    }

    /// Returns the shape of every latent.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the number of latents, at least one.
    pub fn latents(&self) -> usize {
        self.ids.len()
    }

    /// Returns the XXH3-128 of all ids and bits, in hexadecimal: what tells training latents from others.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Xxh3::new();
        hash.update(self.shape.to_string().as_bytes());
        // As they lie in memory: every machine that this runs on has the lowest byte first.
        hash.update(bytemuck::cast_slice(&self.ids));
        hash.update(bytemuck::cast_slice(&self.words));
        format!("{:032x}", hash.digest128())
    }

    /// Returns the memory held, in bytes.
    pub fn bytes(&self) -> u64 {
        (8 * self.words.len() + self.ones.len() + 4 * self.ids.len() + 8 * self.labels.len()) as u64
    }

    /// Returns the memory that the latents themselves take, in bytes.
    pub(crate) fn packed_bytes(&self) -> u64 {
        (8 * self.words.len()) as u64
    }

    pub(super) fn row_number(&self, id: u32) -> Option<usize> {
        let straight = id as usize;
        if self.ids.get(straight) == Some(&id) {
            return Some(straight);
        }
        self.ids.binary_search(&id).ok()
    }

    /// Returns the bits of the latent of that number, and what follows in memory.
    pub(super) fn row(&self, number: usize) -> &[u64] {
        &self.words[number * self.row_words..]
    }

    /// Returns the bits of a level of a latent, at least one word behind them; `None` for an id that is not there.
    pub(crate) fn level(&self, id: u32, level: &Level) -> Option<&[u64]> {
        let row = self.row(self.row_number(id)?);
        Some(&row[words_of(&self.shape, level).start..])
    }

    /// Returns the label of a latent; `None` for an id that is not there or where there are no labels.
    pub fn label(&self, id: u32) -> Option<i64> {
        self.labels.get(self.row_number(id)?).copied()
    }

    /// Returns the ids of the other latents that are equal to one, ascending; none for an id that is not there. All are compared.
    pub fn equal_to(&self, id: u32) -> Vec<u32> {
        let Some(own) = self.row_of(id).map(|row| &row[..self.row_words]) else {
            return Vec::new();
        };
        let equal = self
            .rows()
            .filter(|(row, other)| *other != id && *row == own);
        equal.map(|(_, other)| other).collect()
    }

    /// Returns the ids before and behind one that are there.
    pub fn beside(&self, id: u32) -> [Option<u32>; 2] {
        let place = self.ids.partition_point(|own| *own < id);
        let own = usize::from(self.ids.get(place) == Some(&id));
        let before = place.checked_sub(1).map(|before| self.ids[before]);
        [before, self.ids.get(place + own).copied()]
    }

    /// Returns the first id.
    pub fn first(&self) -> u32 {
        self.ids[0]
    }

    /// Returns the words of a row.
    pub(super) fn row_words(&self) -> usize {
        self.row_words
    }

    /// Returns the bits of a latent, and what follows in memory; `None` for an id that is not there.
    pub(super) fn row_of(&self, id: u32) -> Option<&[u64]> {
        Some(self.row(self.row_number(id)?))
    }

    /// Returns the bits of every latent and its id, in order of ids.
    fn rows(&self) -> impl Iterator<Item = (&[u64], u32)> {
        let rows = self.words.chunks_exact(self.row_words);
        rows.zip(self.ids.iter().copied())
    }

    /// Returns the tiles that its latents are cut into.
    pub(super) fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    /// Returns how many bits are 1 in one tile of [`TOGETHER`] latents, or of what is left of them, from number `start` on: a multiple of that.
    #[inline(always)]
    pub(super) fn ones(&self, start: usize, tile: usize) -> &[u8] {
        let rows = TOGETHER.min(self.ids.len() - start);
        let at = start * self.tiling.len() + tile * rows;
        &self.ones[at..at + rows]
    }

    /// Returns the id of the latent of that number.
    #[inline(always)]
    pub(super) fn id(&self, number: usize) -> u32 {
        self.ids[number]
    }

    /// Returns evenly spaced ids, at most `max` of them, the first one included.
    pub(crate) fn spaced(&self, max: usize) -> impl Iterator<Item = u32> + '_ {
        let n = self.ids.len();
        let max = max.min(n);
        (0..max).map(move |i| self.ids[i * n / max])
    }
}
