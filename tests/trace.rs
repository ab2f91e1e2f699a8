//! P5 and P6 for traces: what is told of each bit is what brute force finds, and each region of a quilt is
//! a copy.

use std::collections::{BTreeMap, BTreeSet};

use bitquilt::provenance::Corpus;
use bitquilt::trace::{Background, SetSummaries, Trace, TraceOptions, Tracer, summarize};
use bitquilt::{
    Anchor, Budget, BuildOptions, Condition, Index, LatentSet, Resident, Unobserved, Window,
};
use proptest::prelude::*;

use crate::oracle::{Grid, Latent, Oracle};
use crate::quilts::{PlainRegion, Quilts, pieces};
use crate::support::*;

/// Corpus latents, an index of them, and samples to trace.
#[derive(Clone, Debug)]
struct Case {
    training: Sample,
    labels: Option<Vec<i64>>,
    windows: Vec<Window>,
    anchor: Anchor,
    grid: Grid,
    samples: Vec<Latent>,
    sample_labels: Vec<i64>,
    reach: usize,
    in_memory: bool,
}

/// A latent made of parts of others: rows of one, the rest of another, shifted, and some noise.
fn foreign(training: Sample, grid: Grid) -> impl Strategy<Value = Latent> {
    let pick = any::<prop::sample::Index>;
    (pick(), pick(), any::<u64>(), 0..4u64).prop_map(move |(a, b, seed, noise)| {
        let (mut random, of) = (Random(seed), training.grid);
        let (a, b) = (a.get(&training.latents), b.get(&training.latents));
        let cut = random.below(grid.bits() as u64 + 1) as usize;
        let shift = random.below(3) as usize * usize::from(grid == of);
        let bit = |position: usize| {
            let (site, channel) = (position / grid.channels, position % grid.channels);
            let (row, col) = (site / grid.width, (site % grid.width + shift) % of.width);
            let from = if position < cut { a } else { b };
            from[((row % of.height) * of.width + col) * of.channels + channel]
        };
        let bits = (0..grid.bits()).map(bit).collect::<Latent>();
        bits.into_iter()
            .map(|bit| bit != (random.below(16) < noise))
            .collect()
    })
}

fn some_case(same_grid: bool) -> impl Strategy<Value = Case> {
    let training = grids().prop_flat_map(|grid| latents(grid, 5));
    let sides = (1..=7usize, 1..=7usize);
    let case = (training, sides).prop_flat_map(move |(training, (height, width))| {
        let grid = match same_grid {
            true => training.grid,
            false => Grid {
                height,
                width,
                ..training.grid
            },
        };
        let mut windows = windows_that_fit(training.grid);
        if !same_grid {
            windows.retain(|window| {
                let Window::Square { radius } = window else {
                    return false;
                };
                *radius < grid.height.max(grid.width)
            });
        }
        let max = windows.len().min(3);
        let windows = prop::sample::subsequence(windows, max.min(1)..=max);
        let samples = prop::collection::vec(foreign(training.clone(), grid), 1..4);
        let n = training.latents.len();
        let labels = prop::option::of(prop::collection::vec(0..3i64, n));
        let anchor = if same_grid {
            anchors().boxed()
        } else {
            Just(Anchor::None).boxed()
        };
        let reach = prop_oneof![Just(1usize), Just(3), Just(usize::MAX)];
        (
            Just(training),
            (labels, windows, anchor, Just(grid), samples),
            (prop::collection::vec(0..4i64, 4), reach, any::<bool>()),
        )
    });
    case.prop_filter_map("no window fits both grids", |(training, rest, more)| {
        let (labels, windows, anchor, grid, samples) = rest;
        let (sample_labels, reach, in_memory) = more;
        (!windows.is_empty()).then_some(Case {
            training,
            labels,
            windows,
            anchor,
            grid,
            samples,
            sample_labels,
            reach,
            in_memory,
        })
    })
}

/// Bits of a window's context on a grid, absent ones included: what makes a window large.
fn size(window: Window, grid: Grid) -> usize {
    match window {
        Window::Sequence { length } => length,
        Window::Global => grid.bits() - 1,
        Window::Square { .. } | Window::Sites { .. } => {
            window.sites().unwrap() * grid.channels + grid.channels - 1
        }
        Window::Level { .. } => unreachable!("the grids have one level"),
    }
}

/// Windows from small to large; those of one size in the order of the index.
fn ascending(windows: &[Window], grid: Grid) -> Vec<Window> {
    let mut windows = windows.to_vec();
    windows.sort_by_key(|window| size(*window, grid));
    windows
}

fn with_labels(set: LatentSet, labels: Option<&[i64]>) -> LatentSet {
    match labels {
        Some(labels) => set.with_labels(labels.to_vec()).unwrap(),
        None => set,
    }
}

fn traces(
    index: &Index,
    samples: &LatentSet,
    options: TraceOptions,
    in_memory: bool,
) -> Vec<Trace> {
    let training = Corpus::load(index, Budget::share(0.5), &Unobserved).unwrap();
    let tables: Vec<_> = index
        .windows()
        .filter(|_| in_memory)
        .map(|window| Some(Resident::load(&window, Budget::of_machine(), &Unobserved).unwrap()))
        .collect();
    let tracer = Tracer::new(
        index,
        &training,
        tables.iter().map(Option::as_ref).collect(),
        samples.shape(),
        options,
    )
    .unwrap();
    let mut all = Vec::new();
    let take = |number: usize, trace| {
        assert_eq!(number, all.len());
        all.push(trace);
        Ok::<_, bitquilt::trace::TraceError>(())
    };
    tracer
        .trace_all(samples, 0..samples.len(), &Unobserved, take)
        .unwrap();
    all
}

fn plain(trace: &Trace) -> Vec<PlainRegion> {
    let mut bits: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
    for (position, region) in trace.quilt.region_of.iter().enumerate() {
        if let Some(region) = region {
            bits.entry(*region).or_default().insert(position);
        }
    }
    let regions = trace.quilt.regions.iter().zip(0u32..);
    regions
        .map(|(region, number)| PlainRegion {
            latent: region.latent.into(),
            down: region.down.into(),
            right: region.right.into(),
            bits: bits.remove(&number).unwrap_or_default(),
            units: (region.information.in_bits() * 1_048_576.0) as u64,
        })
        .collect()
}

/// P6: regions are copies, connected, disjoint, of whole sites, and cover every supported bit.
fn assert_quilt(case: &Case, sample: &Latent, trace: &Trace) {
    let (grid, of) = (case.grid, case.training.grid);
    let site = |position: usize| position / grid.channels;
    let regions = plain(trace);
    for (number, region) in regions.iter().enumerate() {
        let sites: BTreeSet<_> = region.bits.iter().map(|bit| site(*bit)).collect();
        let on_grid = |site: usize| ((site / grid.width) as i64, (site % grid.width) as i64);
        assert_eq!(
            pieces(sites.iter().map(|site| on_grid(*site)).collect()).len(),
            1,
            "{region:?}"
        );
        let whole = region.bits.len() == sites.len() * grid.channels;
        assert!(whole || sites.len() == 1, "{region:?}");
        let told = &trace.quilt.regions[number];
        assert_eq!(
            (told.sites as usize, told.bits as usize),
            (sites.len(), region.bits.len())
        );
        for bit in &region.bits {
            let (row, col) = on_grid(site(*bit));
            let (row, col) = (row + region.down, col + region.right);
            let inside =
                (0..of.height as i64).contains(&row) && (0..of.width as i64).contains(&col);
            assert!(inside, "{region:?}");
            let at = (row as usize * of.width + col as usize) * of.channels + bit % grid.channels;
            assert_eq!(
                case.training.latents[region.latent as usize][at], sample[*bit],
                "{region:?}"
            );
        }
    }
    for (position, region) in trace.quilt.region_of.iter().enumerate() {
        assert!(
            region.is_some() || trace.support.at[position].is_none(),
            "bit {position}"
        );
    }
    assert!(regions.is_sorted_by_key(|region| std::cmp::Reverse(region.units)));
}

fn check(case: &Case) {
    let Case { training, grid, .. } = case;
    let labels = case.labels.as_deref();
    let set = with_labels(training.set(), labels);
    let options = BuildOptions {
        windows: case.windows.clone(),
        anchor: case.anchor,
        condition: if labels.is_some() {
            Condition::Label
        } else {
            Condition::None
        },
        ..BuildOptions::new(Window::Global)
    };
    let (_folder, index) = built_with(&set, &options);
    let sample_labels = &case.sample_labels[..case.samples.len()];
    let samples = set_of(*grid, &case.samples);
    let samples = with_labels(samples, labels.map(|_| sample_labels));
    let options = TraceOptions {
        reach: case.reach,
        top: 3,
        ..TraceOptions::default()
    };
    let traces = traces(&index, &samples, options, case.in_memory);

    let anchored = case.anchor == Anchor::Site;
    let oracle = |window: &Window| {
        Oracle::labelled(training.grid, *window, anchored, &training.latents, labels)
    };
    let by_size = ascending(&case.windows, *grid);
    let yardstick = oracle(&by_size[0]);
    let mut quilt = by_size[usize::from(by_size.len() > 1)..].to_vec();
    quilt.reverse();
    let quilt: Vec<_> = quilt.iter().map(oracle).collect();
    let all: Vec<_> = case.windows.iter().map(oracle).collect();
    for (number, (sample, trace)) in case.samples.iter().zip(&traces).enumerate() {
        let plain_quilts = Quilts {
            training: training.grid,
            grid: *grid,
            sample,
            windows: &quilt,
            yardstick: &yardstick,
            label: labels.map(|_| sample_labels[number]),
        };
        let at = plain_quilts.at();
        for position in 0..grid.bits() {
            for (window, counts) in all.iter().zip(&trace.support.counts) {
                let expected = plain_quilts.occurrences(window, position).len();
                assert_eq!(counts[position], expected as u64);
            }
            assert_eq!(trace.support.at[position].map(usize::from), at[position]);
            let told = &trace.support.occurrences[position];
            let expected = match at[position] {
                Some(window) => plain_quilts.occurrences(&quilt[window], position),
                None => Vec::new(),
            };
            assert_eq!(told.count, expected.len() as u64);
            let postings: Vec<_> = told
                .postings
                .iter()
                .map(|p| (p.latent, p.position))
                .collect();
            let max = case.reach.max(3).min(expected.len());
            // Which of many comes by the index's order; they are told ascending.
            assert_eq!(postings.len(), max);
            assert!(postings.is_sorted_by(|a, b| a < b));
            assert!(postings.iter().all(|posting| expected.contains(posting)));
        }
        assert_quilt(case, sample, trace);
        if case.reach == usize::MAX {
            assert_eq!(plain(trace), plain_quilts.quilt());
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn p5_p6_a_trace_is_what_exhaustive_search_finds(case in some_case(true)) {
        check(&case);
    }

    #[test]
    fn p5_p6_so_is_one_of_samples_on_another_grid(case in some_case(false)) {
        check(&case);
    }
}

fn hamming(a: &[bool], b: &[bool]) -> u32 {
    a.iter().zip(b).filter(|(a, b)| a != b).count() as u32
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn neighbours_are_the_nearest_and_no_duplicate_hides_a_copy(case in some_case(true), max in 1..4usize) {
        let Case { training, samples, .. } = &case;
        let (_folder, index) = built(&training.set(), &case.windows, case.anchor);
        let set = set_of(case.grid, samples);
        let options = TraceOptions { nearest: max, ..TraceOptions::default() };
        let held = Corpus::load(&index, Budget::share(0.5), &Unobserved).unwrap();
        let tracer = Tracer::new(&index, &held, Vec::new(), set.shape(), options.clone()).unwrap();
        let background = Background::of(&held, 1000, &Unobserved);
        let min_distance = |latent: &Latent, others: &[Latent]| {
            let others = others.iter().filter(|other| *other != latent);
            others.map(|other| hamming(latent, other)).min()
        };
        let mut own: Vec<_> =
            training.latents.iter().filter_map(|t| min_distance(t, &training.latents)).collect();
        own.sort_unstable();
        for (sample, trace) in samples.iter().zip(traces(&index, &set, options, false)) {
            let near = trace.near.as_ref().unwrap();
            let mut all: Vec<_> = training.latents.iter().zip(0u32..)
                .map(|(latent, id)| (hamming(sample, latent), id)).collect();
            all.sort_unstable();
            let nearest: Vec<_> = near.nearest.iter().map(|n| (n.distance, n.latent)).collect();
            prop_assert_eq!(&nearest[..], &all[..max.min(all.len())]);
            let equal: Vec<_> = all.iter().filter(|(distance, _)| *distance == 0).map(|(_, id)| *id).collect();
            prop_assert_eq!(&near.equal, &equal);
            let first = &training.latents[all[0].1 as usize];
            let others = training.latents.iter().filter(|other| *other != first);
            prop_assert_eq!(near.next_distance, others.map(|other| hamming(sample, other)).min());
            prop_assert_eq!(near.training_distance, min_distance(first, &training.latents));

            let summary = summarize(&trace, &tracer, &background);
            let nearness = summary.nearness.unwrap();
            let copy = training.latents.contains(sample);
            prop_assert_eq!(!nearness.exact_copies.is_empty(), copy);
            let distance = all[0].0;
            if copy {
                prop_assert!(nearness.memorized && !nearness.authentic);
                prop_assert!(nearness.ratio.is_none_or(|ratio| ratio == 0.0));
            } else {
                let near_own = min_distance(first, &training.latents);
                prop_assert_eq!(nearness.authentic, near_own.is_none_or(|own| distance > own));
                // Nine times as many bits is three times as far.
                let third = near.next_distance.is_some_and(|next| 9 * distance <= next);
                prop_assert_eq!(nearness.memorized, third);
            }
            let within = own.iter().filter(|own| **own <= distance).count();
            let share = (!own.is_empty()).then(|| within as f64 / own.len() as f64);
            prop_assert_eq!(nearness.quantile, share);
        }
    }

    #[test]
    fn a_training_latent_is_one_whole_region_of_the_first_that_equals_it(case in some_case(true)) {
        let training = &case.training;
        let (_folder, index) = built(&training.set(), &case.windows, case.anchor);
        let traces = traces(&index, &training.set(), TraceOptions::default(), case.in_memory);
        for (latent, trace) in training.latents.iter().zip(&traces) {
            let equal = training.latents.iter().zip(0u32..).filter(|(other, _)| *other == latent);
            let equal: Vec<_> = equal.map(|(_, id)| id).collect();
            let [region] = &trace.quilt.regions[..] else {
                panic!("{:?}", trace.quilt.regions);
            };
            prop_assert_eq!((region.latent, region.down, region.right), (equal[0], 0, 0));
            prop_assert_eq!(region.bits as usize, training.grid.bits());
            prop_assert_eq!(&trace.near.as_ref().unwrap().equal, &equal);
        }
    }
}

/// 20 latents in which every window of 5x5 occurs once, but for borders.
fn noise() -> Sample {
    let mut random = Random(3);
    let grid = Grid {
        height: 12,
        width: 12,
        channels: 1,
    };
    let latents = (0..20).map(|_| (0..grid.bits()).map(|_| random.bit()).collect());
    Sample {
        grid,
        latents: latents.collect(),
    }
}

#[test]
fn two_glued_halves_are_two_regions() {
    let training = noise();
    let half = training.grid.bits() / 2;
    let glued = [&training.latents[4][..half], &training.latents[11][half..]].concat();
    let (_folder, index) = built(
        &training.set(),
        &["3x3", "7x7"].map(|w| w.parse().unwrap()),
        Anchor::None,
    );
    let set = set_of(training.grid, &[glued]);
    let traces = traces(&index, &set, TraceOptions::default(), false);
    let mut regions: Vec<_> = traces[0].quilt.regions.iter().collect();
    regions.sort_by_key(|region| region.latent);
    let [top, bottom] = regions[..] else {
        panic!("{regions:?}");
    };
    assert_eq!((top.latent, top.down, top.right), (4, 0, 0));
    assert_eq!((bottom.latent, bottom.down, bottom.right), (11, 0, 0));
    assert_eq!(top.bits + bottom.bits, training.grid.bits() as u32);
}

#[test]
fn a_moved_part_is_told_by_its_displacement() {
    let training = noise();
    let grid = training.grid;
    // What the sample shows at (row, col) is at (row + 2, col − 3) in latent 7.
    let mut random = Random(8);
    let bit = |position: usize| {
        let (row, col) = (position / grid.width, position % grid.width);
        let inside = row + 2 < grid.height && col >= 3;
        inside.then(|| training.latents[7][(row + 2) * grid.width + col - 3])
    };
    let sample: Latent = (0..grid.bits())
        .map(|p| bit(p).unwrap_or_else(|| random.bit()))
        .collect();
    let (_folder, index) = built(
        &training.set(),
        &["3x3", "5x5"].map(|w| w.parse().unwrap()),
        Anchor::None,
    );
    let traces = traces(
        &index,
        &set_of(grid, &[sample]),
        TraceOptions::default(),
        false,
    );
    let first = &traces[0].quilt.regions[0];
    assert_eq!((first.latent, first.down, first.right), (7, 2, -3));
    // All ten rows of nine columns, but what a border keeps a window from seeing.
    assert!(first.sites >= 60, "{first:?}");
}

#[test]
fn traces_do_not_depend_on_the_number_of_threads() {
    let training = repetitive(EIGHT, 60, 5);
    let (_folder, index) = built(
        &training.set(),
        &["3x3", "5x5"].map(|w| w.parse().unwrap()),
        Anchor::None,
    );
    let samples = repetitive(EIGHT, 150, 6).set();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| traces(&index, &samples, TraceOptions::default(), false))
    };
    let alone = on(1);
    assert_eq!(alone.len(), 150);
    assert!(alone == on(3) && alone == on(8));
}

#[test]
fn figures_of_a_set_are_sums_over_its_samples() {
    let training = repetitive(EIGHT, 30, 1);
    let (_folder, index) = built(
        &training.set(),
        &["3x3", "5x5"].map(|w| w.parse().unwrap()),
        Anchor::None,
    );
    let mut latents = repetitive(EIGHT, 20, 2).latents;
    latents.push(training.latents[3].clone());
    let samples = set_of(EIGHT, &latents);
    let held = Corpus::load(&index, Budget::share(0.5), &Unobserved).unwrap();
    let options = TraceOptions::default();
    let tracer = Tracer::new(&index, &held, Vec::new(), samples.shape(), options.clone()).unwrap();
    let background = Background::of(&held, 10, &Unobserved);
    let traces = traces(&index, &samples, options, false);
    let mut set = SetSummaries::default();
    let summaries: Vec<_> = traces
        .iter()
        .map(|t| summarize(t, &tracer, &background))
        .collect();
    for (trace, summary) in traces.iter().zip(&summaries) {
        set.add(trace, summary.clone());
    }
    let set = set.finish(&tracer, &background, usize::MAX);
    assert_eq!(set.samples, 21);
    let all = 21.0 * 64.0;
    let supported: usize = traces
        .iter()
        .map(|t| t.support.at.iter().flatten().count())
        .sum();
    assert_eq!(set.supported, supported as f64 / all);
    assert_eq!(set.supported_at[1].window, "5x5");
    assert_eq!(set.supported_at[1].share, set.supported);
    let exact = latents
        .iter()
        .filter(|latent| training.latents.contains(latent))
        .count();
    assert_eq!(set.exact_copies, Some(exact as u64));
    assert!(exact >= 1);
    let mut bits: BTreeMap<u32, u64> = BTreeMap::new();
    for region in traces.iter().flat_map(|trace| &trace.quilt.regions) {
        *bits.entry(region.latent).or_default() += u64::from(region.bits);
    }
    assert_eq!(set.used, bits.len() as u64);
    assert_eq!(set.used_share, bits.len() as f64 / 30.0);
    assert!(
        set.credits
            .is_sorted_by_key(|credit| std::cmp::Reverse(credit.bits))
    );
    assert_eq!(
        set.credits
            .iter()
            .map(|c| (c.latent, c.bits))
            .collect::<BTreeMap<_, _>>(),
        bits
    );
    for (summary, trace) in summaries.iter().zip(&traces) {
        let of = |latent| {
            let regions = trace
                .quilt
                .regions
                .iter()
                .filter(|region| region.latent == latent);
            regions
                .map(|region| region.information.in_bits())
                .sum::<f64>()
        };
        let used = summary.most_used.unwrap();
        let max = trace
            .quilt
            .regions
            .iter()
            .map(|region| of(region.latent))
            .fold(0.0, f64::max);
        assert!((used.information - max).abs() < 1e-6);
        assert_eq!(
            summary.copied,
            summary.most_informative > (30f64 * 64.0).log2()
        );
    }
    let regions = set
        .spread
        .iter()
        .find(|named| named.name == "regions")
        .unwrap();
    let mut counts: Vec<_> = summaries.iter().map(|s| s.regions as f64).collect();
    counts.sort_by(f64::total_cmp);
    assert_eq!(
        (regions.spread.median, regions.spread.max),
        (counts[10], counts[20])
    );
}
