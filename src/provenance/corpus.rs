//! The training latents in memory, channel by channel: what regions are compared with, and the nearest of
//! them by Hamming distance.

use std::collections::HashMap;
use std::ops::Range;

use pulp::Arch;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::ProvenanceError;
use crate::base::bits::{push, read, words};
use crate::base::{Budget, Observer, hamming};
use crate::index::Index;
use crate::latent::{Level, Shape};

/// Every latent that an index answers for, in memory: N × ⌈HWK/64⌉ words, summed over its levels.
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
}

/// The words of a level in a row of a [`Corpus`].
pub(super) fn words_of(shape: &Shape, level: &Level) -> Range<usize> {
    let words = |level: &Level| level.bits().div_ceil(64);
    let start = shape.levels()[..level.number()].iter().map(words).sum();
    start..start + words(level)
}

/// A training latent and how many bits differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Neighbour {
    /// Hamming distance, in bits.
    pub distance: u32,
    /// Id of the latent.
    pub latent: u32,
}

/// What is known of the training latents around a latent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Neighbours {
    /// The nearest, nearest first, lowest id first among equals.
    pub nearest: Vec<Neighbour>,
    /// Every latent that is equal, ascending.
    pub equal: Vec<u32>,
    /// Distance to the nearest latent that differs from `nearest[0]`: duplicates of that one do not hide
    /// how near it is. `None` when there is no such latent.
    pub next_distance: Option<u32>,
    /// Distance from `nearest[0]` to the training latent nearest to it that differs from it; `None` when
    /// there is none.
    pub training_distance: Option<u32>,
}

/// A latent is memorized, by the rule of a third, when it is at most a third as far from its nearest training latent as from the next
/// one that differs.
const THIRD: f64 = 1.0 / 3.0;

impl Neighbours {
    /// Returns the distance to the nearest.
    pub fn distance(&self) -> u32 {
        // Of an empty corpus nothing is asked.
        self.nearest.first().map_or(0, |first| first.distance)
    }

    /// Returns the ratio of the Euclidean distances to the nearest and to the next that differs from it; `None` without a next one.
    pub fn ratio(&self) -> Option<f64> {
        let next = f64::from(self.next_distance?.max(1));
        Some((f64::from(self.distance()) / next).sqrt())
    }

    /// Returns whether the latent is memorized by the rule of a third, or equals a training latent.
    pub fn is_memorized(&self) -> bool {
        self.distance() == 0 || self.ratio().is_some_and(|ratio| ratio <= THIRD)
    }

    /// Returns whether the latent is farther from its nearest training latent than that one from its own nearest (Alaa et al. 2022,
    /// duplicates left aside): never for one that is equal.
    pub fn is_authentic(&self) -> bool {
        let own = self.training_distance;
        self.distance() > 0 && own.is_none_or(|own| self.distance() > own)
    }
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
        // Words, an id and at most a label.
        let needed = index.latents() * (8 * row_words as u64 + 12);
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
        Self {
            shape,
            ids: (0..set.len() as u32).collect(),
            labels: Vec::new(),
            row_words,
            words,
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
        (8 * self.words.len() + 4 * self.ids.len() + 8 * self.labels.len()) as u64
    }

    fn row_number(&self, id: u32) -> Option<usize> {
        let straight = id as usize;
        if self.ids.get(straight) == Some(&id) {
            return Some(straight);
        }
        self.ids.binary_search(&id).ok()
    }

    /// Returns the bits of the latent of that number, and what follows in memory.
    fn row(&self, number: usize) -> &[u64] {
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
    #[inline(always)]
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[u64], u32)> {
        let rows = self.words.chunks_exact(self.row_words);
        rows.zip(self.ids.iter().copied())
    }

    /// Returns evenly spaced ids, at most `max` of them, the first one included.
    pub(crate) fn spaced(&self, max: usize) -> impl Iterator<Item = u32> + '_ {
        let n = self.ids.len();
        let max = max.min(n);
        (0..max).map(move |i| self.ids[i * n / max])
    }

    /// Computes the Hamming distances of some words of one latent to those of all, in id order.
    fn distances(&self, row: &[u64], words: &Range<usize>, distances: &mut Vec<u32>) {
        let rows = &self.words[..self.ids.len() * self.row_words];
        let place = (self.row_words, words.start);
        hamming::distances(&row[words.clone()], rows, place, distances);
    }

    /// Returns the least distance in some words from latent number `center` to one that differs from it. `distances` are those of
    /// all to some point that `center` is `away` from: `|distances[i] − away|` is never more than i's distance to `center`.
    fn nearest_differing(
        &self,
        center: usize,
        words: &Range<usize>,
        away: u32,
        distances: &[u32],
    ) -> Option<u32> {
        let center = &self.row(center)[words.clone()];
        let rows = self.words.chunks_exact(self.row_words);
        let rows = rows.map(|row| &row[words.clone()]).zip(distances);
        let mut nearest = u32::MAX;
        Arch::new().dispatch(
            #[inline(always)]
            || {
                // Nearest to the point first, as far as that is cheap: they are near `center` too, and rule the
                // others out.
                for limit in [away.saturating_mul(2).max(8), u32::MAX] {
                    for (row, distance) in rows.clone() {
                        if *distance > limit || distance.abs_diff(away) >= nearest {
                            continue;
                        }
                        let differing = hamming::distance(row, center);
                        if differing > 0 {
                            nearest = nearest.min(differing);
                        }
                    }
                }
            },
        );
        (nearest < u32::MAX).then_some(nearest)
    }
}

/// Asks for neighbours, remembering what it can: one for each thread.
pub(crate) struct Neighbourhood<'a> {
    training: &'a Corpus,
    /// The words of a row that are compared.
    words: Range<usize>,
    distances: Vec<u32>,
    /// Distance of a training latent to the nearest that differs from it.
    own: HashMap<u32, Option<u32>>,
}

impl<'a> Neighbourhood<'a> {
    /// Prepares to compare latents, in one level or in all that they have.
    pub(crate) fn new(training: &'a Corpus, level: Option<&Level>) -> Self {
        let words = match level {
            Some(level) => words_of(&training.shape, level),
            None => 0..training.row_words,
        };
        Self {
            training,
            words,
            distances: Vec::new(),
            own: HashMap::new(),
        }
    }

    /// Remembers what another one did, of the same training latents and level.
    pub(crate) fn knowing(mut self, known: HashMap<u32, Option<u32>>) -> Self {
        self.own = known;
        self
    }

    /// Returns what it remembers.
    pub(crate) fn take_known(&mut self) -> HashMap<u32, Option<u32>> {
        std::mem::take(&mut self.own)
    }

    /// Finds the `max ≥ 1` nearest training latents of a latent, exactly: every one is compared.
    pub(crate) fn of(&mut self, planes: &Planes, max: usize) -> Neighbours {
        let training = self.training;
        training.distances(&planes.words, &self.words, &mut self.distances);
        let mut nearest: Vec<Neighbour> = Vec::with_capacity(max + 1);
        let mut equal = Vec::new();
        let mut worst = u32::MAX;
        for (distance, latent) in self.distances.iter().copied().zip(&training.ids) {
            let latent = *latent;
            if distance == 0 {
                equal.push(latent);
            }
            if distance >= worst && nearest.len() == max {
                continue;
            }
            let near = Neighbour { distance, latent };
            let place = nearest.partition_point(|other| *other < near);
            nearest.insert(place, near);
            nearest.truncate(max);
            worst = nearest.last().map_or(u32::MAX, |last| last.distance);
        }
        let first = nearest.first().copied();
        Neighbours {
            next_distance: first.and_then(|first| self.nearest_other(first.latent)),
            training_distance: first.and_then(|first| self.of_nearest(first)),
            nearest,
            equal,
        }
    }

    /// Returns the least of the distances last computed, to latents that differ from `first`.
    fn nearest_other(&self, first: u32) -> Option<u32> {
        let training = self.training;
        let number = training.row_number(first)?;
        let bits = |number| &training.row(number)[self.words.clone()];
        let (first, nearest) = (bits(number), self.distances[number]);
        let mut second = None;
        for (number, distance) in self.distances.iter().copied().enumerate() {
            let nearer = second.is_none_or(|second| distance < second);
            // Duplicates are as far away as each other.
            if nearer && (distance != nearest || bits(number) != first) {
                second = Some(distance);
            }
        }
        second
    }

    /// As [`Neighbourhood::of_training`], of a latent `near` the one whose distances were last computed: by
    /// the triangle inequality most others are too far away to be looked at.
    fn of_nearest(&mut self, near: Neighbour) -> Option<u32> {
        if let Some(known) = self.own.get(&near.latent) {
            return *known;
        }
        let training = self.training;
        let number = training.row_number(near.latent)?;
        let found = training.nearest_differing(number, &self.words, near.distance, &self.distances);
        self.own.insert(near.latent, found);
        found
    }

    /// Returns the distance of a training latent to the nearest one that differs from it; `None` when there is none.
    pub(crate) fn of_training(&mut self, id: u32) -> Option<u32> {
        if let Some(known) = self.own.get(&id) {
            return *known;
        }
        let training = self.training;
        let row = training.row(training.row_number(id)?);
        training.distances(row, &self.words, &mut self.distances);
        let distances = self.distances.iter().copied();
        let nearest = distances.filter(|distance| *distance > 0).min();
        self.own.insert(id, nearest);
        nearest
    }
}
