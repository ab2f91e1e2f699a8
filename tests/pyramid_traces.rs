//! P5 and P6 over pyramids: what is told of each bit is what the definitions say, each region is a copy within its level, and the
//! quilt of each level is the one that exhaustive search finds.

use std::collections::{BTreeMap, BTreeSet};

use bitquilt::provenance::Corpus;
use bitquilt::trace::{
    Background, SampleSummary, SetSummaries, Trace, TraceOptions, Tracer, summarize,
};
use bitquilt::{Budget, Index, Unobserved, Window};
use proptest::prelude::*;

use crate::levels::{Context, Latent, Pyramids, pyramids};
use crate::oracle::Grid;
use crate::quilts::{Part, PlainRegion, Site, Source, cut, pieces, place};
use crate::support::*;

/// Pyramids that are indexed, and some to trace.
#[derive(Clone, Debug)]
struct Case {
    all: Pyramids,
    samples: Vec<Latent>,
    sample_labels: Vec<i64>,
    in_memory: bool,
}

/// Levels of one latent, finer ones of another, some bits flipped.
fn cases_of_pyramids() -> impl Strategy<Value = Case> {
    let pick = any::<prop::sample::Index>;
    let mixed = prop::collection::vec((pick(), pick(), pick(), prop::option::of(pick())), 1..4);
    let labels = prop::collection::vec(0..3i64, 4);
    (pyramids(40, 3), mixed, labels, any::<bool>()).prop_map(
        |(all, mixed, sample_labels, in_memory)| {
            let mix = |(one, other, at, flip): &(_, _, _, Option<prop::sample::Index>)| {
                let of = |pick: &prop::sample::Index| &all.latents[pick.index(all.latents.len())];
                let at: &prop::sample::Index = at;
                let cut = at.index(all.bits() + 1);
                let mut latent = of(one).clone();
                latent[cut..].copy_from_slice(&of(other)[cut..]);
                if let Some(flip) = flip {
                    latent[flip.index(all.bits())] ^= true;
                }
                latent
            };
            let samples = mixed.iter().map(mix).collect();
            Case {
                all,
                samples,
                sample_labels,
                in_memory,
            }
        },
    )
}

fn grid(all: &Pyramids, level: usize) -> Grid {
    let (height, width, channels) = all.sides[level];
    Grid {
        height,
        width,
        channels,
    }
}

/// Bits of a window's context: what makes it large.
fn size(all: &Pyramids, window: Window) -> usize {
    let (_, _, channels) = all.sides[window.level()];
    let square = |radius: usize| 2 * radius * (radius + 1) * channels + channels - 1;
    match window {
        Window::Global => grid(all, 0).bits() - 1,
        Window::Square { radius } => square(radius),
        Window::Level {
            level,
            radius,
            parent,
        } => {
            let (_, _, coarser) = all.sides[level - 1];
            let side = |radius: usize| 2 * radius + 1;
            square(radius) + parent.map_or(0, |radius| side(radius) * side(radius) * coarser)
        }
        _ => unreachable!("no other window is drawn"),
    }
}

/// One window of the index: where each bit followed each context.
struct Held {
    window: Window,
    occurrences: BTreeMap<Context, [Vec<(u64, usize)>; 2]>,
}

/// One sample, and what the definitions say of it.
struct Plain<'a> {
    all: &'a Pyramids,
    sample: &'a Latent,
    label: Option<i64>,
}

impl Plain<'_> {
    fn lists(&self, held: &Held, position: usize) -> [Vec<(u64, usize)>; 2] {
        let context = self
            .all
            .context(held.window, self.sample, self.label, position);
        held.occurrences.get(&context).cloned().unwrap_or_default()
    }

    fn occurrences(&self, held: &Held, position: usize) -> Vec<(u64, usize)> {
        let [zeros, ones] = self.lists(held, position);
        if self.sample[position] { ones } else { zeros }
    }

    /// In units of 2⁻²⁰ bits.
    fn units(&self, yardstick: &Held, position: usize) -> u64 {
        let [zeros, ones] = self
            .lists(yardstick, position)
            .map(|list| list.len() as f64);
        let own = if self.sample[position] { ones } else { zeros };
        (-((own + 0.5) / (zeros + ones + 1.0)).log2() * 1_048_576.0).round() as u64
    }

    /// Bits of its own level, counted from its first, that the context of a site sees, and its own up to `channel`.
    fn seen(&self, window: Window, own: usize) -> BTreeSet<usize> {
        let grid = grid(self.all, window.level());
        let (row, col, _) = place(grid, own);
        let sees = |other: &usize| {
            let (r, c, _) = place(grid, *other);
            match window {
                Window::Square { radius } | Window::Level { radius, .. } => {
                    let near = (row - r).max((c - col).abs()) <= radius as i64;
                    *other <= own && near
                }
                Window::Global => *other <= own,
                _ => unreachable!("no other window is drawn"),
            }
        };
        (0..=own).filter(sees).collect()
    }

    /// The quilt of a level; `windows` are those of its quilt, largest first. Bits are counted from the level's first.
    fn quilt(&self, level: usize, windows: &[&Held], yardstick: &Held) -> Vec<PlainRegion> {
        let (grid, start) = (grid(self.all, level), self.all.start(level));
        let site = |own: usize| -> Site {
            let (row, col, _) = place(grid, own);
            (row, col)
        };
        let mut parts: Vec<Option<Part>> = Vec::new();
        let mut vouched: BTreeMap<Source, BTreeSet<usize>> = BTreeMap::new();
        for own in 0..grid.bits() {
            let at = windows.iter().find_map(|held| {
                let found = self.occurrences(held, start + own);
                (!found.is_empty()).then_some((held.window, found))
            });
            let Some((window, found)) = at else {
                parts.push(None);
                continue;
            };
            let moved = |(latent, under): (u64, usize)| -> Source {
                let ((row, col), (r, c)) = (site(own), site(under - start));
                (latent, r - row, c - col)
            };
            let seen = self.seen(window, own);
            let of_site = seen.iter().copied().filter(|bit| site(*bit) == site(own));
            parts.push(Some((moved(found[0]), of_site.collect())));
            for occurrence in found {
                vouched.entry(moved(occurrence)).or_default().extend(&seen);
            }
        }
        let footprints = vouched.into_iter().map(|(source, bits)| {
            let sites: BTreeSet<Site> = bits.iter().map(|bit| site(*bit)).collect();
            let whole = |wanted: &Site| {
                let mut own = (0..grid.bits()).filter(|bit| site(*bit) == *wanted);
                own.all(|bit| bits.contains(&bit))
            };
            (source, sites.into_iter().filter(whole).collect())
        });
        let units = (0..grid.bits()).map(|own| self.units(yardstick, start + own));
        cut(
            grid,
            &parts,
            &units.collect::<Vec<_>>(),
            &footprints.collect(),
        )
    }
}

fn with_tracer(case: &Case, index: &Index, look: impl FnOnce(&Tracer<'_>, &Corpus, Vec<Trace>)) {
    let mut samples = Pyramids {
        latents: case.samples.clone(),
        ..case.all.clone()
    };
    let own = case.all.labels.as_ref();
    samples.labels = own.map(|_| case.sample_labels[..case.samples.len()].to_vec());
    let samples = samples.set();
    let training = Corpus::load(index, Budget::share(0.5), &Unobserved).unwrap();
    let options = TraceOptions {
        reach: usize::MAX,
        top: 3,
        ..TraceOptions::default()
    };
    let tables: Vec<_> = Tracer::windows_of(index, &options)
        .unwrap()
        .iter()
        .filter(|_| case.in_memory)
        .map(|window| bitquilt::Resident::load(window, Budget::of_machine(), &Unobserved).unwrap())
        .collect();
    let tables = tables.iter().map(Some).collect();
    let tracer = Tracer::new(index, &training, tables, samples.shape(), options).unwrap();
    let mut worker = tracer.worker();
    let traces = (0..samples.len()).map(|number| worker.trace(&samples, number).unwrap());
    let traces = traces.collect();
    look(&tracer, &training, traces);
}

/// The regions of a level, their bits counted from its first.
fn regions_of(trace: &Trace, all: &Pyramids, level: usize) -> Vec<PlainRegion> {
    let (start, bits) = (all.start(level), grid(all, level).bits());
    let of = |number: usize| {
        let region_of = trace.quilt.region_of[start..start + bits].iter();
        let own = region_of.enumerate();
        own.filter(|(_, region)| **region == Some(number as u32))
            .map(|(own, _)| own)
            .collect()
    };
    let regions = trace.quilt.regions.iter().enumerate();
    let regions = regions.filter(|(_, region)| region.level as usize == level);
    regions
        .map(|(number, region)| PlainRegion {
            latent: region.latent.into(),
            down: region.down.into(),
            right: region.right.into(),
            bits: of(number),
            units: (region.information.in_bits() * 1_048_576.0) as u64,
        })
        .collect()
}

/// P6, from the latents alone.
fn assert_copies(all: &Pyramids, sample: &Latent, trace: &Trace) {
    for level in 0..all.sides.len() {
        let (grid, start) = (grid(all, level), all.start(level));
        for region in regions_of(trace, all, level) {
            let mut sites = BTreeSet::new();
            for own in &region.bits {
                let (row, col, channel) = place(grid, *own);
                sites.insert((row, col));
                let (r, c) = (row + region.down, col + region.right);
                let source = &all.latents[region.latent as usize];
                let there = all.bit(source, level, r, c, channel);
                assert_eq!(there, Some(sample[start + own]), "{region:?}");
            }
            assert_eq!(pieces(sites).len(), 1, "{region:?}");
        }
    }
    let bits = trace.quilt.region_of.iter().zip(&trace.support.at);
    assert!(
        bits.clone()
            .all(|(region, at)| region.is_some() || at.is_none())
    );
}

fn hamming(a: &[bool], b: &[bool]) -> u32 {
    a.iter().zip(b).filter(|(a, b)| a != b).count() as u32
}

/// What is said of a level beside its quilt: distances, and whether what covers a site comes from where its parent's does.
fn assert_level(
    all: &Pyramids,
    sample: &Latent,
    trace: &Trace,
    summary: &SampleSummary,
    level: usize,
) {
    let (grid, start) = (grid(all, level), all.start(level));
    let own = start..start + grid.bits();
    let told = &summary.levels[level];
    let near = trace.near_levels[level].nearest[0].distance;
    let distances = all
        .latents
        .iter()
        .map(|latent| hamming(&sample[own.clone()], &latent[own.clone()]));
    assert_eq!(near, distances.min().unwrap());
    assert_eq!(told.nearness.as_ref().unwrap().nearest[0].distance, near);
    assert_eq!(
        told.supported,
        trace.support.at[own.clone()].iter().flatten().count() as u64
    );
    let regions = regions_of(trace, all, level);
    assert_eq!(told.regions, regions.len() as u64);
    let largest = regions
        .iter()
        .map(|region| region.bits.len())
        .max()
        .unwrap_or(0);
    assert_eq!(told.largest, largest as f64 / grid.bits() as f64);
    if level == 0 {
        assert_eq!(told.same_source, None);
        return;
    }
    let region_of = |level: usize, row: i64, col: i64| {
        let (_, width, channels) = all.sides[level];
        let first = all.start(level) + (row as usize * width + col as usize) * channels;
        let mut regions = trace.quilt.region_of[first..first + channels]
            .iter()
            .flatten();
        regions
            .next()
            .map(|number| &trace.quilt.regions[*number as usize])
    };
    let ((height, width, _), (above, beside, _)) = (all.sides[level], all.sides[level - 1]);
    let (mut covered, mut same) = (0, 0);
    for row in 0..height as i64 {
        for col in 0..width as i64 {
            let Some(own) = region_of(level, row, col) else {
                continue;
            };
            covered += 1;
            let parent = |at: i64, size: usize, coarse: usize| at * coarse as i64 / size as i64;
            let coarse = region_of(
                level - 1,
                parent(row, height, above),
                parent(col, width, beside),
            );
            same += u32::from(coarse.is_some_and(|coarse| {
                let steps = |fine: i32, coarse: i32, size: usize, coarse_size: usize| {
                    i64::from(fine) * coarse_size as i64 == i64::from(coarse) * size as i64
                };
                coarse.latent == own.latent
                    && steps(own.down, coarse.down, height, above)
                    && steps(own.right, coarse.right, width, beside)
            }));
        }
    }
    let share = (covered > 0).then(|| f64::from(same) / f64::from(covered));
    assert_eq!(told.same_source, share);
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn p5_p6_a_trace_of_a_pyramid_is_what_exhaustive_search_finds_level_by_level(
        case in cases_of_pyramids(),
    ) {
        let all = &case.all;
        let (_folder, index) = all.built();
        let held: Vec<Held> = index.windows().map(|held| {
            let window = held.geometry().window();
            Held { window, occurrences: all.occurrences(window) }
        }).collect();
        with_tracer(&case, &index, |tracer, training, traces| {
            let background = Background::of(training, 100, &Unobserved);
            let mut summaries = SetSummaries::default();
            for (number, (sample, trace)) in case.samples.iter().zip(&traces).enumerate() {
                let label = all.labels.as_ref().map(|_| case.sample_labels[number]);
                let plain = Plain { all, sample, label };
                let mut quilt_windows = Vec::new();
                for level in 0..all.sides.len() {
                    let mut own: Vec<&Held> =
                        held.iter().filter(|held| held.window.level() == level).collect();
                    own.sort_by_key(|held| size(all, held.window));
                    let yardstick = own[0];
                    let mut quilt = own[usize::from(own.len() > 1)..].to_vec();
                    quilt.reverse();
                    quilt_windows.extend(quilt.iter().map(|held| held.window));
                    assert_eq!(regions_of(trace, all, level), plain.quilt(level, &quilt, yardstick));
                }
                assert_eq!(tracer.quilt_windows(), quilt_windows);
                for (held, counts) in held.iter().zip(&trace.support.counts) {
                    let start = all.start(held.window.level());
                    for (own, count) in counts.iter().enumerate() {
                        let expected = plain.occurrences(held, start + own).len();
                        assert_eq!(*count, expected as u64);
                    }
                }
                assert_copies(all, sample, trace);
                let summary = summarize(trace, tracer, &background);
                for level in 0..all.sides.len() {
                    assert_level(all, sample, trace, &summary, level);
                }
                let whole = all.latents.iter().map(|latent| hamming(sample, latent)).min();
                assert_eq!(trace.near.as_ref().map(|near| near.nearest[0].distance), whole);
                summaries.add(trace, summary);
            }
            let set = summaries.finish(tracer, &background, 3);
            assert_eq!(set.levels.len(), all.sides.len());
            for (number, level) in set.levels.iter().enumerate() {
                let start = all.start(number);
                let own = start..start + grid(all, number).bits();
                let part = |latent: &Latent| latent[own.clone()].to_vec();
                let held: BTreeSet<_> = all.latents.iter().map(part).collect();
                let equal = case.samples.iter().filter(|sample| held.contains(&part(sample)));
                assert_eq!(level.exact_copies, Some(equal.count() as u64));
            }
        });
    }
}
