//! P1 to P5 over pyramids: counts and postings at windows that see the coarser level, searches that return to a coarser
//! level, samples that are proved. Against contexts spelt out from the definitions, and every latent tried.

use std::collections::{BTreeMap, BTreeSet};

use bitquilt::engine::{GenerateRequest, Network, Session, SessionOptions};
use bitquilt::latent::LevelValue;
use bitquilt::samples::{ANSWERED_INTERPOLATED, INTERPOLATED};
use bitquilt::search::{Fallback, Policy};
use bitquilt::{
    Anchor, Backoff, Budget, BuildOptions, Constraint, FixedBits, Geometry, Index, LatentSet,
    Method, Novel, PerLevel, Rung, SampleSet, Search, SearchOptions, Status, Taken, Task,
    Unobserved, Window, WindowIndex, build, count, generate, verify_from_index,
    verify_from_latents,
};
use proptest::prelude::*;

use crate::fallback::Fake;
use crate::levels::{Context, Latent, Pyramids, pyramids};
use crate::support::*;

/// The index says of every context of every window that it answers what the definitions say, and of no other.
fn check_answers(all: &Pyramids, index: &Index) -> Result<(), TestCaseError> {
    for held in index.all_windows() {
        let window = held.geometry().window();
        let expected = all.occurrences(window);
        let mut seen = BTreeMap::new();
        for (id, latent) in all.latents.iter().enumerate() {
            for position in held.geometry().positions() {
                let label = all.labels.as_ref().map(|labels| labels[id]);
                let context = all.context(window, latent, label, position);
                let laid = laid_out_with_label(&held, label, latent, position);
                let same = seen.entry(laid.clone()).or_insert_with(|| context.clone());
                prop_assert_eq!(
                    &*same,
                    &context,
                    "two contexts of {} laid out alike",
                    window
                );
                let histogram = held.lookup(&laid).unwrap().unwrap_or_default();
                let lists = &expected[&context];
                let counts = (lists[0].len() as u64, lists[1].len() as u64);
                prop_assert_eq!(
                    (histogram.n0, histogram.n1),
                    counts,
                    "{} {:?}",
                    window,
                    context
                );
                for bit in [false, true] {
                    let postings = held.postings(&laid, bit).unwrap();
                    let mut found: Vec<_> = postings
                        .map(|posting| posting.map(|p| (p.latent, p.position)).unwrap())
                        .collect();
                    found.sort_unstable();
                    prop_assert_eq!(&found, &lists[usize::from(bit)]);
                }
            }
        }
        prop_assert_eq!(seen.len(), expected.len());
        let entry = held.entry().unwrap();
        let ambiguous = expected
            .values()
            .filter(|lists| lists.iter().all(|list| !list.is_empty()));
        prop_assert_eq!(entry.distinct, expected.len() as u64);
        prop_assert_eq!(entry.ambiguous, ambiguous.count() as u64);
        let own = held.geometry().positions().len();
        prop_assert_eq!(entry.contexts, (all.latents.len() * own) as u64);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn p1_and_p5_counts_and_postings_of_every_window_of_every_level_are_exact(
        all in pyramids(40, 3),
    ) {
        let (_folder, index) = all.built();
        let named: BTreeSet<_> = index.manifest().windows.iter().copied().collect();
        prop_assert_eq!(named, all.windows.iter().copied().collect());
        check_answers(&all, &index)?;
        index.verify(Budget::of_machine(), &Unobserved).unwrap();
        index.verify_by_recount(Budget::of_machine(), &Unobserved).unwrap();
    }

    #[test]
    fn an_index_without_some_pyramids_says_what_one_built_without_them_says(
        all in pyramids(30, 2), left_out in any::<prop::sample::Index>(),
    ) {
        prop_assume!(all.latents.len() > 1);
        // Where a label is gone, the others have other numbers.
        let all = Pyramids { labels: None, ..all };
        let id = left_out.index(all.latents.len());
        let (_folder, index) = all.built();
        let ids: bitquilt::Ids = id.to_string().parse().unwrap();
        let index = index.without(&ids, Budget::of_machine()).unwrap();
        let options = BuildOptions { excluded: ids, ..all.options() };
        let (_other, built) = built_with(&all.set(), &options);
        for (held, other) in index.all_windows().zip(built.all_windows()) {
            prop_assert_eq!(held.geometry().window(), other.geometry().window());
            prop_assert_eq!(held.entry(), other.entry());
            prop_assert_eq!(answers(&held).unwrap(), answers(&other).unwrap());
        }
    }
}

/// A search of a small pyramid, and what it must satisfy.
#[derive(Clone, Debug)]
struct Puzzle {
    all: Pyramids,
    fixed: BTreeMap<usize, bool>,
    /// By level.
    min_count: [u64; 3],
    novel: Option<Novel>,
    label: Option<i64>,
}

/// Who answered a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    User,
    Window(Window),
    Network,
}

/// Networks of the largest windows of some levels.
fn fallbacks<'a>(
    held: &'a [WindowIndex<'a>],
    networks: &'a BTreeMap<usize, Fake>,
    policy: Policy,
) -> Vec<Fallback<'a>> {
    let of = |(level, network): (&usize, &'a Fake)| {
        let own = held
            .iter()
            .find(|held| held.geometry().window().level() == *level);
        Fallback {
            geometry: own.unwrap().geometry(),
            network,
            policy,
            max_interpolated: None,
        }
    };
    networks.iter().map(of).collect()
}

fn networks(puzzle: &Puzzle, levels: &BTreeSet<usize>) -> BTreeMap<usize, Fake> {
    let windows = puzzle.all.windows.iter().rev();
    let windows = windows.filter(|window| levels.contains(&window.level()));
    let fake = |window: &Window| Fake {
        window: *window,
        always: None,
    };
    windows
        .map(|window| (window.level(), fake(window)))
        .collect()
}

fn puzzles() -> impl Strategy<Value = Puzzle> {
    let novel = (0..5usize).prop_map(|pick| match pick {
        0 => Some(Novel::Finest),
        1 => Some(Novel::Every),
        2 => Some(Novel::Level(0)),
        _ => None,
    });
    (
        pyramids(12, 2),
        0..4usize,
        any::<u64>(),
        [1..=2u64, 1..=2, 1..=2],
        novel,
    )
        .prop_map(|(mut all, fix, seed, min_count, novel)| {
            let mut random = Random(seed);
            // Windows of a level are asked largest first; those of one list must not hold an earlier one.
            all.windows.sort_by_key(|window| {
                let size = match *window {
                    Window::Global => (usize::MAX, None),
                    Window::Square { radius } => (radius, None),
                    Window::Level { radius, parent, .. } => (radius, parent),
                    _ => unreachable!(),
                };
                (window.level(), std::cmp::Reverse(size))
            });
            let donor = all.latents[0].clone();
            let fixed = (0..all.bits()).filter(|_| random.below(4) < fix as u64);
            let fixed: Vec<usize> = fixed.collect();
            let fixed = fixed.into_iter().map(|at| {
                let value = if random.below(4) == 0 {
                    random.bit()
                } else {
                    donor[at]
                };
                (at, value)
            });
            Puzzle {
                fixed: fixed.collect(),
                min_count,
                novel,
                label: all.labels.as_ref().map(|labels| labels[0]),
                all,
            }
        })
}

impl Puzzle {
    /// The bits of some latents that were not seen often enough at the window of their level.
    fn unsupported(&self, latents: &LatentSet, windows: &[Window]) -> Vec<(usize, usize)> {
        let seen: Vec<_> = windows
            .iter()
            .map(|window| self.all.occurrences(*window))
            .collect();
        let mut found = Vec::new();
        for sample in 0..latents.len() {
            let latent: Latent = latents.latent(sample).iter().by_vals().collect();
            for position in 0..self.all.bits() {
                let level = self.all.place(position).0;
                let number = windows
                    .iter()
                    .position(|window| window.level() == level)
                    .unwrap();
                let context = self
                    .all
                    .context(windows[number], &latent, self.label, position);
                let lists = seen[number].get(&context);
                let count = lists.map_or(0, |lists| lists[usize::from(latent[position])].len());
                if (count as u64) < self.min_count[level] {
                    found.push((sample, position));
                }
            }
        }
        found
    }

    fn min_count(&self) -> PerLevel<u64> {
        let mut counts = PerLevel::from(7);
        for (level, value) in self.min_count.into_iter().enumerate() {
            if level < self.all.sides.len() {
                let level = Some(level);
                counts.set(LevelValue { level, value }).unwrap();
            }
        }
        counts
    }

    /// Whether the levels that are to be new equal those of no training latent.
    fn is_novel(&self, latent: &[bool]) -> bool {
        let last = self.all.sides.len() - 1;
        let levels = match self.novel {
            None => 0..0,
            Some(Novel::Every) => 0..last + 1,
            Some(Novel::Finest) => last..last + 1,
            Some(Novel::Level(level)) => level..level + 1,
        };
        levels.into_iter().all(|level| {
            let (height, width, channels) = self.all.sides[level];
            let own = self.all.start(level)..self.all.start(level) + height * width * channels;
            let mut training = self.all.latents.iter();
            training.all(|other| other[own.clone()] != latent[own.clone()])
        })
    }

    /// Which window answers for a bit of a latent and how often it was seen there: the first one that has a match.
    fn answer(
        &self,
        counts: &BTreeMap<Window, BTreeMap<Context, [u64; 2]>>,
        latent: &[bool],
        position: usize,
    ) -> Option<(Window, u64)> {
        let (level, ..) = self.all.place(position);
        let own = self
            .all
            .windows
            .iter()
            .filter(|window| window.level() == level);
        for window in own {
            let context = self.all.context(*window, latent, self.label, position);
            let found = counts[window].get(&context).copied().unwrap_or_default();
            let least = self.min_count[level];
            if found.iter().any(|count| *count >= least) {
                let count = found[usize::from(latent[position])];
                return Some((*window, if count >= least { count } else { 0 }));
            }
        }
        None
    }

    /// Every latent whose free bits are supported or, in levels that have a network, answered by it; each with who answered them.
    fn solutions(&self, levels: &BTreeSet<usize>, policy: Policy) -> BTreeMap<Latent, Vec<By>> {
        let windows = self.all.windows.iter();
        let counts: BTreeMap<Window, BTreeMap<Context, [u64; 2]>> = windows
            .map(|window| {
                let counts = self.all.occurrences(*window).into_iter();
                let counts =
                    counts.map(|(context, lists)| (context, lists.map(|list| list.len() as u64)));
                (*window, counts.collect())
            })
            .collect();
        let bits = self.all.bits();
        let mut found = BTreeMap::new();
        for number in 0..1u32 << bits {
            let latent: Latent = (0..bits).map(|bit| number >> bit & 1 == 1).collect();
            if self.fixed.iter().any(|(at, bit)| latent[*at] != *bit) || !self.is_novel(&latent) {
                continue;
            }
            let answers: Option<Vec<_>> = (0..bits)
                .map(|position| {
                    let has_network = levels.contains(&self.all.place(position).0);
                    if self.fixed.contains_key(&position) {
                        return Some(By::User);
                    }
                    if has_network && policy == Policy::Always {
                        return Some(By::Network);
                    }
                    match self.answer(&counts, &latent, position) {
                        Some((_, 0)) => None,
                        Some((window, _)) => Some(By::Window(window)),
                        None => has_network.then_some(By::Network),
                    }
                })
                .collect();
            if let Some(answers) = answers {
                found.insert(latent, answers);
            }
        }
        found
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn p3_every_search_finds_exactly_the_pyramids_that_there_are(
        puzzle in puzzles(),
        levels in prop_oneof![Just(BTreeSet::new()), prop::collection::btree_set(0..2usize, 0..=2)],
        policy in prop_oneof![Just(Policy::OnNoMatch), Just(Policy::Always)],
    ) {
        let (_folder, index) = puzzle.all.built();
        let bits = puzzle.all.bits();
        let expected = puzzle.solutions(&levels, policy);
        let networks = networks(&puzzle, &levels);
        let held: Vec<_> = puzzle.all.windows.iter().map(|window| index.window(*window).unwrap()).collect();
        let mut fixed = FixedBits::none();
        for (at, bit) in &puzzle.fixed {
            fixed.fix(*at, *bit).unwrap();
        }
        let taken = puzzle.novel.map(|novel| {
            let levels = novel.levels(&puzzle.all.shape()).unwrap();
            Taken::training(&index, &levels, Budget::of_machine(), &Unobserved).unwrap()
        });
        for method in [Method::Row, Method::Backjump, Method::Chronological] {
            let options = SearchOptions {
                method,
                max_backtracks: None,
                min_count: puzzle.min_count(),
                restart: Some(2),
                max_states: 3,
                ..SearchOptions::default()
            };
            let task = Task {
                rungs: held.iter().map(|held| Rung { geometry: held.geometry(), counts: held }).collect(),
                constraints: taken.iter().map(|taken| taken as &dyn Constraint).chain([&fixed as _]).collect(),
                given: index.given(puzzle.label).unwrap(),
                options,
                fallbacks: fallbacks(&held, &networks, policy),
            };
            let mut search = Search::new(&task, 0).unwrap();
            let mut found = BTreeMap::new();
            while search.advance(&|| false).unwrap() == Status::Sample {
                let answered = search.answered().into_iter().map(|rung| match rung {
                    None => By::User,
                    Some(INTERPOLATED) => By::Network,
                    Some(rung) => By::Window(puzzle.all.windows[usize::from(rung)]),
                });
                let latent = unpacked(&search.to_packed(), bits);
                let before = found.insert(latent, answered.collect::<Vec<_>>());
                prop_assert!(before.is_none(), "found twice");
            }
            prop_assert_eq!(&found, &expected, "{}", method);
            if levels.is_empty() && puzzle.novel.is_none() {
                let counted = count(&task, None, &Unobserved).unwrap();
                prop_assert_eq!(counted.samples, expected.len().into());
            }
            // Many in step ask as each alone does.
            let together = generate(&task, 5, false, &Unobserved).unwrap();
            for attempt in together {
                let mut search = Search::new(&task, attempt.index).unwrap();
                let status = search.advance(&|| false).unwrap();
                prop_assert_eq!(attempt.status, status);
                if status == Status::Sample {
                    prop_assert_eq!(attempt.packed.unwrap(), search.to_packed());
                    prop_assert_eq!(attempt.answered, search.answered());
                }
            }
        }
    }

    /// By the index and by the training latents alone.
    #[test]
    fn p2_and_p4_samples_are_proved_and_the_same_whatever_the_threads(puzzle in puzzles()) {
        let folder = small_folder();
        let path = folder.path().join("index");
        let set = puzzle.all.set();
        build(&set, &path, &puzzle.all.options(), &Unobserved).unwrap();
        let session = Session::open(&path, &SessionOptions::default()).unwrap();
        let request = GenerateRequest {
            windows: puzzle.all.windows.iter().map(|window| (*window).into()).collect(),
            samples: 0..6,
            min_count: puzzle.min_count(),
            novel: puzzle.novel,
            label: puzzle.label,
            ..GenerateRequest::default()
        };
        let generated = session.generate(&request, &[], &Unobserved);
        // A list that holds one window in an earlier one is refused.
        let Ok(generated) = generated else {
            let nested = puzzle.all.windows.windows(2).any(|pair| pair[0].nests_in(pair[1]));
            prop_assert!(nested, "{:?}", generated.err());
            return Ok(());
        };
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let alone = one.install(|| session.generate(&request, &[], &Unobserved)).unwrap();
        prop_assert_eq!(alone.latents().unwrap(), generated.latents().unwrap());
        let file = folder.path().join("samples.safetensors");
        generated.write(&file).unwrap();
        let samples = SampleSet::read(&file).unwrap();
        prop_assert_eq!(&samples.latents, &generated.latents().unwrap());
        prop_assert_eq!(samples.min_count, puzzle.min_count());
        for number in 0..samples.latents.len() {
            let latent: Vec<bool> = samples.latents.latent(number).iter().by_vals().collect();
            prop_assert!(puzzle.is_novel(&latent));
        }
        if samples.latents.is_empty() {
            return Ok(());
        }
        let otherwise = puzzle.all.windows[0];
        let condition = puzzle.all.options().condition;
        let (index, anchor) = (session.index(), puzzle.all.anchor);
        let by_index = verify_from_index(index, &samples, otherwise, &Unobserved).unwrap();
        let alone = verify_from_latents(&set, anchor, condition, &samples, otherwise, &Unobserved).unwrap();
        prop_assert_eq!(&by_index, &alone);
        prop_assert!(by_index.unsupported.is_empty());
        prop_assert_eq!(by_index.checked, (samples.latents.len() * puzzle.all.bits()) as u64);
        // One bit of a sample turned over is proved or not by both alike.
        let mut packed = samples.latents.packed().to_vec();
        packed[0] ^= 1;
        let mut wrong = samples.clone();
        wrong.latents = LatentSet::from_packed(set.shape(), packed).unwrap();
        if let Some(labels) = samples.latents.labels() {
            wrong.latents = wrong.latents.with_labels(labels.to_vec()).unwrap();
        }
        let by_index = verify_from_index(index, &wrong, otherwise, &Unobserved).unwrap();
        let alone = verify_from_latents(&set, anchor, condition, &wrong, otherwise, &Unobserved).unwrap();
        prop_assert_eq!(by_index, alone);
        // The same as latents that say nothing: each bit at the window of its level that is named, in any order.
        wrong.answered_by = None;
        let mut windows = puzzle.all.windows.clone();
        windows.dedup_by_key(|window| window.level());
        windows.reverse();
        let by_index = verify_from_index(index, &wrong, &windows, &Unobserved).unwrap();
        let alone = verify_from_latents(&set, anchor, condition, &wrong, &windows, &Unobserved).unwrap();
        prop_assert_eq!(&by_index, &alone);
        let found: Vec<_> = by_index.unsupported.iter().map(|bit| (bit.sample, bit.position)).collect();
        prop_assert_eq!(found, puzzle.unsupported(&wrong.latents, &windows));
    }
}

proptest! {
    #![proptest_config(cases(48))]

    /// P8 and P2, by the index and by the training latents alone.
    #[test]
    fn p8_networks_at_dead_ends_answer_in_their_levels_only_and_every_other_bit_is_proved(
        puzzle in puzzles(),
        levels in prop::collection::btree_set(0..2usize, 0..=2),
    ) {
        let folder = small_folder();
        let path = folder.path().join("index");
        build(&puzzle.all.set(), &path, &puzzle.all.options(), &Unobserved).unwrap();
        let session = Session::open(&path, &SessionOptions::default()).unwrap();
        // The largest window of each level, so that one does not hold another.
        let mut windows = puzzle.all.windows.clone();
        windows.dedup_by_key(|window| window.level());
        let request = GenerateRequest {
            windows: windows.iter().map(|window| (*window).into()).collect(),
            samples: 0..6,
            min_count: puzzle.min_count(),
            novel: puzzle.novel,
            label: puzzle.label,
            policy: Policy::OnDeadEnd,
            ..GenerateRequest::default()
        };
        let networks = networks(&puzzle, &levels);
        let networks: Vec<_> =
            networks.values().map(|network| Network { name: "fake", network }).collect();
        let generated = session.generate(&request, &networks, &Unobserved).unwrap();
        let file = folder.path().join("samples.safetensors");
        generated.write(&file).unwrap();
        let samples = SampleSet::read(&file).unwrap();
        let marks = samples.answered_by.as_ref().unwrap();
        for (at, by) in marks.iter().enumerate() {
            let level = puzzle.all.place(at % puzzle.all.bits()).0;
            prop_assert!(*by != ANSWERED_INTERPOLATED || levels.contains(&level));
        }
        if samples.latents.is_empty() {
            return Ok(());
        }
        let report = verify_from_index(session.index(), &samples, windows[0], &Unobserved).unwrap();
        prop_assert!(report.unsupported.is_empty());
    }
}

/// Twelve pyramids of strokes: 2x2 means above 4x4 pixels.
fn strokes() -> Pyramids {
    let fine = (0..12u32).map(|number| -> Vec<bool> {
        let (row, col) = (number as usize % 4, number as usize / 3 % 4);
        (0..16).map(|at| at / 4 == row || at % 4 == col).collect()
    });
    let latents = fine.map(|fine| {
        let coarse = (0..4).map(|at| {
            let (row, col) = (at / 2 * 2, at % 2 * 2);
            let block = [(0, 0), (0, 1), (1, 0), (1, 1)];
            let ones = block.iter().filter(|(r, c)| fine[(row + r) * 4 + col + c]);
            ones.count() >= 2
        });
        coarse.chain(fine.iter().copied()).collect()
    });
    Pyramids {
        sides: vec![(2, 2, 1), (4, 4, 1)],
        latents: latents.collect(),
        windows: ["global", "1:3x3^1x1"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
        anchor: Anchor::None,
        labels: None,
    }
}

#[test]
fn a_coarse_layout_that_is_given_gets_detail_and_the_search_returns_to_coarse_rows() {
    let all = strokes();
    let (_folder, index) = all.built();
    let held: Vec<_> = index.windows().collect();
    let rungs = || {
        held.iter()
            .map(|held| Rung {
                geometry: held.geometry(),
                counts: held,
            })
            .collect()
    };
    let layout = FixedBits::prefix(all.latents[5][..4].iter().copied());
    let task = Task {
        rungs: rungs(),
        ..Task::new(
            Rung {
                geometry: held[0].geometry(),
                counts: &held[0],
            },
            SearchOptions::default(),
        )
    };
    let given = task.clone().with(&layout);
    let mut search = Search::new(&given, 0).unwrap();
    assert_eq!(search.advance(&|| false).unwrap(), Status::Sample);
    assert_eq!(unpacked(&search.to_packed(), 20)[..4], all.latents[5][..4]);
    assert!(search.answered()[..4].iter().all(Option::is_none));
    assert!(search.answered()[4..].iter().all(|rung| *rung == Some(1)));
}

#[test]
fn a_fine_row_that_no_detail_completes_sends_the_search_back_to_the_coarse_row_to_blame() {
    // Coarse rows 001 and 100 are seen, 000 and 101 are not, though each of their windows is. The second fine row sees all
    // three, so it is dead under those, whatever the first one is.
    let all = Pyramids {
        sides: vec![(3, 1, 1), (3, 1, 1)],
        latents: ["001110", "100011"].map(bits).to_vec(),
        windows: ["3x3", "1:1x1^3x3"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
        anchor: Anchor::None,
        labels: None,
    };
    let (_folder, index) = all.built();
    let held: Vec<_> = index.windows().collect();
    let rung = |held| Rung {
        geometry: bitquilt::WindowIndex::geometry(held),
        counts: held,
    };
    let mut task = Task::new(rung(&held[0]), SearchOptions::default());
    task.rungs.push(rung(&held[1]));
    let mut longest = 0;
    for sample in 0..40 {
        let mut search = Search::new(&task, sample).unwrap();
        assert_eq!(search.advance(&|| false).unwrap(), Status::Sample);
        let found = unpacked(&search.to_packed(), 6);
        assert!(
            [bits("001"), bits("100")].contains(&found[..3].to_vec()),
            "{found:?}"
        );
        longest = longest.max(search.counters().longest_jump);
    }
    // From position 4 over the first fine row, which is not to blame.
    assert!(
        longest >= 2,
        "no search returned to a coarse row: {longest}"
    );
}

#[test]
fn windows_that_are_no_prefix_of_one_order_get_arrays_of_their_own() {
    let mut all = strokes();
    all.windows = ["global", "1:3x3^1x1", "1:7x7^1x1", "1:3x3^3x3", "1:5x5"]
        .map(|text| text.parse().unwrap())
        .to_vec();
    let (_folder, index) = all.built();
    let depths: Vec<_> = index
        .manifest()
        .arrays
        .iter()
        .map(|array| array.depth.to_string())
        .collect();
    // 3x3^1x1 is within 3x3^3x3, and 5x5 within 7x7^1x1.
    assert_eq!(depths, ["global", "1:3x3^3x3", "1:7x7^1x1"]);
    check_answers(&all, &index).unwrap();
    let reopened = Index::open(index.path()).unwrap();
    check_answers(&all, &reopened).unwrap();
}

/// So that a search always has a window of each level.
#[test]
fn every_level_has_a_window_that_is_meant_whatever_is_said_of_some() {
    let all = strokes();
    let windows = |named: &[&str], depth: Option<&str>| {
        let options = BuildOptions {
            windows: named.iter().map(|text| text.parse().unwrap()).collect(),
            depth: depth.map(|text| text.parse().unwrap()),
            ..all.options()
        };
        let (_folder, index) = built_with(&all.set(), &options);
        let meant = index
            .windows()
            .map(|held| held.geometry().window().to_string());
        meant.collect::<Vec<_>>()
    };
    assert_eq!(windows(&[], None), ["global", "1:5x5^3x3"]);
    assert_eq!(windows(&[], Some("1:3x3^1x1")), ["global", "1:3x3^1x1"]);
    assert_eq!(windows(&[], Some("3x3")), ["3x3", "1:5x5^3x3"]);
    assert_eq!(windows(&["1:3x3"], None), ["global", "1:3x3"]);
    assert_eq!(windows(&["1:3x3"], Some("3x3")), ["3x3", "1:3x3"]);
    assert_eq!(
        windows(&["1:3x3", "3x3"], Some("1:5x5^3x3")),
        ["1:3x3", "3x3"]
    );
}

#[test]
fn what_is_no_window_of_the_pyramid_is_refused() {
    let all = strokes();
    let shape = all.shape();
    for text in ["2:3x3", "1:9x9", "1:3x3^5x5", "1:1x1^7x7"] {
        let error = Geometry::new(text.parse().unwrap(), Anchor::None, shape).unwrap_err();
        assert!(!error.to_string().is_empty(), "{text}");
        let options = BuildOptions {
            windows: vec![text.parse().unwrap()],
            ..all.options()
        };
        let folder = small_folder();
        assert!(
            build(
                &all.set(),
                &folder.path().join("index"),
                &options,
                &Unobserved
            )
            .is_err(),
            "{text}"
        );
    }
    let (_folder, index) = all.built();
    let held: Vec<_> = index.windows().collect();
    let rung = |at: usize| Rung {
        geometry: held[at].geometry(),
        counts: &held[at],
    };
    for rungs in [vec![rung(0)], vec![rung(1)], vec![rung(1), rung(0)], vec![]] {
        let task = Task {
            rungs,
            ..Task::new(rung(0), SearchOptions::default())
        };
        assert!(Search::new(&task, 0).is_err());
        assert!(count(&task, None, &Unobserved).is_err());
    }
}

#[test]
fn the_backed_off_window_of_a_level_answers_where_the_larger_one_has_no_match() {
    let mut all = strokes();
    all.windows = ["global", "1:5x5^3x3", "1:3x3^1x1"]
        .map(|text| text.parse().unwrap())
        .to_vec();
    let (_folder, index) = all.built();
    let held: Vec<_> = all
        .windows
        .iter()
        .map(|window| index.window(*window).unwrap())
        .collect();
    let mut fixed = FixedBits::none();
    // A first fine row that no latent has.
    for (at, bit) in (4..8).zip([true, false, true, true]) {
        fixed.fix(at, bit).unwrap();
    }
    for backoff in [Backoff::OnNoMatch, Backoff::OnDeadEnd] {
        let options = SearchOptions {
            backoff,
            max_backtracks: None,
            ..SearchOptions::default()
        };
        let task = Task {
            rungs: held
                .iter()
                .map(|held| Rung {
                    geometry: held.geometry(),
                    counts: held,
                })
                .collect(),
            ..Task::new(
                Rung {
                    geometry: held[0].geometry(),
                    counts: &held[0],
                },
                options,
            )
        }
        .with(&fixed);
        let mut search = Search::new(&task, 0).unwrap();
        if search.advance(&|| false).unwrap() == Status::Sample {
            let answered = search.answered();
            assert!(answered[..4].iter().all(|rung| *rung == Some(0)));
            assert!(answered[8..].contains(&Some(2)), "{answered:?}");
        }
    }
}
