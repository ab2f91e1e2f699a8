//! Bits in words, lowest first: packed bytes as words, and runs of up to 64 bits at any place.

/// Returns the words that packed bytes fill, the last one with zeros where bytes are missing: bit `i` at byte `i/8`,
/// bit position `i%8`, is bit `i%64` of word `i/64`.
pub(crate) fn words(packed: &[u8]) -> impl Iterator<Item = u64> {
    packed.chunks(8).map(|bytes| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    })
}

/// Returns `n ≤ 64` bits of `words` from bit `at` on, lowest first. Reads the word after the last one asked for, which
/// the callers keep spare.
pub(crate) fn read(words: &[u64], at: usize, n: usize) -> u64 {
    let (word, shift) = (at / 64, at % 64);
    // `<< 1 << (63 − shift)` is `<< (64 − shift)` that is 0, not undefined, at shift 0.
    let both = words[word] >> shift | words[word + 1] << 1 << (63 - shift);
    if n == 0 { 0 } else { both & !0 >> (64 - n) }
}

/// Replaces `n ≤ 64` bits of `words` from bit `at` on.
pub(crate) fn replace(words: &mut [u64], at: usize, n: usize, bits: u64) {
    if n == 0 {
        return;
    }
    let mask = !0 >> (64 - n);
    let (word, shift) = (at / 64, at % 64);
    let bits = bits & mask;
    words[word] = words[word] & !(mask << shift) | bits << shift;
    words[word + 1] = words[word + 1] & !(mask >> 1 >> (63 - shift)) | bits >> 1 >> (63 - shift);
}

/// Ors `bits` into `words` from bit `at` on. Touches the word behind, as [`read`] does.
pub(crate) fn push(words: &mut [u64], at: usize, bits: u64) {
    let (word, shift) = (at / 64, at % 64);
    words[word] |= bits << shift;
    words[word + 1] |= bits >> 1 >> (63 - shift);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_bytes_are_words_lowest_bit_first() {
        assert_eq!(words(&[]).count(), 0);
        let bytes: Vec<u8> = (1..=11).collect();
        let found: Vec<u64> = words(&bytes).collect();
        assert_eq!(found, [0x0807_0605_0403_0201, 0x0b_0a09]);
    }
}
