//! How long work reports itself and learns that it should stop. The library prints nothing: whoever
//! calls it passes an [`Observer`].

/// Watches long work. Called from many threads.
pub trait Observer: Sync {
    /// A new stage of `total` units (`"latents"`, `"bytes"`, …) starts; 0 when the total is unknown.
    fn stage(&self, name: &str, total: u64, unit: &str);

    /// `done` more units of the current stage are finished.
    fn advance(&self, done: u64);

    /// A few words on how the current stage goes, to stand beside its progress.
    fn detail(&self, text: &str) {
        let _ = text;
    }

    /// Whether the work should stop at the next safe point.
    fn stop_requested(&self) -> bool;
}

/// Watches nothing and never asks to stop.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn stage(&self, _name: &str, _total: u64, _unit: &str) {}

    fn advance(&self, _done: u64) {}

    fn stop_requested(&self) -> bool {
        false
    }
}
