//! Filling a [`Resident`] table: every thread reads its ranges of keys and hands each context to the
//! part where it belongs; then every part is put in order by itself. MNIST at 11x11 takes 1.4 s on one
//! thread, 0.8 s on two.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::resident::{BUCKET, Layout, PART_BUCKETS, Part, Resident};
use super::{Histogram, IndexError, WindowEntry, WindowIndex};
use crate::progress::Observer;
use crate::system;
use crate::window::ContextKey;

/// Contexts that a thread gathers for one part before it locks it.
const BATCH: usize = 32;

/// Contexts between two looks at the observer.
const STEP: u64 = 1 << 14;

/// Bytes of a bucket's number in its part, and of a histogram's while it is not known how many there
/// will be.
const BUCKET_BYTES: usize = 2;
const CODE_BYTES: usize = 4;

/// What the manifest says of the table to be.
pub(super) struct Plan {
    layout: Layout,
    window: String,
    path: PathBuf,
    distinct: u64,
    occurrences: u64,
}

impl Plan {
    /// For a window of the index at `path`.
    pub(super) fn new(entry: &WindowEntry, path: &Path) -> Self {
        Self {
            layout: Layout::new(entry.key_bytes, entry.distinct),
            window: entry.window.clone(),
            path: path.to_owned(),
            distinct: entry.distinct,
            occurrences: entry.contexts,
        }
    }

    /// For keys that are no contexts of their own and have no counts.
    pub(super) fn of_keys(window: &WindowIndex<'_>, key_bytes: usize, distinct: u64) -> Self {
        Self {
            layout: Layout::new(key_bytes, distinct),
            window: window.entry().window.clone(),
            path: window.index().path().to_owned(),
            distinct,
            occurrences: distinct,
        }
    }

    /// Bytes of a context while they are gathered: bucket, stored bytes of the key, histogram.
    fn width(&self) -> usize {
        BUCKET_BYTES + self.layout.stored_bytes() + CODE_BYTES
    }

    /// Contexts that a part is given room for: six standard deviations more than the mean, which one
    /// part of a billion passes; that one grows.
    fn part_contexts(&self) -> usize {
        let mean = (self.distinct.div_ceil(self.layout.parts())) as usize;
        mean + 6 * mean.isqrt() + 1
    }

    /// Most different histograms that there can be: `t + 1` of each total `t`, and the totals add up
    /// to the occurrences.
    fn most_histograms(&self) -> u64 {
        let (mut histograms, mut sum, mut total) = (0u64, 0u64, 0u64);
        while sum < self.occurrences && histograms < self.distinct {
            total += 1;
            sum = sum.saturating_add(total * (total + 1));
            histograms += total + 1;
        }
        histograms.min(self.distinct)
    }

    /// Most memory at any time: everything gathered, what is in order already (never more than was
    /// gathered of it), the different histograms and what each thread knows of them.
    pub(super) fn bytes_needed(&self) -> u64 {
        let threads = rayon::current_num_threads() as u64;
        let (width, parts) = (self.width() as u64, self.layout.parts());
        let part = self.part_contexts() as u64 * width;
        let fixed = (size_of::<Mutex<Vec<u8>>>() + size_of::<Part>()) as u64
            + 2 * (PART_BUCKETS as u64 + 1);
        let pending = threads.saturating_mul(BATCH as u64 * width + 1);
        let gathered = parts.saturating_mul(part + fixed + pending);
        // A hash table is half full at the worst and doubles into a new one, a list likewise.
        let known = 4 * size_of::<(Histogram, u32, u8)>() as u64;
        let histograms = self.most_histograms().saturating_mul(known * (threads + 1));
        let in_order = threads.saturating_mul(2 * part);
        gathered.saturating_add(in_order).saturating_add(histograms)
    }

    fn damaged(&self, expected: impl ToString, found: impl ToString) -> IndexError {
        IndexError::Damaged {
            path: self.path.clone(),
            expected: expected.to_string(),
            found: format!("{} at window {}", found.to_string(), self.window),
        }
    }

    fn memory(&self) -> IndexError {
        IndexError::Memory {
            limit: system::available_memory(),
            needed: self.bytes_needed(),
            reason: format!("the contexts of window {}", self.window),
        }
    }
}

/// The different histograms, numbered in the order in which they are met.
#[derive(Default)]
struct Codes {
    codes: HashMap<Histogram, u32>,
    histograms: Vec<Histogram>,
}

/// What all threads fill together.
struct Gathered<'a> {
    plan: &'a Plan,
    observer: &'a dyn Observer,
    parts: Vec<Mutex<Vec<u8>>>,
    codes: Mutex<Codes>,
    contexts: AtomicU64,
    occurrences: AtomicU64,
}

/// A thread that panicked inside RocksDB's iterator leaves whole contexts behind, and the panic goes on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread's contexts on their way to the parts.
struct Gatherer<'a> {
    to: &'a Gathered<'a>,
    /// Room for [`BATCH`] contexts of each part, and how many are there.
    pending: Vec<u8>,
    filled: Vec<u8>,
    codes: HashMap<Histogram, u32>,
    /// Contexts and occurrences not yet reported.
    contexts: u64,
    occurrences: u64,
}

impl<'a> Gatherer<'a> {
    fn new(to: &'a Gathered<'a>) -> Self {
        let parts = to.parts.len();
        Self {
            to,
            pending: vec![0; parts * BATCH * to.plan.width()],
            filled: vec![0; parts],
            codes: HashMap::new(),
            contexts: 0,
            occurrences: 0,
        }
    }

    fn add(&mut self, key: &ContextKey, histogram: Histogram) -> Result<(), IndexError> {
        let plan = self.to.plan;
        let code = self.code(histogram)?;
        let place = plan.layout.place(key);
        let filled = usize::from(self.filled[place.part]);
        let at = (place.part * BATCH + filled) * plan.width();
        let entry = &mut self.pending[at..at + plan.width()];
        let (bucket, rest) = entry.split_at_mut(BUCKET_BYTES);
        let (stored, number) = rest.split_at_mut(plan.layout.stored_bytes());
        bucket.copy_from_slice(&(place.bucket as u16).to_le_bytes());
        stored.copy_from_slice(plan.layout.stored(key));
        number.copy_from_slice(&code.to_le_bytes());
        self.filled[place.part] += 1;
        if filled + 1 == BATCH {
            self.flush(place.part)?;
        }
        self.contexts += 1;
        self.occurrences += histogram.total();
        if self.contexts == STEP {
            self.report()?;
        }
        Ok(())
    }

    fn code(&mut self, histogram: Histogram) -> Result<u32, IndexError> {
        if let Some(code) = self.codes.get(&histogram) {
            return Ok(*code);
        }
        let Codes { codes, histograms } = &mut *lock(&self.to.codes);
        let code = match codes.get(&histogram) {
            Some(code) => *code,
            None => {
                let code = u32::try_from(histograms.len())
                    .map_err(|_| self.to.plan.damaged("2³² histograms at most", "more"))?;
                codes.insert(histogram, code);
                histograms.push(histogram);
                code
            }
        };
        self.codes.insert(histogram, code);
        Ok(code)
    }

    fn flush(&mut self, part: usize) -> Result<(), IndexError> {
        let plan = self.to.plan;
        let at = part * BATCH * plan.width();
        let bytes = usize::from(self.filled[part]) * plan.width();
        self.filled[part] = 0;
        let mut gathered = lock(&self.to.parts[part]);
        if gathered.capacity() == 0 {
            let room = plan.part_contexts() * plan.width();
            gathered
                .try_reserve_exact(room)
                .map_err(|_| plan.memory())?;
        }
        gathered.try_reserve(bytes).map_err(|_| plan.memory())?;
        gathered.extend_from_slice(&self.pending[at..at + bytes]);
        Ok(())
    }

    fn report(&mut self) -> Result<(), IndexError> {
        let to = self.to;
        let (contexts, occurrences) = (self.contexts, self.occurrences);
        (self.contexts, self.occurrences) = (0, 0);
        let found = to.contexts.fetch_add(contexts, Ordering::Relaxed) + contexts;
        to.occurrences.fetch_add(occurrences, Ordering::Relaxed);
        to.observer.advance(contexts);
        // Not only at the end: an index with more contexts than its manifest says takes no more memory.
        if found > to.plan.distinct {
            let expected = format!("{} contexts", to.plan.distinct);
            return Err(to.plan.damaged(expected, format!("at least {found}")));
        }
        if to.observer.stop_requested() {
            return Err(IndexError::Stopped);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), IndexError> {
        for part in 0..self.filled.len() {
            if self.filled[part] > 0 {
                self.flush(part)?;
            }
        }
        self.report()
    }
}

/// Fills a table from ranges of keys, each of which `read` hands over in ascending order.
pub(super) fn gather<R: Sync>(
    plan: &Plan,
    ranges: &[R],
    read: impl Fn(
        &R,
        &mut dyn FnMut(&ContextKey, Histogram) -> Result<(), IndexError>,
    ) -> Result<(), IndexError>
    + Sync,
    observer: &dyn Observer,
) -> Result<Resident, IndexError> {
    if plan.bytes_needed() > system::available_memory() {
        return Err(plan.memory());
    }
    observer.stage(&format!("{}: load", plan.window), plan.distinct, "contexts");
    let parts = (0..plan.layout.parts()).map(|_| Mutex::default());
    let gathered = Gathered {
        plan,
        observer,
        parts: parts.collect(),
        codes: Mutex::default(),
        contexts: AtomicU64::new(0),
        occurrences: AtomicU64::new(0),
    };
    ranges.par_iter().with_max_len(1).try_for_each(|range| {
        let mut gatherer = Gatherer::new(&gathered);
        let mut last: Option<ContextKey> = None;
        read(range, &mut |key, histogram| {
            if last.is_some_and(|last| last >= *key) {
                let expected = format!("a context behind {:02x?}", last.map(|key| *key.padded()));
                return Err(plan.damaged(expected, format!("{:02x?}", key.as_bytes())));
            }
            last = Some(*key);
            gatherer.add(key, histogram)
        })?;
        gatherer.finish()
    })?;
    let found = (
        gathered.contexts.into_inner(),
        gathered.occurrences.into_inner(),
    );
    let expected = (plan.distinct, plan.occurrences);
    if found != expected {
        let expected = format!("{expected:?} contexts and occurrences");
        return Err(plan.damaged(expected, format!("{found:?}")));
    }
    let codes = gathered.codes.into_inner();
    let histograms = codes.unwrap_or_else(PoisonError::into_inner).histograms;
    let code_bytes = code_bytes(histograms.len());
    let parts = gathered.parts.into_par_iter().map(|part| {
        if observer.stop_requested() {
            return Err(IndexError::Stopped);
        }
        let part = part.into_inner().unwrap_or_else(PoisonError::into_inner);
        in_order(plan, &part, code_bytes)
    });
    Ok(Resident {
        layout: plan.layout,
        parts: parts.collect::<Result<_, _>>()?,
        histograms: histograms.into(),
        code_bytes,
        contexts: plan.distinct,
        uppers: None,
    })
}

/// The fewest bytes that number so many histograms.
fn code_bytes(histograms: usize) -> usize {
    let bits = usize::BITS - histograms.saturating_sub(1).leading_zeros();
    bits.div_ceil(8).max(1) as usize
}

/// Puts the contexts of a part into the order of their buckets: a counting sort.
fn in_order(plan: &Plan, gathered: &[u8], code_bytes: usize) -> Result<Part, IndexError> {
    let contexts = gathered.chunks_exact(plan.width());
    if u16::try_from(contexts.len()).is_err() {
        return Err(IndexError::Input(format!(
            "the contexts of window {} do not spread over a table in memory: {} fall where {} \
             were meant to",
            plan.window,
            contexts.len(),
            BUCKET as usize * PART_BUCKETS,
        )));
    }
    let bucket = |context: &[u8]| usize::from(u16::from_le_bytes([context[0], context[1]]));
    // One further along than they belong: filling a bucket moves its start to its end.
    let mut starts = vec![0u16; PART_BUCKETS + 2];
    for context in contexts.clone() {
        starts[bucket(context) + 2] += 1;
    }
    for bucket in 1..starts.len() {
        starts[bucket] += starts[bucket - 1];
    }
    let width = plan.layout.stored_bytes() + code_bytes;
    let mut entries = vec![0; contexts.len() * width + size_of::<u64>()];
    for context in contexts {
        let start = &mut starts[bucket(context) + 1];
        let at = usize::from(*start) * width;
        *start += 1;
        // The number's lowest bytes come first, so the bytes that are kept are in one piece.
        entries[at..at + width].copy_from_slice(&context[BUCKET_BYTES..][..width]);
    }
    starts.pop();
    Ok(Part {
        starts: starts.into(),
        entries: entries.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::index::Counts;
    use crate::progress::Unobserved;
    use crate::window::MAX_KEY_BYTES;

    type Contexts = BTreeMap<Vec<u8>, Histogram>;

    fn plan(key_bytes: usize, distinct: u64, occurrences: u64) -> Plan {
        let entry = WindowEntry {
            window: "3x3".to_owned(),
            key: "exact".to_owned(),
            key_bytes,
            contexts: occurrences,
            distinct,
            ambiguous: 0,
            bytes: 0,
            posting_bytes: 0,
        };
        Plan::new(&entry, "index".as_ref())
    }

    fn key(bytes: &[u8]) -> ContextKey {
        ContextKey::new(bytes).unwrap()
    }

    /// Loads lists of contexts as they stand, one range each.
    fn load(plan: &Plan, ranges: &[Vec<(Vec<u8>, Histogram)>]) -> Result<Resident, IndexError> {
        gather(
            plan,
            ranges,
            |range, take| {
                let mut contexts = range.iter();
                contexts.try_for_each(|(bytes, histogram)| take(&key(bytes), *histogram))
            },
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
        let keys: Vec<_> = asked.iter().map(|bytes| key(bytes)).collect();
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
        for (number, bytes) in [(1, 1), (256, 1), (257, 2), (1 << 16, 2), ((1 << 16) + 1, 3)] {
            let contexts: Contexts = (0..number as u64)
                .map(|i| (i.to_be_bytes()[4..].to_vec(), histogram(i)))
                .collect();
            let resident = load_all(4, &contexts);
            assert_eq!(resident.histograms.len(), number);
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
            assert!(resident.parts.len() > 1);
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
            (3, 3, vec![a.clone(), b.clone(), b.clone()]),
            (3, 3, vec![a, c, b]),
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
            let result = gather(&plan, &[()], never, &Unobserved);
            let Err(IndexError::Memory { needed, limit, .. }) = result else {
                unreachable!("{distinct} contexts fit");
            };
            assert!(needed > limit && needed >= 1 << 45);
        }
    }

    #[test]
    fn a_part_with_more_contexts_than_it_can_number_is_refused() {
        let plan = plan(9, 1 << 20, 1 << 20);
        let most = usize::from(u16::MAX);
        let part = in_order(&plan, &vec![0; most * plan.width()], 2).unwrap();
        assert_eq!(part.starts[..2], [0, u16::MAX]);
        let result = in_order(&plan, &vec![0; (most + 1) * plan.width()], 2);
        assert!(matches!(result, Err(IndexError::Input(_))));
    }
}
