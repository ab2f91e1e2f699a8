//! What the loss of an autoencoder cannot fall below while its latent clouds overlap: Eqn 2, and two
//! stronger bounds from the same argument.
//!
//! # Derivation
//!
//! Let Lᵢ = E‖d(z̃ᵢ) − xᵢ‖² be the loss of image i, pᵢ the density of its cloud, and Oᵢⱼ = ∫ min(pᵢ, pⱼ) (Eqn
//! 3). For one pair,
//!
//! Lᵢ + Lⱼ = ∫ pᵢ‖d(z) − xᵢ‖² + pⱼ‖d(z) − xⱼ‖² dz ≥ ∫ min(pᵢ, pⱼ)·(‖d(z) − xᵢ‖² + ‖d(z) − xⱼ‖²) dz
//! ≥ Oᵢⱼ·½‖xᵢ − xⱼ‖²,
//!
//! since ‖a‖² + ‖b‖² ≥ ½‖a − b‖². Whatever the decoder does, the two images cannot both be had where their
//! clouds overlap. Weights wᵢⱼ ≥ 0 on pairs that come to at most 1 at every image give
//!
//! Σᵢ Lᵢ ≥ Σ_{i<j} wᵢⱼ (Lᵢ + Lⱼ) ≥ ½ Σ_{i<j} wᵢⱼ Oᵢⱼ ‖xᵢ − xⱼ‖².
//!
//! - w = 1/N: Σ Lᵢ ≥ (1/4N) Σ_{i,j} Oᵢⱼ‖xᵢ − xⱼ‖². Eqn 2 has 1/2N² for 1/4N, so for N ≥ 2 it holds, and is
//!   weaker by a factor of N/2.
//! - w = 1/(N − 1): every image has N − 1 partners. [`LossBound::pairs`].
//! - w = 1 on disjoint pairs: a matching. Much stronger where each cloud meets few others, as near-binary
//!   codes' do. [`LossBound::matching`], of pairs taken greedily, the weightiest first.
//!
//! These bound the *training* loss, with noise on the codes; without noise only equal codes overlap. Codes
//! are taken to be at ±1. Activations short of ±1 lie nearer, and where the noise's density falls away from 0
//! nearer clouds overlap more: the bounds then still hold. Where it rises (the printed form with κ > 1)
//! nearer clouds may overlap less, and they hold for saturated activations only.

use rayon::prelude::*;
use serde::Serialize;

use super::reconstruction::squared_distance;
use super::words::Rows;
use super::{CodeOverlap, EvalError};
use crate::base::{Budget, Observer};
use crate::images::ImageSet;
use crate::latent::LatentSet;

/// Overlaps below this are taken for 0: a sum of terms that are at least 0 remains a lower bound without
/// some of them.
const MIN_OVERLAP: f64 = 1e-12;
/// Latents between two looks at the observer.
const BLOCK: usize = 256;

/// Lower bounds of the mean over images of the mean squared error of noisy codes, values from 0 to 1: the
/// scale of [`Reconstruction::mse`](super::Reconstruction::mse).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossBound {
    /// Images, N; every pair of them is looked at.
    pub images: u64,
    /// Pairs whose clouds overlap.
    pub overlapping_pairs: u64,
    /// Pairs with equal codes, duplicates included: they overlap under any noise.
    pub equal_codes: u64,
    /// Σ Oᵢⱼ over pairs i < j.
    pub total_overlap: f64,
    /// Eqn 2 as printed, over N and the values of an image.
    pub eqn2: f64,
    /// The same sum with the weight that the argument allows, 1/4(N − 1) for 1/2N².
    pub pairs: f64,
    /// The bound by disjoint pairs.
    pub matching: f64,
    /// The least Hamming distance of two codes that differ; none without such.
    #[serde(rename = "least_distance")]
    pub min_distance: Option<u64>,
    /// The mean Hamming distance over all pairs.
    pub mean_distance: f64,
}

impl LossBound {
    /// Returns the largest of the three bounds.
    pub fn strongest(&self) -> f64 {
        self.eqn2.max(self.pairs).max(self.matching)
    }
}

/// What one image has with later ones.
#[derive(Default)]
struct Later {
    overlapping: u64,
    equal: u64,
    overlap: f64,
    /// Σ O·‖x − x'‖², values from 0 to 255.
    weighted: f64,
    /// The largest term of that, and whose it is.
    best: Option<(f64, usize)>,
    min: Option<u32>,
    distance: u64,
}

/// Bounds the loss on these images, whose codes at ±1 are `set`. It holds for the mean loss over exactly
/// these images; of a large data set, take a part and compare with the loss on that part.
///
/// O(N² · bits / 64), and the values of an image for each pair that overlaps: 10,000 codes of 392 bits take
/// half a second on two cores and 60,000 half a minute, unless the noise is so wide that most pairs overlap. The codes are held
/// once more, in `memory`.
///
/// ```
/// use bitquilt::Budget;
/// use bitquilt::images::ImageSet;
/// use bitquilt::model::{CodeOverlap, NoiseForm, Triangular, loss_bound};
/// # use bitquilt::{LatentSet, Shape, Unobserved};
///
/// // A black and a white pixel with the same code: whoever decodes it is wrong by ½ of the way at least, squared.
/// let images = ImageSet::new(1, 1, 1, vec![0, 255])?;
/// let codes = LatentSet::from_packed(Shape::new(1, 1, 8)?, vec![7, 7])?;
/// let overlap = CodeOverlap::new(Triangular::new(1.0, 2.0, NoiseForm::Peaked)?);
/// let bound = loss_bound(&codes, &images, &overlap, Budget::of_machine(), &Unobserved)?;
/// assert_eq!((bound.equal_codes, bound.strongest()), (1, 0.25));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`EvalError::Counts`], [`EvalError::TooFew`] for less than two images, [`EvalError::Memory`],
/// [`EvalError::Stopped`].
pub fn loss_bound(
    set: &LatentSet,
    images: &ImageSet,
    overlap: &CodeOverlap,
    memory: Budget,
    observer: &dyn Observer,
) -> Result<LossBound, EvalError> {
    let n = set.len();
    if n != images.len() {
        return Err(EvalError::Counts {
            what: "latents",
            expected: images.len(),
            found: n,
        });
    }
    if n < 2 {
        return Err(EvalError::TooFew {
            what: "images",
            min: 2,
            found: n,
        });
    }
    let rows = Rows::of(set, memory)?;
    let mut table = overlap.table(set.shape().bits());
    table
        .iter_mut()
        .filter(|o| **o < MIN_OVERLAP)
        .for_each(|o| *o = 0.0);

    observer.stage("overlaps", n as u64, "latents");
    let mut later: Vec<Later> = Vec::with_capacity(n);
    for first in (0..n).step_by(BLOCK) {
        observer.check()?;
        let block = first..n.min(first + BLOCK);
        let done = block.len() as u64;
        later.par_extend(block.into_par_iter().map_init(Vec::new, |distances, id| {
            rows.distances_to_later(id, distances);
            Later::of(id, distances, &table, images)
        }));
        observer.advance(done);
    }
    Ok(sum(&later, images.image_values()))
}

impl Later {
    fn of(id: usize, distances: &[u32], table: &[f64], images: &ImageSet) -> Self {
        let mut later = Self::default();
        let image = images.image(id);
        for (other, distance) in (id + 1..).zip(distances.iter().copied()) {
            later.distance += u64::from(distance);
            if distance == 0 {
                later.equal += 1;
            } else if later.min.is_none_or(|min| distance < min) {
                later.min = Some(distance);
            }
            let overlap = table[distance as usize];
            if overlap == 0.0 {
                continue;
            }
            let term = overlap * squared_distance(image, images.image(other)) as f64;
            later.overlapping += 1;
            later.overlap += overlap;
            later.weighted += term;
            if term > later.best.map_or(0.0, |(best, _)| best) {
                later.best = Some((term, other));
            }
        }
        later
    }
}

fn sum(later: &[Later], values: usize) -> LossBound {
    let n = later.len() as f64;
    // From the sum over i < j of images with values to 255, to a mean over images and values to 1.
    let scale = 255.0 * 255.0 * values as f64 * n;
    let ordered = 2.0 * later.iter().map(|later| later.weighted).sum::<f64>() / scale;
    LossBound {
        images: later.len() as u64,
        overlapping_pairs: later.iter().map(|later| later.overlapping).sum(),
        equal_codes: later.iter().map(|later| later.equal).sum(),
        total_overlap: later.iter().map(|later| later.overlap).sum(),
        eqn2: ordered / (2.0 * n * n),
        pairs: ordered / (4.0 * (n - 1.0)),
        matching: matching(later) / 2.0 / scale,
        min_distance: later
            .iter()
            .filter_map(|later| later.min)
            .min()
            .map(u64::from),
        mean_distance: later.iter().map(|later| later.distance as f64).sum::<f64>()
            / (n * (n - 1.0) / 2.0),
    }
}

/// Returns the weight of disjoint pairs, chosen greedily among each image's weightiest pair with a later one.
fn matching(later: &[Later]) -> f64 {
    let mut pairs: Vec<(f64, usize, usize)> = (later.iter().enumerate())
        .filter_map(|(id, later)| later.best.map(|(term, other)| (term, id, other)))
        .collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut taken = vec![false; later.len()];
    let mut weight = 0.0;
    for (term, one, other) in pairs {
        if !taken[one] && !taken[other] {
            (taken[one], taken[other]) = (true, true);
            weight += term;
        }
    }
    weight
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::Unobserved;
    use crate::latent::Shape;
    use crate::model::{NoiseForm, Triangular};

    const BITS: usize = 3;

    fn sets(codes: &[u8], values: &[u8]) -> (LatentSet, ImageSet) {
        let mut set = LatentSet::new(Shape::new(1, BITS, 1).unwrap());
        for code in codes {
            set.push_bits((0..BITS).map(|bit| code >> bit & 1 == 1))
                .unwrap();
        }
        (set, ImageSet::new(1, 2, 1, values.to_vec()).unwrap())
    }

    fn uniform(sigma: f64) -> CodeOverlap {
        CodeOverlap::new(Triangular::new(sigma, 1.0, NoiseForm::Peaked).unwrap())
    }

    /// Returns the least loss that any decoder has under uniform noise: the clouds are boxes of one height, so at every
    /// point of the grid that their edges cut, the best answer is the mean of the images that are there.
    fn best_loss(codes: &[u8], values: &[u8], sigma: f64) -> f64 {
        let n = codes.len();
        // Pieces of one axis: what only −1 reaches, what both reach, what only +1 reaches.
        let both = (1.0 - 1.0 / sigma).max(0.0);
        let pieces = [
            (1.0 - both, [true, false]),
            (both, [true, true]),
            (1.0 - both, [false, true]),
        ];
        let mut loss = 0.0;
        for cell in 0..3usize.pow(BITS as u32) {
            let piece = |bit: usize| pieces[cell / 3usize.pow(bit as u32) % 3];
            let mass: f64 = (0..BITS).map(|bit| piece(bit).0).product();
            let here: Vec<usize> = (0..n)
                .filter(|i| (0..BITS).all(|bit| piece(bit).1[usize::from(codes[*i] >> bit & 1)]))
                .collect();
            for at in 0..2 {
                let value = |i: &usize| f64::from(values[i * 2 + at]) / 255.0;
                let mean = here.iter().map(value).sum::<f64>() / here.len().max(1) as f64;
                loss += mass * here.iter().map(|i| (value(i) - mean).powi(2)).sum::<f64>();
            }
        }
        loss / (2.0 * n as f64)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_decoder_does_better_than_the_bounds(
            points in prop::collection::vec((0..8u8, any::<u8>(), any::<u8>()), 2..9),
            sigma in 0.7..3.0f64,
        ) {
            let codes: Vec<u8> = points.iter().map(|point| point.0).collect();
            let values: Vec<u8> = points.iter().flat_map(|point| [point.1, point.2]).collect();
            let (set, images) = sets(&codes, &values);
            let bound = loss_bound(&set, &images, &uniform(sigma), Budget::default(), &Unobserved).unwrap();
            let best = best_loss(&codes, &values, sigma);
            for bound in [bound.eqn2, bound.pairs, bound.matching, bound.strongest()] {
                prop_assert!(bound <= best + 1e-9, "{bound} {best}");
            }
            prop_assert!(bound.eqn2 <= bound.pairs);
        }

        #[test]
        fn sums_are_over_all_pairs(
            points in prop::collection::vec((0..8u8, any::<u8>(), any::<u8>()), 2..9),
            sigma in 0.7..2.0f64,
        ) {
            let codes: Vec<u8> = points.iter().map(|point| point.0).collect();
            let values: Vec<u8> = points.iter().flat_map(|point| [point.1, point.2]).collect();
            let (set, images) = sets(&codes, &values);
            let found = loss_bound(&set, &images, &uniform(sigma), Budget::default(), &Unobserved).unwrap();
            let n = codes.len();
            let (mut weighted, mut total, mut equal, mut overlapping) = (0.0, 0.0, 0, 0);
            let mut distances = Vec::new();
            for i in 0..n {
                for j in 0..n {
                    let d = (codes[i] ^ codes[j]).count_ones();
                    let overlap = (1.0 - 1.0 / sigma).max(0.0).powi(d as i32);
                    let square = |at: usize| {
                        (f64::from(values[2 * i + at]) / 255.0 - f64::from(values[2 * j + at]) / 255.0).powi(2)
                    };
                    // Eqn 2 sums over ordered pairs.
                    weighted += overlap * (square(0) + square(1));
                    if i < j {
                        total += overlap;
                        equal += u64::from(d == 0);
                        overlapping += u64::from(overlap > 0.0);
                        distances.push(u64::from(d));
                    }
                }
            }
            let n = n as f64;
            prop_assert!((found.eqn2 - weighted / (2.0 * n * n) / (2.0 * n)).abs() < 1e-9);
            prop_assert!((found.total_overlap - total).abs() < 1e-6);
            prop_assert_eq!((found.equal_codes, found.overlapping_pairs), (equal, overlapping));
            prop_assert_eq!(found.min_distance, distances.iter().copied().filter(|d| *d > 0).min());
            let mean = distances.iter().sum::<u64>() as f64 / distances.len() as f64;
            prop_assert!((found.mean_distance - mean).abs() < 1e-12);
        }
    }

    #[test]
    fn black_and_white_under_one_code_cost_a_quarter_each() {
        // The best answer to both is gray: (1/2)² for either.
        let (set, images) = sets(&[5, 5], &[0, 0, 255, 255]);
        let bound =
            loss_bound(&set, &images, &uniform(0.5), Budget::default(), &Unobserved).unwrap();
        assert!((bound.matching - 0.25).abs() < 1e-12);
        assert!((bound.pairs - 0.25).abs() < 1e-12);
        assert!((bound.eqn2 - 0.125).abs() < 1e-12);
        assert_eq!((bound.equal_codes, bound.min_distance), (1, None));
    }

    #[test]
    fn exclusive_clouds_bound_nothing() {
        let (set, images) = sets(&[1, 2, 4], &[0, 9, 100, 200, 255, 3]);
        let bound =
            loss_bound(&set, &images, &uniform(1.0), Budget::default(), &Unobserved).unwrap();
        assert_eq!((bound.strongest(), bound.overlapping_pairs), (0.0, 0));
        assert_eq!((bound.min_distance, bound.mean_distance), (Some(2), 2.0));
    }

    #[test]
    fn one_image_or_one_latent_too_few_is_refused() {
        let (set, images) = sets(&[1], &[0, 9]);
        let few = loss_bound(&set, &images, &uniform(1.0), Budget::default(), &Unobserved);
        assert!(matches!(few, Err(EvalError::TooFew { .. })));
        let (set, images) = sets(&[1, 2], &[0, 9]);
        let counts = loss_bound(&set, &images, &uniform(1.0), Budget::default(), &Unobserved);
        assert!(matches!(counts, Err(EvalError::Counts { .. })));
    }
}
