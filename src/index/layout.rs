//! Where a context lies in a [`Resident`](super::Resident) table: its part, its bucket, and the bytes of
//! its key that are stored there.

use crate::window::{ContextKey, MAX_KEY_BYTES};

/// Buckets of one part. Parts are filled one by one, so that what has been read from the index can be
/// let go piece by piece, and hold few enough contexts for 2 bytes to number them.
pub(super) const PART_BUCKETS: usize = 1 << 13;

/// Contexts aimed at in one bucket.
pub(super) const BUCKET: u64 = 3;

/// Bytes of where the contexts of each bucket of a part begin, and of where the last end.
pub(super) const STARTS_BYTES: usize = 2 * (PART_BUCKETS + 1);

/// Words of the longest key.
const WORDS: usize = MAX_KEY_BYTES / 8;

/// Where the contexts of a window lie: known before any is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableLayout {
    pub(super) key_bytes: usize,
    /// First bytes of a key, which its bucket tells.
    told: usize,
    parts: u64,
    /// Words of the bytes that are stored, at least one, and which of their bits are stored.
    pub(super) words: usize,
    pub(super) masks: [u64; WORDS],
}

/// Where one context lies, if it is there.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) part: usize,
    pub(super) bucket: usize,
    /// The bytes of the key that are stored, lowest first.
    pub(super) rest: [u64; WORDS],
}

impl TableLayout {
    /// Plans a table of `distinct` keys of `key_bytes` bytes.
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

    /// Returns the bytes of a key that are stored.
    pub(super) fn stored<'a>(&self, key: &'a ContextKey) -> &'a [u8] {
        &key.padded()[self.told..self.key_bytes]
    }

    /// Returns how many those are.
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

/// Returns the lowest `bytes` bytes of a word.
pub(super) fn low_bytes(bytes: usize) -> u64 {
    match bytes {
        0..8 => (1 << (8 * bytes)) - 1,
        _ => u64::MAX,
    }
}

/// Returns the eight bytes from `at` on.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    let chunk = bytes.get(at..).and_then(<[u8]>::first_chunk);
    // Every entry is followed by eight bytes, so there are always that many.
    chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk))
}
