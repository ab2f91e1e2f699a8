//! P8: every bit that the network answered is marked, and no other; P3 and P4 hold with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use bitquilt::samples::{
    ANSWERED_INTERPOLATED, INTERPOLATED, Run, verify_from_index, verify_from_latents,
};
use bitquilt::search::{Fallback, Policy};
use bitquilt::{
    Attempt, Codec, Condition, Contexts, Ids, Interpolator, Method, SampleSet, Search, SearchError,
    SearchOptions, Status, Task, Unobserved, Window, enumerate, generate,
};
use proptest::prelude::*;

use crate::oracle::{Completions, Rules};
use crate::puzzles::{Board, Kind, Puzzle, all_found, puzzles};
use crate::search::{METHODS, unlimited};
use crate::support::*;

/// Says of each context what a hash of it says, or always the same.
pub struct Fake {
    pub window: Window,
    pub always: Option<f32>,
}

impl Interpolator for Fake {
    fn window(&self) -> Window {
        self.window
    }

    fn probabilities(&self, contexts: &Contexts, found: &mut Vec<f32>) {
        found.clear();
        let width = contexts.symbols.len() / contexts.len().max(1);
        for number in 0..contexts.len() {
            let mut hash = Random(u64::from(contexts.places[number]));
            for symbol in &contexts.symbols[number * width..(number + 1) * width] {
                hash.0 = hash.next() ^ (*symbol as i64) as u64;
            }
            let hashed = 0.1 + 0.8 * (hash.next() >> 40) as f32 / (1u64 << 24) as f32;
            found.push(self.always.unwrap_or(hashed));
        }
    }
}

/// Gives `work` the task of a board with a network of the largest window.
fn with_network<T>(
    board: &Board,
    options: SearchOptions,
    (policy, max_interpolated): (Policy, Option<u64>),
    always: Option<f32>,
    work: impl FnOnce(&Task<'_>) -> T,
) -> T {
    board.with(options, |task| {
        let geometry = task.rungs[0].geometry;
        let network = Fake {
            window: geometry.window(),
            always,
        };
        work(&task.clone().falling_back(Fallback {
            geometry,
            network: &network,
            policy,
            max_interpolated,
        }))
    })
}

/// Every sample, bit by bit: at the largest window with a match, else either value by the network.
fn completions(rules: &Rules, policy: Policy) -> Completions {
    let mut parts: Vec<(Vec<bool>, Vec<Option<u8>>)> = vec![Default::default()];
    for position in 0..rules.grid().bits() {
        let mut longer = Vec::new();
        for (latent, answered) in parts {
            let grown = |bit| [&latent[..], &[bit]].concat();
            let supported = |window: usize| {
                [false, true].map(|bit| rules.supports_at(window, &grown(bit), position))
            };
            let windows = 0..rules.oracles.len();
            let matching = windows.clone().find(|w| supported(*w).contains(&true));
            let (values, by) = match (rules.fixed.get(&position), matching) {
                (Some(value), _) => ([!value, *value], None),
                (None, Some(window)) if policy != Policy::Always => {
                    (supported(window), Some(window as u8))
                }
                (None, _) => ([true, true], Some(INTERPOLATED)),
            };
            for bit in [false, true] {
                if values[usize::from(bit)] {
                    longer.push((grown(bit), [&answered[..], &[by]].concat()));
                }
            }
        }
        parts = longer;
    }
    let untaken = parts
        .into_iter()
        .filter(|(latent, _)| !rules.taken.contains(latent));
    untaken.collect::<BTreeMap<_, _>>()
}

fn marks(attempt: &Attempt) -> u64 {
    let marked = attempt
        .answered
        .iter()
        .filter(|by| **by == Some(INTERPOLATED));
    marked.count() as u64
}

/// A task on which the windows alone often have no sample.
fn hard_puzzles(novel: bool) -> impl Strategy<Value = Puzzle> {
    (1..=2u64, any::<bool>()).prop_flat_map(move |(min_count, labels)| {
        puzzles(Kind {
            windows: 2,
            min_count,
            labels,
            novel,
            max_free: 9,
        })
    })
}

/// As a samples file, written and read again.
fn as_file(
    board: &Board,
    attempts: &[Attempt],
    windows: &[Window],
    label: Option<i64>,
    min_count: u64,
) -> SampleSet {
    let folder = small_folder();
    let path = folder.path().join("samples.safetensors");
    let run = Run {
        shape: board.index.shape(),
        codecs: vec![Codec::Codes],
        source: String::new(),
        windows,
        label,
        without: Ids::default(),
        settings: &[("min_count", min_count.to_string())],
        attempts,
    };
    run.write(&path).unwrap();
    SampleSet::read(&path).unwrap()
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn every_sample_is_found_with_the_network_where_nothing_matches_and_nowhere_else(
        puzzle in any::<bool>().prop_flat_map(hard_puzzles),
        seed: u64,
    ) {
        let (board, rules) = (puzzle.board(), puzzle.rules());
        for policy in [Policy::OnNoMatch, Policy::Always] {
            let expected = completions(&rules, policy);
            for method in METHODS {
                let options = unlimited(method, seed);
                let found = with_network(&board, options, (policy, None), None, |task| all_found(task).0);
                prop_assert_eq!(&found, &expected, "{} {}", policy, method);
            }
        }
    }

    #[test]
    fn at_dead_ends_it_answers_only_when_there_is_no_sample_without_it(
        puzzle in hard_puzzles(false),
        seed: u64,
    ) {
        let board = puzzle.board();
        let options = SearchOptions { seed, ..unlimited(Method::Row, seed) };
        let alone = board.with(options, |task| generate(task, 4, false, &Unobserved).unwrap());
        let policy = (Policy::OnDeadEnd, None);
        let with = with_network(&board, options, policy, None, |task| generate(task, 4, false, &Unobserved).unwrap());
        for (alone, with) in alone.iter().zip(&with) {
            prop_assert_eq!(with.status, Status::Sample);
            if alone.status == Status::Sample {
                prop_assert_eq!((&alone.packed, &alone.answered), (&with.packed, &with.answered));
            } else {
                prop_assert!(marks(with) > 0);
            }
        }
        let samples = as_file(&board, &with, &puzzle.windows, puzzle.label, puzzle.min_count);
        let marked: u64 = with.iter().map(marks).sum();
        let first = puzzle.windows[0];
        let report = verify_from_index(&board.index, &samples, first, &Unobserved).unwrap();
        prop_assert_eq!((report.unsupported.len(), report.interpolated), (0, marked));
        let mut training = puzzle.training.set();
        let condition = match &puzzle.labels {
            Some(labels) => { training = training.with_labels(labels.clone()).unwrap(); Condition::Label }
            None => Condition::None,
        };
        let brute = verify_from_latents(&training, puzzle.anchor, condition, &samples, first, &Unobserved).unwrap();
        prop_assert_eq!(brute, report);
        let by = samples.answered_by.unwrap();
        prop_assert_eq!(by.iter().filter(|by| **by == ANSWERED_INTERPOLATED).count() as u64, marked);
    }

    #[test]
    fn a_sample_is_the_same_among_few_and_many_on_one_thread_and_several(
        puzzle in hard_puzzles(false),
        seed: u64,
    ) {
        let board = puzzle.board();
        for policy in [Policy::OnNoMatch, Policy::OnDeadEnd, Policy::Always] {
            let options = SearchOptions { seed, ..SearchOptions::default() };
            let run = |samples, threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| with_network(&board, options, (policy, None), None, |task| {
                    generate(task, samples, false, &Unobserved).unwrap()
                }))
            };
            let (many, few, one) = (run(70, 3), run(3, 1), run(70, 1));
            for (a, b) in many.iter().zip(&one).chain(many.iter().zip(&few)) {
                prop_assert_eq!((a.index, a.status, &a.packed, &a.answered), (b.index, b.status, &b.packed, &b.answered));
            }
        }
    }

    #[test]
    fn a_sample_that_needs_more_than_the_cap_is_given_up_and_the_others_stay(
        puzzle in hard_puzzles(false),
        seed: u64,
        max_interpolated in 0..4u64,
    ) {
        let board = puzzle.board();
        for policy in [Policy::OnNoMatch, Policy::OnDeadEnd] {
            let options = SearchOptions { seed, ..SearchOptions::default() };
            let run = |max_interpolated| with_network(&board, options, (policy, max_interpolated), None, |task| {
                generate(task, 6, false, &Unobserved).unwrap()
            });
            for (free, capped) in run(None).iter().zip(&run(Some(max_interpolated))) {
                if marks(free) > max_interpolated {
                    prop_assert_eq!((capped.status, &capped.packed), (Status::CapReached, &None));
                } else {
                    prop_assert_eq!((capped.status, &capped.packed), (Status::Sample, &free.packed));
                }
            }
        }
    }
}

fn plain_board() -> Board {
    let grid = crate::oracle::Grid {
        height: 4,
        width: 4,
        channels: 1,
    };
    let training = Sample {
        grid,
        latents: vec![bits("0110100101101001"), bits("1111000011110000")],
    };
    Puzzle {
        training,
        labels: None,
        windows: vec!["3x3".parse().unwrap()],
        anchor: bitquilt::Anchor::None,
        fixed: BTreeMap::new(),
        label: None,
        min_count: 1,
        novel: false,
    }
    .board()
}

#[test]
fn alone_it_draws_each_value_as_often_as_it_says() {
    let board = plain_board();
    for (temperature, expected) in [
        (1.0, 0.25),
        (2.0, 0.25f64.sqrt() / (0.25f64.sqrt() + 0.75f64.sqrt())),
    ] {
        let options = SearchOptions {
            temperature: temperature.into(),
            ..SearchOptions::default()
        };
        let attempts = with_network(
            &board,
            options,
            (Policy::Always, None),
            Some(0.25),
            |task| generate(task, 2000, false, &Unobserved).unwrap(),
        );
        let packed = attempts
            .iter()
            .flat_map(|attempt| attempt.packed.clone().unwrap());
        let ones: u32 = packed.map(u8::count_ones).sum();
        let share = f64::from(ones) / 32_000.0;
        // Six standard errors: 6·√(0.25/32,000) = 0.017.
        assert!(
            (share - expected).abs() < 0.017,
            "{share} at temperature {temperature}"
        );
        assert!(
            attempts
                .iter()
                .all(|attempt| marks(attempt) == 16 && attempt.counters.lookups == 0)
        );
    }
}

#[test]
fn what_is_no_probability_ends_the_run() {
    let board = plain_board();
    for wrong in [f32::NAN, -0.1, 1.5] {
        let error = with_network(
            &board,
            SearchOptions::default(),
            (Policy::Always, None),
            Some(wrong),
            |task| generate(task, 2, false, &Unobserved).unwrap_err(),
        );
        assert!(matches!(error, SearchError::Interpolator { .. }), "{error}");
        assert!(error.to_string().contains("train it again"), "{error}");
    }
}

#[test]
fn a_certain_network_leaves_the_other_value_possible() {
    let board = plain_board();
    let found = with_network(
        &board,
        unlimited(Method::Row, 0),
        (Policy::Always, None),
        Some(0.0),
        |task| enumerate(task, 10, &Unobserved).unwrap(),
    );
    assert_eq!(
        found
            .iter()
            .filter(|attempt| attempt.status == Status::Sample)
            .count(),
        10
    );
    // The likeliest comes first.
    assert_eq!(found[0].packed, Some(vec![0, 0]));
}

#[test]
fn a_network_of_another_window_or_grid_is_no_task() {
    let board = plain_board();
    board.with(SearchOptions::default(), |task| {
        let geometry = task.rungs[0].geometry;
        let network = Fake {
            window: "5x5".parse().unwrap(),
            always: None,
        };
        let fallback = Fallback {
            geometry,
            network: &network,
            policy: Policy::OnNoMatch,
            max_interpolated: None,
        };
        let error = Search::new(&task.clone().falling_back(fallback), 0).err();
        assert!(matches!(error, Some(SearchError::Task { .. })), "{error:?}");
    });
}

/// Answers as [`Fake`] does, and does something else each time it is asked.
struct Watched<'a> {
    network: Fake,
    asked: &'a (dyn Fn() + Sync),
}

impl Interpolator for Watched<'_> {
    fn window(&self) -> Window {
        self.network.window()
    }

    fn probabilities(&self, contexts: &Contexts, found: &mut Vec<f32>) {
        (self.asked)();
        self.network.probabilities(contexts, found);
    }
}

/// Gives `work` the task of a board with a network that tells when it is asked.
fn with_watched<T>(
    board: &Board,
    options: SearchOptions,
    policy: Policy,
    asked: &(dyn Fn() + Sync),
    work: impl FnOnce(&Task<'_>) -> T,
) -> T {
    board.with(options, |task| {
        let geometry = task.rungs[0].geometry;
        let network = Watched {
            network: Fake {
                window: geometry.window(),
                always: None,
            },
            asked,
        };
        work(&task.clone().falling_back(Fallback {
            geometry,
            network: &network,
            policy,
            max_interpolated: None,
        }))
    })
}

/// A network is asked for every bit, far less often than a search without one looks at the time.
#[test]
fn time_and_stopping_are_looked_at_while_a_network_answers() {
    let board = plain_board();
    let questions = AtomicU64::new(0);
    let asked = || {
        questions.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(5));
    };
    let options = SearchOptions {
        timeout: Some(Duration::from_millis(12)),
        ..SearchOptions::default()
    };
    // 16 bits, 5 ms each.
    let attempts = with_watched(&board, options, Policy::Always, &asked, |task| {
        generate(task, 1, false, &Unobserved).unwrap()
    });
    assert_eq!(attempts[0].status, Status::BudgetSpent);
    assert!(questions.load(Ordering::Relaxed) < 16);
    with_watched(&board, options, Policy::Always, &asked, |task| {
        let mut search = Search::new(task, 0).unwrap();
        let status = search.advance(&|| false).unwrap();
        assert_eq!(status, Status::BudgetSpent);
    });

    // Stopped after three questions, it goes on where it was.
    let patient = SearchOptions::default();
    let whole = with_watched(&board, patient, Policy::Always, &|| (), |task| {
        generate(task, 1, false, &Unobserved).unwrap()
    });
    questions.store(0, Ordering::Relaxed);
    let count = || {
        questions.fetch_add(1, Ordering::Relaxed);
    };
    with_watched(&board, patient, Policy::Always, &count, |task| {
        let mut search = Search::new(task, 0).unwrap();
        let stop = || questions.load(Ordering::Relaxed) >= 3;
        assert_eq!(search.advance(&stop).unwrap(), Status::Stopped);
        assert_eq!(questions.load(Ordering::Relaxed), 3);
        assert_eq!(search.advance(&|| false).unwrap(), Status::Sample);
        assert_eq!(questions.load(Ordering::Relaxed), 16);
        assert_eq!(Some(search.to_packed()), whole[0].packed);
    });
}

/// Two threads must meet in the network for the run to end well.
#[test]
fn few_samples_are_spread_over_all_threads() {
    let board = plain_board();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
    let seen = Mutex::new(BTreeSet::new());
    let met = Condvar::new();
    let asked = || {
        let mut seen = seen.lock().unwrap();
        seen.insert(rayon::current_thread_index());
        met.notify_all();
        // Only where there is no second thread does this wait to the end.
        let patience = Duration::from_secs(5);
        drop(
            met.wait_timeout_while(seen, patience, |seen| seen.len() < 2)
                .unwrap(),
        );
    };
    pool.unwrap().install(|| {
        with_watched(
            &board,
            SearchOptions::default(),
            Policy::Always,
            &asked,
            |task| {
                assert_eq!(generate(task, 2, false, &Unobserved).unwrap().len(), 2);
            },
        );
    });
    assert_eq!(seen.into_inner().unwrap().len(), 2);
}
