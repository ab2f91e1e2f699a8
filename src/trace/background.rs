//! How near training latents are to each other: what the distance of a sample is to be held against.

use rayon::prelude::*;

use super::spread::Spread;
use crate::base::Observer;
use crate::provenance::Corpus;
use crate::provenance::Neighbourhood;

/// Bytes of latents to be read for a background at most: a second or so on one thread.
const MAX_BYTES: u64 = 8 << 30;
/// Latents that a background is of at least, however large the set.
const MIN_LATENTS: u64 = 16;

/// Distances of training latents to the nearest training latent that differs, ascending. Duplicates have
/// no part in it: they would make a copy look no nearer than usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Background {
    distances: Vec<u32>,
}

impl Background {
    /// Measures how far at most `max` training latents, evenly spaced over the set, are from their nearest; fewer of a
    /// large set. Those of which no other latent differs are left out.
    pub fn of(training: &Corpus, max: usize, observer: &dyn Observer) -> Self {
        let affordable = MAX_BYTES / training.bytes().max(1);
        let max = max.min(affordable.max(MIN_LATENTS) as usize);
        let ids: Vec<_> = training.spaced(max).collect();
        observer.stage("background", ids.len() as u64, "latents");
        let distances = ids.into_par_iter().map_init(
            || Neighbourhood::new(training),
            |neighbourhood, id| {
                observer.advance(1);
                neighbourhood.of_training(id)
            },
        );
        let mut distances: Vec<_> = distances.flatten_iter().collect();
        distances.sort_unstable();
        Self { distances }
    }

    /// Returns the share of the distances that are at most `distance`; `None` where there are none.
    pub fn share_within(&self, distance: u32) -> Option<f64> {
        let within = self.distances.partition_point(|own| *own <= distance);
        (!self.distances.is_empty()).then(|| within as f64 / self.distances.len() as f64)
    }

    /// Returns how the distances are spread.
    pub fn spread(&self) -> Option<Spread> {
        Spread::of(self.distances.iter().copied().map(f64::from).collect())
    }
}
