//! P10 and P3: under a limit on copying a search finds exactly the latents that carry no more of any one training latent.
//! Against every rectangle over every training latent at every displacement, told plainly.

use std::collections::{BTreeMap, BTreeSet};

use bitquilt::engine::{Copying, GenerateRequest, MaxCopied, Network, Session, SessionOptions};
use bitquilt::search::Policy;
use bitquilt::{FixedBits, LatentSet, Method, Status, Unobserved, Window, build};
use proptest::prelude::*;

use crate::fallback::Fake;
use crate::levels::{Context, Latent, Pyramids, pyramids};
use crate::support::*;

/// Shares of bits in which a copy may err.
const RATES: [f64; 3] = [0.005, 0.03, 0.1];

const METHODS: [Method; 3] = [Method::Row, Method::Backjump, Method::Chronological];

/// How often each bit followed the contexts of a window.
type Counts = BTreeMap<Context, [usize; 2]>;

/// What honest data would make of a latent's bits.
struct Model {
    /// Windows of each level, smallest first.
    windows: Vec<Vec<(Window, Counts)>>,
    /// Whether the deepest window of each level sees everything: then nothing is copied but in place.
    placed: Vec<bool>,
}

impl Model {
    fn new(all: &Pyramids, copying: &Copying) -> Self {
        let measure = copying.measure();
        let windows: Vec<Window> = measure
            .model
            .iter()
            .map(|name| name.parse().unwrap())
            .collect();
        let placed = measure.deepest.iter();
        let placed = placed.map(|name| all.anchor == bitquilt::Anchor::Site || name == "global");
        let counts = |window: &Window| {
            let lists = all.occurrences(*window).into_iter();
            let counts = lists.map(|(context, lists)| (context, lists.map(|list| list.len())));
            (*window, counts.collect())
        };
        let of_level = |level| {
            let own = windows
                .iter()
                .rev()
                .filter(move |window| window.level() == level);
            own.map(counts).collect()
        };
        Self {
            windows: (0..all.sides.len()).map(of_level).collect(),
            placed: placed.collect(),
        }
    }

    /// The information of a bit, one occurrence of it at each window taken for the source's.
    fn information(&self, all: &Pyramids, latent: &[bool], label: Option<i64>, at: usize) -> f64 {
        let level = all.place(at).0;
        let bit = usize::from(latent[at]);
        let mut share = 0.5;
        for (window, counts) in &self.windows[level] {
            let context = all.context(*window, latent, label, at);
            let mut counts = counts.get(&context).copied().unwrap_or_default();
            counts[bit] = counts[bit].saturating_sub(1);
            share = (counts[bit] as f64 + share) / ((counts[0] + counts[1]) as f64 + 1.0);
        }
        -f64::log2(share)
    }
}

/// The most that a level of a latent carries of any training latent, but for bits that were given.
fn carried(
    all: &Pyramids,
    model: &Model,
    latent: &[bool],
    label: Option<i64>,
    given: &BTreeMap<usize, bool>,
    level: usize,
) -> f64 {
    let (height, width, channels) = all.sides[level];
    let (down, right) = if model.placed[level] {
        (0, 0)
    } else {
        (height as i64 - 1, width as i64 - 1)
    };
    let told: BTreeMap<usize, f64> = (all.start(level)
        ..all.start(level) + height * width * channels)
        .filter(|at| !given.contains_key(at))
        .map(|at| (at, model.information(all, latent, label, at)))
        .collect();
    let mut most = 0.0;
    for training in &all.latents {
        for (down, right) in
            (-down..=down).flat_map(|down| (-right..=right).map(move |right| (down, right)))
        {
            for rate in RATES {
                // What each site gains; nothing lies under some.
                let gain = |row: usize, col: usize| -> Option<f64> {
                    let mut sum = 0.0;
                    for channel in 0..channels {
                        let (r, c) = (row as i64 + down, col as i64 + right);
                        let under = all.bit(training, level, r, c, channel)?;
                        let at = all.start(level) + (row * width + col) * channels + channel;
                        if let Some(told) = told.get(&at) {
                            let code = if under == latent[at] {
                                1.0 - rate
                            } else {
                                rate
                            };
                            sum += told + f64::log2(code);
                        }
                    }
                    Some(sum)
                };
                for (top, left) in
                    (0..height).flat_map(|top| (0..width).map(move |left| (top, left)))
                {
                    for (bottom, end) in
                        (top..height).flat_map(|bottom| (left..width).map(move |end| (bottom, end)))
                    {
                        let sites =
                            (top..=bottom).flat_map(|row| (left..=end).map(move |col| (row, col)));
                        let gains: Option<Vec<f64>> =
                            sites.map(|(row, col)| gain(row, col)).collect();
                        if let Some(gains) = gains {
                            most = f64::max(most, gains.iter().sum());
                        }
                    }
                }
            }
        }
    }
    most
}

/// A limit that no latent is too near to for the last digits to decide: between two of what they carry.
fn between(carried: impl Iterator<Item = f64>, pick: prop::sample::Index) -> f64 {
    let mut all: Vec<f64> = carried.chain([0.0]).collect();
    all.sort_by(f64::total_cmp);
    let gaps: Vec<f64> = all
        .windows(2)
        .filter(|pair| pair[1] - pair[0] > 0.1)
        .map(|pair| (pair[0] + pair[1]) / 2.0)
        .chain([all.last().unwrap() + 1.0])
        .collect();
    gaps[pick.index(gaps.len())]
}

/// The largest window of each level, so that one does not hold another.
fn largest(all: &Pyramids) -> Vec<Window> {
    let mut windows = Vec::new();
    for level in 0..all.sides.len() {
        let own = all.windows.iter().filter(|window| window.level() == level);
        let size = |window: &&Window| match **window {
            Window::Global => (usize::MAX, None),
            Window::Square { radius } => (radius, None),
            Window::Level { radius, parent, .. } => (radius, parent),
            _ => unreachable!(),
        };
        windows.push(*own.max_by_key(size).unwrap());
    }
    windows
}

fn opened(all: &Pyramids) -> (tempfile::TempDir, Session) {
    let folder = small_folder();
    let path = folder.path().join("index");
    build(&all.set(), &path, &all.options(), &Unobserved).unwrap();
    let session = Session::open(&path, &SessionOptions::default()).unwrap();
    (folder, session)
}

fn latents(set: &LatentSet) -> BTreeSet<Latent> {
    let bits = set.shape().bits();
    (0..set.len())
        .map(|id| unpacked(set.packed_latent(id), bits))
        .collect()
}

proptest! {
    #![proptest_config(cases(240))]

    #[test]
    fn p10_and_p3_every_search_finds_exactly_the_latents_that_carry_no_more_than_they_may(
        all in pyramids(11, 2),
        picks in prop::collection::vec(prop_oneof![1 => Just(None), 3 => any::<prop::sample::Index>().prop_map(Some)], 3),
        fixes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..3),
    ) {
        let (_folder, session) = opened(&all);
        let copying = session.copying(1, &Unobserved).unwrap();
        let model = Model::new(&all, &copying);
        let label = all.labels.as_ref().map(|labels| labels[0]);
        let given: BTreeMap<usize, bool> =
            fixes.iter().map(|(at, bit)| (at.index(all.bits()), *bit)).collect();
        let mut fixed = FixedBits::none();
        for (at, bit) in &given {
            fixed.fix(*at, *bit).unwrap();
        }
        let request = GenerateRequest {
            windows: largest(&all).into_iter().map(Into::into).collect(),
            label,
            fixed,
            restart: Some(2),
            max_states: 3,
            max_backtracks: None,
            ..GenerateRequest::default()
        };
        let found = session.enumerate(&request, None, &Unobserved).unwrap().latents().unwrap();
        let carries: BTreeMap<Latent, Vec<f64>> = latents(&found)
            .into_iter()
            .map(|latent| {
                let levels = 0..all.sides.len();
                let levels = levels.map(|level| carried(&all, &model, &latent, label, &given, level));
                let levels = levels.collect();
                (latent, levels)
            })
            .collect();
        // What is told of whole latents is the same, where nothing was given.
        if given.is_empty() && label.is_none() {
            for (told, plain) in copying.carried(&found, &Unobserved).unwrap().iter().zip(
                (0..found.len()).map(|id| &carries[&unpacked(found.packed_latent(id), all.bits())]),
            ) {
                for (told, plain) in told.iter().zip(plain) {
                    prop_assert!((told - plain).abs() < 0.02, "{} {}", told, plain);
                }
            }
        }
        let limits: Vec<MaxCopied> = picks
            .iter()
            .take(all.sides.len())
            .enumerate()
            .filter_map(|(level, pick)| {
                let bits = between(carries.values().map(|levels| levels[level]), (*pick)?);
                Some(MaxCopied { level: Some(level), bits })
            })
            .collect();
        let honest = |levels: &[f64]| {
            limits.iter().all(|limit| levels[limit.level.unwrap()] <= limit.bits)
        };
        let expected: BTreeSet<Latent> = carries
            .iter()
            .filter(|(_, levels)| honest(levels))
            .map(|(latent, _)| latent.clone())
            .collect();
        for method in METHODS {
            let request = GenerateRequest { method, max_copied: limits.clone(), ..request.clone() };
            let all = session.enumerate(&request, None, &Unobserved).unwrap();
            prop_assert_eq!(all.attempts.last().unwrap().status, Status::NoneExists);
            let found = all.latents().unwrap();
            prop_assert_eq!(found.len(), expected.len(), "{}: {:?}", method, limits);
            prop_assert_eq!(&latents(&found), &expected, "{}: {:?}", method, limits);
            // Each of a run by itself: one of them, or a proof that there is none.
            let run = session.generate(&request, &[], &Unobserved).unwrap();
            let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            let alone = one.install(|| session.generate(&request, &[], &Unobserved)).unwrap();
            prop_assert_eq!(run.latents().unwrap(), alone.latents().unwrap());
            for attempt in &run.attempts {
                let status = if expected.is_empty() { Status::NoneExists } else { Status::Sample };
                prop_assert_eq!(attempt.status, status);
            }
            prop_assert!(latents(&run.latents().unwrap()).is_subset(&expected));
        }
    }

    #[test]
    fn p10_what_networks_and_smaller_windows_answer_is_limited_too(
        all in pyramids(11, 2),
        pick in any::<prop::sample::Index>(),
        policy in prop_oneof![Just(Policy::OnNoMatch), Just(Policy::OnDeadEnd), Just(Policy::Always)],
    ) {
        let (_folder, session) = opened(&all);
        let copying = session.copying(1, &Unobserved).unwrap();
        let model = Model::new(&all, &copying);
        let label = all.labels.as_ref().map(|labels| labels[0]);
        let windows = largest(&all);
        let networks: Vec<Fake> = windows.iter().map(|window| Fake { window: *window, always: None }).collect();
        let networks: Vec<Network<'_>> =
            networks.iter().map(|network| Network { name: "fake", network }).collect();
        let request = GenerateRequest {
            windows: windows.into_iter().map(Into::into).collect(),
            samples: 0..12,
            label,
            policy,
            ..GenerateRequest::default()
        };
        let most = |latent: &Latent| {
            let levels = 0..all.sides.len();
            let levels = levels.map(|level| carried(&all, &model, latent, label, &BTreeMap::new(), level));
            levels.fold(0.0, f64::max)
        };
        let free = latents(&session.generate(&request, &networks, &Unobserved).unwrap().latents().unwrap());
        let bits = between(free.iter().map(most), pick);
        let request = GenerateRequest { max_copied: vec![MaxCopied { level: None, bits }], ..request };
        let run = session.generate(&request, &networks, &Unobserved).unwrap();
        for latent in latents(&run.latents().unwrap()) {
            // In units of 2⁻¹² bits.
            prop_assert!(most(&latent) <= bits + 0.01, "{} of {}", most(&latent), bits);
        }
        // A sample that was found without the limit and satisfies it is found with it.
        if policy == Policy::Always && free.iter().any(|latent| most(latent) <= bits) {
            prop_assert!(!run.latents().unwrap().is_empty());
        }
    }
}

/// Among too many training latents to look at all: candidates come from the bits themselves.
#[test]
fn p10_of_many_training_latents_too_no_sample_carries_more_than_it_may() {
    let all = Pyramids {
        sides: vec![(14, 14, 1)],
        latents: spots(14, 300, &mut Random(1)),
        windows: vec!["11x11".parse().unwrap()],
        anchor: bitquilt::Anchor::None,
        labels: None,
    };
    let (_folder, session) = opened(&all);
    let copying = session.copying(1, &Unobserved).unwrap();
    let others = Pyramids {
        latents: spots(14, 100, &mut Random(2)),
        ..all.clone()
    };
    let honest = copying.carried(&others.set(), &Unobserved).unwrap();
    let copies = copying.carried(&all.set(), &Unobserved).unwrap();
    let median = |carried: &[Vec<f64>]| {
        let mut bits: Vec<f64> = carried.iter().map(|levels| levels[0]).collect();
        bits.sort_by(f64::total_cmp);
        bits[bits.len() / 2]
    };
    let (honest, copies) = (median(&honest), median(&copies));
    assert!(copies > 2.0 * honest, "{copies} {honest}");
    let request = |max_copied: Option<f64>| GenerateRequest {
        windows: vec!["7x7".parse().unwrap()],
        samples: 0..40,
        max_copied: max_copied
            .map(|bits| MaxCopied { level: None, bits })
            .into_iter()
            .collect(),
        max_backtracks: Some(2000),
        ..GenerateRequest::default()
    };
    let generated = |request: &GenerateRequest| {
        session
            .generate(request, &[], &Unobserved)
            .unwrap()
            .latents()
            .unwrap()
    };
    let most = |set: &LatentSet| {
        let carried = copying.carried(set, &Unobserved).unwrap();
        carried.iter().map(|levels| levels[0]).fold(0.0, f64::max)
    };
    let limit = 1.3 * honest;
    let free = most(&generated(&request(None)));
    assert!(free > limit, "{free} {limit}");
    let limited = generated(&request(Some(limit)));
    assert!(limited.len() >= 30, "{}", limited.len());
    assert!(most(&limited) <= limit);
    // Any search, the same limit.
    for method in METHODS {
        let request = GenerateRequest {
            method,
            samples: 0..8,
            ..request(Some(limit))
        };
        assert!(most(&generated(&request)) <= limit, "{method}");
    }
}

#[test]
fn the_command_limits_copying_as_asked_and_as_held_out_latents_do() {
    let all = Pyramids {
        sides: vec![(14, 14, 1)],
        latents: spots(14, 150, &mut Random(3)),
        windows: vec!["11x11".parse().unwrap()],
        anchor: bitquilt::Anchor::None,
        labels: None,
    };
    let desk = desk::Desk::new();
    all.set().write(&desk.path("latents")).unwrap();
    let run = |arguments: &str| {
        let outcome = desk.run(arguments);
        assert_eq!(outcome.code, 0, "{arguments}: {outcome:?}");
        outcome
    };
    // The same command goes on with a build that was stopped, and says what it sets aside.
    let build = "build latents -o index --depth 11x11 --hold-out 40";
    assert!(
        run(build)
            .stdout
            .contains("40 latents held out → index.held-out.safetensors")
    );
    run(&format!("{build} --force"));
    let held_out = LatentSet::read(&desk.path("index.held-out.safetensors")).unwrap();
    assert_eq!(held_out.len(), 40);
    run("generate index --window 7x7 -n 20 -o free");
    run("trace index free --against index.held-out.safetensors --save-calibration line --brief");
    let carried = |samples: &str| {
        let session = Session::open(&desk.path("index"), &SessionOptions::default()).unwrap();
        let set = LatentSet::read(&desk.path(samples)).unwrap();
        let carried = session
            .copying(1, &Unobserved)
            .unwrap()
            .carried(&set, &Unobserved)
            .unwrap();
        carried
            .into_iter()
            .map(|levels| levels[0])
            .fold(0.0, f64::max)
    };
    let free = carried("free");
    let half = free / 2.0;
    run(&format!(
        "generate index --window 7x7 -n 20 --max-copied {half} -o limited"
    ));
    assert!(carried("limited") <= half && free > half);
    let samples = bitquilt::SampleSet::read(&desk.path("limited")).unwrap();
    assert!(!samples.latents.is_empty());
    run(
        "generate index --window 7x7 -n 20 --max-copied-like-held-out 0.1 --calibration line -o alike",
    );
    let mut held: Vec<f64> = (0..40)
        .map(|id| {
            let one = held_out.only(&id.to_string().parse().unwrap());
            one.write(&desk.path("one")).unwrap();
            carried("one")
        })
        .collect();
    held.sort_by(f64::total_cmp);
    // Of 41 latents at most 4 carry more: the limit is what the fourth from above of the others does.
    assert!(
        carried("alike") <= held[36],
        "{} {}",
        carried("alike"),
        held[36]
    );
    for (arguments, words) in [
        (
            "generate index --window 7x7 --max-copied -1 -o out",
            &["BITS or LEVEL:BITS"][..],
        ),
        (
            "generate index --window 7x7 --max-copied 1:5 -o out",
            &["1:5", "level"],
        ),
        (
            "generate index --window 7x7 --size 9x9 --max-copied 5 -o out",
            &["14x14x1", "9x9x1"],
        ),
        (
            "generate index --window 7x7 --max-copied-like-held-out 0.1 -o out",
            &["--calibration"],
        ),
        (
            "generate index --window 7x7 --max-copied-like-held-out 0.001 --calibration line -o out",
            &["40 held-out latents", "0.001"],
        ),
        (
            "generate index --window 7x7 --max-copied 5 --count",
            &["--max-copied", "--count"],
        ),
        ("build latents -o other --hold-out 150", &["--hold-out 150"]),
        (
            "build latents -o index --depth 11x11 --hold-out 30",
            &["index.held-out.safetensors", "--hold-out-to"],
        ),
    ] {
        desk.refused(arguments, words);
    }
}
