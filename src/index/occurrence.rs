//! Occurrences: one (context, next bit, latent id, position), as a number that sorts.
//!
//! Key, next bit and occurrence number (`latent id · HWK + position`) are packed, most significant
//! first, into the fewest 64-bit words: 1 for MNIST at 7x7 (4-byte keys, 27 bits behind), 2 at
//! 11x11. Comparing the words as they stand is then the order that the index is written in.

use crate::window::{ContextKey, MAX_KEY_BYTES};

/// Most words of an occurrence: 32 bytes of key, 1 bit, 52 bits of occurrence number.
pub(super) const MAX_WORDS: usize = 5;

/// How the occurrences of one window are packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct OccurrenceLayout {
    key_bytes: usize,
    /// Bits of the largest occurrence number.
    number_bits: u32,
}

impl OccurrenceLayout {
    /// Plans words for keys of `key_bytes` and occurrence numbers below `occurrences`.
    pub(super) fn new(key_bytes: usize, occurrences: u64) -> Self {
        debug_assert!(key_bytes <= MAX_KEY_BYTES && occurrences <= 1 << 52);
        Self {
            key_bytes,
            number_bits: 64 - occurrences.saturating_sub(1).leading_zeros(),
        }
    }

    /// Returns how many words one occurrence takes, 1 to [`MAX_WORDS`].
    pub(super) fn words(&self) -> usize {
        (self.key_bytes * 8 + 1 + self.number_bits as usize).div_ceil(64)
    }

    /// Packs one occurrence. `W` must be [`Self::words`].
    pub(super) fn pack<const W: usize>(
        &self,
        key: &ContextKey,
        bit: bool,
        number: u64,
    ) -> [u64; W] {
        let mut words = [0; W];
        let (chunks, _) = key.padded().as_chunks::<8>();
        for (word, bytes) in words.iter_mut().zip(chunks) {
            *word = u64::from_be_bytes(*bytes);
        }
        let tail_bits = 1 + self.number_bits;
        let tail = (u64::from(bit) << self.number_bits | number) << (64 - tail_bits);
        let (word, shift) = (self.key_bytes / 8, (self.key_bytes % 8 * 8) as u32);
        words[word] |= tail >> shift;
        if shift + tail_bits > 64 {
            words[word + 1] = tail << (64 - shift);
        }
        words
    }

    /// Returns the next bit and the occurrence number.
    pub(super) fn tail<const W: usize>(&self, words: &[u64; W]) -> (bool, u64) {
        let tail_bits = 1 + self.number_bits;
        let (word, shift) = (self.key_bytes / 8, (self.key_bytes % 8 * 8) as u32);
        let mut tail = words[word] << shift;
        if shift + tail_bits > 64 {
            tail |= words[word + 1] >> (64 - shift);
        }
        let tail = tail >> (64 - tail_bits);
        (
            tail >> self.number_bits == 1,
            tail & ((1 << self.number_bits) - 1),
        )
    }

    /// Returns the occurrence with nothing but its key: the first that could be of this context.
    pub(super) fn key_only<const W: usize>(&self, mut words: [u64; W]) -> [u64; W] {
        for (i, word) in words.iter_mut().enumerate() {
            let key_bits = (self.key_bytes * 8).saturating_sub(i * 64).min(64) as u32;
            // Shifting by 64 leaves nothing, which is right and which `<<` alone would not do.
            *word &= u64::MAX.checked_shl(64 - key_bits).unwrap_or(0);
        }
        words
    }

    /// Returns the key.
    pub(super) fn key<const W: usize>(&self, words: &[u64; W]) -> ContextKey {
        let mut bytes = [0; MAX_KEY_BYTES];
        for (chunk, word) in bytes.chunks_mut(8).zip(self.key_only(*words)) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        ContextKey::from_padded(bytes, self.key_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check<const W: usize>(layout: OccurrenceLayout, cases: &[(Vec<u8>, bool, u64)]) {
        let mut packed = Vec::new();
        for (key, bit, number) in cases {
            let key = ContextKey::new(key).unwrap();
            let words = layout.pack::<W>(&key, *bit, *number);
            assert_eq!(layout.key(&words), key);
            assert_eq!(layout.tail(&words), (*bit, *number));
            packed.push(words);
        }
        let mut order: Vec<_> = (0..cases.len()).collect();
        order.sort_by_key(|i| packed[*i]);
        assert!(order.is_sorted_by_key(|i| &cases[*i]));
    }

    proptest! {
        #[test]
        fn occurrences_sort_by_key_then_bit_then_number(
            key_bytes in 1..=MAX_KEY_BYTES,
            log in 0..=52u32,
            raw in prop::collection::vec((prop::collection::vec(any::<u8>(), MAX_KEY_BYTES), any::<bool>(), any::<u64>()), 1..20),
        ) {
            let layout = OccurrenceLayout::new(key_bytes, 1 << log);
            let cases: Vec<_> = raw
                .into_iter()
                .map(|(key, bit, number)| (key[..key_bytes].to_vec(), bit, number % (1 << log)))
                .collect();
            match layout.words() {
                1 => check::<1>(layout, &cases),
                2 => check::<2>(layout, &cases),
                3 => check::<3>(layout, &cases),
                4 => check::<4>(layout, &cases),
                _ => check::<MAX_WORDS>(layout, &cases),
            }
        }
    }
}
