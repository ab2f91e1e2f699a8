//! How near training latents are to some latents.

use rayon::prelude::*;

use crate::base::{Observer, Stopped};
use crate::latent::LatentSet;
use crate::provenance::{Corpus, Neighbourhood, Neighbours, Planes};

/// Nearest training latents that a ratio is to: n of Carlini et al. 2023.
const MANY: usize = 50;

/// Finds the training latents around each latent of a set of their shape, on all threads. O(latents · training latents).
///
/// # Errors
/// [`Stopped`].
pub fn near(
    corpus: &Corpus,
    set: &LatentSet,
    observer: &dyn Observer,
) -> Result<Vec<Neighbours>, Stopped> {
    let each = (0..set.len()).into_par_iter().map_init(
        || Neighbourhood::new(corpus, None),
        |around, number| {
            observer.check()?;
            let planes = Planes::of(set.shape(), set.packed_latent(number));
            let found = around.of(&planes, MANY);
            observer.advance(1);
            Ok(found)
        },
    );
    each.collect()
}
