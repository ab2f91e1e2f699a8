//! What the rows above tell of a context.

use super::ContextKey;

/// A context as far as it lies in the rows above its site: border class and the bits of those rows. The
/// bits of the site's own row, which are the last of a key, are left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpperKey {
    /// The key with every open bit 0.
    key: ContextKey,
    /// Bytes before the first open bit's, and which bits of that byte are not open.
    whole: usize,
    mask: u8,
}

impl UpperKey {
    /// Leaves the bits of `key` from bit `bits` behind its class number on open.
    pub(super) fn new(key: &ContextKey, class_bytes: usize, bits: usize) -> Self {
        let (whole, mask) = (class_bytes + bits / 8, (1 << (bits % 8)) - 1);
        let mut bytes = *key.padded();
        if let Some(byte) = bytes.get_mut(whole) {
            *byte &= mask;
        }
        bytes.iter_mut().skip(whole + 1).for_each(|byte| *byte = 0);
        Self {
            key: ContextKey::from_padded(bytes, key.as_bytes().len()),
            whole,
            mask,
        }
    }

    /// The key of the context whose open bits are all 0, whether it occurs or not: one for each upper part.
    pub fn as_key(&self) -> &ContextKey {
        &self.key
    }

    /// The bytes that the keys of all contexts with this upper part, and of few others, begin with.
    pub fn prefix(&self) -> &[u8] {
        &self.key.as_bytes()[..self.whole]
    }

    /// Whether a key of the same window is of a context with this upper part.
    pub fn matches(&self, key: &[u8]) -> bool {
        let own = self.key.as_bytes();
        let byte = |key: &[u8]| key.get(self.whole).map(|byte| byte & self.mask);
        key.starts_with(self.prefix()) && byte(key) == byte(own)
    }
}
