//! The part of a context key that depends only on the rows above its site.

use super::ContextKey;

/// The part of a context in the rows above its site: the border class and the bits of those rows. A key
/// begins with them; the bits of the site's own row, behind them, are left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpperKey {
    /// The bytes that the upper part lies in, open bits 0.
    key: ContextKey,
    /// How many bytes belong wholly to the upper part.
    whole: usize,
    /// Which bits of the byte behind those belong to it; none where there is no such byte.
    mask: u8,
}

impl UpperKey {
    /// Takes the first `bits` bits behind the class number of `key`, and leaves the others open.
    pub(super) fn new(key: &ContextKey, class_bytes: usize, bits: usize) -> Self {
        let (whole, mask) = (class_bytes + bits / 8, (1 << (bits % 8)) - 1);
        let length = whole + usize::from(mask != 0);
        let mut bytes = *key.padded();
        bytes.iter_mut().skip(whole + 1).for_each(|byte| *byte = 0);
        if let Some(byte) = bytes.get_mut(whole) {
            *byte &= mask;
        }
        Self {
            key: ContextKey::from_padded(bytes, length),
            whole,
            mask,
        }
    }

    /// Returns the upper part as a key of its own: equal for equal upper parts of one window.
    pub fn as_key(&self) -> &ContextKey {
        &self.key
    }

    /// Returns the bytes that the keys of all contexts with this upper part, and of few others, begin with.
    pub fn prefix(&self) -> &[u8] {
        &self.key.as_bytes()[..self.whole]
    }

    /// Returns whether a key of the same window is of a context with this upper part.
    pub fn matches(&self, key: &[u8]) -> bool {
        let byte = |key: &[u8]| key.get(self.whole).map_or(0, |byte| byte & self.mask);
        key.starts_with(self.prefix()) && byte(key) == byte(self.key.as_bytes())
    }
}
