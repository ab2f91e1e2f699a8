//! Rows are drawn from their exact conditional distribution: of the row's bits given that the row can be
//! completed, under any temperature and least count, row below row.

use std::collections::BTreeMap;

use bitquilt::{Anchor, Method, SearchOptions, Unobserved, Window, generate};

use crate::oracle::{Grid, Latent, Oracle};
use crate::puzzles::Puzzle;
use crate::search::unlimited;
use crate::support::*;

/// How likely each value of a bit is by its counts.
fn chances(counts: (u64, u64), min_count: u64, temperature: f64) -> [f64; 2] {
    let weights = [counts.0, counts.1].map(|count| match count {
        count if count < min_count || count == 0 => 0.0,
        count => (count as f64).powf(1.0 / temperature),
    });
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| if sum > 0.0 { weight / sum } else { 0.0 })
}

/// The probability of every sample, row by row; `None` when some row has no row to follow it, since what
/// backtracking does then has no closed form.
fn distribution(
    oracle: &Oracle,
    min_count: u64,
    temperature: f64,
) -> Option<BTreeMap<Latent, f64>> {
    let Grid {
        height,
        width,
        channels,
    } = oracle.grid;
    let mut rows = BTreeMap::from([(Latent::new(), 1.0)]);
    for _ in 0..height {
        let mut longer = BTreeMap::new();
        for (above, probability) in rows {
            let mut ways = vec![(above, 1.0)];
            for _ in 0..width * channels {
                let ways_on = ways.into_iter().flat_map(|(latent, weight)| {
                    let counts = oracle.histogram(&latent, latent.len()).unwrap_or_default();
                    let chances = chances(counts, min_count, temperature);
                    [false, true].map(|bit| {
                        (
                            [&latent[..], &[bit]].concat(),
                            weight * chances[usize::from(bit)],
                        )
                    })
                });
                ways = ways_on.filter(|(_, weight)| *weight > 0.0).collect();
            }
            let total: f64 = ways.iter().map(|(_, weight)| weight).sum();
            if ways.is_empty() {
                return None;
            }
            longer.extend(
                ways.into_iter()
                    .map(|(latent, weight)| (latent, probability * weight / total)),
            );
        }
        rows = longer;
    }
    Some(rows)
}

/// Draws from random sets on a grid until enough of them had a choice to make.
fn check(grid: Grid, window: &str, latents: usize, min_count: u64, temperature: f64) {
    let window: Window = window.parse().unwrap();
    let (samples, mut tested) = (4_000, 0);
    for seed in 0..200 {
        let mut random = Random(seed);
        let latents: Vec<Latent> = (0..latents)
            .map(|_| (0..grid.bits()).map(|_| random.bit()).collect())
            .collect();
        let oracle = Oracle::new(grid, window, false, &latents);
        let Some(expected) =
            distribution(&oracle, min_count, temperature).filter(|all| all.len() > 4)
        else {
            continue;
        };
        // Where even chances would do as well nothing is tested.
        let even = 1.0 / expected.len() as f64;
        if expected.values().all(|p| (p - even).abs() < 0.3 * even) {
            continue;
        }
        let puzzle = Puzzle {
            training: Sample { grid, latents },
            labels: None,
            windows: vec![window],
            anchor: Anchor::None,
            fixed: BTreeMap::new(),
            label: None,
            min_count,
            novel: false,
        };
        let options = SearchOptions {
            temperature: temperature.into(),
            ..unlimited(Method::Row, seed)
        };
        let attempts = puzzle.board().with(options, |task| {
            generate(task, samples, false, &Unobserved).unwrap()
        });
        let mut found: BTreeMap<Latent, f64> = BTreeMap::new();
        for attempt in attempts {
            assert_eq!(attempt.counters.backtracks, 0);
            *found
                .entry(unpacked(&attempt.packed.unwrap(), grid.bits()))
                .or_default() += 1.0;
        }
        // Rare ones are judged together.
        let (mut chi_square, mut cells, mut rare) = (0.0, 0, [0.0; 2]);
        let mut judge = |found: f64, expected: f64| {
            chi_square += (found - expected).powi(2) / expected;
            cells += 1;
        };
        for (latent, probability) in &expected {
            let (found, expected) = (
                found.remove(latent).unwrap_or_default(),
                samples as f64 * probability,
            );
            if expected < 8.0 {
                rare = [rare[0] + found, rare[1] + expected];
            } else {
                judge(found, expected);
            }
        }
        if rare[1] > 0.0 {
            judge(rare[0], rare[1].max(1.0));
        }
        assert!(found.is_empty(), "drawn, but no sample: {found:?}");
        // Mean n − 1, variance 2(n − 1): five standard deviations and a little for few degrees.
        let freedom = f64::from(cells) - 1.0;
        assert!(
            chi_square < freedom + 5.0 * (2.0 * freedom).sqrt() + 6.0,
            "{window}, seed {seed}: {chi_square} with {freedom} degrees of freedom"
        );
        tested += 1;
        if tested == if long() { 20 } else { 2 } {
            return;
        }
    }
    panic!("{window} with {latents} latents: only {tested} of these sets have a choice to make");
}

const ROW: Grid = Grid {
    height: 1,
    width: 6,
    channels: 1,
};

const TWO_ROWS: Grid = Grid {
    height: 2,
    width: 3,
    channels: 1,
};

#[test]
fn rows_follow_the_temperature() {
    for temperature in [0.5, 2.0] {
        check(ROW, "seq:2", 5, 1, temperature);
        let channels = Grid {
            width: 3,
            channels: 2,
            ..ROW
        };
        check(channels, "3x3", 6, 1, temperature);
    }
}

#[test]
fn rows_follow_the_counts_that_are_large_enough() {
    for (min_count, temperature) in [(2, 1.0), (3, 1.0), (2, 0.5)] {
        check(ROW, "seq:1", 9, min_count, temperature);
    }
}

#[test]
fn a_row_below_follows_its_own_distribution_given_the_row_above() {
    for (min_count, temperature) in [(1, 1.0), (1, 0.5), (2, 2.0)] {
        check(TWO_ROWS, "seq:1", 8, min_count, temperature);
        check(TWO_ROWS, "3x3", 60, min_count, temperature);
    }
}
