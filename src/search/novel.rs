//! No sample that exists already: as a training latent, or as an earlier sample of the run.

use std::collections::HashSet;
use std::ops::Range;

use xxhash_rust::xxh3::xxh3_128;

use super::constraint::Constraint;
use crate::base::{Budget, Observer};
use crate::index::{Index, IndexError};
use crate::latent::Shape;
use crate::window::Frame;

/// Latents that a sample must not be. Kept as XXH3-128 digests of 16 bytes: none of them gets through,
/// and another latent is taken for one of n with probability n/2¹²⁸.
///
/// ```
/// use bitquilt::{Shape, Taken};
///
/// let mut taken = Taken::none(Shape::new(1, 6, 1)?);
/// assert!(taken.add(&[0b010111]));
/// assert!(!taken.add(&[0b010111]), "it was taken before");
/// assert!(taken.contains(&[0b010111]) && !taken.contains(&[0b110111]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Taken {
    shape: Shape,
    digests: HashSet<u128>,
}

impl Taken {
    /// Makes an empty set: nothing is taken yet.
    pub fn none(shape: Shape) -> Self {
        Self {
            shape,
            digests: HashSet::new(),
        }
    }

    /// Rules out every training latent of an index.
    ///
    /// # Errors
    /// [`IndexError::Memory`] when they take more than the budget, [`IndexError::Stopped`], and
    /// whatever keeps them from being read.
    pub fn training(
        index: &Index,
        budget: Budget,
        observer: &dyn Observer,
    ) -> Result<Self, IndexError> {
        // 16 bytes and a control byte each, at most half of the places empty, twice that while it grows.
        let needed = index.latents().saturating_mul(17 * 3);
        let what = format!(
            "{}: digests of {} latents",
            index.path().display(),
            index.latents()
        );
        budget.check(needed, what)?;
        observer.stage("training latents", index.latents(), "latents");
        let mut taken = Self::none(index.shape());
        for latent in index.scan_latents()? {
            let (id, latent) = latent?;
            taken.add(latent.packed());
            if id % 4096 == 0 {
                observer.check()?;
                observer.advance(4096);
            }
        }
        Ok(taken)
    }

    /// Memory held, about: the digests and a control byte each, in a table that is never more than 7/8 full.
    pub fn bytes(&self) -> u64 {
        (self.digests.capacity() as u64).saturating_mul(17 * 8) / 7
    }

    /// Whether a latent is taken. `packed` is a row of a latent set.
    pub fn contains(&self, packed: &[u8]) -> bool {
        self.digests.contains(&xxh3_128(packed))
    }

    /// Takes one more; `false` when it was taken before. `packed` is a row of a latent set.
    pub fn add(&mut self, packed: &[u8]) -> bool {
        self.digests.insert(xxh3_128(packed))
    }
}

impl Constraint for Taken {
    fn refuted(&self, frame: &Frame, decided: usize) -> Option<Vec<Range<usize>>> {
        // A latent of another grid is not one of these.
        let whole = decided == self.shape.bits() && frame.shape() == self.shape;
        let taken = whole && self.digests.contains(&xxh3_128(&frame.to_packed()));
        taken.then(|| std::iter::once(0..decided).collect())
    }
}
