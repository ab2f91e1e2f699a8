//! What the bits of a latent set are worth, one by one: means, entropies, dead bits.

use rayon::prelude::*;
use serde::Serialize;

use super::EvalError;
use crate::latent::LatentSet;

/// A bit whose rarer value is seen in less than one of so many latents is dead: its mean, with −1 and +1 for
/// its values, is then beyond ±0.98.
const ALIVE: u64 = 100;

/// The bits of a set, taken one by one.
///
/// The entropy of a bit that is 1 in a share p of the latents is H(p) = −p·log₂ p − (1 − p)·log₂(1 − p)
/// (Shannon 1948). The total over the bits is what the codes could tell if the bits were independent; it
/// is never less than the entropy of whole codes.
///
/// ```
/// use bitquilt::model::CodeStatistics;
/// # use bitquilt::{LatentSet, Shape};
///
/// let mut set = LatentSet::new(Shape::new(1, 1, 3)?);
/// for bits in [[0, 0, 1], [1, 1, 1], [0, 0, 1], [1, 1, 1]] {
///     set.push_bits(bits.map(|bit| bit == 1))?;
/// }
/// let codes = CodeStatistics::of(&set)?;
/// assert_eq!((codes.constant_bits, codes.entropy_total), (1, 2.0));
/// assert_eq!(codes.means, [0.0, 0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CodeStatistics {
    /// Latents, N.
    pub latents: u64,
    /// Bits of each.
    pub bits: u64,
    /// Bits that are the same in all latents.
    pub constant_bits: u64,
    /// Bits with |mean| > 0.98 in ±1 terms: the same in more than 99 % of the latents, the constant ones
    /// included.
    pub dead_bits: u64,
    /// The mean of |mean| over the bits: 0 where every bit is 1 in half of the latents.
    pub mean_bias: f64,
    /// The mean entropy of a bit, 0 to 1.
    pub entropy_mean: f64,
    /// The least entropy of a bit.
    #[serde(rename = "entropy_least")]
    pub min_entropy: f64,
    /// The sum of the entropies, in bits.
    pub entropy_total: f64,
    /// Of each bit in position order, its mean in ±1 terms: 2p − 1.
    pub means: Vec<f64>,
}

impl CodeStatistics {
    /// Counts the bits. O(N · bits).
    ///
    /// # Errors
    /// [`EvalError::TooFew`] for no latents.
    pub fn of(set: &LatentSet) -> Result<Self, EvalError> {
        if set.is_empty() {
            return Err(EvalError::TooFew {
                what: "latents",
                min: 1,
                found: 0,
            });
        }
        let latents = set.len();
        let ones = ones_of(set);
        let share = |ones: &u64| *ones as f64 / latents as f64;
        let means: Vec<f64> = ones.iter().map(|ones| 2.0 * share(ones) - 1.0).collect();
        let entropies: Vec<f64> = ones
            .iter()
            .map(|ones| binary_entropy(share(ones)))
            .collect();
        let bits = ones.len();
        let entropy_total: f64 = entropies.iter().sum();
        let count = |of: &dyn Fn(usize) -> bool| (0..bits).filter(|bit| of(*bit)).count() as u64;
        Ok(Self {
            latents: latents as u64,
            bits: bits as u64,
            constant_bits: count(&|bit| ones[bit] == 0 || ones[bit] == latents as u64),
            dead_bits: count(&|bit| {
                let rarer = ones[bit].min(latents as u64 - ones[bit]);
                rarer * ALIVE < latents as u64
            }),
            mean_bias: means.iter().map(|mean| mean.abs()).sum::<f64>() / bits as f64,
            entropy_mean: entropy_total / bits as f64,
            min_entropy: entropies.iter().copied().fold(1.0, f64::min),
            entropy_total,
            means,
        })
    }
}

/// Returns how many latents have a 1 at each position.
fn ones_of(set: &LatentSet) -> Vec<u64> {
    let bits = set.shape().bits();
    let row = set.shape().packed_bytes();
    let count = |rows: &[u8]| {
        let mut ones = vec![0u64; bits];
        for row in rows.chunks_exact(row) {
            for (bit, ones) in ones.iter_mut().enumerate() {
                *ones += u64::from(row[bit / 8] >> (bit % 8) & 1);
            }
        }
        ones
    };
    let add = |mut one: Vec<u64>, other: Vec<u64>| {
        one.iter_mut()
            .zip(other)
            .for_each(|(one, other)| *one += other);
        one
    };
    // Whole numbers: the same in whatever order they are added. A table for each of a few large parts.
    let part = set.len().div_ceil(rayon::current_num_threads()).max(1) * row;
    let tables = set.packed().par_chunks(part).map(count);
    tables.reduce(|| vec![0; bits], add)
}

/// Returns H(p) in bits; 0 at 0 and 1.
///
/// ```
/// use bitquilt::model::binary_entropy;
///
/// assert_eq!((binary_entropy(0.5), binary_entropy(1.0)), (1.0, 0.0));
/// ```
pub fn binary_entropy(p: f64) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    term(p) + term(1.0 - p)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::latent::Shape;

    #[test]
    fn dead_bits_are_the_same_in_more_than_99_of_100_latents() {
        let mut set = LatentSet::new(Shape::new(1, 4, 1).unwrap());
        for latent in 0..200 {
            set.push_bits([true, latent == 0, latent < 2, latent % 2 == 0])
                .unwrap();
        }
        let codes = CodeStatistics::of(&set).unwrap();
        // Means 1, −0.99, −0.98 and 0: the third is just alive.
        assert_eq!((codes.constant_bits, codes.dead_bits), (1, 2));
        assert_eq!(codes.min_entropy, 0.0);
        assert!((codes.mean_bias - 2.97 / 4.0).abs() < 1e-12);
        assert!(CodeStatistics::of(&LatentSet::new(set.shape())).is_err());
    }

    #[test]
    fn entropy_is_shannons() {
        assert_eq!([0.0, 0.5, 1.0].map(binary_entropy), [0.0, 1.0, 0.0]);
        assert!((binary_entropy(0.25) - (2.0 - 0.75 * 3f64.log2())).abs() < 1e-12);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn means_and_entropies_are_those_of_the_counted_bits(
            latents in prop::collection::vec(prop::collection::vec(any::<bool>(), 21), 1..20),
        ) {
            let mut set = LatentSet::new(Shape::new(1, 7, 3).unwrap());
            for latent in &latents {
                set.push_bits(latent.iter().copied()).unwrap();
            }
            let codes = CodeStatistics::of(&set).unwrap();
            let mut total = 0.0;
            for bit in 0..21 {
                let ones = latents.iter().filter(|latent| latent[bit]).count();
                let p = ones as f64 / latents.len() as f64;
                prop_assert!((codes.means[bit] - (2.0 * p - 1.0)).abs() < 1e-12);
                for p in [p, 1.0 - p].into_iter().filter(|p| *p > 0.0) {
                    total -= p * p.log2();
                }
            }
            prop_assert!((codes.entropy_total - total).abs() < 1e-9);
            prop_assert!((codes.entropy_mean - total / 21.0).abs() < 1e-9);
        }
    }
}
