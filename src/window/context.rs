//! A context as it lies in an array: laid out by its order, nearest bits first.

/// A context, laid out by its order ([`Order`](super::Order)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Context {
    /// The first bit highest, zeros behind the last one.
    words: Vec<u64>,
    bits: usize,
}

impl Context {
    /// Takes the words of a context of so many bits.
    pub(crate) fn new(words: Vec<u64>, bits: usize) -> Self {
        Self { words, bits }
    }

    /// Takes the first `bits` bits of a longer one.
    pub(crate) fn cut(mut words: Vec<u64>, bits: usize) -> Self {
        words.truncate(bits.div_ceil(64).max(1));
        if let (Some(last), true) = (words.last_mut(), bits == 0 || !bits.is_multiple_of(64)) {
            *last &= !(!0 >> (bits % 64));
        }
        Self { words, bits }
    }

    /// Returns its words, the first bit highest, zeros behind the last one.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Returns how many bits it has.
    pub fn bits(&self) -> usize {
        self.bits
    }
}
