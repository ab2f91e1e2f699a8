//! FLD's gap, on bits: whether samples say more of the training latents than of others.

use rayon::prelude::*;

use crate::base::hamming;
use crate::latent::LatentSet;

/// Latents of each set that are looked at, evenly spaced.
const MAX: usize = 2000;
/// Rounds of fitting; the likelihood hardly grows after a few.
const ROUNDS: usize = 20;
/// Errors added on either side, so that no kernel is sure of a bit: an exact copy is not infinitely likely.
const ADDED_ERRORS: f64 = 0.5;

/// Returns how many more bits a mixture of the samples takes to tell a training latent than a held-out one, per hundred bits: far
/// below 0 where samples say more of training. `None` for an empty set.
///
/// The mixture has a kernel at each sample that flips each bit with a chance of its own, fitted to the training latents by expectation
/// and maximization: Jiralerspong et al. 2023 (FLD, `eval_feat="gap"`), with a Bernoulli kernel where features take a Gaussian.
/// O(samples · (training + held out)), at most 2,000 of each.
pub fn fitting_gap(samples: &LatentSet, training: &LatentSet, held_out: &LatentSet) -> Option<f64> {
    if samples.is_empty() || training.is_empty() || held_out.is_empty() {
        return None;
    }
    let bits = samples.shape().bits() as f64;
    let to_training = distances(training, samples);
    let kernels = to_training.first().map_or(0, Vec::len);
    let mut flips = vec![0.1; kernels];
    for _ in 0..ROUNDS {
        flips = fitted(&to_training, &flips, bits);
    }
    let told = |distances: &[Vec<u32>]| {
        let each = distances.par_iter().map(|row| -log_mean(row, &flips, bits));
        // Summed in order, whatever the threads.
        let each: Vec<f64> = each.collect();
        each.iter().sum::<f64>() / each.len() as f64 / std::f64::consts::LN_2
    };
    let gap = told(&to_training) - told(&distances(held_out, samples));
    Some(100.0 * gap / bits)
}

/// Returns how likely each kernel makes a latent, as logarithms, by the bits in which they differ.
fn log_likelihoods<'d>(
    distances: &'d [u32],
    flips: &'d [f64],
    bits: f64,
) -> impl Iterator<Item = f64> + 'd {
    let each = distances.iter().zip(flips);
    each.map(move |(distance, flip)| {
        let differing = f64::from(*distance);
        differing * flip.ln() + (bits - differing) * (1.0 - flip).ln()
    })
}

/// Returns the logarithm of the mean of the kernels' likelihoods.
fn log_mean(distances: &[u32], flips: &[f64], bits: f64) -> f64 {
    let each: Vec<f64> = log_likelihoods(distances, flips, bits).collect();
    let most = each.iter().copied().fold(f64::MIN, f64::max);
    let sum: f64 = each.iter().map(|one| (one - most).exp()).sum();
    most + (sum / each.len() as f64).ln()
}

/// Returns chances of a flip that make the latents at such distances more likely: for each kernel, the share of bits that differ, of latents
/// by how much of their likelihood is its own.
fn fitted(distances: &[Vec<u32>], flips: &[f64], bits: f64) -> Vec<f64> {
    let shares = distances.par_iter().map(|row| {
        let mean = log_mean(row, flips, bits) + (row.len() as f64).ln();
        let each = log_likelihoods(row, flips, bits);
        each.map(|one| (one - mean).exp()).collect::<Vec<f64>>()
    });
    // Summed in order, whatever the threads.
    let shares: Vec<Vec<f64>> = shares.collect();
    let mut sums = vec![(0.0, 0.0); flips.len()];
    for (row, shares) in distances.iter().zip(&shares) {
        for ((own, differing), (distance, share)) in sums.iter_mut().zip(row.iter().zip(shares)) {
            *own += share;
            *differing += share * f64::from(*distance);
        }
    }
    let each = sums.iter().zip(flips);
    let each = each.map(|((own, differing), before)| match *own > 1e-9 {
        true => ((differing + ADDED_ERRORS) / (own * bits + 2.0 * ADDED_ERRORS)).min(0.5),
        false => *before,
    });
    each.collect()
}

/// Returns the Hamming distances of some latents, a row for each, to some others.
fn distances(from: &LatentSet, to: &LatentSet) -> Vec<Vec<u32>> {
    let words = from.shape().bits().div_ceil(64);
    let rows = |set: &LatentSet| {
        let count = set.len().min(MAX);
        let mut rows = vec![0u64; count * words];
        for (number, row) in rows.chunks_exact_mut(words).enumerate() {
            let packed = set.packed_latent(number * set.len() / count);
            bytemuck::cast_slice_mut::<u64, u8>(row)[..packed.len()].copy_from_slice(packed);
        }
        rows
    };
    let (from, to) = (rows(from), rows(to));
    let each = from.par_chunks_exact(words).map(|row| {
        let mut found = Vec::new();
        hamming::distances(row, &to, (words, 0), &mut found);
        found
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::Shape;

    fn set(latents: &[u16]) -> LatentSet {
        let mut set = LatentSet::new(Shape::new(4, 4, 1).unwrap());
        for latent in latents {
            set.push_bits((0..16).map(|bit| latent >> bit & 1 == 1))
                .unwrap();
        }
        set
    }

    #[test]
    fn samples_that_are_training_latents_say_more_of_them_than_of_others() {
        let training = set(&[0x0000, 0xffff, 0x00ff, 0x3c3c]);
        let others = set(&[0x0f0f, 0xf00f, 0x9669, 0xa55a]);
        let gap = fitting_gap(&training, &training, &others).unwrap();
        assert!(gap < -20.0, "{gap}");
        assert_eq!(fitting_gap(&others, &training, &training), Some(0.0));
        // Where held-out latents are the nearer ones the sign turns.
        let (near, far) = (set(&[0x0000, 0xffff]), set(&[0x000f, 0xfff0]));
        assert!(fitting_gap(&near, &far, &near).unwrap() > 20.0);
        assert_eq!(fitting_gap(&set(&[]), &training, &others), None);
    }

    #[test]
    fn one_kernel_is_the_share_of_bits_that_differ() {
        // Four bits of 16 differ from the one sample, in training and in what is held out: 8 more there.
        let (sample, training, held_out) = (set(&[0]), set(&[0x000f]), set(&[0x0fff]));
        let flip: f64 = 4.5 / 17.0;
        let told =
            |differing: f64| -(differing * flip.log2() + (16.0 - differing) * (1.0 - flip).log2());
        let gap = fitting_gap(&sample, &training, &held_out).unwrap();
        assert!(
            (gap - 100.0 * (told(4.0) - told(12.0)) / 16.0).abs() < 1e-9,
            "{gap}"
        );
    }
}
