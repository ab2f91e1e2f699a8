//! P1 for the table in memory: it answers what the index answers, which is what the oracle counts.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bitquilt::{
    Anchor, Budget, Context, ContextKey, Counts, Frame, Given, Histogram, IndexError, Observer,
    Question, Resident, Unobserved, UpperQuestion, Window, WindowIndex,
};
use proptest::prelude::*;

use crate::counts::inputs;
use crate::oracle::{Grid, Latent, Oracle};
use crate::support::*;

/// What the oracle says of every context of some latents, by key, and how an index is asked for it; `None` for those never
/// seen.
fn expected(
    oracle: &Oracle,
    window: &WindowIndex<'_>,
    latents: &[Latent],
) -> BTreeMap<ContextKey, (Context, Option<Histogram>)> {
    let mut expected = BTreeMap::new();
    for latent in latents {
        for position in 0..oracle.grid.bits() {
            let histogram = oracle.histogram(latent, position);
            let histogram = histogram.map(|(n0, n1)| Histogram { n0, n1 });
            let context = laid_out(window, latent, position);
            expected.insert(key(window, latent, position), (context, histogram));
        }
    }
    expected
}

/// Border class, site and the bits in the rows above: the upper part of the context at a position.
type Upper = (Vec<usize>, Option<usize>, Vec<Option<bool>>);

fn upper_part(oracle: &Oracle, latent: &[bool], position: usize) -> Upper {
    let grid = oracle.grid;
    let row = grid.width * grid.channels;
    let above = position / row * row;
    let selected = oracle.grid.selected(oracle.window, position);
    (
        grid.border(oracle.window, position),
        oracle.anchored.then_some(position),
        selected
            .into_iter()
            .filter(|at| at.is_none_or(|at| at < above))
            .map(|at| at.map(|at| latent[at]))
            .collect(),
    )
}

/// Every first channel of a site below the first row, which alone are asked for.
fn first_channels(grid: Grid) -> impl Iterator<Item = usize> {
    (grid.width * grid.channels..grid.bits()).step_by(grid.channels)
}

/// Index and table tell the upper parts that occurred from those that did not, with any bits behind them.
/// Returns how many were asked for that did not occur, that did with no bit behind them set, and others.
fn check_upper_parts(
    oracle: &Oracle,
    held: &WindowIndex<'_>,
    resident: &Resident,
    seen: &[Latent],
    asked: &[Latent],
) -> [usize; 3] {
    let mut occurred = HashSet::new();
    for latent in seen {
        for position in first_channels(oracle.grid) {
            occurred.insert(upper_part(oracle, latent, position));
        }
    }
    let mut frame = Frame::new(shape_of(oracle.grid), &[held.geometry()]);
    let mut answers = [0; 3];
    for latent in asked {
        let set = set_of(oracle.grid, std::slice::from_ref(latent));
        frame.load(set.packed_latent(0), Given::NOTHING);
        for position in first_channels(oracle.grid) {
            let Some(upper) = held.geometry().upper_key(&mut frame, position) else {
                continue;
            };
            let expected = occurred.contains(&upper_part(oracle, latent, position));
            for counts in [held as &dyn Counts, resident] {
                let question = counts
                    .upper_question(held.geometry(), &mut frame, position)
                    .unwrap();
                assert_eq!(counts.has_upper(&question).unwrap(), expected, "{upper:?}");
            }
            let zeros = [upper.as_key().as_bytes(), &[0; 32]].concat();
            let zeros = ContextKey::new(&zeros[..held.geometry().key_bytes()]).unwrap();
            let own = resident.histogram(&Question::Key(zeros)).unwrap().is_some();
            assert!(expected || !own, "{upper:?}");
            answers[usize::from(expected) + usize::from(expected && !own)] += 1;
        }
    }
    answers
}

/// The same keys with a few bits flipped, with bytes cut off and put on, and some of random bytes.
fn near(keys: &[ContextKey], random: &mut Random) -> Vec<ContextKey> {
    let mut near = Vec::new();
    for key in keys {
        let mut bytes = key.as_bytes().to_vec();
        near.extend(ContextKey::new(&bytes[1..]));
        near.extend(ContextKey::new(&[&bytes[..], &[0]].concat()));
        near.push(key_of_random_bytes(bytes.len(), random));
        for _ in 0..1 + random.below(3) {
            let bit = random.below(bytes.len() as u64 * 8) as usize;
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        near.extend(ContextKey::new(&bytes));
    }
    near
}

fn key_of_random_bytes(length: usize, random: &mut Random) -> ContextKey {
    let bytes: Vec<_> = (0..length).map(|_| random.next() as u8).collect();
    ContextKey::new(&bytes).unwrap()
}

/// One key at a time and in batches of every size that is treated in a way of its own.
fn assert_same(counts: &dyn Counts, keys: &[Question], expected: &[Option<Histogram>]) {
    for (key, expected) in keys.iter().zip(expected) {
        assert_eq!(counts.histogram(key).unwrap(), *expected, "{key:?}");
    }
    for batch in [1, 3, 4, 7, 8, 15, 16, 17, 1000] {
        let mut found = vec![Some(Histogram::default())];
        for (keys, expected) in keys.chunks(batch).zip(expected.chunks(batch)) {
            counts.histograms(keys, &mut found).unwrap();
            assert_eq!(found, expected, "a batch of {batch}");
        }
    }
    let mut found = vec![None];
    counts.histograms(&[], &mut found).unwrap();
    assert_eq!(found, []);
}

fn check(
    sample: &Sample,
    strangers: &[Latent],
    windows: &[Window],
    anchor: Anchor,
) -> HashSet<String> {
    let (_folder, index) = built(&sample.set(), windows, anchor);
    let mut rules = HashSet::new();
    for window in windows {
        let oracle = Oracle::new(
            sample.grid,
            *window,
            anchor == Anchor::Site,
            &sample.latents,
        );
        let held = index.window(*window).unwrap();
        rules.insert(held.geometry().key_rule().to_string());
        let resident = Resident::load(&held, Budget::of_machine(), &Unobserved).unwrap();
        assert_eq!(resident.contexts(), held.entry().unwrap().distinct);
        assert!(resident.bytes() <= Resident::bytes_needed(&held).unwrap());

        let everyone = [&sample.latents[..], strangers].concat();
        let known = expected(&oracle, &held, &everyone);
        let seen = known.values().filter(|(_, found)| found.is_some()).count();
        assert_eq!(seen as u64, resident.contexts());
        let mut random = Random(seen as u64);
        let real: Vec<_> = known.keys().copied().collect();
        let mut keys = real.clone();
        while keys.len() < 1000 {
            keys.extend(near(&real, &mut random));
        }
        let expected: Vec<_> = keys
            .iter()
            .map(|key| known.get(key).and_then(|(_, found)| *found))
            .collect();
        assert!(expected.contains(&None));
        let questions: Vec<_> = keys.iter().copied().map(Question::Key).collect();
        assert_same(&resident, &questions, &expected);
        let (contexts, expected): (Vec<_>, Vec<_>) = known.values().cloned().unzip();
        for (context, expected) in contexts.iter().zip(&expected) {
            assert_eq!(held.lookup(context).unwrap(), *expected);
        }
        let questions: Vec<_> = contexts.into_iter().map(Question::Context).collect();
        assert_same(&held, &questions, &expected);
        // Neither answers what the other is asked.
        assert_eq!(resident.histogram(&questions[0]).unwrap(), None);
        check_upper_parts(&oracle, &held, &resident, &sample.latents, &everyone);
        for upper in keys.iter().filter_map(|key| held.geometry().upper_of(key)) {
            let occurs = |(key, (_, found)): (&ContextKey, &(Context, Option<Histogram>))| {
                // Its class is of the first channel, as every upper part's is.
                found.is_some() && held.geometry().upper_of(key) == Some(upper)
            };
            let expected = known.iter().any(occurs);
            let question = UpperQuestion::Key(upper);
            assert_eq!(resident.has_upper(&question).unwrap(), expected);
        }
    }
    rules
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn the_table_answers_what_the_index_and_the_oracle_answer(
        (sample, strangers, windows, anchor) in inputs()
    ) {
        check(&sample, &strangers, &windows, anchor);
    }
}

#[test]
fn exact_and_digested_keys_are_both_held() {
    let grid = Grid {
        height: 8,
        width: 8,
        channels: 3,
    };
    let mut random = Random(5);
    let mut latent = || -> Latent { (0..grid.bits()).map(|_| random.bit()).collect() };
    let (sample, stranger) = (
        Sample {
            grid,
            latents: vec![latent(), latent()],
        },
        latent(),
    );
    let windows: Vec<Window> = ["5x5", "11x11", "15x15", "global"]
        .map(|window| window.parse().unwrap())
        .to_vec();
    for anchor in [Anchor::None, Anchor::Site] {
        let rules = check(&sample, std::slice::from_ref(&stranger), &windows, anchor);
        assert_eq!(
            rules,
            ["exact", "xxh3-128"]
                .map(str::to_owned)
                .into_iter()
                .collect()
        );
    }
}

#[test]
fn upper_parts_are_known_though_their_own_keys_never_occurred() {
    let grid = Grid {
        height: 6,
        width: 9,
        channels: 2,
    };
    let mut random = Random(8);
    let mut latent = |one: u64| -> Latent {
        let mut bit = |_| random.below(4) < one;
        (0..grid.bits()).map(&mut bit).collect()
    };
    // Mostly ones, so that few contexts end in zeros.
    let sample = Sample {
        grid,
        latents: (0..20).map(|_| latent(3)).collect(),
    };
    let strangers: Vec<_> = (0..20).map(|i| latent(1 + i % 4)).collect();
    let asked = [&strangers[..], &sample.latents].concat();
    let mut answers = [0; 3];
    for anchor in [Anchor::None, Anchor::Site] {
        for window in ["3x3", "5x5", "7x7"] {
            let window = window.parse().unwrap();
            let (_folder, index) = built(&sample.set(), &[window], anchor);
            let held = index.window(window).unwrap();
            let resident = Resident::load(&held, Budget::of_machine(), &Unobserved).unwrap();
            let oracle = Oracle::new(grid, window, anchor == Anchor::Site, &sample.latents);
            let more = check_upper_parts(&oracle, &held, &resident, &sample.latents, &asked);
            answers
                .iter_mut()
                .zip(more)
                .for_each(|(all, more)| *all += more);
        }
    }
    assert!(answers.iter().all(|answers| *answers > 100), "{answers:?}");
}

/// Many parts, many histograms, many files to read from, and a thread for each.
#[test]
fn a_large_window_is_held_whole_by_any_number_of_threads() {
    let grid = Grid {
        height: 16,
        width: 16,
        channels: 1,
    };
    let mut random = Random(12);
    // The middle is noise, whose contexts occur once, in a frame that says much the same.
    let sample = Sample {
        grid,
        latents: (0..600)
            .map(|_| {
                let mut bit = |i| i % 16 > 3 && (random.bit() || random.below(4) == i as u64 % 5);
                (0..grid.bits()).map(&mut bit).collect()
            })
            .collect(),
    };
    let (_folder, index) = built(
        &sample.set(),
        &["5x5", "7x7"].map(|window| window.parse().unwrap()),
        Anchor::None,
    );
    let mut max = (0, 0);
    for held in index.windows() {
        let all: Vec<_> = held.contexts().unwrap().map(Result::unwrap).collect();
        let histograms: HashSet<_> = all.iter().map(|(_, histogram)| *histogram).collect();
        max.0 = max.0.max(all.len());
        max.1 = max.1.max(histograms.len());
        // By their keys: of each context of a latent that occurs.
        let mut counted: BTreeMap<ContextKey, Histogram> = BTreeMap::new();
        for latent in &sample.latents {
            let mut frame = frame_of(&held, None, latent);
            for (position, bit) in latent.iter().enumerate() {
                let key = held.geometry().key(&mut frame, position);
                let histogram = counted.entry(key).or_default();
                match bit {
                    false => histogram.n0 += 1,
                    true => histogram.n1 += 1,
                }
            }
        }
        assert_eq!(counted.len(), all.len());
        let mut keys: Vec<_> = counted.keys().copied().collect();
        keys.extend(near(&keys.clone(), &mut random));
        let expected: Vec<_> = keys.iter().map(|key| counted.get(key).copied()).collect();
        let keys: Vec<_> = keys.into_iter().map(Question::Key).collect();
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new();
            let pool = pool.num_threads(threads).build().unwrap();
            let resident = pool
                .install(|| Resident::load(&held, Budget::of_machine(), &Unobserved))
                .unwrap();
            assert_same(&resident, &keys, &expected);
        }
    }
    assert!(max.0 > 3 << 13, "all in one part: {}", max.0);
    assert!(max.1 > 1 << 8, "one byte numbers all: {}", max.1);
}

/// Asks to stop once so many contexts are read, and keeps what it is told.
#[derive(Default)]
struct Watch {
    stop_at: Option<u64>,
    done: AtomicU64,
    stages: Mutex<Vec<String>>,
}

impl Observer for Watch {
    fn stage(&self, name: &str, total: u64, unit: &str) {
        assert_eq!(unit, "contexts");
        assert!(total > 0);
        self.stages.lock().unwrap().push(name.to_owned());
    }

    fn advance(&self, done: u64) {
        self.done.fetch_add(done, Ordering::Relaxed);
    }

    fn stop_requested(&self) -> bool {
        let done = self.done.load(Ordering::Relaxed);
        self.stop_at.is_some_and(|stop| done >= stop)
    }
}

#[test]
fn loading_reports_itself_and_stops_when_told() {
    let sample = repetitive(EIGHT, 60, 2);
    let window = "7x7".parse().unwrap();
    let (_folder, index) = built(&sample.set(), &[window], Anchor::None);
    let held = index.window(window).unwrap();
    let distinct = held.entry().unwrap().distinct;
    let watch = Watch::default();
    Resident::load(&held, Budget::of_machine(), &watch).unwrap();
    assert_eq!(watch.stages.into_inner().unwrap(), ["7x7: load"]);
    assert_eq!(watch.done.into_inner(), distinct);
    for stop_at in [0, 1, distinct] {
        let watch = Watch {
            stop_at: Some(stop_at),
            ..Watch::default()
        };
        let result = Resident::load(&held, Budget::of_machine(), &watch);
        assert!(
            matches!(result, Err(IndexError::Stopped(_))),
            "not stopped at {stop_at}"
        );
    }
}
