//! Samples of another size than the training latents: every window of them was seen all the same.

use std::collections::BTreeSet;

use bitquilt::{
    Anchor, Condition, FixedBits, Index, IndexError, Method, Rung, SampleSet, Search,
    SearchOptions, Shape, Status, Task, Unobserved, Window, generate, verify_from_index,
    verify_from_latents,
};
use proptest::prelude::*;

use crate::labels::{built_with_labels, some_labels};
use crate::oracle::{Context, Grid, Latent, Oracle};
use crate::support::*;

/// Training latents on one grid, and another grid with the same channels.
fn inputs() -> impl Strategy<Value = (Sample, Grid, u64)> {
    let sides = || (1..=6usize, 1..=6usize);
    (sides(), sides(), 1..=2usize).prop_flat_map(|((height, width), (rows, columns), channels)| {
        let grid = Grid {
            height,
            width,
            channels,
        };
        let other = Grid {
            height: rows,
            width: columns,
            channels,
        };
        (latents(grid, 8), Just(other), any::<u64>())
    })
}

/// A window that fits both grids and is no `global`, if there is one.
fn shared_window(one: Grid, other: Grid, random: &mut Random) -> Option<Window> {
    let fitting = windows_that_fit(other);
    let mut windows = windows_that_fit(one);
    windows.retain(|window| *window != Window::Global && fitting.contains(window));
    let chosen = random.below(windows.len().max(1) as u64) as usize;
    windows.get(chosen).copied()
}

/// Every context of the training latents with each bit that followed it.
fn seen(
    training: &Sample,
    window: Window,
    labels: Option<&[i64]>,
    label: Option<i64>,
) -> BTreeSet<(Context, bool)> {
    let mut seen = BTreeSet::new();
    for (id, latent) in training.latents.iter().enumerate() {
        if labels.map(|labels| labels[id]) == label {
            for (position, bit) in latent.iter().enumerate() {
                seen.insert((training.grid.context(window, false, latent, position), *bit));
            }
        }
    }
    seen
}

/// The bits of a latent on `grid` that were not seen behind their context.
fn unseen(
    seen: &BTreeSet<(Context, bool)>,
    grid: Grid,
    window: Window,
    latent: &Latent,
) -> Vec<usize> {
    let is_new = |position: &usize| {
        !seen.contains(&(
            grid.context(window, false, latent, *position),
            latent[*position],
        ))
    };
    (0..latent.len()).filter(is_new).collect()
}

/// Both proofs.
fn proofs(
    index: &Index,
    training: &Sample,
    labels: Option<&[i64]>,
    samples: &SampleSet,
    window: Window,
) -> [Vec<(usize, usize)>; 2] {
    let (mut set, condition) = (training.set(), index.condition());
    if let Some(labels) = labels {
        set = set.with_labels(labels.to_vec()).unwrap();
    }
    [
        verify_from_index(index, samples, window, &Unobserved),
        verify_from_latents(&set, Anchor::None, condition, samples, window, &Unobserved),
    ]
    .map(|report| {
        report
            .unwrap()
            .unsupported
            .iter()
            .map(|bit| (bit.sample, bit.position))
            .collect()
    })
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn every_window_of_a_sample_of_another_size_was_seen((training, grid, seed) in inputs()) {
        let mut random = Random(seed);
        let Some(window) = shared_window(training.grid, grid, &mut random) else {
            return Ok(());
        };
        let labels = random.bit().then(|| some_labels(training.latents.len(), &mut random));
        let (_folder, index) = match &labels {
            Some(labels) => built_with_labels(&training, labels, &[window], Anchor::None),
            None => built(&training.set(), &[window], Anchor::None),
        };
        let held = index.window(window).unwrap();
        let geometry = held.geometry_on(shape_of(grid)).unwrap();
        let label = labels.as_ref().map(|labels| labels[0]);
        let method = [Method::Chronological, Method::Backjump, Method::Row][random.below(3) as usize];
        let options = SearchOptions { method, seed, max_backtracks: Some(500), ..SearchOptions::default() };
        let mut task = Task::new(Rung { geometry: &geometry, counts: &held }, options);
        task.given = index.given(label).unwrap();
        let attempts = generate(&task, 3, false, &Unobserved).unwrap();
        let found = attempts.iter().filter_map(|attempt| attempt.packed.as_deref());
        let found: Vec<_> = found.map(|packed| unpacked(packed, grid.bits())).collect();
        let seen = seen(&training, window, labels.as_deref(), label);
        for latent in &found {
            prop_assert_eq!(unseen(&seen, grid, window, latent), Vec::<usize>::new());
        }
        // Proofs say so, and find what is wrong with others.
        let strangers = (0..2).map(|_| (0..grid.bits()).map(|_| random.bit()).collect());
        let all: Vec<Latent> = found.into_iter().chain(strangers).collect();
        let mut set = set_of(grid, &all);
        if let Some(label) = label {
            set = set.with_labels(vec![label; all.len()]).unwrap();
        }
        let samples = SampleSet { latents: set, answered_by: None, windows: Vec::new(), min_count: 1.into(), without: bitquilt::Ids::default(), };
        let expected: Vec<_> = all
            .iter()
            .enumerate()
            .flat_map(|(number, latent)| unseen(&seen, grid, window, latent).into_iter().map(move |bit| (number, bit)))
            .collect();
        for proof in proofs(&index, &training, labels.as_deref(), &samples, window) {
            prop_assert_eq!(&proof, &expected);
        }
    }

    /// On grids small enough to try every latent the search is complete as well.
    #[test]
    fn search_on_another_grid_is_complete(
        training in grids().prop_flat_map(|grid| latents(grid, 8)),
        (height, width) in (1..=3usize, 1..=4usize),
        seed: u64,
    ) {
        let grid = Grid { height, width, channels: training.grid.channels };
        let mut random = Random(seed);
        let Some(window) = shared_window(training.grid, grid, &mut random) else {
            return Ok(());
        };
        let (_folder, index) = built(&training.set(), &[window], Anchor::None);
        let held = index.window(window).unwrap();
        let geometry = held.geometry_on(shape_of(grid)).unwrap();
        let fixed: FixedBits = (0..grid.bits()).skip(12).fold(FixedBits::none(), |mut fixed, position| {
            fixed.fix(position, training.latents[0][position % training.grid.bits()]).unwrap();
            fixed
        });
        let mut oracle = Oracle::new(training.grid, window, false, &training.latents);
        oracle.grid = grid;
        let expected: BTreeSet<_> = oracle.completions(&fixed.iter().collect()).into_iter().collect();
        for method in crate::search::METHODS {
            let options = crate::search::unlimited(method, seed);
            let task = Task::new(Rung { geometry: &geometry, counts: &held }, options).with(&fixed);
            let mut search = Search::new(&task, 0).unwrap();
            let mut found = BTreeSet::new();
            while search.advance(&|| false).unwrap() == Status::Sample {
                prop_assert!(found.insert(unpacked(&search.to_packed(), grid.bits())));
            }
            prop_assert_eq!(&found, &expected);
        }
    }
}

/// What knows its place cannot be put elsewhere, and a site keeps its channels.
#[test]
fn grids_that_contexts_cannot_be_laid_on_are_refused() {
    let training = repetitive(EIGHT, 4, 1);
    let square: Window = "3x3".parse().unwrap();
    let (own, other) = (shape_of(EIGHT), Shape::new(12, 5, 1).unwrap());
    for (window, anchor, shape, why) in [
        (Window::Global, Anchor::None, other, "global"),
        (square, Anchor::Site, other, "anchor site"),
        (
            square,
            Anchor::None,
            Shape::new(8, 8, 2).unwrap(),
            "channels",
        ),
    ] {
        let (_folder, index) = built(&training.set(), &[window], anchor);
        let held = index.window(window).unwrap();
        assert_eq!(held.geometry_on(own).unwrap().shape(), own);
        let error = held.geometry_on(shape).unwrap_err();
        assert!(matches!(error, IndexError::Grid { .. }), "{error}");
        for word in ["index", why, &shape.to_string(), &own.to_string()] {
            assert!(error.to_string().contains(word), "no {word} in {error}");
        }
    }
    // A window that is larger than the new grid is not the same one there.
    let (_folder, index) = built(&training.set(), &["7x7".parse().unwrap()], Anchor::None);
    let held = index.window("7x7".parse().unwrap()).unwrap();
    let error = held.geometry_on(Shape::new(3, 3, 1).unwrap()).unwrap_err();
    assert!(matches!(error, IndexError::Window(_)), "{error}");
}

/// Windows of one search lie on one grid.
#[test]
fn windows_on_different_grids_are_refused() {
    let training = repetitive(EIGHT, 4, 1);
    let windows = ["3x3", "seq:2"].map(|text| text.parse().unwrap());
    let (_folder, index) = built(&training.set(), &windows, Anchor::None);
    let held = windows.map(|window| index.window(window).unwrap());
    let elsewhere = held[1].geometry_on(Shape::new(9, 8, 1).unwrap()).unwrap();
    let mut task = Task::new(
        Rung {
            geometry: held[0].geometry(),
            counts: &held[0],
        },
        SearchOptions::default(),
    );
    task.rungs.push(Rung {
        geometry: &elsewhere,
        counts: &held[1],
    });
    let error = Search::new(&task, 0).err().unwrap();
    assert!(error.to_string().contains("different grids"), "{error}");
}

/// Through the command: written, proved both ways, refused where it cannot be.
#[test]
fn the_command_makes_and_proves_samples_of_another_size() {
    let folder = small_folder();
    let path = folder.path();
    let set = repetitive(EIGHT, 30, 7)
        .set()
        .with_labels((0..30).map(|id| id % 3).collect())
        .unwrap();
    set.write(&path.join("latents.safetensors")).unwrap();
    succeeds(
        path,
        &split("build latents.safetensors -o index -w 3x3 -w global"),
    );
    succeeds(
        path,
        &split("build latents.safetensors -o anchored -w 3x3 --anchor site"),
    );
    succeeds(
        path,
        &split("build latents.safetensors -o labelled -w 3x3 --condition label"),
    );
    succeeds(
        path,
        &split("generate index -w 3x3 --size 5x13 -n 6 --novel --distinct -o wide"),
    );
    succeeds(
        path,
        &split("generate labelled --size 13x5 --label 2 -n 6 -o tall"),
    );
    for (index, name, height, width) in [("index", "wide", 5, 13), ("labelled", "tall", 13, 5)] {
        let samples = SampleSet::read(&path.join(name)).unwrap();
        assert_eq!(
            samples.latents.shape(),
            Shape::new(height, width, 1).unwrap()
        );
        assert_eq!(samples.latents.len(), 6);
        for brute_force in ["", "--brute-force"] {
            let proved = succeeds(
                path,
                &split(&format!("verify {index} {name} {brute_force}")),
            );
            assert!(
                proved.contains("390 of 390 bits of 6 samples are supported"),
                "{proved}"
            );
        }
    }
    let index = open(&path.join("labelled"));
    assert_eq!(index.condition(), Condition::Label);
    for (command, words) in [
        ("generate index -w global --size 5x13", ["global", "5x13x1"]),
        ("generate anchored --size 9x9", ["anchor", "9x9x1"]),
        ("generate index -w 3x3 --size 5", ["HxW", "48x48"]),
        ("generate index -w 3x3 --size 0x4", ["0", "4"]),
        ("generate index -w 3x3 --size 5x13x1", ["--size", "HxW"]),
        (
            "generate index -w 3x3 --size 9x9 --fix 9,0=1",
            ["not on a 9x9x1 grid", "--fix"],
        ),
        (
            "generate index -w 3x3 --size 9x9 --fix-from latents.safetensors:0 --keep 0..2",
            ["9x9x1", "8x8x1"],
        ),
    ] {
        refuses(path, &split(&format!("{command} -o none")), 2, &words);
        assert!(!path.join("none").exists());
    }
    // Fixed bits are on the samples' grid.
    succeeds(
        path,
        &split("generate index -w 3x3 --size 9x9 --fix 8,8=1 -n 3 -o corner"),
    );
    let samples = SampleSet::read(&path.join("corner")).unwrap();
    assert!((0..3).all(|id| samples.latents.latent(id)[80]));
}
