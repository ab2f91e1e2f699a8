//! P5 and P6 for traces: what is told of each bit is what brute force finds, and each region of a quilt is
//! a copy.

use std::collections::{BTreeMap, BTreeSet};

use bitquilt::trace::{Trace, TraceOptions, Tracer, Training};
use bitquilt::{
    Anchor, BuildOptions, Condition, Index, LatentSet, Resident, Unobserved, Window,
};
use proptest::prelude::*;

use crate::oracle::{Grid, Latent, Oracle};
use crate::quilts::{PlainRegion, Quilts, pieces};
use crate::support::*;

/// Training latents, an index of them, and samples to trace.
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
        bits.into_iter().map(|bit| bit != (random.below(16) < noise)).collect()
    })
}

fn some_case(same_grid: bool) -> impl Strategy<Value = Case> {
    let training = grids().prop_flat_map(|grid| latents(grid, 5));
    let sides = (1..=7usize, 1..=7usize);
    let case = (training, sides).prop_flat_map(move |(training, (height, width))| {
        let grid = match same_grid {
            true => training.grid,
            false => Grid { height, width, ..training.grid },
        };
        let mut windows = windows_that_fit(training.grid);
        if !same_grid {
            windows.retain(|window| {
                let Window::Square { radius } = window else { return false };
                *radius < grid.height.max(grid.width)
            });
        }
        let most = windows.len().min(3);
        let windows = prop::sample::subsequence(windows, most.min(1)..=most);
        let samples = prop::collection::vec(foreign(training.clone(), grid), 1..4);
        let n = training.latents.len();
        let labels = prop::option::of(prop::collection::vec(0..3i64, n));
        let anchor = if same_grid { anchors().boxed() } else { Just(Anchor::None).boxed() };
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
        Window::Square { radius } => {
            ((2 * radius + 1) * radius + radius) * grid.channels + grid.channels - 1
        }
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

fn traces(index: &Index, samples: &LatentSet, options: TraceOptions, in_memory: bool) -> Vec<Trace> {
    let training = Training::load(index, &Unobserved).unwrap();
    let tables: Vec<_> = index
        .windows()
        .filter(|_| in_memory)
        .map(|window| Some(Resident::load(&window, &Unobserved).unwrap()))
        .collect();
    let tracer = Tracer::new(index, &training, &tables, samples.shape(), options).unwrap();
    let mut all = Vec::new();
    let take = |number: usize, trace| {
        assert_eq!(number, all.len());
        all.push(trace);
        Ok::<_, bitquilt::trace::TraceError>(())
    };
    tracer.trace_all(samples, 0..samples.len(), &Unobserved, take).unwrap();
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
        assert_eq!(pieces(sites.iter().map(|site| on_grid(*site)).collect()).len(), 1, "{region:?}");
        let whole = region.bits.len() == sites.len() * grid.channels;
        assert!(whole || sites.len() == 1, "{region:?}");
        let told = &trace.quilt.regions[number];
        assert_eq!((told.sites as usize, told.bits as usize), (sites.len(), region.bits.len()));
        for bit in &region.bits {
            let (row, col) = on_grid(site(*bit));
            let (row, col) = (row + region.down, col + region.right);
            let inside = (0..of.height as i64).contains(&row) && (0..of.width as i64).contains(&col);
            assert!(inside, "{region:?}");
            let at = (row as usize * of.width + col as usize) * of.channels + bit % grid.channels;
            assert_eq!(case.training.latents[region.latent as usize][at], sample[*bit], "{region:?}");
        }
    }
    for (position, region) in trace.quilt.region_of.iter().enumerate() {
        assert!(region.is_some() || trace.support.at[position].is_none(), "bit {position}");
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
        condition: if labels.is_some() { Condition::Label } else { Condition::None },
        ..BuildOptions::new(Window::Global)
    };
    let (_folder, index) = built_with(&set, &options);
    let sample_labels = &case.sample_labels[..case.samples.len()];
    let samples = set_of(*grid, &case.samples);
    let samples = with_labels(samples, labels.map(|_| sample_labels));
    let options = TraceOptions { reach: case.reach, top: 3, ..TraceOptions::default() };
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
            let postings: Vec<_> = told.postings.iter().map(|p| (p.latent, p.position)).collect();
            let most = case.reach.max(3).min(expected.len());
            assert_eq!(postings, expected[..most]);
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
