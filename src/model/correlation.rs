//! How much the bits of a latent set repeat each other.

use std::ops::Range;

use rayon::prelude::*;
use serde::Serialize;

use super::EvalError;
use super::words::Columns;
use crate::base::Budget;
use crate::latent::LatentSet;

/// Correlations between bits, within sites and altogether.
///
/// The correlation of two bits is Pearson's, for bits φ = (n₁₁·N − n₁·n₂) / √(n₁(N − n₁)·n₂(N − n₂)) with
/// n₁ and n₂ latents that have a 1 at the one and the other and n₁₁ that have both. It has no value for a
/// constant bit: such pairs are left out.
///
/// ```
/// use bitquilt::Budget;
/// use bitquilt::model::Correlations;
/// # use bitquilt::{LatentSet, Shape};
///
/// let mut set = LatentSet::new(Shape::new(1, 1, 3)?);
/// for bits in [[0, 0, 1], [1, 1, 1], [0, 0, 1], [1, 1, 1]] {
///     set.push_bits(bits.map(|bit| bit == 1))?;
/// }
/// let all = Correlations::of(&set, 1000, Budget::of_machine())?.all.ok_or("all bits are constant")?;
/// // Bits 0 and 1 are always the same; bit 2 is constant.
/// assert_eq!((all.pairs, all.largest, all.positions), (1, 1.0, [0, 1]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlations {
    /// Between the channels of one site, over all sites compared; none for one channel.
    pub within_site: Option<Correlation>,
    /// Between any two of the bits compared.
    pub all: Option<Correlation>,
    /// What |φ| of two independent bits is on average in a sample of this size: about √(2/πN).
    pub chance: f64,
}

/// |φ| over pairs of bits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlation {
    /// Bits that were compared; fewer than the latents have where the limit was passed.
    pub bits: u64,
    /// Pairs of bits neither of which is constant.
    pub pairs: u64,
    /// The mean of |φ|.
    pub mean: f64,
    /// The largest |φ|.
    pub largest: f64,
    /// The positions of the first pair that has it.
    pub positions: [u64; 2],
}

impl Correlations {
    /// Compares bits pair by pair: all of them, or `max_bits` that are evenly spaced over the latent (of
    /// whole sites, within sites) where it has more. O(bits² · N / 64) time, N · bits / 8 bytes of `memory`.
    ///
    /// # Errors
    /// [`EvalError::TooFew`] for less than two latents, [`EvalError::Memory`].
    pub fn of(set: &LatentSet, max_bits: usize, memory: Budget) -> Result<Self, EvalError> {
        if set.len() < 2 {
            return Err(EvalError::TooFew {
                what: "latents",
                min: 2,
                found: set.len(),
            });
        }
        let (bits, channels) = (set.shape().bits(), set.shape().channels());
        let positions: Vec<usize> = spaced(bits, max_bits.max(2)).collect();
        let all = compare(set, &positions, memory, |number| {
            number + 1..positions.len()
        })?;
        // Whole sites, so that each of their pairs is seen.
        let sites = bits / channels;
        let max_sites = (max_bits / channels).max(1);
        let positions: Vec<usize> = spaced(sites, max_sites)
            .flat_map(|site| site * channels..(site + 1) * channels)
            .collect();
        let within_site = compare(set, &positions, memory, |number| {
            number + 1..(number / channels + 1) * channels
        })?;
        Ok(Self {
            within_site,
            all,
            chance: (2.0 / (std::f64::consts::PI * set.len() as f64)).sqrt(),
        })
    }
}

/// Returns `max` of 0..n, evenly spaced, or all of them.
fn spaced(n: usize, max: usize) -> impl Iterator<Item = usize> {
    let max = max.min(n);
    (0..max).map(move |i| i * n / max)
}

/// Sums over the pairs of one bit with later ones.
#[derive(Default)]
struct Sums {
    pairs: u64,
    sum: f64,
    largest: f64,
    at: (usize, usize),
}

/// Compares the pairs of each of the positions with the later ones that `later` names, all by their number in
/// `positions`; none where no pair has a correlation.
fn compare(
    set: &LatentSet,
    positions: &[usize],
    memory: Budget,
    later: impl Fn(usize) -> Range<usize> + Sync,
) -> Result<Option<Correlation>, EvalError> {
    let columns = Columns::of(set, positions, memory)?;
    let n = columns.latents() as f64;
    let ones: Vec<f64> = (0..positions.len())
        .map(|bit| columns.ones(bit) as f64)
        .collect();
    // √(n₁(N − n₁)): 0 for a constant bit.
    let spreads: Vec<f64> = ones.iter().map(|ones| (ones * (n - ones)).sqrt()).collect();
    let rows: Vec<Sums> = (0..positions.len())
        .into_par_iter()
        .map_init(Vec::new, |common, bit| {
            let mut sums = Sums::default();
            if spreads[bit] == 0.0 {
                return sums;
            }
            let others = later(bit);
            columns.common(bit, others.clone(), common);
            for (other, both) in others.zip(common.iter()) {
                if spreads[other] == 0.0 {
                    continue;
                }
                let covariance = *both as f64 * n - ones[bit] * ones[other];
                // Rounding may pass 1 by a digit.
                let size = (covariance / (spreads[bit] * spreads[other]))
                    .abs()
                    .min(1.0);
                sums.pairs += 1;
                sums.sum += size;
                if size > sums.largest || sums.pairs == 1 {
                    (sums.largest, sums.at) = (size, (bit, other));
                }
            }
            sums
        })
        .collect();
    // In order, so that the last digits do not depend on the threads.
    let mut total = Sums::default();
    for row in rows.into_iter().filter(|row| row.pairs > 0) {
        if row.largest > total.largest || total.pairs == 0 {
            (total.largest, total.at) = (row.largest, row.at);
        }
        total.pairs += row.pairs;
        total.sum += row.sum;
    }
    Ok((total.pairs > 0).then(|| Correlation {
        bits: positions.len() as u64,
        pairs: total.pairs,
        mean: total.sum / total.pairs as f64,
        largest: total.largest,
        positions: [positions[total.at.0] as u64, positions[total.at.1] as u64],
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::latent::Shape;

    fn set_of(shape: Shape, latents: &[Vec<bool>]) -> LatentSet {
        let mut set = LatentSet::new(shape);
        for latent in latents {
            set.push_bits(latent.iter().copied()).unwrap();
        }
        set
    }

    /// Computes Pearson's correlation of two columns as numbers; none for a constant one.
    fn pearson(latents: &[Vec<bool>], a: usize, b: usize) -> Option<f64> {
        let n = latents.len() as f64;
        let column = |at: usize| {
            latents
                .iter()
                .map(move |latent| f64::from(u8::from(latent[at])))
        };
        let mean = |at: usize| column(at).sum::<f64>() / n;
        let (mean_a, mean_b) = (mean(a), mean(b));
        let products = column(a)
            .zip(column(b))
            .map(|(x, y)| (x - mean_a) * (y - mean_b));
        let square = |at: usize, mean: f64| column(at).map(|x| (x - mean).powi(2)).sum::<f64>();
        let spread = (square(a, mean_a) * square(b, mean_b)).sqrt();
        (spread > 1e-9).then(|| products.sum::<f64>() / spread)
    }

    fn mean_and_largest(sizes: &[f64]) -> (f64, f64) {
        let mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
        (mean, sizes.iter().copied().fold(0.0, f64::max))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn correlations_are_pearsons(
            latents in (2..140usize).prop_flat_map(|n| prop::collection::vec(prop::collection::vec(any::<bool>(), 12), n)),
            constant in prop::option::of(0..12usize),
        ) {
            let mut latents = latents;
            if let Some(bit) = constant {
                latents.iter_mut().for_each(|latent| latent[bit] = true);
            }
            let set = set_of(Shape::new(2, 2, 3).unwrap(), &latents);
            let found = Correlations::of(&set, 100, Budget::default()).unwrap();
            let pairs = || (0..12).flat_map(|a| (a + 1..12).map(move |b| (a, b)));
            let same_site = |(a, b): &(usize, usize)| a / 3 == b / 3;
            let sizes = |within: bool| -> Vec<f64> {
                let pairs = pairs().filter(|pair| !within || same_site(pair));
                pairs.filter_map(|(a, b)| pearson(&latents, a, b)).map(f64::abs).collect()
            };
            for (found, sizes) in [(found.all, sizes(false)), (found.within_site, sizes(true))] {
                let Some(found) = found else {
                    prop_assert!(sizes.is_empty());
                    continue;
                };
                let (mean, largest) = mean_and_largest(&sizes);
                prop_assert_eq!(found.pairs, sizes.len() as u64);
                prop_assert!((found.mean - mean).abs() < 1e-9);
                prop_assert!((found.largest - largest).abs() < 1e-9);
                let [a, b] = found.positions.map(|at| at as usize);
                prop_assert!((pearson(&latents, a, b).unwrap().abs() - largest).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_repeated_bit_and_its_opposite_are_fully_correlated() {
        let latents: Vec<Vec<bool>> = (0..100)
            .map(|i| vec![i % 3 == 0, i % 5 == 0, i % 3 != 0, true])
            .collect();
        let found = Correlations::of(
            &set_of(Shape::new(1, 4, 1).unwrap(), &latents),
            4,
            Budget::default(),
        )
        .unwrap();
        let all = found.all.unwrap();
        assert_eq!((all.pairs, all.positions), (3, [0, 2]));
        assert!((all.largest - 1.0).abs() < 1e-12);
        assert_eq!(found.within_site, None);
    }

    #[test]
    fn bits_are_compared_within_the_memory_that_is_given() {
        let latents = vec![vec![true, false], vec![false, true]];
        let set = set_of(Shape::new(1, 2, 1).unwrap(), &latents);
        // A word for each of two bits.
        let found = Correlations::of(&set, 2, Budget::bytes(16)).unwrap();
        assert_eq!(found, Correlations::of(&set, 2, Budget::default()).unwrap());
        let refused = Correlations::of(&set, 2, Budget::bytes(15));
        assert!(matches!(refused, Err(EvalError::Memory(_))));
    }

    #[test]
    fn more_bits_than_the_limit_are_compared_by_a_spaced_part_of_them() {
        let latents: Vec<Vec<bool>> = (0..50usize)
            .map(|i| (0..40).map(|bit| (i * (bit + 3)) % 7 < 3).collect())
            .collect();
        let found = Correlations::of(
            &set_of(Shape::new(2, 5, 4).unwrap(), &latents),
            10,
            Budget::default(),
        )
        .unwrap();
        let (all, within) = (found.all.unwrap(), found.within_site.unwrap());
        assert_eq!(all.bits, 10);
        assert!(all.positions.iter().all(|at| at % 4 == 0));
        // Two sites of four channels.
        assert_eq!(within.bits, 8);
        let [a, b] = within.positions;
        assert_eq!(a / 4, b / 4);
    }

    #[test]
    fn independent_bits_are_correlated_as_chance_has_it() {
        let latents: Vec<Vec<bool>> = (0..2000u64)
            .map(|latent| {
                (0..40)
                    .map(|bit| crate::base::random::uniform_at(bit, latent) < 0.3)
                    .collect()
            })
            .collect();
        let found = Correlations::of(
            &set_of(Shape::new(1, 40, 1).unwrap(), &latents),
            40,
            Budget::default(),
        )
        .unwrap();
        let mean = found.all.unwrap().mean;
        assert!(
            (mean / found.chance - 1.0).abs() < 0.1,
            "{mean} {}",
            found.chance
        );
    }
}
