//! P3: search is complete. P4: same seed, same samples. Draws follow the histograms.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bitquilt::{
    Anchor, Attempt, Counters, FixedBits, Index, Method, Rung, Search, SearchError, SearchOptions,
    Status, Task, Unobserved, Window, WindowIndex, generate,
};
use proptest::prelude::*;

use crate::oracle::{Grid, Latent, Oracle};
use crate::support::*;

pub const METHODS: [Method; 3] = [Method::Chronological, Method::Backjump, Method::Row];

/// A search without a budget.
pub fn unlimited(method: Method, seed: u64) -> SearchOptions {
    SearchOptions {
        method,
        seed,
        max_backtracks: None,
        timeout: None,
        ..SearchOptions::default()
    }
}

/// A search at one window for the completions of fixed bits.
pub fn task<'a>(
    window: &'a WindowIndex<'_>,
    fixed: &'a FixedBits,
    options: SearchOptions,
) -> Task<'a> {
    let rung = Rung {
        geometry: window.geometry(),
        counts: window,
    };
    Task::new(rung, options).with(fixed)
}

fn to_fixed(bits: &BTreeMap<usize, bool>) -> FixedBits {
    let mut fixed = FixedBits::none();
    for (position, bit) in bits {
        fixed.fix(*position, *bit).unwrap();
    }
    fixed
}

/// Everything that a search finds, in its order, and what it did.
fn all_found(
    window: &WindowIndex<'_>,
    fixed: &FixedBits,
    options: SearchOptions,
) -> (Vec<Latent>, Counters) {
    let geometry = window.geometry();
    let task = task(window, fixed, options);
    let mut search = Search::new(&task, 0).unwrap();
    let mut found = Vec::new();
    loop {
        match search.advance(&|| false).unwrap() {
            Status::Sample => found.push(unpacked(&search.to_packed(), geometry.shape().bits())),
            Status::NoneExists => break,
            other => panic!("{other} without a budget"),
        }
    }
    // The proof stands however often it is asked for.
    assert_eq!(search.advance(&|| false).unwrap(), Status::NoneExists);
    (found, search.counters())
}

/// A task small enough to try every latent.
#[derive(Clone, Debug)]
struct Puzzle {
    sample: Sample,
    window: Window,
    anchor: Anchor,
    fixed: BTreeMap<usize, bool>,
}

/// Which bits a task fixes.
#[derive(Clone, Copy, Debug)]
enum Fix {
    None,
    Prefix,
    Anywhere,
    All,
}

fn puzzles() -> impl Strategy<Value = Puzzle> {
    let grid = (1..=4usize, 1..=4usize, 1..=2usize).prop_map(|(height, width, channels)| Grid {
        height,
        width,
        channels,
    });
    let fix = prop_oneof![
        3 => Just(Fix::None),
        3 => Just(Fix::Prefix),
        3 => Just(Fix::Anywhere),
        1 => Just(Fix::All),
    ];
    let max_free = if long() { 14 } else { 12 };
    grid.prop_flat_map(move |grid| {
        let window = prop::sample::select(windows_that_fit(grid));
        (
            latents(grid, 8),
            window,
            anchors(),
            fix.clone(),
            any::<u64>(),
        )
    })
    .prop_map(move |(sample, window, anchor, fix, seed)| {
        let mut random = Random(seed);
        let bits = sample.grid.bits();
        // Values from a training latent can be completed, random ones mostly not.
        let donor: Latent = if random.bit() {
            sample.latents[0].clone()
        } else {
            (0..bits).map(|_| random.bit()).collect()
        };
        let mut places: BTreeSet<usize> = match fix {
            Fix::None => BTreeSet::new(),
            Fix::Prefix => (0..random.below(bits as u64 + 1) as usize).collect(),
            Fix::Anywhere => (0..bits).filter(|_| random.below(3) == 0).collect(),
            Fix::All => (0..bits).collect(),
        };
        while bits - places.len() > max_free {
            places.insert(random.below(bits as u64) as usize);
        }
        let fixed = places
            .into_iter()
            .map(|place| (place, donor[place]))
            .collect();
        Puzzle {
            sample,
            window,
            anchor,
            fixed,
        }
    })
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn search_finds_exactly_what_enumeration_finds(puzzle in puzzles(), seed: u64) {
        let (_folder, index) = built(&puzzle.sample.set(), &[puzzle.window], puzzle.anchor);
        let window = index.window(puzzle.window).unwrap();
        let anchored = puzzle.anchor == Anchor::Site;
        let oracle = Oracle::new(puzzle.sample.grid, puzzle.window, anchored, &puzzle.sample.latents);
        let mut expected = oracle.completions(&puzzle.fixed);
        expected.sort();
        let fixed = to_fixed(&puzzle.fixed);

        let [one, other, row] =
            METHODS.map(|method| all_found(&window, &fixed, unlimited(method, seed)));
        // Rows cut into segments as short as they get.
        // Fewer than 2 states are taken as 2.
        let max_states = (seed % 3) as usize;
        let options = SearchOptions { max_states, ..unlimited(Method::Row, seed) };
        let segments = all_found(&window, &fixed, options);
        for (found, counters) in [&one, &other, &row, &segments] {
            let mut found = found.clone();
            found.sort();
            // Equal as lists: nothing is missing, nothing else is there, nothing is there twice.
            prop_assert_eq!(&found, &expected);
            let free = puzzle.sample.grid.bits() - puzzle.fixed.len();
            prop_assert_eq!(counters.lookups == 0, free == 0);
            prop_assert!(counters.longest_jump <= puzzle.sample.grid.bits() as u64);
            prop_assert!(counters.deepest <= puzzle.sample.grid.bits() as u64);
            prop_assert_eq!(counters.backtracks == 0, counters.longest_jump == 0);
        }
        if puzzle.fixed.len() == puzzle.sample.grid.bits() {
            prop_assert_eq!(expected.len(), 1);
        }
        // A node tries its values in the same order however the walk came to it.
        prop_assert_eq!(&one.0, &other.0);
        prop_assert!(other.1.lookups <= one.1.lookups, "backjumping looked up more");
    }

    #[test]
    fn a_spent_budget_is_never_a_proof(puzzle in puzzles(), seed: u64) {
        let (_folder, index) = built(&puzzle.sample.set(), &[puzzle.window], puzzle.anchor);
        let window = index.window(puzzle.window).unwrap();
        let fixed = to_fixed(&puzzle.fixed);
        for method in METHODS {
            let free = unlimited(method, seed);
            let run = |options| {
                let task = task(&window, &fixed, options);
                let mut search = Search::new(&task, 7).unwrap();
                let status = search.advance(&|| false).unwrap();
                let again = (status != Status::Sample).then(|| search.advance(&|| false).unwrap());
                (status, again, search.counters(), search.to_packed())
            };
            let (status, _, counters, packed) = run(free);
            let needed = counters.backtracks;
            for limit in [0, 1, needed.saturating_sub(1), needed, needed + 1] {
                let limited = SearchOptions { max_backtracks: Some(limit), ..free };
                let (found, again, spent, sample) = run(limited);
                prop_assert!(spent.backtracks <= limit);
                if limit < needed {
                    prop_assert_eq!(found, Status::BudgetSpent);
                } else if limit > needed || status == Status::Sample {
                    prop_assert_eq!(found, status);
                }
                if found == Status::Sample {
                    prop_assert_eq!(&sample, &packed);
                } else {
                    prop_assert_eq!(again, Some(found));
                }
            }
        }
    }
}

/// DESIGN §5: from the prefix 111 exactly 111010 and 111011, and then the proof.
#[test]
fn the_worked_example_of_the_paper_has_two_completions() {
    let window = "seq:3".parse().unwrap();
    let (_folder, index) = built(&worked_example().set(), &[window], Anchor::None);
    let held = index.window(window).unwrap();
    let fixed = FixedBits::prefix([true, true, true]);
    for method in METHODS {
        let mut backtracked = false;
        for seed in 0..16 {
            let (mut found, counters) = all_found(&held, &fixed, unlimited(method, seed));
            found.sort();
            assert_eq!(found, [bits("111010"), bits("111011")], "{method}");
            backtracked |= counters.backtracks > 0;
        }
        // 1110 followed by 0 leads to 100, a dead end, which a row drawn whole never enters.
        assert_eq!(backtracked, method != Method::Row, "{method}");
    }
}

/// Stripes that do not fit each other: enough choices and dead ends for threads to differ over.
fn rugged() -> Sample {
    let grid = Grid {
        height: 9,
        width: 9,
        channels: 1,
    };
    let mut random = Random(11);
    let latents = (0..40).map(|_| {
        let (dx, dy, n) = (random.below(3), 1 + random.below(2), 2 + random.below(3));
        let noise = random.below(81);
        let place = |i: u64| ((i % 9 * dx + i / 9 * dy) / 2).is_multiple_of(n);
        (0..81).map(|i| place(i) != (i == noise)).collect()
    });
    Sample {
        grid,
        latents: latents.collect(),
    }
}

/// An attempt without the time it took.
pub type Outcome = (u64, Status, Counters, Option<Vec<u8>>);

pub fn outcomes(attempts: Vec<Attempt>) -> Vec<Outcome> {
    let outcomes = attempts.into_iter();
    outcomes
        .map(|a| (a.index, a.status, a.counters, a.packed))
        .collect()
}

fn run(index: &Index, options: SearchOptions, samples: u64, threads: usize) -> Vec<Outcome> {
    let held = index.windows().next().unwrap();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    let fixed = FixedBits::prefix([true]);
    let attempts = pool
        .install(|| generate(&task(&held, &fixed, options), samples, false, &Unobserved).unwrap());
    outcomes(attempts)
}

#[test]
fn same_seed_same_samples_whatever_threads_caches_and_number() {
    let set = rugged().set();
    let window: Window = "5x5".parse().unwrap();
    let (folder, index) = built(&set, &[window], Anchor::None);
    let path = folder.path().join("index");
    let large = Index::open_with_cache(&path, 64 << 20).unwrap();
    // The same content built by another way: spills, one thread.
    let options = bitquilt::BuildOptions::new(window);
    let min = min_memory(&set, &options);
    let options = bitquilt::BuildOptions {
        memory: min,
        ..options
    };
    let (_folder, spilled) = built_with(&set, &options);

    for method in METHODS {
        let options = SearchOptions {
            method,
            seed: 5,
            max_backtracks: Some(2_000),
            ..SearchOptions::default()
        };
        let expected = run(&index, options, 24, 1);
        let numbers: Vec<_> = expected.iter().map(|outcome| outcome.0).collect();
        assert_eq!(numbers, (0..24).collect::<Vec<_>>());
        for index in [&index, &large, &spilled] {
            for threads in [1, 2, 5] {
                assert_eq!(
                    run(index, options, 24, threads),
                    expected,
                    "{threads} threads"
                );
            }
            // Sample j depends on j, not on how many others are asked for.
            assert_eq!(run(index, options, 7, 2), expected[..7]);
        }
        let other = SearchOptions { seed: 6, ..options };
        assert_ne!(
            run(&index, other, 24, 2),
            expected,
            "another seed, the same samples"
        );
        let found: BTreeSet<_> = expected
            .iter()
            .filter_map(|outcome| outcome.3.clone())
            .collect();
        assert!(found.len() > 1, "every sample is the same");
    }
}

/// At a choice that nothing else depends on, 1 comes as often as its histogram says.
#[test]
fn draws_follow_the_histogram() {
    let samples = 20_000u64;
    for (zeros, ones) in [(1u64, 1u64), (3, 7), (1, 9), (99, 1), (1, 0), (0, 2)] {
        let grid = Grid {
            height: 1,
            width: 1,
            channels: 1,
        };
        let latents = (0..zeros + ones).map(|i| vec![i < ones]).collect();
        let (_folder, index) = built(
            &Sample { grid, latents }.set(),
            &[Window::Global],
            Anchor::None,
        );
        let held = index.window(Window::Global).unwrap();
        for seed in [0, 1] {
            let options = unlimited(Method::Backjump, seed);
            let none = FixedBits::none();
            let attempts =
                generate(&task(&held, &none, options), samples, false, &Unobserved).unwrap();
            let found = attempts
                .iter()
                .filter(|a| a.packed == Some(vec![1]))
                .count() as f64;
            let p = ones as f64 / (zeros + ones) as f64;
            let expected = samples as f64 * p;
            if zeros == 0 || ones == 0 {
                assert_eq!(found, expected);
            } else {
                // One degree of freedom: passed by chance once in 10,000. The seeds are fixed.
                let chi_square = (found - expected).powi(2) / (samples as f64 * p * (1.0 - p));
                assert!(
                    chi_square < 15.1,
                    "{zeros}:{ones}, seed {seed}: {found} ones"
                );
            }
        }
    }
}

/// Two bits that know nothing of each other are drawn so: each pair as often as the product says.
#[test]
fn draws_of_different_bits_are_independent() {
    let grid = Grid {
        height: 1,
        width: 2,
        channels: 1,
    };
    let latents = ["00", "01", "10", "11"].map(bits).to_vec();
    let (_folder, index) = built(
        &Sample { grid, latents }.set(),
        &[Window::Global],
        Anchor::None,
    );
    let held = index.window(Window::Global).unwrap();
    let options = unlimited(Method::Backjump, 2);
    let none = FixedBits::none();
    let task = task(&held, &none, options);
    let attempts = generate(&task, 20_000, false, &Unobserved).unwrap();
    let mut counts = [0f64; 4];
    for attempt in attempts {
        counts[usize::from(attempt.packed.unwrap()[0])] += 1.0;
    }
    let chi_square: f64 = counts.iter().map(|n| (n - 5_000.0).powi(2) / 5_000.0).sum();
    // Three degrees of freedom, once in 10,000.
    assert!(chi_square < 21.1, "{counts:?}");
}

/// A row is drawn from its exact distribution given that it can be completed: each completion as often as
/// the product of its bits' probabilities says, of all that can be completed.
#[test]
fn rows_are_drawn_from_their_exact_conditional_distribution() {
    let mut tested = 0;
    for (seed, channels) in (0..12u64).zip([1, 2, 1].into_iter().cycle()) {
        let grid = Grid {
            height: 1,
            width: 6 / channels,
            channels,
        };
        let mut random = Random(seed);
        let latents: Vec<Latent> = (0..3)
            .map(|_| (0..6).map(|_| random.bit()).collect())
            .collect();
        let window = if channels == 1 { "seq:2" } else { "3x3" }.parse().unwrap();
        let oracle = Oracle::new(grid, window, false, &latents);
        let fixed = BTreeMap::from([(1, latents[0][1])]);
        let completions = oracle.completions(&fixed);
        let weights: Vec<f64> = completions
            .iter()
            .map(|latent| {
                let free = (0..6).filter(|position| !fixed.contains_key(position));
                let chances = free.map(|position| {
                    let (n0, n1) = oracle.histogram(latent, position).unwrap();
                    let n = if latent[position] { n1 } else { n0 };
                    n as f64 / (n0 + n1) as f64
                });
                chances.product()
            })
            .collect();
        let (_folder, index) = built(&Sample { grid, latents }.set(), &[window], Anchor::None);
        let held = index.window(window).unwrap();
        let options = unlimited(Method::Row, seed);
        let fixed = to_fixed(&fixed);
        let samples = 20_000;
        let attempts =
            generate(&task(&held, &fixed, options), samples, false, &Unobserved).unwrap();
        let mut counts: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
        for attempt in attempts {
            assert_eq!(attempt.counters.backtracks, 0);
            *counts.entry(attempt.packed.unwrap()).or_default() += 1.0;
        }
        let total: f64 = weights.iter().sum();
        let mut chi_square = 0.0;
        for (latent, weight) in completions.iter().zip(&weights) {
            let packed = latent
                .iter()
                .rev()
                .fold(0, |byte, bit| byte << 1 | u8::from(*bit));
            let found = counts.remove(&vec![packed]).unwrap_or_default();
            let expected = samples as f64 * weight / total;
            chi_square += (found - expected).powi(2) / expected;
        }
        assert!(counts.is_empty(), "drawn, but no completion: {counts:?}");
        // Mean n − 1, variance 2(n − 1): five standard deviations and a little for few degrees.
        let freedom = completions.len() as f64 - 1.0;
        assert!(
            chi_square < freedom + 5.0 * (2.0 * freedom).sqrt() + 6.0,
            "seed {seed}: {chi_square} with {freedom} degrees of freedom"
        );
        tested += usize::from(completions.len() > 2);
    }
    assert!(tested >= 6, "{tested}");
}

#[test]
fn a_stopped_search_goes_on_where_it_was() {
    let grid = Grid {
        height: 30,
        width: 30,
        channels: 1,
    };
    let mut random = Random(1);
    let latents = (0..4)
        .map(|_| (0..900).map(|_| random.bit()).collect())
        .collect();
    let window = "seq:2".parse().unwrap();
    let (_folder, index) = built(&Sample { grid, latents }.set(), &[window], Anchor::None);
    let held = index.window(window).unwrap();
    let none = FixedBits::none();
    for method in METHODS {
        let options = unlimited(method, 0);
        let patient = task(&held, &none, options);
        let new = || Search::new(&patient, 0).unwrap();
        let mut whole = new();
        assert_eq!(whole.advance(&|| false).unwrap(), Status::Sample);
        let mut stopped = new();
        assert_eq!(stopped.advance(&|| true).unwrap(), Status::Stopped);
        assert!(stopped.counters().lookups < whole.counters().lookups);
        assert_eq!(stopped.advance(&|| false).unwrap(), Status::Sample);
        assert_eq!(stopped.to_packed(), whole.to_packed());

        // No time is a budget too, looked at every few hundred steps.
        let options = SearchOptions {
            timeout: Some(Duration::ZERO),
            ..options
        };
        let hurried = task(&held, &none, options);
        let mut hurried = Search::new(&hurried, 0).unwrap();
        assert_eq!(hurried.advance(&|| false).unwrap(), Status::BudgetSpent);
    }
}

#[test]
fn fixed_bits_that_cannot_be_are_refused() {
    let (_folder, index) = built(&worked_example().set(), &[Window::Global], Anchor::None);
    let held = index.window(Window::Global).unwrap();
    let mut fixed = FixedBits::none();
    fixed.fix(6, true).unwrap();
    let task = task(&held, &fixed, SearchOptions::default());
    let search = Search::new(&task, 0);
    assert!(matches!(
        search.err(),
        Some(SearchError::OffGrid { position: 6, .. })
    ));
    let again = fixed.fix(6, false);
    assert!(matches!(
        again,
        Err(SearchError::Contradiction { position: 6 })
    ));
}
