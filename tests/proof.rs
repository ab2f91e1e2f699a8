//! P2: every bit is supported, and `verify` proves it: from the index, and from the latents alone.

use std::collections::BTreeMap;

use bitquilt::samples::{ANSWERED_FIXED, Run, SupportReport, Unsupported};
use bitquilt::{
    Anchor, Attempt, Condition, FixedBits, Index, IndexError, LatentSet, Method, SampleSet,
    SamplesError, SearchOptions, Unobserved, Window, generate, verify_from_index,
    verify_from_latents,
};
use proptest::prelude::*;

use crate::labels::{built_with_labels, some_labels};
use crate::oracle::{Grid, Latent, Oracle};
use crate::search::task;
use crate::support::*;

/// What a proof should report, by the oracle. `window` gives who answered for a bit, if anybody did.
fn expected(
    training: &Sample,
    anchor: Anchor,
    latents: &[Latent],
    window: impl Fn(usize, usize) -> Option<Window>,
) -> SupportReport {
    expected_under(training, None, anchor, latents, window)
}

/// The same with the labels of the training set and of the samples.
fn expected_under(
    training: &Sample,
    labels: Option<[&[i64]; 2]>,
    anchor: Anchor,
    latents: &[Latent],
    window: impl Fn(usize, usize) -> Option<Window>,
) -> SupportReport {
    let mut report = SupportReport::default();
    let mut oracles: BTreeMap<Window, Oracle> = BTreeMap::new();
    for (sample, latent) in latents.iter().enumerate() {
        for position in 0..training.grid.bits() {
            let Some(window) = window(sample, position) else {
                report.fixed += 1;
                continue;
            };
            let anchored = anchor == Anchor::Site;
            let oracle = oracles.entry(window).or_insert_with(|| {
                let labels = labels.map(|[training, _]| training);
                Oracle::labelled(training.grid, window, anchored, &training.latents, labels)
            });
            oracle.label = labels.map(|[_, samples]| samples[sample]);
            report.checked += 1;
            if !oracle.supports(latent, position) {
                report.unsupported.push(Unsupported {
                    sample,
                    position,
                    window,
                });
            }
        }
    }
    report
}

/// Both proofs.
fn proofs(
    training: &Sample,
    index: &Index,
    samples: &SampleSet,
    window: Window,
) -> [SupportReport; 2] {
    proofs_of(&training.set(), index, samples, window)
}

fn proofs_of(
    training: &LatentSet,
    index: &Index,
    samples: &SampleSet,
    window: Window,
) -> [SupportReport; 2] {
    let (anchor, condition) = (index.manifest().anchor, index.condition());
    [
        verify_from_index(index, samples, window, &Unobserved).unwrap(),
        verify_from_latents(training, anchor, condition, samples, window, &Unobserved).unwrap(),
    ]
}

fn inputs() -> impl Strategy<Value = (Sample, Vec<Latent>, Vec<Window>, Anchor, u64)> {
    grids().prop_flat_map(|grid| {
        let latent = prop::collection::vec(any::<bool>(), grid.bits());
        (
            latents(grid, 8),
            prop::collection::vec(latent, 1..4),
            some_windows(grid),
            anchors(),
            any::<u64>(),
        )
    })
}

/// Searches for samples with some bits fixed, as a latent of the set or nobody would have them.
fn attempts(
    index: &Index,
    window: Window,
    fixed: &FixedBits,
    options: SearchOptions,
) -> Vec<Attempt> {
    let held = index.window(window).unwrap();
    generate(&task(&held, fixed, options), 4, false, &Unobserved).unwrap()
}

proptest! {
    #![proptest_config(cases(80))]

    #[test]
    fn every_bit_of_a_sample_is_supported((training, _, windows, anchor, seed) in inputs()) {
        let (folder, index) = built(&training.set(), &windows, anchor);
        let window = windows[0];
        let bits = training.grid.bits();
        let mut random = Random(seed);
        let mut fixed = FixedBits::none();
        for position in 0..bits {
            if random.below(4) == 0 {
                // Now and then a value that the training set may not have there.
                let odd = random.below(8) == 0;
                fixed.fix(position, training.latents[0][position] != odd).unwrap();
            }
        }
        let options = SearchOptions {
            method: [Method::Chronological, Method::Backjump, Method::Row][random.below(3) as usize],
            seed,
            max_backtracks: Some(500),
            ..SearchOptions::default()
        };
        let attempts = attempts(&index, window, &fixed, options);
        let run = Run {
            shape: shape_of(training.grid),
            codecs: vec![bitquilt::Codec::Codes],
            source: "a test".to_owned(),
            windows: &[window],
            label: None,
            settings: &[("min_count", options.min_count.to_string())],
            attempts: &attempts,
            without: bitquilt::Ids::default(),
        };
        let path = folder.path().join("samples.safetensors");
        run.write(&path).unwrap();
        let again = folder.path().join("again.safetensors");
        run.write(&again).unwrap();
        prop_assert_eq!(fs_err::read(&path).unwrap(), fs_err::read(&again).unwrap());

        let samples = SampleSet::read(&path).unwrap();
        let found: Vec<_> = attempts.iter().filter_map(|a| a.packed.as_deref()).collect();
        prop_assert_eq!(samples.latents.len(), found.len());
        let latents: Vec<_> = found.iter().map(|packed| unpacked(packed, bits)).collect();
        prop_assert_eq!(&samples.latents, &run.latents().unwrap());
        prop_assert_eq!(&samples.windows, &[window]);
        let answered = samples.answered_by.as_ref().unwrap();
        for (i, by) in answered.iter().enumerate() {
            let is_fixed = fixed.get(i % bits);
            prop_assert_eq!(*by == ANSWERED_FIXED, is_fixed.is_some());
            if let Some(value) = is_fixed {
                prop_assert_eq!(latents[i / bits][i % bits], value);
            }
        }
        let who = |_, position| fixed.get(position).is_none().then_some(window);
        let expected = expected(&training, anchor, &latents, who);
        prop_assert!(expected.unsupported.is_empty(), "the oracle: {:?}", expected.unsupported);
        for proof in proofs(&training, &index, &samples, window) {
            prop_assert_eq!(&proof, &expected);
        }
    }

    #[test]
    fn verification_lists_exactly_the_unsupported_bits((training, strangers, windows, anchor, _) in inputs()) {
        let (_folder, index) = built(&training.set(), &windows, anchor);
        let all = [&training.latents[..1], &strangers].concat();
        for window in &windows {
            let samples = SampleSet {
                latents: set_of(training.grid, &all),
                answered_by: None,
                windows: Vec::new(),
                min_count: 1.into(),
                without: bitquilt::Ids::default(),
            };
            let expected = expected(&training, anchor, &all, |_, _| Some(*window));
            for proof in proofs(&training, &index, &samples, *window) {
                prop_assert_eq!(&proof, &expected);
            }
        }
    }

    #[test]
    fn every_bit_of_a_sample_is_supported_under_its_label((training, _, windows, anchor, seed) in inputs()) {
        let mut random = Random(seed);
        let labels = some_labels(training.latents.len(), &mut random);
        let (_folder, index) = built_with_labels(&training, &labels, &windows, anchor);
        let options = SearchOptions { seed, max_backtracks: Some(500), ..SearchOptions::default() };
        let label = labels[random.below(labels.len() as u64) as usize];
        let (held, none) = (index.window(windows[0]).unwrap(), FixedBits::none());
        let mut task = task(&held, &none, options);
        task.given = index.given(Some(label)).unwrap();
        let attempts = generate(&task, 4, false, &Unobserved).unwrap();
        let bits = training.grid.bits();
        let found: Vec<_> = attempts.iter().filter_map(|a| a.packed.as_deref()).collect();
        let latents: Vec<_> = found.iter().map(|packed| unpacked(packed, bits)).collect();
        let theirs = vec![label; latents.len()];
        let samples = SampleSet {
            latents: set_of(training.grid, &latents).with_labels(theirs.clone()).unwrap(),
            answered_by: None,
            windows: Vec::new(),
            min_count: 1.into(),
            without: bitquilt::Ids::default(),
        };
        let set = training.set().with_labels(labels.clone()).unwrap();
        let labels = Some([&labels[..], &theirs]);
        let expected = expected_under(&training, labels, anchor, &latents, |_, _| Some(windows[0]));
        prop_assert!(expected.unsupported.is_empty(), "the oracle: {:?}", expected.unsupported);
        for proof in proofs_of(&set, &index, &samples, windows[0]) {
            prop_assert_eq!(&proof, &expected);
        }
    }

    /// Under the label of the sample, one that no training latent has included.
    #[test]
    fn verification_is_under_the_label_of_the_sample((training, strangers, windows, anchor, seed) in inputs()) {
        let mut random = Random(seed);
        let labels = some_labels(training.latents.len(), &mut random);
        let (_folder, index) = built_with_labels(&training, &labels, &windows, anchor);
        // Training latents under their own label are supported, under another they need not be.
        let all = [&training.latents[..], &training.latents, &strangers].concat();
        let any = || if random.below(4) == 0 { 3 } else { labels[random.below(labels.len() as u64) as usize] };
        let others = std::iter::repeat_with(any).take(all.len() - labels.len());
        let theirs: Vec<_> = labels.iter().copied().chain(others).collect();
        let set = training.set().with_labels(labels.clone()).unwrap();
        for window in &windows {
            let samples = SampleSet {
                latents: set_of(training.grid, &all).with_labels(theirs.clone()).unwrap(),
                answered_by: None,
                windows: Vec::new(),
                min_count: 1.into(),
                without: bitquilt::Ids::default(),
            };
            let labels = Some([&labels[..], &theirs]);
            let expected = expected_under(&training, labels, anchor, &all, |_, _| Some(*window));
            let own = training.latents.len();
            prop_assert!(expected.unsupported.iter().all(|bit| bit.sample >= own));
            for proof in proofs_of(&set, &index, &samples, *window) {
                prop_assert_eq!(&proof, &expected);
            }
        }
    }

    /// A file may say that different windows answered for different bits of a sample.
    #[test]
    fn each_bit_is_verified_at_the_window_that_answered((training, strangers, windows, anchor, seed) in inputs()) {
        let (_folder, index) = built(&training.set(), &windows, anchor);
        let bits = training.grid.bits();
        let mut random = Random(seed);
        let choices = windows.len() as u64 + 1;
        let answered: Vec<u8> = (0..strangers.len() * bits).map(|_| random.below(choices) as u8).collect();
        let samples = SampleSet {
            latents: set_of(training.grid, &strangers),
            answered_by: Some(answered.clone()),
            windows: windows.clone(),
            min_count: 1.into(),
            without: bitquilt::Ids::default(),
        };
        let who = |sample: usize, position: usize| {
            let by = usize::from(answered[sample * bits + position]);
            by.checked_sub(1).map(|number| windows[number])
        };
        let expected = expected(&training, anchor, &strangers, who);
        for proof in proofs(&training, &index, &samples, windows[0]) {
            prop_assert_eq!(&proof, &expected);
        }
    }
}

/// Refused as the library's pages promise, whatever calls it: the command checks once more.
#[test]
fn samples_of_another_shape_are_refused() {
    let training = worked_example();
    let window: Window = "seq:3".parse().unwrap();
    // Its contexts know how many channels a site has; with `global` they know the grid.
    for (window, height, width, channels) in [
        (window, 1, 6, 2),
        (window, 1, 3, 2),
        (Window::Global, 1, 5, 1),
        (Window::Global, 2, 3, 1),
    ] {
        let (_folder, index) = built(&training.set(), &[window], Anchor::None);
        let grid = Grid {
            height,
            width,
            channels,
        };
        let samples = SampleSet {
            latents: set_of(grid, &[vec![true; grid.bits()]]),
            answered_by: None,
            windows: Vec::new(),
            min_count: 1.into(),
            without: bitquilt::Ids::default(),
        };
        let found = verify_from_index(&index, &samples, window, &Unobserved);
        let refused = matches!(&found, Err(SamplesError::Index(IndexError::Grid { .. })));
        assert!(refused, "{found:?}");
        let set = training.set();
        let found = verify_from_latents(
            &set,
            Anchor::None,
            Condition::None,
            &samples,
            window,
            &Unobserved,
        );
        assert!(
            matches!(found, Err(SamplesError::Shape { .. })),
            "{found:?}"
        );
    }
}

#[test]
fn samples_of_a_window_that_the_index_does_not_hold_are_refused() {
    let training = worked_example();
    let window: Window = "seq:3".parse().unwrap();
    let (_folder, index) = built(&training.set(), &[window], Anchor::None);
    let samples = SampleSet {
        latents: training.set(),
        answered_by: Some(vec![1; 12]),
        windows: vec!["seq:4".parse().unwrap()],
        min_count: 1.into(),
        without: bitquilt::Ids::default(),
    };
    let error = verify_from_index(&index, &samples, window, &Unobserved).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no window seq:4, only seq:1, seq:2, seq:3"),
        "{error}"
    );
}

/// A proof without the labels would be one of something else.
#[test]
fn samples_without_labels_are_refused_where_contexts_are_bound_to_them() {
    let training = worked_example();
    let window: Window = "seq:3".parse().unwrap();
    let (_folder, index) = built_with_labels(&training, &[1, 2], &[window], Anchor::None);
    let with = |labels: bool| match labels {
        true => training.set().with_labels(vec![2, 1]).unwrap(),
        false => training.set(),
    };
    let samples = |labels| SampleSet {
        latents: with(labels),
        answered_by: None,
        windows: Vec::new(),
        min_count: 1.into(),
        without: bitquilt::Ids::default(),
    };
    let of_index = |labels| verify_from_index(&index, &samples(labels), window, &Unobserved);
    let of_latents = |labels: [bool; 2]| {
        let (anchor, condition) = (Anchor::None, Condition::Label);
        let [training, of_samples] = labels;
        let samples = samples(of_samples);
        let training = with(training);
        verify_from_latents(&training, anchor, condition, &samples, window, &Unobserved)
    };
    assert!(of_index(true).is_ok());
    assert!(of_latents([true, true]).is_ok());
    for (found, which) in [
        (of_index(false), "the samples have no labels"),
        (of_latents([true, false]), "the samples have no labels"),
        (
            of_latents([false, true]),
            "the training latents have no labels",
        ),
    ] {
        let error = found.unwrap_err();
        assert!(
            matches!(error, SamplesError::Unlabelled { .. }),
            "{which}: {error}"
        );
        assert!(error.to_string().contains(which), "{error}");
    }
}
