//! What a context may depend on beside the earlier bits of its own latent.

/// What is known of a latent before its first bit. [`Frame::load`](super::Frame::load) and
/// [`Frame::begin`](super::Frame::begin) take it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Given {
    /// Number of the latent's label among those that contexts are bound to. A geometry without labels takes no notice of
    /// it, one with labels needs it.
    pub label: Option<u64>,
}

impl Given {
    /// Nothing, which is enough where contexts are bound to no label.
    pub const NOTHING: Self = Self { label: None };

    /// Returns the label of that number, and nothing else.
    pub const fn label(number: u64) -> Self {
        Self {
            label: Some(number),
        }
    }
}
