//! How near training latents are to some latents.

use rayon::prelude::*;

use crate::base::{Observer, Stopped};
use crate::latent::LatentSet;
use crate::provenance::{Corpus, Neighbourhood, Planes};

/// Nearest training latents that a ratio is to: n of Carlini et al. 2023.
const MANY: usize = 50;

/// How near training latents are to one latent: Hamming distances, in bits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Near {
    /// To the nearest, ascending: as many as there are, up to 50.
    pub distances: Vec<u32>,
    /// To the nearest that differs from the nearest of all; `None` where there is none.
    pub next: Option<u32>,
    /// From the nearest of all to the one nearest to it that differs; `None` where there is none.
    pub own: Option<u32>,
}

impl Near {
    /// Tells distances that are known.
    pub fn new(distances: Vec<u32>, next: Option<u32>, own: Option<u32>) -> Self {
        Self {
            distances,
            next,
            own,
        }
    }

    /// Returns the distance to the nearest.
    pub fn nearest(&self) -> u32 {
        self.distances.first().copied().unwrap_or(u32::MAX)
    }
}

/// Measures how near training latents are to each latent of a set of their shape, on all threads. O(latents · training latents).
///
/// # Errors
/// [`Stopped`].
pub fn near(
    corpus: &Corpus,
    set: &LatentSet,
    observer: &dyn Observer,
) -> Result<Vec<Near>, Stopped> {
    let each = (0..set.len()).into_par_iter().map_init(
        || Neighbourhood::new(corpus, None),
        |around, number| {
            observer.check()?;
            let planes = Planes::of(set.shape(), set.packed_latent(number));
            let found = around.of(&planes, MANY);
            observer.advance(1);
            Ok(Near {
                distances: found.nearest.iter().map(|near| near.distance).collect(),
                next: found.next_distance,
                own: found.training_distance,
            })
        },
    );
    each.collect()
}
