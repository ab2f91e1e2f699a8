//! What the rows above tell of a context.

use super::ContextKey;

/// A context as far as it lies in the rows above its site: border class and the bits of those rows. They
/// are the first of a key; those of the site's own row, behind them, are left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpperKey {
    /// The bytes that the upper part lies in, open bits 0.
    key: ContextKey,
    /// Bytes that are wholly of the upper part.
    whole: usize,
    /// Which bits of the byte behind them are: none where there is no such byte.
    mask: u8,
}

impl UpperKey {
    /// Leaves the bits of `key` from bit `bits` behind its class number on open.
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

    /// The upper part as a key of its own: equal for equal upper parts of one window.
    pub fn as_key(&self) -> &ContextKey {
        &self.key
    }

    /// The bytes that the keys of all contexts with this upper part, and of few others, begin with.
    pub fn prefix(&self) -> &[u8] {
        &self.key.as_bytes()[..self.whole]
    }

    /// Whether a key of the same window is of a context with this upper part.
    pub fn matches(&self, key: &[u8]) -> bool {
        let byte = |key: &[u8]| key.get(self.whole).map_or(0, |byte| byte & self.mask);
        key.starts_with(self.prefix()) && byte(key) == byte(self.key.as_bytes())
    }
}
