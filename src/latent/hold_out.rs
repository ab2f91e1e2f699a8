//! Latents set aside, to tell later how honest ones look.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Ids, LatentSet};

/// The draw is by a hash of the bits: it depends on nothing else, and equal latents are drawn together. This is its seed.
const SEED: u64 = 0x686f_6c64;

impl LatentSet {
    /// Returns the ids of `max` latents drawn at random, the `left_out` ones aside: the same for the same latents in any order. Latents that
    /// are equal are drawn all or none, so that none of those drawn equals one of the others; where they do not fit, fewer.
    ///
    /// ```
    /// use bitquilt::{Ids, LatentSet, Shape};
    ///
    /// let mut set = LatentSet::new(Shape::new(1, 8, 1)?);
    /// for number in 0..100u8 {
    ///     // Each twice.
    ///     set.push_bits((0..8).map(|bit| number / 2 >> bit & 1 == 1))?;
    /// }
    /// let drawn = set.drawn(21, &"0..10".parse()?);
    /// assert_eq!(drawn.len(), 20);
    /// assert!(drawn.iter().all(|id| id >= 10 && drawn.contains(id ^ 1)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drawn(&self, max: u64, left_out: &Ids) -> Ids {
        let ids = (0..self.len()).filter(|id| !left_out.contains(*id as u64));
        let mut ranked: Vec<(u64, usize)> = ids
            .map(|id| (xxh3_64_with_seed(self.packed_latent(id), SEED), id))
            .collect();
        ranked.sort_unstable();
        let mut drawn = Vec::new();
        for equal in ranked.chunk_by(|a, b| a.0 == b.0) {
            if (drawn.len() + equal.len()) as u64 <= max {
                drawn.extend(equal.iter().map(|(_, id)| *id as u64));
            }
            if drawn.len() as u64 == max {
                break;
            }
        }
        Ids::new(drawn.into_iter().map(|id| id..id + 1))
    }
}
