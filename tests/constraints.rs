//! P3 under constraints: whatever a sample must satisfy, every search finds exactly the samples that do.

use std::collections::BTreeSet;

use bitquilt::{
    FixedBits, Method, Search, SearchOptions, Status, Task, Unobserved, enumerate, generate,
};
use proptest::prelude::*;

use crate::oracle::Completions;
use crate::puzzles::{Kind, Puzzle, all_found, puzzles, searches};
use crate::search::{METHODS, outcomes, unlimited};
use crate::support::*;

/// What is enumerated at most, with how it ended.
fn enumerated(task: &Task<'_>, max_samples: u64) -> (Completions, Status) {
    let attempts = enumerate(task, max_samples, &Unobserved).unwrap();
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
    for options in searches(seed).into_iter().step_by(3) {
        let limited = |max_samples| board.with(options, |task| enumerated(task, max_samples));
        assert_eq!(limited(u64::MAX), (expected.clone(), Status::NoneExists));
        for max_samples in [0, 1, exist / 2, exist.saturating_sub(1), exist, exist + 1] {
            let (found, status) = limited(max_samples);
            assert_eq!(found.len() as u64, max_samples.min(exist));
            assert!(
                found
                    .iter()
                    .all(|(latent, by)| expected.get(latent) == Some(by))
            );
            let complete = max_samples >= exist;
            assert_eq!(status == Status::NoneExists, complete, "{status}");
            assert_eq!(status == Status::BudgetSpent, !complete, "{status}");
        }
    }
}

proptest! {
    #![proptest_config(cases(40))]

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
    fn distinct_samples_are_all_there_are_and_then_none(
        puzzle in (1..=2usize, any::<bool>()).prop_flat_map(|(windows, novel)| {
            puzzles(Kind { windows, novel, max_free: 6, ..Kind::PLAIN })
        }),
        seed: u64,
    ) {
        let board = puzzle.board();
        let expected = puzzle.rules().completions();
        let bits = puzzle.training.grid.bits();
        for method in METHODS {
            let run = |samples: usize, threads: usize| {
                let attempts = board.with(unlimited(method, seed), |task| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    pool.install(|| generate(task, samples as u64, true, &Unobserved).unwrap())
                });
                outcomes(attempts)
            };
            let asked = expected.len() + 2;
            let all = run(asked, 1);
            prop_assert_eq!(all.len(), asked);
            let mut found = BTreeSet::new();
            for (number, (index, status, _, packed)) in all.iter().enumerate() {
                prop_assert_eq!(*index, number as u64);
                if number < expected.len() {
                    let latent = unpacked(packed.as_ref().unwrap(), bits);
                    prop_assert!(expected.contains_key(&latent));
                    prop_assert!(found.insert(latent), "twice");
                } else {
                    prop_assert_eq!((status, packed), (&Status::NoneExists, &None));
                }
            }
            for threads in [2, 5] {
                prop_assert_eq!(&run(asked, threads), &all);
            }
            // A sample depends on earlier ones only.
            let fewer = asked / 2;
            prop_assert_eq!(&run(fewer, 2)[..], &all[..fewer]);
        }
    }

    #[test]
    fn single_samples_cover_the_whole_set_and_nothing_else(
        puzzle in (1..=2usize, any::<[bool; 2]>()).prop_flat_map(|(windows, [novel, labels])| {
            puzzles(Kind { windows, novel, labels, max_free: 5, ..Kind::PLAIN })
        }),
        seed: u32,
    ) {
        let board = puzzle.board();
        let expected = puzzle.rules().completions();
        let bits = puzzle.training.grid.bits();
        // Nearly even at every choice: 5 free bits come as wanted once in 32 times or more often, so one of
        // 32 samples is missed with a probability of 10⁻⁷ at most.
        let flat = |seed| SearchOptions { temperature: 1e9.into(), ..unlimited(Method::Row, seed) };
        let mut found = BTreeSet::new();
        board.with(flat(0), |task| {
            for number in 0..600 {
                let task = Task { options: SearchOptions { seed: u64::from(seed) + number, ..task.options }, ..task.clone() };
                let mut search = Search::new(&task, 0).unwrap();
                match search.advance(&|| false).unwrap() {
                    Status::Sample => { found.insert(unpacked(&search.to_packed(), bits)); }
                    status => assert_eq!((status, expected.len()), (Status::NoneExists, 0)),
                }
            }
        });
        prop_assert_eq!(found, expected.into_keys().collect::<BTreeSet<_>>());
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

#[test]
fn a_part_that_the_grid_does_not_have_is_refused_and_fixes_nothing() {
    let shape = bitquilt::Shape::new(3, 4, 2).unwrap();
    let mut set = bitquilt::LatentSet::new(shape);
    set.push_bits((0..24).map(|bit| bit % 3 == 0)).unwrap();
    let latent = set.latent(0);
    #[expect(clippy::reversed_empty_ranges, reason = "a part that is none")]
    let wrong = [
        (0..1, 0..5, "columns within 0..4"),
        (0..1, 5..5, "columns within 0..4"),
        (0..4, 0..1, "rows within 0..3"),
        (2..usize::MAX, 0..1, "rows within 0..3"),
        (2..1, 0..4, "rows within 0..3"),
    ];
    for (rows, cols, words) in wrong {
        let mut fixed = FixedBits::none();
        let error = fixed.fix_part(latent, shape, shape.finest(), rows.clone(), cols.clone());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(words), "{rows:?} {cols:?}: {error}");
        assert_eq!(fixed, FixedBits::none());
    }
    let error = FixedBits::none().fix_part(&latent[..23], shape, shape.finest(), 0..1, 0..1);
    assert!(error.unwrap_err().to_string().contains("23 bits"));
    let mut fixed = FixedBits::none();
    fixed
        .fix_part(latent, shape, shape.finest(), 1..3, 2..4)
        .unwrap();
    let expected = [12, 13, 14, 15, 20, 21, 22, 23].map(|at| (at, at % 3 == 0));
    assert_eq!(fixed.iter().collect::<Vec<_>>(), expected);
}
