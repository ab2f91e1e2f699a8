//! The training latents nearest to a latent by Hamming distance, exactly.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::corpus::{Corpus, Planes, words_of};
use super::scan::Moved;
use crate::latent::Level;

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

/// Asks for neighbours, remembering what it can: one for each thread.
pub(crate) struct Neighbourhood<'a> {
    training: &'a Corpus,
    /// The level that is compared; all of them for none.
    level: Option<Level>,
    /// Distance of a training latent to the nearest that differs from it.
    own: HashMap<u32, Option<u32>>,
}

impl<'a> Neighbourhood<'a> {
    /// Prepares to compare latents, in one level or in all that they have.
    pub(crate) fn new(training: &'a Corpus, level: Option<&Level>) -> Self {
        Self {
            training,
            level: level.copied(),
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

    /// Finds the `max ≥ 1` nearest training latents of a latent, exactly.
    pub(crate) fn of(&mut self, planes: &Planes, max: usize) -> Neighbours {
        let mut nearest: Vec<Neighbour> = Vec::with_capacity(max + 1);
        let mut equal = Vec::new();
        self.nearer(planes.words(), u32::MAX, |latent, distance| {
            if distance == 0 {
                equal.push(latent);
            }
            let near = Neighbour { distance, latent };
            let place = nearest.partition_point(|other| *other < near);
            nearest.insert(place, near);
            nearest.truncate(max);
            // Ids ascend: one that is as far away as the last is not among them.
            match nearest.get(max - 1) {
                Some(last) => last.distance,
                None => u32::MAX,
            }
        });
        let first = nearest.first().copied();
        Neighbours {
            next_distance: self.nearest_other(planes, &nearest),
            training_distance: first.and_then(|first| self.of_training(first.latent)),
            nearest,
            equal,
        }
    }

    /// Returns the distance to the nearest latent that differs from the first of those that are nearest; `None` when all are equal.
    fn nearest_other(&self, planes: &Planes, nearest: &[Neighbour]) -> Option<u32> {
        let words = match &self.level {
            Some(level) => words_of(&self.training.shape(), level),
            None => 0..self.training.row_words(),
        };
        let bits = |latent: u32| {
            let row = self.training.row_of(latent)?;
            Some(&row[words.clone()])
        };
        let nearest_one = nearest.first()?;
        let first = bits(nearest_one.latent);
        let other = nearest.iter().find(|near| bits(near.latent) != first);
        if let Some(other) = other {
            return Some(other.distance);
        }
        let mut second = u32::MAX;
        self.nearer(planes.words(), second, |latent, distance| {
            // Duplicates are as far away as each other.
            if distance < second && (distance != nearest_one.distance || bits(latent) != first) {
                second = distance;
            }
            second
        });
        (second < u32::MAX).then_some(second)
    }

    /// Returns the distance of a training latent to the nearest one that differs from it; `None` when there is none.
    pub(crate) fn of_training(&mut self, id: u32) -> Option<u32> {
        if let Some(known) = self.own.get(&id) {
            return *known;
        }
        let number = self.training.row_number(id)?;
        let mut nearest = u32::MAX;
        self.nearer(self.training.row(number), nearest, |_, distance| {
            if distance > 0 {
                nearest = nearest.min(distance);
            }
            nearest
        });
        let found = (nearest < u32::MAX).then_some(nearest);
        self.own.insert(id, found);
        found
    }

    /// Hands the training latents that are nearer to a row than `limit`, and those that are equal to it, to `take`, in order of ids,
    /// with their distances; `take` says how near the next ones have to be.
    fn nearer(&self, row: &[u64], limit: u32, mut take: impl FnMut(u32, u32) -> u32) {
        let moved = Moved::in_place(self.training, self.level.as_ref(), row);
        let at_most = |limit: u32| limit.saturating_sub(1);
        self.training
            .scan(&moved, at_most(limit), |latent, distance| {
                at_most(take(latent, distance))
            });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::latent::{LatentSet, Shape};

    /// Few ones, and duplicates.
    fn sets() -> impl Strategy<Value = (LatentSet, Vec<Vec<bool>>)> {
        let side = (1..9usize, 1..12usize, 1..4usize);
        side.prop_flat_map(|(height, width, channels)| {
            let bits = height * width * channels;
            let latent = prop::collection::vec(prop::bool::weighted(0.2), bits);
            let latents = prop::collection::vec((latent, 1..4usize), 1..40);
            let flips = prop::collection::vec(prop::collection::vec(0..bits, 0..6), 1..6);
            (latents, flips).prop_map(move |(latents, flips)| {
                let shape = Shape::new(height, width, channels).unwrap();
                let mut set = LatentSet::new(shape);
                let mut asked = Vec::new();
                for (latent, copies) in &latents {
                    for _ in 0..*copies {
                        set.push_bits(latent.iter().copied()).unwrap();
                    }
                }
                for (flips, (latent, _)) in flips.iter().zip(&latents) {
                    let mut latent = latent.clone();
                    flips.iter().for_each(|at| latent[*at] ^= true);
                    asked.push(latent);
                }
                (set, asked)
            })
        })
    }

    proptest! {
        #[test]
        fn neighbours_are_those_that_comparing_all_finds((set, asked) in sets(), max in 1..8usize) {
            let corpus = Corpus::of(&set);
            let shape = set.shape();
            let all: Vec<Vec<bool>> = (0..set.len())
                .map(|id| (0..shape.bits()).map(|at| set.packed_latent(id)[at / 8] >> (at % 8) & 1 == 1).collect())
                .collect();
            let apart = |a: &[bool], b: &[bool]| a.iter().zip(b).filter(|(a, b)| a != b).count() as u32;
            let mut neighbourhood = Neighbourhood::new(&corpus, None);
            for latent in asked {
                let mut packed = vec![0; shape.packed_bytes()];
                for (at, bit) in latent.iter().enumerate() {
                    packed[at / 8] |= u8::from(*bit) << (at % 8);
                }
                let found = neighbourhood.of(&Planes::of(shape, &packed), max);
                let mut expected: Vec<Neighbour> = all
                    .iter()
                    .enumerate()
                    .map(|(id, other)| Neighbour { distance: apart(&latent, other), latent: id as u32 })
                    .collect();
                expected.sort();
                let first = &all[expected[0].latent as usize];
                let differing = |near: &&Neighbour| &all[near.latent as usize] != first;
                prop_assert_eq!(found.next_distance, expected.iter().find(differing).map(|near| near.distance));
                prop_assert_eq!(found.training_distance, all.iter().map(|other| apart(first, other)).filter(|d| *d > 0).min());
                let equal: Vec<u32> = expected.iter().filter(|near| near.distance == 0).map(|near| near.latent).collect();
                prop_assert_eq!(found.equal, equal);
                expected.truncate(max);
                prop_assert_eq!(found.nearest, expected);
            }
        }
    }
}
