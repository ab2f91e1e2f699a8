//! Latents set aside, to tell later how honest ones look.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Ids, LatentError, LatentSet};

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

    /// Draws `count` latents, the `left_out` ones aside, and writes them into the latents file `path`. A file that holds them already is left
    /// as it is, so that what was stopped behind it goes on; another one is replaced with `force` alone.
    ///
    /// # Errors
    /// [`LatentError::HoldOut`] where no latent would be held out, or none left; [`LatentError::Taken`] for a file of anything else;
    /// [`LatentError::Io`].
    pub fn hold_out(
        &self,
        count: u64,
        left_out: &Ids,
        path: PathBuf,
        force: bool,
    ) -> Result<HeldOut, LatentError> {
        let ids = self.drawn(count, left_out);
        let others = self.len() as u64 - ids.union(left_out).len().min(self.len() as u64);
        if ids.is_empty() || others == 0 {
            return Err(LatentError::HoldOut {
                count,
                latents: others + ids.len(),
                drawn: ids.len(),
            });
        }
        let latents = self.only(&ids);
        let is_there = path.try_exists()? && !force;
        if is_there && !Self::read(&path).is_ok_and(|there| latents.is_same(&there)) {
            return Err(LatentError::Taken { path });
        }
        if !is_there {
            latents.write(&path)?;
        }
        Ok(HeldOut { ids, path })
    }

    /// Returns whether another set has the same latents and labels.
    fn is_same(&self, other: &Self) -> bool {
        (self.shape(), self.packed(), self.labels())
            == (other.shape(), other.packed(), other.labels())
    }
}

/// Latents that are set aside, and where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOut {
    /// Their ids in the set that they are of.
    pub ids: Ids,
    /// The latents file that holds them.
    pub path: PathBuf,
}

impl HeldOut {
    /// Returns where the latents held out of an index are, unless another place is named: beside it.
    pub fn beside(index: &Path) -> PathBuf {
        let mut name = index.to_path_buf().into_os_string();
        name.push(".held-out.safetensors");
        name.into()
    }
}
