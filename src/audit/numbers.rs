//! The numbers.

use serde::Serialize;

use crate::provenance::Neighbours;

/// A number that the field reports, for samples and for held-out latents.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Number {
    /// Its name.
    pub name: &'static str,
    /// For the samples; `None` where it does not exist, for too few latents.
    pub samples: Option<f64>,
    /// For the held-out latents, in the samples' place.
    pub held_out: Option<f64>,
    /// Samples that it would call copies, at the rate at which it calls held-out latents so; `None` for a number of the whole set.
    pub called: Option<u64>,
    /// What it is.
    pub meaning: &'static str,
    /// Where it misleads.
    pub trap: &'static str,
}

impl Number {
    /// Tells a number of the whole set.
    pub fn of_set(
        name: &'static str,
        samples: Option<f64>,
        held_out: Option<f64>,
        meaning: &'static str,
        trap: &'static str,
    ) -> Self {
        Self {
            name,
            samples,
            held_out,
            called: None,
            meaning,
            trap,
        }
    }
}

/// Returns the numbers that are told of distances. `false_alarms` is the rate at which held-out latents are called copies.
pub fn numbers(samples: &[Neighbours], held_out: &[Neighbours], false_alarms: f64) -> Vec<Number> {
    let share = |of: fn(&Neighbours) -> bool| {
        move |set: &[Neighbours]| {
            let such = set.iter().filter(|near| of(near)).count();
            (!set.is_empty()).then(|| such as f64 / set.len() as f64)
        }
    };
    let set_number = |name, value: &dyn Fn(&[Neighbours]) -> Option<f64>, meaning, trap| {
        Number::of_set(name, value(samples), value(held_out), meaning, trap)
    };
    let each_number = |name, value: fn(&Neighbours) -> f64, meaning, trap| {
        let all = |set: &[Neighbours]| set.iter().map(value).collect::<Vec<_>>();
        let (samples, held_out) = (all(samples), all(held_out));
        Number {
            name,
            called: Some(as_low(&samples, &held_out, false_alarms)),
            samples: median(samples),
            held_out: median(held_out),
            meaning,
            trap,
        }
    };
    vec![
        set_number(
            "exact copies",
            &share(|near| near.distance() == 0),
            "share that equal a training latent",
            "one bit that differs, or a move by one pixel, and a copy is none",
        ),
        each_number(
            "nearest distance",
            |near| f64::from(near.distance()),
            "median Hamming distance to the nearest training latent, in bits",
            "simple samples are near to everything, and a copy of a part is near to nothing",
        ),
        set_number(
            "authentic",
            &share(Neighbours::is_authentic),
            "share farther from their nearest training latent than that one from its own nearest (AuthPct, Alaa et al. 2022)",
            "calls noisy copies of crowded training latents authentic, and honest samples near lonely ones not",
        ),
        set_number(
            "rule of a third",
            &share(Neighbours::is_memorized),
            "share at most a third as far from their nearest training latent as from the next (Yoon et al. 2023)",
            "two training latents that are nearly the same hide a copy of either",
        ),
        each_number(
            "distance ratio",
            |near| near.ratio().unwrap_or(1.0),
            "median of the distance to the nearest over that to the next training latent, Euclidean",
            "as the rule of a third, whose line at 1/3 it has not",
        ),
        each_number(
            "ratio to 50",
            |near| ratio_to_many(near).unwrap_or(f64::MAX),
            "median of the distance to the nearest over half the mean of those to the 50 nearest, Euclidean (Carlini et al. 2023)",
            "finds wholes alone; a moved copy is no nearer than any other latent",
        ),
        Number {
            held_out: split_ct(held_out),
            ..set_number(
                "C_T",
                &|set| ct(set, held_out),
                "how often samples are farther from training than held-out latents are, as a Mann-Whitney Z, in one cell (Meehan et al. 2020): \
                 far below 0 where samples copy; for held-out latents one half of them beside the other",
                "grows with the number of samples; copies of a few are outweighed by others that are far away",
            )
        },
    ]
}

/// Returns the Euclidean distance to the nearest over half the mean of those to the nearest 50: `None` where all are equal to it.
pub fn ratio_to_many(near: &Neighbours) -> Option<f64> {
    let all = near
        .nearest
        .iter()
        .map(|near| f64::from(near.distance).sqrt());
    let mean = all.sum::<f64>() / near.nearest.len() as f64;
    (mean > 0.0).then(|| f64::from(near.distance()).sqrt() / (0.5 * mean))
}

/// Returns how far the samples' distances to training lie above those of held-out latents: the Z of Mann and Whitney's U, ties half, as
/// in C_T with one cell. `None` for an empty set.
pub fn ct(samples: &[Neighbours], held_out: &[Neighbours]) -> Option<f64> {
    if samples.is_empty() || held_out.is_empty() {
        return None;
    }
    let mut sorted: Vec<u32> = held_out.iter().map(Neighbours::distance).collect();
    sorted.sort_unstable();
    let above: usize = samples
        .iter()
        .map(|near| {
            let below = sorted.partition_point(|other| *other < near.distance());
            // Twice: ties count half.
            below + sorted.partition_point(|other| *other <= near.distance())
        })
        .sum();
    let (n, m) = (samples.len() as f64, held_out.len() as f64);
    let u = above as f64 / 2.0;
    Some((u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt())
}

/// Returns the C_T of every other held-out latent beside the others.
fn split_ct(held_out: &[Neighbours]) -> Option<f64> {
    let half = |odd: usize| {
        held_out
            .iter()
            .skip(odd)
            .step_by(2)
            .cloned()
            .collect::<Vec<_>>()
    };
    ct(&half(0), &half(1))
}

/// Returns how many samples are as low as at most a share of the held-out latents, the sample counted among them.
fn as_low(samples: &[f64], held_out: &[f64], rate: f64) -> u64 {
    let mut sorted = held_out.to_vec();
    sorted.sort_by(f64::total_cmp);
    let low = samples.iter().filter(|value| {
        let as_low = sorted.partition_point(|other| other <= value) + 1;
        as_low as f64 <= rate * (sorted.len() as f64 + 1.0)
    });
    low.count() as u64
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::Neighbour;

    fn near(distances: &[u32], next: Option<u32>, own: Option<u32>) -> Neighbours {
        let nearest = distances.iter().map(|distance| Neighbour {
            distance: *distance,
            latent: 0,
        });
        Neighbours {
            nearest: nearest.collect(),
            equal: Vec::new(),
            next_distance: next,
            training_distance: own,
        }
    }

    #[test]
    fn a_copy_is_not_authentic_and_a_stranger_is() {
        // Equal; 3 away from one whose nearest is 5 away; 9 away from the same.
        assert!(!near(&[0, 5], Some(5), Some(5)).is_authentic());
        assert!(!near(&[3, 6], Some(6), Some(5)).is_authentic());
        assert!(near(&[9, 9], Some(9), Some(5)).is_authentic());
        // The trap: a copy with three errors of one that has a neighbour two bits away.
        assert!(near(&[3, 4], Some(4), Some(2)).is_authentic());
    }

    #[test]
    fn the_rule_of_a_third_compares_euclidean_distances() {
        // Hamming distances 4 and 36 are Euclidean 2 and 6.
        assert!(near(&[4, 36], Some(36), Some(30)).is_memorized());
        assert!(!near(&[5, 36], Some(36), Some(30)).is_memorized());
        assert!(near(&[0], None, None).is_memorized());
        // The trap: a training latent that is nearly the same as the source.
        assert!(!near(&[4, 5], Some(5), Some(1)).is_memorized());
    }

    #[test]
    fn the_ratio_to_many_is_the_distance_over_half_their_mean() {
        // Euclidean 2, 4 and 6: mean 4, half of it 2.
        assert_eq!(
            ratio_to_many(&near(&[4, 16, 36], Some(16), None)),
            Some(1.0)
        );
        assert_eq!(ratio_to_many(&near(&[0, 16], Some(16), None)), Some(0.0));
        assert_eq!(ratio_to_many(&near(&[0, 0], None, None)), None);
    }

    #[test]
    fn ct_is_far_below_0_for_copies_and_changes_its_sign_with_the_sets() {
        let set = |distances: &[u32]| {
            let each = distances
                .iter()
                .map(|distance| near(&[*distance], None, None));
            each.collect::<Vec<_>>()
        };
        let (low, high) = (set(&[1, 2, 3]), set(&[4, 5, 6, 7]));
        // U = 0 of 12: (0 − 6) / √(12 · 8 / 12).
        let z = ct(&low, &high).unwrap();
        assert!((z + 6.0 / 8f64.sqrt()).abs() < 1e-12, "{z}");
        assert_eq!(ct(&high, &low), Some(-z));
        assert_eq!(ct(&low, &low), Some(0.0));
        assert_eq!(ct(&low, &[]), None);
    }

    #[test]
    fn what_is_called_is_what_at_most_the_stated_share_of_held_out_latents_reaches() {
        let held_out: Vec<f64> = (1..100).map(f64::from).collect();
        // With the sample there are 100: at 2 % it and one other may be as low.
        assert_eq!(as_low(&[0.5, 1.0, 1.5, 2.0], &held_out, 0.02), 3);
        assert_eq!(as_low(&[0.5, 1.0], &held_out, 0.005), 0);
    }

    #[test]
    fn every_number_is_told_of_both_sets() {
        let samples = [
            near(&[0, 8], Some(8), Some(8)),
            near(&[2, 8], Some(8), Some(8)),
        ];
        let held_out = [
            near(&[9, 9], Some(9), Some(7)),
            near(&[6, 9], Some(9), Some(8)),
        ];
        let told = numbers(&samples, &held_out, 0.4);
        let of = |name: &str| told.iter().find(|number| number.name == name).unwrap();
        assert_eq!(
            (of("exact copies").samples, of("exact copies").held_out),
            (Some(0.5), Some(0.0))
        );
        assert_eq!(of("nearest distance").called, Some(2));
        assert_eq!(
            (of("authentic").samples, of("authentic").held_out),
            (Some(0.0), Some(0.5))
        );
        assert_eq!(
            (
                of("rule of a third").samples,
                of("rule of a third").held_out
            ),
            (Some(0.5), Some(0.0))
        );
        assert!(of("C_T").samples.unwrap() < 0.0);
        assert!(
            numbers(&[], &[], 0.01)
                .iter()
                .all(|number| number.samples.is_none())
        );
    }
}
