//! The histograms of one window held in memory: a compact exact table.
//!
//! The table is filled once, so it needs no room to grow: a bucket's contexts lie one behind the other
//! without a gap, and 2 bytes say where they begin. A bucket is the key's first bytes added to a
//! digest of the others: who knows the bucket and the other bytes knows the first, so those are not
//! stored, and the answer is still exact. A histogram is a number into a list of the different ones,
//! of which there are few.
//!
//! An upper part stands in the table as the context that goes on with zeros: it occurred if there is an
//! entry. Where no such context did, the entry has no histogram.
//!
//! Tried on MNIST at 11x11 (5,770,225 contexts, keys of 9 bytes, 2 cores with 32 MiB of L3), as bare
//! prototypes with the same hash; nanoseconds of a hit and of a miss in a loop, and of a hit when the
//! next key waits for the answer, as it does in a search. Without upper parts, which are 2.6 million
//! entries more and make it 13.8 bytes a context:
//!
//! | layout | bytes a context | hit | miss | hit, waiting |
//! | --- | ---: | ---: | ---: | ---: |
//! | this | 9.7 | 73 | 71 | 204 |
//! | this, 2 contexts a bucket | 10.0 | 77 | 62 | 219 |
//! | this, 8 contexts a bucket | 9.3 | 89 | 94 | 151 |
//! | this, starts of 4 bytes, 2 contexts a bucket | 11.0 | 75 | 65 | 223 |
//! | lines of 64 bytes, 80 % full, the same stored bytes | 13.7 | 75 | 76 | 196 |
//! | lines of 64 bytes, 70 % full, whole keys | 18.3 | 77 | 160 | 192 |
//! | linear probing, 70 % full, whole keys | 15.7 | 69 | 149 | 185 |
//! | the standard library's hash table, whole keys | 18.9 | 48 | 20 | 302 |
//!
//! Lines need one read from memory where this needs two, but a rule for what overflows, and room for it.
//! XXH3 as the digest took a quarter longer (116 against 91), and whole keys in this layout 2 bytes and
//! a third longer (124 against 91).

use std::hint::black_box;
use std::ops::Range;

use super::load::{Plan, load};
use super::pages::Pages;
use super::{Counts, Histogram, IndexError, WindowEntry, WindowIndex};
use crate::progress::Observer;
use crate::window::{ContextKey, MAX_KEY_BYTES, UpperKey};

/// Buckets of one part. Parts are filled one by one, so that what has been read from the index can be
/// let go piece by piece, and hold few enough contexts for 2 bytes to number them.
pub(super) const PART_BUCKETS: usize = 1 << 13;

/// Contexts aimed at in one bucket.
pub(super) const BUCKET: u64 = 3;

/// Words of the longest key.
const WORDS: usize = MAX_KEY_BYTES / 8;

/// Keys of which the places are fetched together, and the fewest for which that pays.
const GROUP: usize = 16;
const LEAST_GROUP: usize = 4;

/// Where the contexts of a window lie: known before any is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    key_bytes: usize,
    /// First bytes of a key, which its bucket tells.
    told: usize,
    parts: u64,
    /// Words of the bytes that are stored, at least one, and which of their bits are stored.
    words: usize,
    masks: [u64; WORDS],
}

/// Where one context lies, if it is there.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) part: usize,
    pub(super) bucket: usize,
    /// The bytes of the key that are stored, lowest first.
    rest: [u64; WORDS],
}

impl Layout {
    /// For `distinct` keys of `key_bytes` bytes.
    pub(super) fn new(key_bytes: usize, distinct: u64) -> Self {
        let parts = distinct.div_ceil(BUCKET * PART_BUCKETS as u64).max(1);
        let buckets = parts.saturating_mul(PART_BUCKETS as u64);
        // A bucket tells the first bytes only if it has a number for each of their values.
        let told = (1..=3)
            .take_while(|told| *told <= key_bytes && 1 << (8 * told) <= buckets)
            .last()
            .unwrap_or(0);
        let stored = key_bytes - told;
        let mut masks = [0; WORDS];
        for (word, mask) in masks.iter_mut().enumerate() {
            let bytes = stored.saturating_sub(8 * word);
            *mask = low_bytes(bytes);
        }
        Self {
            key_bytes,
            told,
            parts,
            words: stored.div_ceil(8).max(1),
            masks,
        }
    }

    pub(super) fn parts(&self) -> u64 {
        self.parts
    }

    /// The bytes of a key that are stored.
    pub(super) fn stored<'a>(&self, key: &'a ContextKey) -> &'a [u8] {
        &key.padded()[self.told..self.key_bytes]
    }

    /// How many those are.
    pub(super) fn stored_bytes(&self) -> usize {
        self.key_bytes - self.told
    }

    #[inline]
    pub(super) fn place(&self, key: &ContextKey) -> Place {
        let mut words = [0; WORDS + 1];
        for (word, bytes) in words.iter_mut().zip(key.padded().as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let shift = 8 * self.told;
        let mut rest = [0; WORDS];
        let mut digest = 0x9e37_79b9_7f4a_7c15;
        for i in 0..self.words {
            // In two steps: a word cannot be shifted by all of its 64 bits.
            rest[i] = words[i] >> shift | words[i + 1] << 1 << (63 - shift);
            digest = fold(digest ^ rest[i]);
        }
        let buckets = self.parts * PART_BUCKETS as u64;
        let first = words[0] & low_bytes(self.told);
        let spread = (u128::from(digest) * u128::from(buckets)) >> 64;
        let sum = spread as u64 + first;
        let bucket = if sum < buckets { sum } else { sum - buckets };
        Place {
            part: bucket as usize / PART_BUCKETS,
            bucket: bucket as usize % PART_BUCKETS,
            rest,
        }
    }
}

/// Mixes all bits of a word into all others: both halves of a product (as wyhash does).
fn fold(word: u64) -> u64 {
    let product = u128::from(word) * 0xa076_1d64_78bd_642f;
    (product >> 64) as u64 ^ product as u64
}

/// The lowest `bytes` bytes of a word.
fn low_bytes(bytes: usize) -> u64 {
    match bytes {
        0..8 => (1 << (8 * bytes)) - 1,
        _ => u64::MAX,
    }
}

/// The eight bytes from `at` on.
#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    let chunk = bytes.get(at..).and_then(<[u8]>::first_chunk);
    // Every entry is followed by eight bytes, so there are always that many.
    chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

/// Bytes of where the contexts of each bucket of a part begin, and of where the last end.
pub(super) const STARTS_BYTES: usize = 2 * (PART_BUCKETS + 1);

/// The contexts of [`PART_BUCKETS`] consecutive buckets.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// The number of each bucket's first context, and of the end: 2 bytes each, lowest first. Then for each
    /// context the stored bytes of its key and its histogram's number; 8 bytes behind all.
    block: &'a [u8],
}

impl<'a> Part<'a> {
    #[inline]
    fn contexts(self, bucket: usize) -> Range<usize> {
        let both = word(self.block, 2 * bucket);
        (both & 0xffff) as usize..(both >> 16 & 0xffff) as usize
    }

    fn entries(self) -> &'a [u8] {
        &self.block[STARTS_BYTES..]
    }
}

/// The histograms of one window, all in memory: answers what the index answers, without reading it.
pub struct Resident {
    pub(super) layout: Layout,
    pub(super) pages: Pages,
    /// Where the block of each part begins, and the end.
    pub(super) blocks: Box<[usize]>,
    /// The different histograms; an upper part's is empty.
    pub(super) histograms: Box<[Histogram]>,
    /// Bytes of a histogram's number.
    pub(super) code_bytes: usize,
    pub(super) contexts: u64,
}

impl Resident {
    /// Reads all contexts of a window, in parallel. Takes at most [`Resident::bytes_needed`].
    ///
    /// # Errors
    /// [`IndexError::Memory`] when that is more than the machine has left; [`IndexError::Stopped`];
    /// [`IndexError::Damaged`] when the contexts are not those that the manifest counts, and as
    /// [`WindowIndex::lookup`].
    pub fn load(window: &WindowIndex<'_>, observer: &dyn Observer) -> Result<Self, IndexError> {
        let plan = Plan::new(window.entry(), window.index().path());
        let mut ranges = window.ranges()?;
        // The largest first: none is left to one thread at the end.
        ranges.sort_by_key(|range| std::cmp::Reverse(range.bytes));
        load(
            &plan,
            &ranges,
            |key| window.geometry().upper_of(key),
            |range, take| window.visit(range, |key, record| take(key, record.histogram())),
            observer,
        )
    }

    /// Most memory that a window can take, while it is loaded and after: from the manifest alone.
    pub fn bytes_needed(entry: &WindowEntry) -> u64 {
        Plan::new(entry, "".as_ref()).bytes_needed()
    }

    /// Memory held.
    pub fn bytes(&self) -> u64 {
        let held = self.pages.len() + size_of_val(&*self.blocks);
        (size_of_val(self) + held + size_of_val(&*self.histograms)) as u64
    }

    /// Contexts held.
    pub fn contexts(&self) -> u64 {
        self.contexts
    }

    #[inline]
    fn part(&self, number: usize) -> Option<Part<'_>> {
        let block = match self.blocks.get(number..number + 2) {
            Some(&[start, end]) => self.pages.get(start..end)?,
            _ => return None,
        };
        Some(Part { block })
    }

    #[inline]
    fn place(&self, key: &ContextKey) -> Option<(Part<'_>, Place)> {
        // A key of another window is in no bucket, though its first bytes may look so.
        if key.as_bytes().len() != self.layout.key_bytes {
            return None;
        }
        let place = self.layout.place(key);
        Some((self.part(place.part)?, place))
    }

    fn entry_bytes(&self) -> usize {
        self.layout.stored_bytes() + self.code_bytes
    }

    #[inline]
    fn find(&self, part: Part<'_>, among: Range<usize>, place: &Place) -> Option<Histogram> {
        let found = self.find_entry(part, among, place)?;
        (found.total() > 0).then_some(found)
    }

    #[inline]
    fn find_entry(&self, part: Part<'_>, among: Range<usize>, place: &Place) -> Option<Histogram> {
        let (layout, entries) = (&self.layout, part.entries());
        let same_word = |at, i| word(entries, at + 8 * i) & layout.masks[i] == place.rest[i];
        let same = |at| same_word(at, 0) && (1..layout.words).all(|i| same_word(at, i));
        let at = among
            .map(|context| context * self.entry_bytes())
            .find(|at| same(*at))?;
        let code = word(entries, at + layout.stored_bytes()) & low_bytes(self.code_bytes);
        self.histograms.get(code as usize).copied()
    }

    fn get(&self, key: &ContextKey) -> Option<Histogram> {
        let (part, place) = self.place(key)?;
        self.find(part, part.contexts(place.bucket), &place)
    }
}

impl Counts for Resident {
    fn histogram(&self, key: &ContextKey) -> Result<Option<Histogram>, IndexError> {
        Ok(self.get(key))
    }

    fn has_upper(&self, upper: &UpperKey) -> Result<bool, IndexError> {
        let place = self.layout.place(upper.as_key());
        let entry = self.part(place.part).and_then(|part| {
            let among = part.contexts(place.bucket);
            self.find_entry(part, among, &place)
        });
        Ok(entry.is_some())
    }

    fn histograms(
        &self,
        keys: &[ContextKey],
        found: &mut Vec<Option<Histogram>>,
    ) -> Result<(), IndexError> {
        found.clear();
        for keys in keys.chunks(GROUP) {
            if keys.len() < LEAST_GROUP {
                found.extend(keys.iter().map(|key| self.get(key)));
                continue;
            }
            let mut places = [const { None }; GROUP];
            for (place, key) in places.iter_mut().zip(keys) {
                *place = self.place(key).map(|(part, place)| {
                    let among = part.contexts(place.bucket);
                    (part, among, place)
                });
            }
            // The contexts of all keys are on their way from memory before the first is looked at.
            let mut touched = 0;
            for (part, among, _) in places.iter().flatten() {
                for context in [among.start, among.end] {
                    let byte = part.entries().get(context * self.entry_bytes());
                    touched ^= byte.copied().unwrap_or_default();
                }
            }
            black_box(touched);
            found.extend(places[..keys.len()].iter().map(|place| {
                let (part, among, place) = place.as_ref()?;
                self.find(*part, among.clone(), place)
            }));
        }
        Ok(())
    }
}
