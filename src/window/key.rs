//! The context key: a context as bytes, exact or digested.

use xxhash_rust::xxh3::xxh3_128;

use crate::base::choice;

/// Longest exact key. Beyond it a digest of 16 bytes stands for the context: two of n different
/// contexts share one with probability n²/2¹²⁹, 10⁻²⁰ at a billion contexts.
pub const MAX_KEY_BYTES: usize = 32;

/// Bytes of a digested key.
pub const DIGEST_BYTES: usize = 16;

choice! {
    "lowercase",
    /// How a window's contexts become keys.
    #[non_exhaustive]
    pub enum KeyRule {
        /// Class number, then the context's bits.
        #[serde(rename = "exact")]
        #[strum(serialize = "exact")]
        Exact,
        /// The XXH3-128 digest of what the exact key would be.
        #[serde(rename = "xxh3-128")]
        #[strum(serialize = "xxh3-128")]
        Digest,
    }
}

/// A context, bit-packed to at most [`MAX_KEY_BYTES`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContextKey {
    /// The key, zeros behind it.
    bytes: [u8; MAX_KEY_BYTES],
    length: u8,
}

impl ContextKey {
    /// Returns a key of at most [`MAX_KEY_BYTES`] bytes; `None` for more.
    pub fn new(key: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_KEY_BYTES];
        bytes.get_mut(..key.len())?.copy_from_slice(key);
        Some(Self {
            bytes,
            // At most MAX_KEY_BYTES, checked by the slice above.
            length: key.len() as u8,
        })
    }

    /// Returns the digest of an exact key that is too long.
    pub(super) fn digest(exact: &[u8]) -> Self {
        let mut bytes = [0; MAX_KEY_BYTES];
        bytes[..DIGEST_BYTES].copy_from_slice(&xxh3_128(exact).to_be_bytes());
        Self {
            bytes,
            length: DIGEST_BYTES as u8,
        }
    }

    /// Makes a key from a zero-padded buffer, whose first `length ≤ MAX_KEY_BYTES` bytes are the key.
    pub(crate) fn from_padded(bytes: [u8; MAX_KEY_BYTES], length: usize) -> Self {
        debug_assert!(length <= MAX_KEY_BYTES && bytes[length..].iter().all(|b| *b == 0));
        Self {
            bytes,
            length: length as u8,
        }
    }

    /// Returns the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Returns the key with zeros up to [`MAX_KEY_BYTES`].
    pub(crate) fn padded(&self) -> &[u8; MAX_KEY_BYTES] {
        &self.bytes
    }
}

impl AsRef<[u8]> for ContextKey {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}
