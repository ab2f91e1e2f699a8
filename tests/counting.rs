//! P3 by number: `count` says how many samples there are without finding them.

use bitquilt::{Count, Method, SearchError, SearchOptions, Status, Task, Unobserved, count};
use proptest::prelude::*;

use crate::puzzles::{Kind, puzzles};
use crate::search::unlimited;
use crate::support::*;

fn counted(task: &Task<'_>) -> Count {
    count(task, None, &Unobserved).unwrap()
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn a_count_is_the_number_of_samples(
        puzzle in (1..=3usize, 1..=3u64, any::<bool>()).prop_flat_map(|(windows, min_count, labels)| {
            puzzles(Kind { windows, min_count, labels, max_free: 12, ..Kind::PLAIN })
        }),
        seed: u64,
    ) {
        let board = puzzle.board();
        let exist = puzzle.rules().completions().len() as u64;
        let mut states = 0;
        for max_states in [2, 3, 1 << 14] {
            let options = SearchOptions { max_states, ..unlimited(Method::Row, seed) };
            let found = board.with(options, counted);
            prop_assert_eq!(found.samples.to_string(), exist.to_string());
            prop_assert_eq!(found.status, Status::NoneExists);
            states = found.states;
        }
        // Each state that is kept has its own completions, so a smaller budget counts some of them. Rows under
        // work may still end when it is spent.
        let open = puzzle.training.grid.height as u64;
        let mut before = 0;
        let step = (states / 6).max(1) as usize;
        for max_states in (0..=states + 1).step_by(step) {
            let found = board.with(unlimited(Method::Row, seed), |task| {
                count(task, Some(max_states), &Unobserved).unwrap()
            });
            let samples: u64 = found.samples.to_string().parse().unwrap();
            prop_assert!(found.states <= max_states + open, "{} of {}", found.states, max_states);
            prop_assert!(before <= samples && samples <= exist, "{} of {}", samples, exist);
            match found.status {
                Status::NoneExists => prop_assert!(samples == exist && max_states + open >= states),
                Status::BudgetSpent => prop_assert!(max_states < states),
                other => prop_assert!(false, "{other}"),
            }
            before = samples;
        }
    }

    /// What has to look at whole samples cannot be counted this way, and says what can.
    #[test]
    fn counting_refuses_what_judges_whole_samples(
        puzzle in puzzles(Kind { novel: true, ..Kind::PLAIN }),
    ) {
        let error = puzzle.board().with(unlimited(Method::Row, 0), |task| count(task, None, &Unobserved).unwrap_err());
        let is_count = matches!(error, SearchError::Count { .. });
        prop_assert!(is_count, "{}", error);
        prop_assert!(error.to_string().contains("enumerate"), "{}", error);
    }
}

/// Every latent of 360 bits: more than any integer of the machine holds.
#[test]
fn a_count_has_any_size() {
    let grid = crate::oracle::Grid {
        height: 60,
        width: 6,
        channels: 1,
    };
    // Of the first bit, and after 0 and after 1, both values were seen.
    let latents = [0, 1, 2].map(|phase| (0..360).map(|i| (i + phase) / 2 % 2 == 1).collect());
    let puzzle = crate::puzzles::Puzzle {
        labels: None,
        windows: vec!["seq:1".parse().unwrap()],
        anchor: bitquilt::Anchor::None,
        fixed: Default::default(),
        label: None,
        min_count: 1,
        novel: false,
        training: Sample {
            grid,
            latents: latents.to_vec(),
        },
    };
    let found = puzzle.board().with(unlimited(Method::Row, 0), counted);
    let expected = num_bigint::BigUint::from(2u8).pow(360);
    assert_eq!(
        (found.samples, found.status),
        (expected, Status::NoneExists)
    );
}
