//! P1: counts are exact. P5: postings are complete and true. For every window, border, channel and
//! duplicate, against the brute-force oracle.

use std::collections::{BTreeMap, HashMap};

use bitquilt::{
    Anchor, Budget, BuildOptions, Condition, Context as LaidOut, Geometry, Given, Histogram, Index,
    Posting, Unobserved, Window, build,
};
use proptest::prelude::*;

use crate::labels::{built_with_labels, some_labels};
use crate::oracle::{Context, Grid, Latent, Oracle};
use crate::support::*;

/// The labels that an index binds contexts to, one after the other; `None` once where it does not.
fn labels_of(index: &Index) -> Vec<Option<i64>> {
    match index.condition() {
        Condition::None => vec![None],
        Condition::Label => index.labels().iter().copied().map(Some).collect(),
    }
}

/// The oracle's contexts by how they are laid out, and a proof that the two name the same things: nothing stands
/// for two contexts, no context is laid out in two ways. Each latent is taken under each label.
fn keyed(oracle: &mut Oracle, index: &Index, latents: &[Latent]) -> BTreeMap<LaidOut, Context> {
    let window = index.window(oracle.window).unwrap();
    let mut keys: BTreeMap<Context, LaidOut> = BTreeMap::new();
    let mut contexts: BTreeMap<LaidOut, Context> = BTreeMap::new();
    for label in labels_of(index) {
        oracle.label = label;
        for latent in latents {
            for position in 0..oracle.grid.bits() {
                let context = oracle.context(latent, position);
                let key = laid_out_with_label(&window, label, latent, position);
                let same = keys.entry(context.clone()).or_insert_with(|| key.clone());
                assert_eq!(*same, key, "two ways for {context:?}");
                let same = contexts.entry(key).or_insert_with(|| context.clone());
                assert_eq!(*same, context, "two contexts in one way");
            }
        }
    }
    contexts
}

fn check_counts(
    sample: &Sample,
    strangers: &[Latent],
    windows: &[Window],
    anchor: Anchor,
) -> Result<(), TestCaseError> {
    let (_folder, index) = built(&sample.set(), windows, anchor);
    check_counts_of(&index, sample, None, strangers, windows, anchor)
}

fn check_counts_of(
    index: &Index,
    sample: &Sample,
    labels: Option<&[i64]>,
    strangers: &[Latent],
    windows: &[Window],
    anchor: Anchor,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(index.manifest().windows(), windows);
    // Those that were named when it was built, and every other that it answers.
    let all = index.all_windows().map(|held| held.geometry().window());
    let all: Vec<_> = all.collect();
    prop_assert!(windows.iter().all(|window| all.contains(window)));
    for window in &all {
        let anchored = anchor == Anchor::Site;
        let mut oracle = Oracle::labelled(sample.grid, *window, anchored, &sample.latents, labels);
        let held = index.window(*window).unwrap();
        let everyone = [&sample.latents[..], strangers].concat();
        let contexts = keyed(&mut oracle, index, &everyone);

        let mut keys = Vec::new();
        let mut expected = Vec::new();
        for label in labels_of(index) {
            oracle.label = label;
            for latent in &everyone {
                for position in 0..sample.grid.bits() {
                    keys.push(laid_out_with_label(&held, label, latent, position));
                    expected.push(oracle.histogram(latent, position));
                }
            }
        }
        for (key, expected) in keys.iter().zip(expected) {
            let found = held.lookup(key).unwrap();
            prop_assert_eq!(
                found.map(|h| (h.n0, h.n1)),
                expected,
                "{} {:?}",
                window,
                key
            );
        }

        let listed = held
            .contexts()
            .unwrap()
            .collect::<Result<Vec<_>, _>>()
            .unwrap();
        prop_assert!(listed.is_sorted_by(|a, b| a.0 < b.0));
        prop_assert_eq!(listed.len(), oracle.occurrences.len());
        for (key, histogram) in &listed {
            let lists = &oracle.occurrences[&contexts[key]];
            prop_assert_eq!(histogram.n0, lists[0].len() as u64);
            prop_assert_eq!(histogram.n1, lists[1].len() as u64);
        }
        let entry = held.entry().unwrap();
        prop_assert_eq!(entry.distinct, oracle.occurrences.len() as u64);
        prop_assert_eq!(entry.ambiguous, oracle.ambiguous());
        prop_assert_eq!(
            entry.contexts,
            (sample.latents.len() * sample.grid.bits()) as u64
        );
    }
    index.verify(Budget::of_machine(), &Unobserved).unwrap();
    index
        .verify_by_recount(Budget::of_machine(), &Unobserved)
        .unwrap();
    Ok(())
}

fn check_postings(
    sample: &Sample,
    labels: Option<&[i64]>,
    index: &Index,
) -> Result<(), TestCaseError> {
    let anchored = index.manifest().anchor == Anchor::Site;
    for held in index.all_windows() {
        let window = held.geometry().window();
        let mut oracle = Oracle::labelled(sample.grid, window, anchored, &sample.latents, labels);
        let contexts = keyed(&mut oracle, index, &sample.latents);
        for (key, context) in contexts {
            // A latent's context may never have occurred under another label.
            let expected = oracle
                .occurrences
                .get(&context)
                .cloned()
                .unwrap_or_default();
            for (bit, expected) in [false, true].into_iter().zip(&expected) {
                let postings = held.postings(&key, bit).unwrap();
                prop_assert_eq!(postings.len(), expected.len());
                let mut found = postings.collect::<Result<Vec<Posting>, _>>().unwrap();
                let again = held.postings(&key, bit).unwrap();
                prop_assert_eq!(&again.collect::<Result<Vec<_>, _>>().unwrap(), &found);
                found.sort();
                let found: Vec<_> = found.iter().map(|p| (p.latent, p.position)).collect();
                prop_assert_eq!(&found, expected, "{} {:?} {}", window, context, bit);
            }
        }
    }
    Ok(())
}

/// A latent set, other latents of its shape, windows and an anchor.
pub fn inputs() -> impl Strategy<Value = (Sample, Vec<Latent>, Vec<Window>, Anchor)> {
    grids().prop_flat_map(|grid| {
        let stranger = prop::collection::vec(any::<bool>(), grid.bits());
        (
            latents(grid, 12),
            prop::collection::vec(stranger, 0..4),
            some_windows(grid),
            anchors(),
        )
    })
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn counts_are_exact((sample, strangers, windows, anchor) in inputs()) {
        check_counts(&sample, &strangers, &windows, anchor)?;
    }

    #[test]
    fn counts_under_each_label_are_exact((sample, strangers, windows, anchor) in inputs(), seed: u64) {
        let labels = some_labels(sample.latents.len(), &mut Random(seed));
        let (_folder, index) = built_with_labels(&sample, &labels, &windows, anchor);
        check_counts_of(&index, &sample, Some(&labels), &strangers, &windows, anchor)?;
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn postings_are_complete_and_true((sample, _, windows, anchor) in inputs()) {
        let (_folder, index) = built(&sample.set(), &windows, anchor);
        check_postings(&sample, None, &index)?;
    }

    #[test]
    fn postings_under_each_label_are_complete_and_true((sample, _, windows, anchor) in inputs(), seed: u64) {
        let labels = some_labels(sample.latents.len(), &mut Random(seed));
        let (_folder, index) = built_with_labels(&sample, &labels, &windows, anchor);
        check_postings(&sample, Some(&labels), &index)?;
    }

    /// As little memory as a build takes.
    #[test]
    fn postings_of_a_build_with_little_memory_are_the_same((sample, _, windows, anchor) in inputs(), seed: u64) {
        let mut random = Random(seed);
        let labels = some_labels(sample.latents.len(), &mut random);
        let set = sample.set().with_labels(labels.clone()).unwrap();
        let condition = if random.bit() { Condition::Label } else { Condition::None };
        let labels = (condition == Condition::Label).then_some(&labels[..]);
        let options = BuildOptions {
            windows: windows.clone(),
            anchor,
            condition,
            ..BuildOptions::new(Window::Global)
        };
        let (_folder, index) = built_with(&set, &options);
        let options = BuildOptions { memory: min_memory(&set, &options), ..options };
        let folder = small_folder();
        let path = folder.path().join("index");
        build(&set, &path, &options, &Unobserved).unwrap();
        let frugal = open(&path);
        check_postings(&sample, labels, &frugal)?;
        for window in &windows {
            let (a, b) = (index.window(*window).unwrap(), frugal.window(*window).unwrap());
            prop_assert_eq!(answers(&a).unwrap(), answers(&b).unwrap());
        }
    }

    #[test]
    fn a_window_selects_what_the_definition_says((sample, _, windows, anchor) in inputs()) {
        for window in windows {
            let shape = shape_of(sample.grid);
            let geometry = Geometry::new(window, anchor, shape).unwrap();
            for position in 0..sample.grid.bits() {
                let mut expected: Vec<_> = sample.grid.selected(window, position);
                expected.retain(Option::is_some);
                // Of nearest sites, nearest first.
                expected.sort_unstable();
                let found: Vec<_> = geometry.context(position).flatten().map(Some).collect();
                prop_assert_eq!(found, expected, "{} at {}", window, position);
                prop_assert_eq!(geometry.border(position), sample.grid.border(window, position));
            }
        }
    }

    /// The largest square and `global` know the same: two bits share a context of the one exactly when
    /// they share a context of the other.
    #[test]
    fn the_largest_square_is_global((sample, strangers, _, anchor) in inputs()) {
        let radius = sample.grid.height.max(sample.grid.width) - 1;
        prop_assume!(radius > 0);
        let shape = shape_of(sample.grid);
        let square = Geometry::new(Window::Square { radius }, anchor, shape).unwrap();
        let global = Geometry::new(Window::Global, anchor, shape).unwrap();
        let everyone = set_of(sample.grid, &[&sample.latents[..], &strangers].concat());
        let (mut there, mut back) = (HashMap::new(), HashMap::new());
        for id in 0..everyone.len() {
            let mut frame = bitquilt::Frame::new(shape, &[&square, &global]);
            frame.load(everyone.packed_latent(id), Given::NOTHING);
            for position in 0..shape.bits() {
                let a = square.key(&mut frame, position);
                let b = global.key(&mut frame, position);
                prop_assert_eq!(*there.entry(a).or_insert(b), b);
                prop_assert_eq!(*back.entry(b).or_insert(a), a);
            }
        }
    }
}

fn grid(height: usize, width: usize, channels: usize) -> Grid {
    Grid {
        height,
        width,
        channels,
    }
}

/// Contexts of many words: of those of which tables have exact keys, and of those of which they have digests.
#[test]
fn counts_are_exact_of_short_and_of_long_contexts() {
    let mut random = Random(3);
    for (grid, window, rule) in [
        (grid(6, 6, 3), "11x11", "exact"),
        (grid(6, 12, 3), "15x15", "xxh3-128"),
        (grid(12, 12, 2), "23x23", "xxh3-128"),
        (grid(1, 200, 2), "seq:240", "exact"),
        (grid(1, 200, 2), "seq:241", "xxh3-128"),
        (grid(20, 5, 3), "global", "xxh3-128"),
    ] {
        let first: Latent = (0..grid.bits()).map(|_| random.bit()).collect();
        // The same but for its last bit: contexts that differ in nothing but their end.
        let mut second = first.clone();
        second[grid.bits() - 1] ^= true;
        let mut third = first.clone();
        third[0] ^= true;
        let stranger: Latent = (0..grid.bits()).map(|_| random.bit()).collect();
        let sample = Sample {
            grid,
            latents: vec![first.clone(), second, third, first],
        };
        let window = window.parse().unwrap();
        let (_folder, index) = built(&sample.set(), &[window], Anchor::None);
        let geometry = index.window(window).unwrap().geometry().clone();
        assert_eq!(
            geometry.key_rule().to_string(),
            rule,
            "{window} on {grid:?}"
        );
        let strangers = [stranger];
        check_counts(&sample, &strangers, &[window], Anchor::None).unwrap();
        check_postings(&sample, None, &index).unwrap();

        let labels = [4, 4, -4, 5];
        let (_folder, index) = built_with_labels(&sample, &labels, &[window], Anchor::None);
        let labels = Some(&labels[..]);
        check_counts_of(&index, &sample, labels, &strangers, &[window], Anchor::None).unwrap();
        check_postings(&sample, labels, &index).unwrap();
    }
}

/// DESIGN §5: over full windows (positions 3 and later) exactly these histograms.
#[test]
fn the_worked_example_of_the_paper_has_its_histograms() {
    let sample = worked_example();
    let window = "seq:3".parse().unwrap();
    let (_folder, index) = built(&sample.set(), &[window], Anchor::None);
    let held = index.window(window).unwrap();
    let histogram = |context: &str| {
        let latent = bits(&format!("{context}000"));
        held.lookup(&laid_out(&held, &latent, 3)).unwrap()
    };
    let mut pairs = 0;
    for (context, n0, n1) in [("101", 1, 1), ("011", 1, 0), ("111", 1, 0), ("110", 1, 1)] {
        let expected = Histogram { n0, n1 };
        assert_eq!(histogram(context), Some(expected), "{context}");
        // The paper counts 110 → {0, 1} as one pair.
        pairs += if context == "110" { 1 } else { n0 + n1 };
    }
    assert_eq!(pairs, 5);
    for context in ["000", "001", "010", "100"] {
        assert_eq!(histogram(context), None, "{context}");
    }
}

#[test]
fn one_bit_latents_can_be_indexed() {
    let sample = Sample {
        grid: grid(1, 1, 1),
        latents: vec![vec![true], vec![false], vec![true]],
    };
    check_counts(&sample, &[], &[Window::Global], Anchor::None).unwrap();
}

#[test]
fn a_window_larger_than_the_grid_is_refused_and_global_named() {
    for (grid, window, fits) in [
        (grid(4, 3, 2), "9x9", "7x7"),
        (grid(4, 3, 2), "seq:24", "seq:23"),
        (grid(1, 1, 3), "3x3", "global"),
        (grid(1, 1, 1), "seq:1", "global"),
        (grid(4, 3, 2), "seq:18446744073709551615", "seq:23"),
        (
            grid(4, 3, 2),
            "18446744073709551615x18446744073709551615",
            "7x7",
        ),
    ] {
        let set = set_of(grid, &[vec![false; grid.bits()]]);
        let folder = small_folder();
        let output = folder.path().join("index");
        let options = BuildOptions::new(window.parse().unwrap());
        let error = build(&set, &output, &options, &Unobserved).unwrap_err();
        let message = error.to_string();
        for word in [window, fits, "window=global"] {
            assert!(message.contains(word), "no '{word}' in: {message}");
        }
        assert!(!output.exists(), "{window} left a folder behind");
        let options = BuildOptions::new(fits.parse().unwrap());
        build(&set, &output, &options, &Unobserved).unwrap();
    }
}

#[test]
fn an_empty_set_is_refused() {
    let set = set_of(grid(2, 2, 1), &[]);
    let folder = small_folder();
    let output = folder.path().join("index");
    let options = BuildOptions::new(Window::Global);
    let error = build(&set, &output, &options, &Unobserved).unwrap_err();
    assert!(error.to_string().contains("empty"), "{error}");
    assert!(!output.exists());
}

/// An index keeps the latents themselves: what `query` and every proof stand on.
#[test]
fn the_latents_come_back_as_they_went_in() {
    let sample = worked_example();
    let set = sample.set().with_labels(vec![-3, 7]).unwrap();
    let (_folder, index) = built(&set, &[Window::Global], Anchor::None);
    for (id, label) in [(0, -3), (1, 7)] {
        let stored = index.latent(id).unwrap().unwrap();
        assert_eq!(stored.packed(), set.packed_latent(id as usize));
        assert_eq!(stored.label(), Some(label));
    }
    for id in [2, u64::from(u32::MAX), 1 << 32, u64::MAX] {
        assert_eq!(index.latent(id).unwrap(), None);
    }
    let all = index.scan_latents().unwrap();
    let ids: Vec<_> = all.map(|entry| entry.unwrap().0).collect();
    assert_eq!(ids, [0, 1]);
}
