//! How long work reports itself and learns that it should stop. The library prints nothing: whoever
//! calls it passes an [`Observer`].

use std::error::Error;

/// Work ended because its observer asked it to. What of it is kept, if anything, is said where it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped on request")]
pub struct Stopped;

impl Stopped {
    /// Returns whether an error, of whatever module, says that work was stopped on request.
    ///
    /// ```
    /// use bitquilt::base::Stopped;
    /// use bitquilt::{IndexError, SearchError};
    ///
    /// assert!(Stopped::caused(&SearchError::from(IndexError::from(Stopped))));
    /// assert!(!Stopped::caused(&IndexError::Input("no latents".to_owned())));
    /// ```
    pub fn caused(error: &(dyn Error + 'static)) -> bool {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.is::<Self>() {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// Watches long work. Called from many threads.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use bitquilt::base::Stopped;
/// use bitquilt::{BuildOptions, LatentSet, Observer, Shape, build};
///
/// /// Counts units of work, and asks to stop after so many.
/// struct StopAfter(u64, AtomicU64);
///
/// impl Observer for StopAfter {
///     fn stage(&self, _name: &str, _total: u64, _unit: &str) {}
///
///     fn advance(&self, done: u64) {
///         self.1.fetch_add(done, Ordering::Relaxed);
///     }
///
///     fn stop_requested(&self) -> bool {
///         self.1.load(Ordering::Relaxed) >= self.0
///     }
/// }
///
/// let set = LatentSet::from_packed(Shape::new(1, 6, 1)?, vec![0b001101, 0b010111])?;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// let options = BuildOptions::new("seq:3".parse()?);
/// let error = build(&set, &path, &options, &StopAfter(0, AtomicU64::new(0))).err();
/// assert!(error.is_some_and(|error| Stopped::caused(&error)));
/// assert!(build(&set, &path, &options, &StopAfter(u64::MAX, AtomicU64::new(0))).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Observer: Sync {
    /// Begins a new stage of `total` units (`"latents"`, `"bytes"`, …); 0 when the total is unknown.
    fn stage(&self, name: &str, total: u64, unit: &str);

    /// Counts `done` more units of the current stage as finished.
    fn advance(&self, done: u64);

    /// Takes a few words on how the current stage goes, to stand beside its progress.
    fn detail(&self, text: &str) {
        let _ = text;
    }

    /// Returns whether the work should stop at the next safe point.
    fn stop_requested(&self) -> bool;

    /// Ends work that should stop.
    ///
    /// # Errors
    /// [`Stopped`] when a stop is requested.
    fn check(&self) -> Result<(), Stopped> {
        match self.stop_requested() {
            true => Err(Stopped),
            false => Ok(()),
        }
    }
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
