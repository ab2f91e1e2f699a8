//! P10 and P3: under a limit on copying a search finds exactly the latents that carry no more of any one training latent.
//! Against every rectangle over every training latent at every displacement, told plainly.

use std::collections::{BTreeMap, BTreeSet};

use bitquilt::engine::{GenerateRequest, MaxCopied, Network, Session, SessionOptions};
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
}

impl Model {
    fn new(all: &Pyramids, windows: &[Window]) -> Self {
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
    // Where places are part of contexts, nothing is copied but in place.
    let placed =
        all.anchor == bitquilt::Anchor::Site || level == 0 && all.windows.contains(&Window::Global);
    let (down, right) = if placed {
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
    #![proptest_config(cases(48))]

    #[test]
    fn p10_and_p3_every_search_finds_exactly_the_latents_that_carry_no_more_than_they_may(
        all in pyramids(11, 2),
        picks in prop::collection::vec(prop_oneof![1 => Just(None), 3 => any::<prop::sample::Index>().prop_map(Some)], 3),
        fixes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..3),
    ) {
        let (_folder, session) = opened(&all);
        let copying = session.copying(1, &Unobserved).unwrap();
        let model: Vec<Window> = copying.measure().model.iter().map(|name| name.parse().unwrap()).collect();
        let model = Model::new(&all, &model);
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
        let model: Vec<Window> = copying.measure().model.iter().map(|name| name.parse().unwrap()).collect();
        let model = Model::new(&all, &model);
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
            prop_assert!(most(&latent) <= bits, "{} of {}", most(&latent), bits);
        }
        // A sample that was found without the limit and satisfies it is found with it.
        if policy == Policy::Always && free.iter().any(|latent| most(latent) <= bits) {
            prop_assert!(!run.latents().unwrap().is_empty());
        }
    }
}
