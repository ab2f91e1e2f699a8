//! Runs of bits in words, lowest first: reading and writing up to 64 at any place.

/// `n ≤ 64` bits of `words` from bit `at` on, lowest first. Reads the word after the last one asked
/// for, which the callers keep spare.
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
