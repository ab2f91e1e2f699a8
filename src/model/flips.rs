//! Latents with some of their bits flipped, and how many bits two sets share.

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::EvalError;
use crate::base::random::uniform_at;
use crate::latent::LatentSet;

/// Returns the set with every bit flipped with probability `share`, independently: a binary symmetric channel.
///
/// Bit i of latent j is flipped or not by (seed, j, i) alone. O(bits of the set).
///
/// ```
/// use bitquilt::model::{bit_agreement, flip_bits};
/// # use bitquilt::{LatentSet, Shape};
///
/// let set = LatentSet::from_packed(Shape::new(10, 10, 8)?, vec![0; 10_000])?;
/// let flipped = flip_bits(&set, 0.1, 7)?;
/// assert!((bit_agreement(&set, &flipped)? - 0.9).abs() < 0.01);
/// assert_eq!(bit_agreement(&set, &flip_bits(&set, 1.0, 7)?)?, 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`EvalError::Share`] when `share` is no probability.
pub fn flip_bits(set: &LatentSet, share: f64, seed: u64) -> Result<LatentSet, EvalError> {
    if !(0.0..=1.0).contains(&share) {
        return Err(EvalError::Share { found: share });
    }
    let bits = set.shape().bits();
    let mut packed = set.packed().to_vec();
    let rows = packed.par_chunks_exact_mut(set.shape().packed_bytes());
    rows.enumerate().for_each(|(latent, row)| {
        let seed = xxh3_64_with_seed(&(latent as u64).to_le_bytes(), seed);
        for bit in 0..bits {
            if uniform_at(bit as u64, seed) < share {
                row[bit / 8] ^= 1 << (bit % 8);
            }
        }
    });
    let source = format!("{}, {share} of the bits flipped, seed {seed}", set.source());
    let flipped = LatentSet::from_packed(set.shape(), packed)?
        .with_codec(set.codec().clone())
        .with_source(source);
    Ok(match set.labels() {
        Some(labels) => flipped.with_labels(labels.to_vec())?,
        None => flipped,
    })
}

/// Returns the share of bits in which two sets agree, latent by latent: of latents that were decoded and encoded again,
/// say.
///
/// # Errors
/// [`EvalError::Sizes`], [`EvalError::Counts`] when the two do not belong together,
/// [`EvalError::TooFew`] for no latents.
pub fn bit_agreement(set: &LatentSet, other: &LatentSet) -> Result<f64, EvalError> {
    if set.shape() != other.shape() {
        return Err(EvalError::Sizes {
            what: "latents",
            expected: set.shape().to_string(),
            found: other.shape().to_string(),
        });
    }
    if set.len() != other.len() {
        return Err(EvalError::Counts {
            what: "latents",
            expected: set.len(),
            found: other.len(),
        });
    }
    if set.is_empty() {
        return Err(EvalError::TooFew {
            what: "latents",
            min: 1,
            found: 0,
        });
    }
    // Padding bits are 0 in both.
    let bytes = set.packed().iter().zip(other.packed());
    let differing: u64 = bytes.map(|(a, b)| u64::from((a ^ b).count_ones())).sum();
    Ok(1.0 - differing as f64 / (set.len() as f64 * set.shape().bits() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::{Codec, Shape};

    fn some_set() -> LatentSet {
        let shape = Shape::new(3, 5, 3).unwrap();
        let mut set = LatentSet::new(shape);
        for latent in 0..400usize {
            set.push_bits((0..45).map(|bit| (bit * latent) % 7 < 3))
                .unwrap();
        }
        let labels = (0..400).collect();
        set.with_codec(Codec::Threshold)
            .with_labels(labels)
            .unwrap()
    }

    #[test]
    fn the_share_of_flipped_bits_is_the_one_that_is_asked_for() {
        let set = some_set();
        for share in [0.01, 0.05, 0.5] {
            let flipped = flip_bits(&set, share, 3).unwrap();
            let found = 1.0 - bit_agreement(&set, &flipped).unwrap();
            // Five standard deviations of 18,000 flips.
            let deviation = (share * (1.0 - share) / 18_000.0).sqrt();
            assert!((found - share).abs() < 5.0 * deviation, "{share}: {found}");
            assert_eq!(flipped.labels(), set.labels());
            assert_eq!(flipped.codec(), set.codec());
        }
    }

    #[test]
    fn none_and_all_are_exact_and_only_shares_are_taken() {
        let set = some_set();
        assert_eq!(flip_bits(&set, 0.0, 1).unwrap().packed(), set.packed());
        let all = flip_bits(&set, 1.0, 1).unwrap();
        assert_eq!(bit_agreement(&set, &all).unwrap(), 0.0);
        for share in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(
                flip_bits(&set, share, 1),
                Err(EvalError::Share { .. })
            ));
        }
    }

    #[test]
    fn flips_are_drawn_by_the_seed_for_every_latent_and_bit() {
        let set = some_set();
        let flipped = |seed| flip_bits(&set, 0.2, seed).unwrap().packed().to_vec();
        assert_eq!(flipped(5), flipped(5));
        assert_ne!(flipped(5), flipped(6));
        // A latent is flipped alike whatever follows it.
        let mut first = LatentSet::new(set.shape());
        for id in 0..10 {
            first.push_bits(set.latent(id).iter().by_vals()).unwrap();
        }
        let few = flip_bits(&first, 0.2, 5).unwrap();
        assert_eq!(few.packed(), &flipped(5)[..few.packed().len()]);
        // And not as its neighbours are.
        let noise = |id: usize| {
            let flips = flip_bits(&set, 0.2, 5).unwrap();
            let pairs = flips
                .latent(id)
                .iter()
                .by_vals()
                .zip(set.latent(id).iter().by_vals());
            pairs.map(|(a, b)| a != b).collect::<Vec<bool>>()
        };
        assert_ne!(noise(0), noise(1));
    }

    #[test]
    fn sets_that_do_not_belong_together_are_not_compared() {
        let set = some_set();
        let fewer = LatentSet::new(set.shape());
        assert!(matches!(
            bit_agreement(&set, &fewer),
            Err(EvalError::Counts { .. })
        ));
        assert!(matches!(
            bit_agreement(&fewer, &fewer),
            Err(EvalError::TooFew { .. })
        ));
        let other = LatentSet::new(Shape::new(5, 3, 3).unwrap());
        assert!(matches!(
            bit_agreement(&set, &other),
            Err(EvalError::Sizes { .. })
        ));
    }
}
