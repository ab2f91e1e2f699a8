//! What a sample must satisfy beyond support: one small trait, one file for each constraint.

use std::ops::Range;

use super::SearchError;
use crate::latent::Shape;
use crate::window::Frame;

/// A condition on samples. A search holds it exactly: what it forces is never drawn otherwise, and a
/// part that it refutes is a dead end like any other, with the blame that it gives.
///
/// ```
/// use std::ops::Range;
///
/// use bitquilt::{Constraint, Frame, Rung, SearchOptions, Task, enumerate};
/// # use bitquilt::{BuildOptions, Index, LatentSet, Shape, Unobserved, build};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
/// # let index = Index::open(&path)?;
/// # let window = index.window("seq:3".parse()?)?;
/// /// The number of ones is even.
/// struct Even;
///
/// impl Constraint for Even {
///     fn refuted(&self, frame: &Frame, decided: usize) -> Option<Vec<Range<usize>>> {
///         let bits = frame.shape().bits();
///         let ones = (0..bits).filter(|position| frame.get(*position)).count();
///         // Which bits are wrong when all are decided? Any of them may be.
///         (decided == bits && ones % 2 == 1).then(|| vec![0..bits])
///     }
/// }
///
/// let rung = Rung { geometry: window.geometry(), counts: &window };
/// let task = Task::new(rung, SearchOptions::default()).with(&Even);
/// let attempts = enumerate(&task, 100, &Unobserved)?;
/// let mut samples = attempts.iter().flat_map(|attempt| &attempt.packed);
/// assert!(samples.all(|sample| sample[0].count_ones() % 2 == 0));
/// assert!(attempts.len() > 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Constraint: Sync {
    /// Returns the value that the bit at `position` must have, if there is one. Such a bit needs no support.
    fn forced(&self, position: usize) -> Option<bool> {
        let _ = position;
        None
    }

    /// Returns the earlier positions that are to blame where no latent that begins with the first `decided` bits of
    /// `frame` satisfies the condition: every latent that agrees in them is refuted as well.
    ///
    /// Asked whenever the search has decided a row or, if it works bit by bit, a bit; and always when all
    /// are decided.
    fn refuted(&self, frame: &Frame, decided: usize) -> Option<Vec<Range<usize>>> {
        let _ = (frame, decided);
        None
    }

    /// Returns what follows one search, for a condition that would be dear to judge anew whenever it is asked. `given` says which
    /// positions are forced. Where there is one, it is asked beside [`Constraint::refuted`].
    fn watch(&self, given: &dyn Fn(usize) -> bool) -> Option<Box<dyn Watch + '_>> {
        let _ = given;
        None
    }

    /// Returns whether anything is ever refuted.
    fn judges_whole_samples(&self) -> bool {
        true
    }

    /// Checks that the condition can be met on a grid of this shape.
    ///
    /// # Errors
    /// What is wrong with it, as [`SearchError::OffGrid`].
    fn check(&self, shape: Shape) -> Result<(), SearchError> {
        let _ = shape;
        Ok(())
    }
}

/// Follows one search: a condition that remembers what it has judged of the latent as it was.
pub trait Watch: Send {
    /// As [`Constraint::refuted`].
    ///
    /// # Errors
    /// Whatever keeps it from being told.
    fn refuted(
        &mut self,
        frame: &Frame,
        decided: usize,
    ) -> Result<Option<Vec<Range<usize>>>, SearchError>;
}

/// The conditions of one search as it goes on.
pub(super) struct Conditions<'a> {
    all: Constraints<'a>,
    watches: Vec<Box<dyn Watch + 'a>>,
}

impl Conditions<'_> {
    /// Returns what is to blame where one of them is not met.
    pub(super) fn refuted(
        &mut self,
        frame: &Frame,
        decided: usize,
    ) -> Result<Option<Vec<Range<usize>>>, SearchError> {
        let all = self.all.0.iter();
        if let Some(blamed) = all.copied().find_map(|one| one.refuted(frame, decided)) {
            return Ok(Some(blamed));
        }
        for watch in &mut self.watches {
            if let Some(blamed) = watch.refuted(frame, decided)? {
                return Ok(Some(blamed));
            }
        }
        Ok(None)
    }
}

/// Several conditions at once.
#[derive(Clone, Copy)]
pub(super) struct Constraints<'a>(pub(super) &'a [&'a dyn Constraint]);

impl<'a> Constraints<'a> {
    /// Returns them, ready to follow one search.
    pub(super) fn follow(self) -> Conditions<'a> {
        let given = |position| self.forced(position).is_some();
        let watches = self.0.iter().filter_map(|one| one.watch(&given));
        Conditions {
            watches: watches.collect(),
            all: self,
        }
    }

    pub(super) fn forced(&self, position: usize) -> Option<bool> {
        self.0
            .iter()
            .find_map(|constraint| constraint.forced(position))
    }

    /// Returns whether two conditions force a bit to different values.
    pub(super) fn contradict(&self, position: usize) -> bool {
        let mut forced = self.0.iter().filter_map(|c| c.forced(position));
        let first = forced.next();
        forced.any(|value| Some(value) != first)
    }
}
