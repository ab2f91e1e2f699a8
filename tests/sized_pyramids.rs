//! Pyramids of another size than the training latents, level by level: every window of them was seen all the same.

use std::collections::{BTreeMap, BTreeSet};

use bitquilt::engine::{GenerateRequest, Session, SessionOptions};
use bitquilt::{
    Anchor, FixedBits, IndexError, Method, Rung, SampleSet, Search, Shape, Status, Task,
    Unobserved, Window, build, verify_from_index, verify_from_latents,
};
use proptest::prelude::*;

use crate::levels::{Context, Latent, Pyramids, pyramids};
use crate::search::unlimited;
use crate::support::*;

/// Pyramids whose windows know no place, at factors of their sides.
fn inputs(max_bits: usize) -> impl Strategy<Value = (Pyramids, Pyramids)> {
    let placeless = pyramids(max_bits, 2).prop_filter_map("a window that sees everything", |all| {
        let mut windows = all.windows.clone();
        windows.retain(|window| *window != Window::Global);
        let levels: BTreeSet<_> = windows.iter().map(|window| window.level()).collect();
        (levels.len() == all.sides.len()).then_some(Pyramids {
            windows,
            anchor: Anchor::None,
            ..all
        })
    });
    (placeless, 1..=3usize, 1..=3usize).prop_filter_map(
        "a window that does not fit",
        |(all, down, right)| {
            // By the least sides at which every level is whole, not by multiples of the index's own.
            let divisor = |mut a: usize, mut b: usize| {
                while b > 0 {
                    (a, b) = (b, a % b);
                }
                a
            };
            let rows = all.sides.iter().fold(0, |all, side| divisor(all, side.0));
            let columns = all.sides.iter().fold(0, |all, side| divisor(all, side.1));
            let sides = all.sides.iter();
            let sides = sides.map(|(h, w, k)| (h / rows * down, w / columns * right, *k));
            let other = Pyramids {
                sides: sides.collect(),
                latents: Vec::new(),
                labels: None,
                ..all.clone()
            };
            let fits = |window: &Window| {
                bitquilt::Geometry::new(*window, Anchor::None, other.shape()).is_ok()
            };
            // Those through which the order of a held window goes count too.
            other.windows.iter().all(fits).then_some((all, other))
        },
    )
}

/// What follows each context of each window in the training latents.
fn seen(all: &Pyramids) -> BTreeMap<Window, BTreeMap<Context, [bool; 2]>> {
    let of = |window: &Window| {
        let contexts = all.occurrences(*window).into_iter();
        let contexts = contexts.map(|((label, place, bits), lists)| {
            (
                (label, plain(all, *window, place), bits),
                lists.map(|list| !list.is_empty()),
            )
        });
        (*window, contexts.collect())
    };
    all.windows.iter().map(of).collect()
}

/// Where in its parent a site lies is told in units of its level's sides, which are others in another size: as fractions.
fn plain(all: &Pyramids, window: Window, mut place: Vec<usize>) -> Vec<usize> {
    if let Window::Level {
        level,
        parent: Some(_),
        ..
    } = window
    {
        let (height, width, _) = all.sides[level];
        let at = place.len() - 2;
        let fractions = [(place[at], height), (place[at + 1], width)];
        place.truncate(at);
        // In units of 1/55440 of a side: every number up to 12, which no side here passes, divides that.
        place.extend(fractions.map(|(part, whole)| part * 55440 / whole));
    }
    place
}

/// Every latent of the other size in which each window of each level was seen with its bit.
fn completions(
    all: &Pyramids,
    other: &Pyramids,
    label: Option<i64>,
    fixed: &BTreeMap<usize, bool>,
) -> BTreeSet<Latent> {
    let seen = seen(all);
    // The first window of each level alone is asked.
    let mut windows = all.windows.clone();
    windows.dedup_by_key(|window| window.level());
    let bits = other.bits();
    let free: Vec<usize> = (0..bits).filter(|at| !fixed.contains_key(at)).collect();
    let tried = (0..1u32 << free.len()).map(|number| {
        let mut latent: Latent = (0..bits).map(|at| fixed.get(&at) == Some(&true)).collect();
        for (bit, at) in free.iter().enumerate() {
            latent[*at] = number >> bit & 1 == 1;
        }
        latent
    });
    tried
        .filter(|latent| {
            free.iter()
                .all(|at| supported(&seen, &windows, other, label, latent, *at))
        })
        .collect()
}

fn supported(
    seen: &BTreeMap<Window, BTreeMap<Context, [bool; 2]>>,
    windows: &[Window],
    other: &Pyramids,
    label: Option<i64>,
    latent: &[bool],
    at: usize,
) -> bool {
    let level = other.place(at).0;
    let window = *windows
        .iter()
        .find(|window| window.level() == level)
        .unwrap();
    let (label, place, bits) = other.context(window, latent, label, at);
    let context = (label, plain(other, window, place), bits);
    seen[&window]
        .get(&context)
        .is_some_and(|by| by[usize::from(latent[at])])
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn p3_search_in_another_size_finds_exactly_the_pyramids_whose_windows_were_seen(
        (all, other) in inputs(30), seed: u64,
    ) {
        let (_folder, index) = all.built();
        let mut windows = all.windows.clone();
        windows.dedup_by_key(|window| window.level());
        let held: Vec<_> = windows.iter().map(|window| index.window(*window).unwrap()).collect();
        let laid: Vec<_> = held.iter().map(|held| held.geometry_on(other.shape())).collect();
        // A window within a deeper one that does not fit the other size is laid out by an order that does not either.
        let Ok(laid) = laid.into_iter().collect::<Result<Vec<_>, _>>() else {
            return Ok(());
        };
        let mut random = Random(seed);
        let bits = other.bits();
        let fixed: BTreeMap<usize, bool> = (0..bits).skip(12).map(|at| (at, random.bit())).collect();
        let mut given = FixedBits::none();
        for (at, bit) in &fixed {
            given.fix(*at, *bit).unwrap();
        }
        let label = all.labels.as_ref().map(|labels| labels[0]);
        let expected = completions(&all, &other, label, &fixed);
        for method in [Method::Row, Method::Backjump, Method::Chronological] {
            let rungs = laid.iter().zip(&held).map(|(geometry, held)| Rung { geometry, counts: held });
            let rungs: Vec<_> = rungs.collect();
            let mut task = Task::new(rungs[0], unlimited(method, seed)).with(&given);
            task.rungs = rungs;
            task.given = index.given(label).unwrap();
            let mut search = Search::new(&task, 0).unwrap();
            let mut found = BTreeSet::new();
            while search.advance(&|| false).unwrap() == Status::Sample {
                prop_assert!(found.insert(unpacked(&search.to_packed(), bits)));
            }
            prop_assert_eq!(&found, &expected, "{}", method);
        }
    }

    #[test]
    fn p2_pyramids_of_another_size_are_proved_by_the_index_and_by_the_latents_alone(
        (all, other) in inputs(60),
    ) {
        let folder = small_folder();
        let path = folder.path().join("index");
        build(&all.set(), &path, &all.options(), &Unobserved).unwrap();
        let session = Session::open(&path, &SessionOptions::default()).unwrap();
        let mut windows = all.windows.clone();
        windows.dedup_by_key(|window| window.level());
        let finest = *other.sides.last().unwrap();
        let request = GenerateRequest {
            windows: windows.iter().map(|window| (*window).into()).collect(),
            samples: 0..4,
            size: Some((finest.0, finest.1)),
            label: all.labels.as_ref().map(|labels| labels[0]),
            max_backtracks: Some(200),
            ..GenerateRequest::default()
        };
        prop_assert_eq!(request.shape(&session).unwrap(), other.shape());
        let Ok(generated) = session.generate(&request, &[], &Unobserved) else {
            let laid = windows.iter().map(|window| session.index().window(*window).unwrap().geometry_on(other.shape()));
            prop_assert!(laid.into_iter().any(|geometry| geometry.is_err()));
            return Ok(());
        };
        let file = folder.path().join("samples.safetensors");
        generated.write(&file).unwrap();
        let samples = SampleSet::read(&file).unwrap();
        if samples.latents.is_empty() {
            return Ok(());
        }
        let condition = all.options().condition;
        let mut turned = samples.clone();
        let mut packed = samples.latents.packed().to_vec();
        packed[0] ^= 1;
        turned.latents = bitquilt::LatentSet::from_packed(other.shape(), packed).unwrap();
        if let Some(labels) = samples.latents.labels() {
            turned.latents = turned.latents.with_labels(labels.to_vec()).unwrap();
        }
        for (set, is_proved) in [(&samples, true), (&turned, false)] {
            let by_index = verify_from_index(session.index(), set, windows[0], &Unobserved).unwrap();
            let alone = verify_from_latents(&all.set(), Anchor::None, condition, set, windows[0], &Unobserved).unwrap();
            prop_assert_eq!(&by_index, &alone);
            prop_assert!(!is_proved || by_index.unsupported.is_empty());
        }
    }
}

#[test]
fn sizes_at_which_levels_would_not_lie_over_each_other_as_they_do_are_refused() {
    let shape: Shape = "3x3x2+6x9+12x18".parse().unwrap();
    let larger = shape.resized(24, 12).unwrap();
    assert_eq!(larger.to_string(), "6x2x2+12x6x1+24x12x1");
    assert!(shape.lies_like(&larger) && larger.lies_like(&shape));
    let error = shape.resized(13, 18).unwrap_err().to_string();
    assert!(error.contains("multiples of 4 and 6"), "{error}");
    assert!(shape.resized(0, 18).is_err() && shape.resized(usize::MAX / 4 * 4, 18).is_err());
    for other in [
        "3x3x2+6x9x2+12x18",
        "3x3x2+12x18",
        "6x2x2+12x7+24x12",
        "3x3x2+6x9+12x17",
    ] {
        assert!(!shape.lies_like(&other.parse().unwrap()), "{other}");
    }
}

#[test]
fn a_pyramid_whose_layout_sees_everything_has_one_size() {
    let all = Pyramids {
        sides: vec![(2, 2, 1), (4, 4, 1)],
        latents: vec![vec![true; 20]],
        windows: ["global", "1:3x3^1x1"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
        anchor: Anchor::None,
        labels: None,
    };
    let (_folder, index) = all.built();
    let larger = all.shape().resized(8, 4).unwrap();
    let error = index
        .window(Window::Global)
        .unwrap()
        .geometry_on(larger)
        .unwrap_err();
    assert!(matches!(error, IndexError::Grid { .. }), "{error}");
    let detail = index.window("1:3x3^1x1".parse().unwrap()).unwrap();
    assert_eq!(detail.geometry_on(larger).unwrap().shape(), larger);
}
