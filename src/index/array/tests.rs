//! Arrays of small sets against plain counting: every window and every prefix, however memory is short.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use proptest::prelude::*;

use super::directory::Rank;
use super::distinct::prefixes_of;
use super::latents::Latents;
use super::memory::MemoryArray;
use super::question::{Blocks, Questions, longest_of};
use super::sort::Room;
use crate::base::{Observer, Unobserved};
use crate::latent::Shape;
use crate::window::{Anchor, Order, Window};

/// A context as what precedes it in an order, laid out whole, with where it stands and what followed.
struct Entry {
    words: Vec<u64>,
    bit: bool,
    occurrence: u64,
}

fn entries(latents: &Latents<'_>, order: &Order, ids: &[u32]) -> Vec<Entry> {
    let bits = order.shape().bits();
    let readers = order.word_readers();
    let bits = bits as u64;
    let mut entries = Vec::new();
    for id in ids {
        for position in 0..bits {
            let occurrence = u64::from(*id) * bits + position;
            let mut words = Vec::new();
            latents.lay_out(&readers, occurrence, &mut words);
            let bit = latents.bit(occurrence);
            entries.push(Entry {
                words,
                bit,
                occurrence,
            });
        }
    }
    entries
}

fn cut(words: &[u64], bits: usize) -> Vec<u64> {
    let of = |(number, word): (usize, &u64)| match bits.saturating_sub(64 * number) {
        0 => 0,
        left @ 1..64 => word & !(!0 >> left),
        _ => *word,
    };
    words.iter().enumerate().map(of).collect()
}

#[derive(Debug)]
struct Case {
    shape: Shape,
    packed: Vec<u8>,
    labels: Vec<u64>,
    ids: Vec<u32>,
    deepest: Window,
    anchor: Anchor,
    room: Room,
}

fn case() -> impl Strategy<Value = Case> {
    let shape = (1..7usize, 1..7usize, 1..9usize);
    let rest = (
        any::<bool>(),
        any::<bool>(),
        0..3usize,
        any::<bool>(),
        0..3usize,
        1..2000u64,
        1..600u64,
    );
    (shape, rest).prop_flat_map(|((height, width, channels), rest)| {
        let (line, anchored, labels, whole, blanks, fetched, sorted) = rest;
        let shape = Shape::new(height, width, channels).unwrap();
        let row = prop::collection::vec(
            prop_oneof![3 => Just(0u8), 1 => any::<u8>()],
            shape.packed_bytes(),
        );
        let rows = prop::collection::vec((row, 1..4usize), 1..6);
        rows.prop_map(move |rows| {
            let mut packed: Vec<Vec<u8>> = Vec::new();
            for (mut row, copies) in rows {
                let spare = 8 * row.len() - shape.bits();
                *row.last_mut().unwrap() &= 0xff >> spare;
                packed.extend(std::iter::repeat_n(row, copies));
            }
            packed.extend(std::iter::repeat_n(vec![0; shape.packed_bytes()], blanks));
            let count = packed.len();
            let labels: Vec<u64> = (0..count)
                .filter(|_| labels > 0)
                .map(|id| (id % labels) as u64)
                .collect();
            let max = shape.height().max(shape.width()) - 1;
            let deepest = match (line && shape.bits() > 1, whole) {
                (true, true) => Window::Sequence {
                    length: shape.bits() - 1,
                },
                (true, false) => Window::Sequence {
                    length: (shape.bits() / 3).max(1),
                },
                (false, false) if max > 0 => Window::Square {
                    radius: max.div_ceil(2),
                },
                (false, _) => Window::Global,
            };
            Case {
                shape,
                packed: packed.concat(),
                labels,
                // One is left out where there are several.
                ids: (0..count as u32)
                    .filter(|id| count == 1 || *id != 1)
                    .collect(),
                deepest,
                anchor: if anchored { Anchor::Site } else { Anchor::None },
                room: Room { fetched, sorted },
            }
        })
    })
}

impl Case {
    fn order(&self) -> Order {
        let labels = self.labels.iter().max().map_or(0, |last| last + 1);
        Order::new(self.deepest, self.anchor, labels, self.shape).unwrap()
    }
}

fn all_occurrences<B: Blocks>(questions: &Questions<'_, B>) -> Vec<u64>
where
    B::Error: std::fmt::Debug,
{
    let blocks = 0..questions.directory.blocks();
    blocks
        .flat_map(|number| questions.blocks.block(number).unwrap().occurrences())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn an_array_holds_every_occurrence_once_sorted_by_context_bit_and_number(case in case()) {
        let (order, latents) = (case.order(), Latents::new(&case.packed, &case.labels, case.shape, case.shape.finest()));
        let prefixes = prefixes_of(&order, &order.windows());
        let (array, _) = MemoryArray::build(&latents, &order, &case.ids, &prefixes, case.room, &Unobserved).unwrap();
        let mut expected = entries(&latents, &order, &case.ids);
        expected.sort_by(|a, b| (&a.words, a.bit, a.occurrence).cmp(&(&b.words, b.bit, b.occurrence)));
        let expected: Vec<u64> = expected.iter().map(|entry| entry.occurrence).collect();
        prop_assert_eq!(all_occurrences(&array.questions(&latents, &order)), expected);
    }

    #[test]
    fn counts_of_every_window_and_prefix_are_exact(case in case()) {
        let (order, latents) = (case.order(), Latents::new(&case.packed, &case.labels, case.shape, case.shape.finest()));
        let windows = prefixes_of(&order, &order.windows());
        let (array, distinct) = MemoryArray::build(&latents, &order, &case.ids, &windows, case.room, &Unobserved).unwrap();
        let questions = array.questions(&latents, &order);
        let entries = entries(&latents, &order, &case.ids);
        let of_sites = (0..=order.sites()).filter_map(|sites| order.prefix_of_sites(sites));
        for bits in of_sites.chain(windows.iter().copied()) {
            let mut counts: BTreeMap<Vec<u64>, [u64; 2]> = BTreeMap::new();
            for entry in &entries {
                counts.entry(cut(&entry.words, bits)).or_default()[usize::from(entry.bit)] += 1;
            }
            for (words, [n0, n1]) in &counts {
                let Ok(range) = questions.range(words, bits);
                let found = range.histogram();
                prop_assert_eq!((found.n0, found.n1), (*n0, *n1));
            }
            if let Some(at) = windows.iter().position(|own| *own == bits) {
                let ambiguous = counts.values().filter(|counts| counts.iter().all(|count| *count > 0));
                let expected = (counts.len() as u64, ambiguous.count() as u64);
                prop_assert_eq!(distinct.totals()[at], expected);
            }
        }
    }

    #[test]
    fn the_longest_match_is_the_one_that_counting_every_length_finds(
        case in case(), flips in prop::collection::vec((any::<u32>(), any::<u32>()), 12), min_count in 1..5u64,
    ) {
        let (order, latents) = (case.order(), Latents::new(&case.packed, &case.labels, case.shape, case.shape.finest()));
        let (array, _) = MemoryArray::build(&latents, &order, &case.ids, &[], case.room, &Unobserved).unwrap();
        let questions = array.questions(&latents, &order);
        let entries = entries(&latents, &order, &case.ids);
        for (entry, flip) in flips {
            // One that occurs, with a bit turned.
            let mut words = entries[entry as usize % entries.len()].words.clone();
            let flip = flip as usize % order.bits().max(1);
            words[flip / 64] ^= 1 << 63 >> (flip % 64);
            let count = |bits: usize| {
                let own = cut(&words, bits);
                entries.iter().filter(|entry| cut(&entry.words, bits) == own).count() as u64
            };
            let lengths = (0..=order.sites()).filter_map(|sites| order.prefix_of_sites(sites));
            let expected = lengths.filter(|bits| count(*bits) >= min_count).max();
            let Ok(found) = match min_count {
                1 => questions.longest(&words, order.bits()),
                _ => longest_of(&order, order.bits(), |bits| {
                    let Ok(range) = questions.range(&words, bits);
                    Ok((range.histogram().total() >= min_count).then_some(range))
                }),
            };
            prop_assert_eq!(found.map(|(bits, _)| bits), expected);
            if let Some((bits, range)) = found {
                prop_assert_eq!(range.histogram().total(), count(bits));
            }
        }
    }
}

#[test]
fn what_was_never_seen_has_an_empty_range_in_every_block_and_between_them() {
    // 4,000 different contexts: eight blocks.
    let shape = Shape::new(1, 2, 12).unwrap();
    let packed: Vec<u8> = (0..4000u32)
        .flat_map(|id| (id * 0x0f_1237).to_le_bytes()[..3].to_vec())
        .collect();
    let latents = Latents::new(&packed, &[][..], shape, shape.finest());
    let order = Order::new(Window::Global, Anchor::None, 0, shape).unwrap();
    let ids: Vec<u32> = (0..4000).collect();
    let room = Room {
        fetched: 1 << 20,
        sorted: 1 << 10,
    };
    let (array, _) = MemoryArray::build(&latents, &order, &ids, &[], room, &Unobserved).unwrap();
    let questions = array.questions(&latents, &order);
    assert!(array.directory.blocks() > 100);
    let total = array.directory.before(array.directory.blocks());
    assert_eq!(total.entries, 96_000);
    let mut seen = 0;
    let words = entries(&latents, &order, &ids);
    for entry in words.iter().step_by(7) {
        let Ok(range) = questions.range(&entry.words, order.bits());
        assert!(range.histogram().total() > 0);
        let mut words = entry.words.clone();
        // Behind all bits of the order nothing is asked; the last one that is asked is turned.
        words[(order.bits() - 1) / 64] ^= 1 << 63 >> ((order.bits() - 1) % 64);
        let Ok(range) = questions.range(&words, order.bits());
        seen += u64::from(range.histogram().total() == 0);
        assert!(range.start.entries <= total.entries && range.start.ones <= range.end.ones);
    }
    assert!(seen > 1000, "{seen}");
    assert_eq!(Rank::default(), array.directory.before(0));
}

/// Counts how often the latents are read to share the occurrences out.
#[derive(Default)]
struct Readings(AtomicUsize);

impl Observer for Readings {
    fn stage(&self, name: &str, _: u64, _: &str) {
        if name.ends_with("count") || name.ends_with("measure") {
            self.0.fetch_add(1, Relaxed);
        }
    }

    fn advance(&self, _: u64) {}

    fn stop_requested(&self) -> bool {
        false
    }
}

#[test]
fn latents_that_are_all_alike_are_shared_out_in_few_readings() {
    // Contexts of 3,171 bits, that is 198 digits, of which four occur at each site: more than are sorted at a time.
    let shape = Shape::new(40, 40, 1).unwrap();
    let latents = vec![0; 4 * shape.packed_bytes()];
    let latents = Latents::new(&latents, &[][..], shape, shape.finest());
    let order = Order::new(Window::Global, Anchor::Site, 0, shape).unwrap();
    assert!(order.bits() > 3000);
    let room = Room {
        fetched: 1 << 10,
        sorted: 2,
    };
    let readings = Readings::default();
    let ids = [0, 1, 2, 3];
    let (array, _) = MemoryArray::build(&latents, &order, &ids, &[], room, &readings).unwrap();
    assert_eq!(
        all_occurrences(&array.questions(&latents, &order)).len(),
        4 * 1600
    );
    let readings = readings.0.into_inner();
    assert!(readings < 16, "{readings}");
}
