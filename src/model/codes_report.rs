//! What single bits of a set of codes are worth, all of it together.

use std::collections::HashMap;

use serde::Serialize;

use super::{CodeStatistics, Correlations, EvalError};
use crate::base::Budget;
use crate::latent::LatentSet;

/// Entropy, dead and correlated bits of a set of codes; and how many of them are different.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CodesReport {
    /// Where the codes come from, in words.
    pub source: String,
    /// Rows of the grid.
    pub height: usize,
    /// Columns of it.
    pub width: usize,
    /// Bits of a site.
    pub channels: usize,
    /// Different latents.
    pub different: usize,
    /// Latents that equal another one.
    pub repeated: usize,
    /// What each bit tells by itself.
    pub codes: CodeStatistics,
    /// How much bits repeat each other.
    pub correlations: Correlations,
}

impl CodesReport {
    /// Bits that are compared pair by pair at most, where nothing else is said.
    pub const MAX_BITS: usize = 2048;

    /// Measures a set of codes of one level; of more than `max_bits` bits, as many evenly spaced are compared pair by pair.
    ///
    /// # Errors
    /// [`EvalError::Pyramids`]; as [`CodeStatistics::of`] and [`Correlations::of`].
    pub fn of(set: &LatentSet, max_bits: usize, memory: Budget) -> Result<Self, EvalError> {
        let shape = set.shape();
        if shape.is_pyramid() {
            return Err(EvalError::Pyramids {
                found: Box::new(shape),
            });
        }
        let mut counts: HashMap<&[u8], usize> = HashMap::new();
        for latent in 0..set.len() {
            *counts.entry(set.packed_latent(latent)).or_default() += 1;
        }
        Ok(Self {
            source: set.source().to_owned(),
            height: shape.height(),
            width: shape.width(),
            channels: shape.channels(),
            different: counts.len(),
            repeated: counts.values().filter(|count| **count > 1).sum(),
            codes: CodeStatistics::of(set)?,
            correlations: Correlations::of(set, max_bits, memory)?,
        })
    }
}
