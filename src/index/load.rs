//! Filling a [`Resident`] table: every thread reads its runs of blocks and hands each context to the
//! part where it belongs; then every part is put in order by itself.

use std::sync::PoisonError;

use rayon::prelude::*;

use super::gather::{Gathered, Gatherer};
use super::layout::{BUCKET, PART_BUCKETS, STARTS_BYTES};
use super::pages::Pages;
use super::plan::{BUCKET_BYTES, CODE_BYTES, TablePlan};
use super::{Histogram, IndexError, Resident, WindowIndex};
use crate::base::{Budget, Observer};
use crate::window::{ContextKey, Frame, UpperKey};

/// Lots of ranges for each thread.
const LOTS: usize = 16;

impl Resident {
    /// Reads all contexts of a window, in parallel. Takes at most [`Resident::bytes_needed`].
    ///
    /// # Errors
    /// [`IndexError::Input`] for a window that is not counted; [`IndexError::Memory`] when that is more than the budget;
    /// [`IndexError::Stopped`];
    /// [`IndexError::Damaged`] when the contexts are not those that the manifest counts, and as
    /// [`WindowIndex::lookup`].
    pub fn load(
        window: &WindowIndex<'_>,
        budget: Budget,
        observer: &dyn Observer,
    ) -> Result<Self, IndexError> {
        let geometry = window.geometry();
        let plan = TablePlan::new(window)?;
        let latents = window.index().packed(window.place().0)?;
        load(
            &plan,
            &window.ranges(),
            |key| geometry.upper_of(key),
            |range, take| {
                let mut frame = Frame::new(geometry.shape(), &[geometry]);
                window.visit(range, |occurrence, histogram| {
                    let (id, position) = latents.id_and_position(occurrence);
                    let (latent, label) = (latents.from(id), latents.label(id));
                    let key = geometry.key_of(latent, position, label);
                    let key = key.unwrap_or_else(|| {
                        latents.load(&mut frame, id, geometry.labels() > 0);
                        geometry.key(&mut frame, position)
                    });
                    take(&key, histogram)
                })
            },
            budget,
            observer,
        )
    }

    /// Returns the most memory, in bytes, that a window can take while it is loaded and after. Reads the manifest alone.
    ///
    /// # Errors
    /// [`IndexError::Input`] for a window that is not counted.
    pub fn bytes_needed(window: &WindowIndex<'_>) -> Result<u64, IndexError> {
        Ok(TablePlan::new(window)?.bytes_needed())
    }
}

/// Fills a table from ranges of contexts, each of which `read` hands over; `upper_of` is the window's [`Geometry::upper_of`](crate::window::Geometry::upper_of).
fn load<R: Sync>(
    plan: &TablePlan,
    ranges: &[R],
    upper_of: impl Fn(&ContextKey) -> Option<UpperKey> + Sync,
    read: impl Fn(
        &R,
        &mut dyn FnMut(&ContextKey, Histogram) -> Result<(), IndexError>,
    ) -> Result<(), IndexError>
    + Sync,
    budget: Budget,
    observer: &dyn Observer,
) -> Result<Resident, IndexError> {
    plan.check_memory(budget)?;
    observer.stage(&format!("{}: load", plan.window), plan.distinct, "contexts");
    let gathered = Gathered::new(plan, observer);
    // Several at a time, since what a thread gathers begins anew with each lot; enough lots that no thread waits.
    let lot = ranges.len().div_ceil(LOTS * rayon::current_num_threads());
    ranges
        .par_chunks(lot.max(1))
        .with_max_len(1)
        .try_for_each(|lot| {
            let mut gatherer = Gatherer::new(&gathered);
            for range in lot {
                read(range, &mut |key, histogram| {
                    gatherer.add(key, histogram, upper_of(key))
                })?;
            }
            gatherer.finish()
        })?;
    let (parts, histograms) = gathered.finish()?;
    let code_bytes = code_bytes(histograms.len());
    let blocks = parts.into_par_iter().map(|part| {
        observer.check()?;
        let part = part.into_inner().unwrap_or_else(PoisonError::into_inner);
        in_order(plan, &part, code_bytes)
    });
    let parts: Vec<Vec<u8>> = blocks.collect::<Result<_, _>>()?;
    let mut blocks = vec![0];
    for part in &parts {
        blocks.push(blocks[blocks.len() - 1] + part.len());
    }
    Ok(Resident {
        layout: plan.layout,
        pages: Pages::of(parts).map_err(|_| plan.out_of_memory())?,
        blocks: blocks.into(),
        histograms: histograms.into(),
        code_bytes,
        contexts: plan.distinct,
    })
}

/// Returns the fewest bytes that number so many histograms.
fn code_bytes(histograms: usize) -> usize {
    let bits = usize::BITS - histograms.saturating_sub(1).leading_zeros();
    bits.div_ceil(8).max(1) as usize
}

/// Puts the contexts of a part into the order of their buckets: a counting sort. In a bucket, contexts
/// come before upper parts: if a key is both, the context is what is found. An upper part that is there already, as a context
/// or as itself, is left out.
fn in_order(plan: &TablePlan, gathered: &[u8], code_bytes: usize) -> Result<Vec<u8>, IndexError> {
    let is_upper = |entry: &[u8]| entry[plan.width() - CODE_BYTES..] == [0; CODE_BYTES];
    let stored = BUCKET_BYTES + plan.layout.stored_bytes();
    let bucket = |entry: &[u8]| usize::from(u16::from_le_bytes([entry[0], entry[1]]));
    let unordered = || gathered.chunks_exact(plan.width());
    let mut places = vec![0usize; PART_BUCKETS + 1];
    unordered().for_each(|entry| places[bucket(entry) + 1] += 1);
    for bucket in 1..places.len() {
        places[bucket] += places[bucket - 1];
    }
    let mut entries: Vec<&[u8]> = vec![&[]; unordered().len()];
    let mut next = places.clone();
    for entry in unordered() {
        let place = &mut next[bucket(entry)];
        entries[*place] = entry;
        *place += 1;
    }
    let mut starts = vec![0usize; PART_BUCKETS + 1];
    let (mut kept, mut uppers) = (Vec::with_capacity(entries.len()), Vec::new());
    for bucket in 0..PART_BUCKETS {
        let own = &mut entries[places[bucket]..places[bucket + 1]];
        own.sort_unstable_by_key(|entry| (&entry[..stored], is_upper(entry)));
        for (at, entry) in own.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| &own[before][..stored]);
            if !is_upper(entry) {
                kept.push(*entry);
            } else if before != Some(&entry[..stored]) {
                uppers.push(*entry);
            }
        }
        kept.append(&mut uppers);
        starts[bucket + 1] = kept.len();
    }
    if u16::try_from(kept.len()).is_err() {
        return Err(IndexError::Input(format!(
            "the contexts of window {} do not spread over a table in memory: {} fall where {} \
             were meant to",
            plan.window,
            kept.len(),
            BUCKET as usize * PART_BUCKETS,
        )));
    }
    let width = plan.layout.stored_bytes() + code_bytes;
    let mut block = Vec::with_capacity(STARTS_BYTES + kept.len() * width + size_of::<u64>());
    // All of them fit, as the last one does.
    block.extend(
        starts
            .iter()
            .flat_map(|start| (*start as u16).to_le_bytes()),
    );
    for entry in &kept {
        // The number's lowest bytes come first, so the bytes that are kept are in one piece.
        block.extend_from_slice(&entry[BUCKET_BYTES..][..width]);
    }
    block.extend([0; size_of::<u64>()]);
    Ok(block)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::base::{OutOfMemory, Unobserved};
    use crate::index::{Counts, Question, WindowEntry};
    use crate::window::{MAX_KEY_BYTES, Window};

    type Contexts = BTreeMap<Vec<u8>, Histogram>;

    fn plan(key_bytes: usize, distinct: u64, occurrences: u64) -> TablePlan {
        let window = Window::Sequence { length: 3 };
        let entry = WindowEntry::new(window, occurrences, (distinct, 0));
        TablePlan::of_keys(key_bytes, false, &entry, "index".as_ref())
    }

    fn key(bytes: &[u8]) -> ContextKey {
        ContextKey::new(bytes).unwrap()
    }

    /// Loads lists of contexts as they stand, one range each.
    fn load(
        plan: &TablePlan,
        ranges: &[Vec<(Vec<u8>, Histogram)>],
    ) -> Result<Resident, IndexError> {
        super::load(
            plan,
            ranges,
            |_| None,
            |range, take| {
                let mut contexts = range.iter();
                contexts.try_for_each(|(bytes, histogram)| take(&key(bytes), *histogram))
            },
            Budget::of_machine(),
            &Unobserved,
        )
    }

    /// Loads what a manifest would truthfully announce, in a few ranges.
    fn load_all(key_bytes: usize, contexts: &Contexts) -> Resident {
        let occurrences = contexts.values().map(Histogram::total).sum();
        let plan = plan(key_bytes, contexts.len() as u64, occurrences);
        let all: Vec<_> = contexts.iter().map(|(k, h)| (k.clone(), *h)).collect();
        let ranges: Vec<_> = all.chunks(1 + all.len() / 3).map(<[_]>::to_vec).collect();
        let resident = load(&plan, &ranges).unwrap();
        assert!(resident.bytes() <= plan.bytes_needed());
        assert_eq!(resident.contexts(), contexts.len() as u64);
        resident
    }

    fn assert_answers(resident: &Resident, contexts: &Contexts, asked: &[Vec<u8>]) {
        let keys = asked.iter().map(|bytes| Question::Key(key(bytes)));
        let keys: Vec<_> = keys.collect();
        let expected: Vec<_> = asked.iter().map(|k| contexts.get(k).copied()).collect();
        for (key, expected) in keys.iter().zip(&expected) {
            assert_eq!(resident.histogram(key).unwrap(), *expected, "{key:?}");
        }
        let mut found = vec![None; 3];
        resident.histograms(&keys, &mut found).unwrap();
        assert_eq!(found, expected);
    }

    /// Different for different numbers, and of small totals.
    fn histogram(number: u64) -> Histogram {
        let total = (2 * number).isqrt() + 1;
        let n0 = number - (total - 1) * (total - 1) / 2;
        Histogram { n0, n1: total }
    }

    /// Keys of every length whose bytes are random or hardly so, and others that differ in little.
    fn keys() -> impl Strategy<Value = (usize, Vec<Vec<u8>>, Vec<(usize, usize)>)> {
        let byte = prop_oneof![Just(0u8), Just(1), Just(0x80), Just(0xff), any::<u8>()];
        (1..=MAX_KEY_BYTES).prop_flat_map(move |length| {
            let key = prop::collection::vec(byte.clone(), length);
            let flips = prop::collection::vec((any::<usize>(), 0..8 * length), 0..200);
            (Just(length), prop::collection::vec(key, 0..200), flips)
        })
    }

    proptest! {
        #[test]
        fn every_key_has_its_histogram_and_no_other_has_one((length, keys, flips) in keys()) {
            let mut contexts = Contexts::new();
            for (number, bytes) in keys.iter().enumerate() {
                contexts.insert(bytes.clone(), histogram(number as u64 % 90));
            }
            let resident = load_all(length, &contexts);
            let mut asked = keys.clone();
            for (pick, bit) in flips {
                if keys.is_empty() {
                    break;
                }
                let mut near = asked[pick % asked.len()].clone();
                near[bit / 8] ^= 1 << (bit % 8);
                asked.push(near);
            }
            // Keys of other windows, padded to the same 32 bytes or nearly.
            for bytes in &keys {
                asked.push(bytes[..length - 1].to_vec());
                asked.extend((length < MAX_KEY_BYTES).then(|| [&bytes[..], &[0]].concat()));
            }
            assert_answers(&resident, &contexts, &asked);
        }
    }

    #[test]
    fn any_number_of_histograms_is_told_apart() {
        for (number, bytes) in [(1, 1), (255, 1), (256, 2), ((1 << 16) - 1, 2), (1 << 16, 3)] {
            let contexts: Contexts = (0..number as u64)
                .map(|i| (i.to_be_bytes()[4..].to_vec(), histogram(i)))
                .collect();
            let resident = load_all(4, &contexts);
            assert_eq!(resident.histograms.len(), number + 1);
            assert_eq!(resident.code_bytes, bytes);
            let asked: Vec<_> = contexts.keys().cloned().collect();
            assert_answers(&resident, &contexts, &asked);
        }
    }

    /// Two thirds of all keys of so many bits: the bucket tells one byte or two, and wherever two keys
    /// can be taken for each other, they are asked for.
    #[test]
    fn first_bytes_that_the_bucket_tells_are_not_mixed_up() {
        for (length, bits, told) in [(2, 16, 1), (17, 16, 1), (3, 18, 2), (11, 18, 2)] {
            let bytes = |i: u32| {
                let i = (i << (32 - bits)).to_be_bytes();
                [&i[..], &[0; MAX_KEY_BYTES]].concat()[..length].to_vec()
            };
            let all = 0..1u32 << bits;
            let contexts: Contexts = all
                .clone()
                .filter(|i| i % 3 != 0)
                .map(|i| (bytes(i), histogram((i % 7).into())))
                .collect();
            let resident = load_all(length, &contexts);
            assert_eq!(resident.layout.stored_bytes(), length - told);
            assert!(resident.blocks.len() > 2);
            let asked: Vec<_> = all.map(bytes).collect();
            assert_answers(&resident, &contexts, &asked);
        }
    }

    #[test]
    fn contexts_that_no_index_has_are_damage() {
        let one = Histogram { n0: 1, n1: 0 };
        let context = |byte| (vec![byte, 0], one);
        let three = [context(1), context(2), context(3)];
        assert!(load(&plan(2, 3, 3), &[three.to_vec()]).is_ok());
        let [a, b, c] = three;
        for (distinct, occurrences, contexts) in [
            (3, 3, vec![a.clone(), b.clone()]),
            (2, 3, vec![a.clone(), b.clone(), c.clone()]),
            (3, 4, vec![a.clone(), b.clone(), c.clone()]),
            (2, 3, vec![a, c, b]),
        ] {
            let result = load(&plan(2, distinct, occurrences), &[contexts]);
            assert!(
                matches!(result, Err(IndexError::Damaged { .. })),
                "{distinct} {occurrences}"
            );
        }
    }

    #[test]
    fn what_cannot_fit_is_refused_before_it_is_read() {
        for distinct in [1 << 45, u64::MAX] {
            let plan = plan(9, distinct, u64::MAX);
            let never = |_: &(), _: &mut dyn FnMut(&ContextKey, Histogram) -> _| unreachable!();
            let result = super::load(
                &plan,
                &[()],
                |_| None,
                never,
                Budget::of_machine(),
                &Unobserved,
            );
            let Err(IndexError::Memory(OutOfMemory {
                needed, available, ..
            })) = result
            else {
                unreachable!("{distinct} contexts fit");
            };
            assert!(needed > available && needed >= 1 << 45);
        }
    }

    #[test]
    fn a_part_with_more_contexts_than_it_can_number_is_refused() {
        let plan = plan(9, 1 << 20, 1 << 20);
        let max = usize::from(u16::MAX);
        // Contexts, not upper parts, which are no more than one.
        let entries = |count: usize| {
            [&vec![0; plan.width() - 1][..], &[1]]
                .concat()
                .repeat(count)
        };
        let part = in_order(&plan, &entries(max), 2).unwrap();
        assert_eq!(part[..4], [0, 0, 0xff, 0xff]);
        let result = in_order(&plan, &entries(max + 1), 2);
        assert!(matches!(result, Err(IndexError::Input(_))));
    }
}
