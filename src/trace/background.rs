//! How near training latents are to each other: what the distance of a sample is to be held against.

use rayon::prelude::*;

use super::spread::Spread;
use crate::base::Observer;
use crate::latent::Level;
use crate::provenance::Corpus;
use crate::provenance::Neighbourhood;

/// Bytes of latents to be read for a background at most: a second or so on one thread.
const MAX_BYTES: u64 = 8 << 30;
/// Latents that a background is of at least, however large the set.
const MIN_LATENTS: u64 = 16;

/// Distances of training latents to the nearest training latent that differs: by all of their bits, and by those of each level of
/// a pyramid. Duplicates have no part in it: they would make a copy look no nearer than usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Background {
    whole: Distances,
    levels: Vec<Distances>,
}

/// Ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Distances(Vec<u32>);

impl Background {
    /// Measures how far at most `max` training latents, evenly spaced over the set, are from their nearest; fewer of a
    /// large set. Those of which no other latent differs are left out.
    pub fn of(training: &Corpus, max: usize, observer: &dyn Observer) -> Self {
        let shape = training.shape();
        let levels = match shape.is_pyramid() {
            true => shape.levels(),
            false => &[],
        };
        let affordable = MAX_BYTES / training.packed_bytes().max(1);
        let max = max.min(affordable.max(MIN_LATENTS) as usize);
        let ids: Vec<_> = training.spaced(max).collect();
        let steps = ids.len() * (1 + levels.len());
        observer.stage("background", steps as u64, "latents");
        let distances = |level: Option<&Level>| {
            let distances = ids.par_iter().map_init(
                || Neighbourhood::new(training, level),
                |neighbourhood, id| {
                    observer.advance(1);
                    neighbourhood.of_training(*id)
                },
            );
            let mut distances: Vec<_> = distances.flatten_iter().collect();
            distances.sort_unstable();
            Distances(distances)
        };
        Self {
            whole: distances(None),
            levels: levels.iter().map(|level| distances(Some(level))).collect(),
        }
    }

    /// Returns the distances by the bits of a level, by all with `None`; `None` for a level of a latent of one level.
    pub(super) fn distances(&self, level: Option<usize>) -> Option<&Distances> {
        match level {
            None => Some(&self.whole),
            Some(level) => self.levels.get(level),
        }
    }

    /// Returns the share of the distances by all bits that are at most `distance`; `None` where there are none.
    pub fn share_within(&self, distance: u32) -> Option<f64> {
        self.whole.share_within(distance)
    }

    /// Returns how the distances by all bits are spread.
    pub fn spread(&self) -> Option<Spread> {
        self.whole.spread()
    }
}

impl Distances {
    pub(super) fn share_within(&self, distance: u32) -> Option<f64> {
        let within = self.0.partition_point(|own| *own <= distance);
        (!self.0.is_empty()).then(|| within as f64 / self.0.len() as f64)
    }

    pub(super) fn spread(&self) -> Option<Spread> {
        Spread::of(self.0.iter().copied().map(f64::from).collect())
    }
}
