//! P3 under constraints: whatever a sample must satisfy, every search finds exactly the samples that do.

use bitquilt::{SearchOptions, Status, Task, Unobserved, enumerate};
use proptest::prelude::*;

use crate::oracle::Completions;
use crate::puzzles::{Kind, Puzzle, all_found, puzzles, searches};
use crate::support::*;

/// What is enumerated at most, with how it ended.
fn enumerated(task: &Task<'_>, most: u64) -> (Completions, Status) {
    let attempts = enumerate(task, most, &Unobserved).unwrap();
    let bits = task.shape().unwrap().bits();
    let (last, found) = attempts.split_last().unwrap();
    assert_eq!((&last.packed, last.answered.len()), (&None, 0));
    let mut completions = Completions::new();
    for (number, attempt) in attempts.iter().enumerate() {
        assert_eq!(attempt.index, number as u64);
    }
    for attempt in found {
        assert_eq!(attempt.status, Status::Sample);
        let latent = unpacked(attempt.packed.as_ref().unwrap(), bits);
        let before = completions.insert(latent, attempt.answered.clone());
        assert_eq!(before, None, "found twice");
    }
    (completions, last.status)
}

/// Every search finds the expected set, and so does enumeration with and without a limit.
fn check(puzzle: &Puzzle, seed: u64) {
    let board = puzzle.board();
    let expected = puzzle.rules().completions();
    for options in searches(seed) {
        let (found, counters) = board.with(options, all_found);
        assert_eq!(found, expected, "{options:?}");
        assert_eq!(counters.lookups == 0, puzzle.free() == 0);
    }
    let exist = expected.len() as u64;
    for options in searches(seed).into_iter().step_by(2) {
        let limited = |most| board.with(options, |task| enumerated(task, most));
        assert_eq!(limited(u64::MAX), (expected.clone(), Status::NoneExists));
        for most in [0, 1, exist / 2, exist.saturating_sub(1), exist, exist + 1] {
            let (found, status) = limited(most);
            assert_eq!(found.len() as u64, most.min(exist));
            assert!(
                found
                    .iter()
                    .all(|(latent, by)| expected.get(latent) == Some(by))
            );
            let complete = most >= exist;
            assert_eq!(status == Status::NoneExists, complete, "{status}");
            assert_eq!(status == Status::BudgetSpent, !complete, "{status}");
        }
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn every_search_finds_exactly_what_enumeration_finds(puzzle in puzzles(Kind::PLAIN), seed: u64) {
        check(&puzzle, seed);
    }

    #[test]
    fn novel_samples_are_all_but_the_training_latents(
        puzzle in puzzles(Kind { novel: true, ..Kind::PLAIN }),
        seed: u64,
    ) {
        check(&puzzle, seed);
        let plain = Puzzle { novel: false, ..puzzle.clone() }.rules().completions();
        let novel = puzzle.rules().completions();
        let copies = plain.keys().filter(|latent| puzzle.training.latents.contains(latent));
        prop_assert_eq!(copies.count() + novel.len(), plain.len());
    }

    #[test]
    fn every_bit_has_its_least_count(
        puzzle in (2..=3u64).prop_flat_map(|min_count| puzzles(Kind { min_count, ..Kind::PLAIN })),
        seed: u64,
    ) {
        check(&puzzle, seed);
    }

    #[test]
    fn samples_of_a_label_are_supported_under_it(
        puzzle in puzzles(Kind { labels: true, ..Kind::PLAIN }),
        seed: u64,
    ) {
        check(&puzzle, seed);
    }

    #[test]
    fn constraints_hold_together(
        puzzle in (1..=3u64, any::<[bool; 2]>()).prop_flat_map(|(min_count, [labels, novel])| {
            puzzles(Kind { windows: 3, min_count, labels, novel, ..Kind::PLAIN })
        }),
        seed: u64,
    ) {
        check(&puzzle, seed);
    }
}

/// Two latents of one row each have no mixture when the window sees everything: nothing novel exists, and
/// that is proved.
#[test]
fn nothing_novel_exists_where_the_window_sees_everything() {
    let training = worked_example();
    let puzzle = Puzzle {
        labels: None,
        windows: vec![bitquilt::Window::Global],
        anchor: bitquilt::Anchor::None,
        fixed: Default::default(),
        label: None,
        min_count: 1,
        novel: true,
        training,
    };
    let board = puzzle.board();
    for options in searches(1) {
        let options = SearchOptions { seed: 3, ..options };
        assert_eq!(
            board.with(options, |task| enumerated(task, 9)),
            (Completions::new(), Status::NoneExists)
        );
    }
}
