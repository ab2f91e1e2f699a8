//! One search, whichever way it walks.

use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::constraint::Constraints;
use super::fallback::Fallback;
#[cfg(doc)]
use super::fallback::Policy;
use super::ladder::FORCED;
use super::options::{Method, SearchOptions};
use super::rows::RowSearch;
use super::tree::{BitSearch, Walked};
use super::{SearchError, Task};
use crate::samples::{Counters, Status};
use crate::window::Contexts;

/// A search for the samples of a task, one after the other.
///
/// ```
/// use bitquilt::{FixedBits, Rung, Search, SearchOptions, Status, Task};
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
/// // Of 101100 and 111010 with window seq:3, two samples begin with 111.
/// let prefix = FixedBits::prefix([true, true, true]);
/// let rung = Rung { geometry: window.geometry(), counts: &window };
/// let task = Task::new(rung, SearchOptions::default()).with(&prefix);
/// let mut search = Search::new(&task, 0)?;
/// let mut found = 0;
/// while search.advance(&|| false)? == Status::Sample {
///     assert_eq!(search.answered(), [None, None, None, Some(0), Some(0), Some(0)]);
///     found += 1;
/// }
/// assert_eq!(found, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Search<'a> {
    walk: Walk<'a>,
    timeout: Option<Duration>,
    started: Option<Instant>,
    /// Set once the search has ended for good.
    ended: Option<Status>,
}

enum Walk<'a> {
    Bits(Box<BitSearch<'a>>),
    Rows(Box<RowSearch<'a>>),
}

impl<'a> Search<'a> {
    /// Prepares a search for sample `sample` of a run. Forced bits have their value; every other bit gets one that is
    /// supported.
    ///
    /// # Errors
    /// [`SearchError::Task`], [`SearchError::Contradiction`] or a constraint's own for what cannot be
    /// searched for, [`SearchError::TooLarge`] when backjumping would need more memory for blame than it
    /// may have.
    ///
    /// A network that answers at dead ends is not let in: [`Search::with_fallback_at_dead_ends`] is the search that follows.
    pub fn new(task: &'a Task<'a>, sample: u64) -> Result<Self, SearchError> {
        let fallbacks = match task.walks_bits() {
            true => task.fallbacks.clone(),
            false => Vec::new(),
        };
        Self::with(task, sample, fallbacks, false)
    }

    /// Prepares a search that lets the task's network in where a row would be dead otherwise, one column at a time.
    /// [`Policy::OnDeadEnd`] takes it when a search without the network has found nothing.
    ///
    /// # Errors
    /// As [`Search::new`].
    pub fn with_fallback_at_dead_ends(
        task: &'a Task<'a>,
        sample: u64,
    ) -> Result<Self, SearchError> {
        Self::with(task, sample, task.fallbacks.clone(), true)
    }

    fn with(
        task: &'a Task<'a>,
        sample: u64,
        fallbacks: Vec<Fallback<'a>>,
        at_dead_ends: bool,
    ) -> Result<Self, SearchError> {
        let options = &task.options;
        let seed = xxh3_64_with_seed(&sample.to_le_bytes(), options.seed);
        let constraints = Constraints(&task.constraints);
        let walks_alone = fallbacks.is_empty();
        let ladder = task.ladder(fallbacks)?;
        let frame = task.prepare(&ladder)?;
        let walk = match options.method {
            method if at_dead_ends || method == Method::Row && walks_alone => {
                let rows = RowSearch::new(ladder, constraints, options, seed, frame);
                Walk::Rows(rows.into())
            }
            // A row that the network may answer anywhere has as many states as there are values: bit by bit
            // then, where nothing but a constraint can be a dead end.
            Method::Row | Method::Chronological | Method::Backjump => {
                let method = match options.method {
                    Method::Row => Method::Backjump,
                    method => method,
                };
                let options = SearchOptions { method, ..*options };
                let bits = BitSearch::new(ladder, constraints, &options, seed, frame)?;
                Walk::Bits(bits.into())
            }
        };
        Ok(Self {
            walk,
            timeout: options.timeout,
            started: None,
            ended: None,
        })
    }

    /// Returns what the search has done so far.
    pub fn counters(&self) -> Counters {
        match &self.walk {
            Walk::Bits(search) => search.counters(),
            Walk::Rows(search) => search.counters(),
        }
    }

    /// Returns the latent as it stands: the sample, after [`Status::Sample`]. Packed as a row of a latent set.
    pub fn to_packed(&self) -> Vec<u8> {
        match &self.walk {
            Walk::Bits(search) => search.frame().to_packed(),
            Walk::Rows(search) => search.frame().to_packed(),
        }
    }

    /// Returns, for each bit, the number of the window that answered it, counted from the largest, or
    /// [`INTERPOLATED`](crate::samples::INTERPOLATED); `None` where a constraint forced it. After [`Status::Sample`].
    pub fn answered(&self) -> Vec<Option<u8>> {
        let rungs = match &self.walk {
            Walk::Bits(search) => search.answered(),
            Walk::Rows(search) => search.answered(),
        };
        let rungs = rungs.iter();
        rungs
            .map(|rung| (*rung != FORCED).then_some(*rung))
            .collect()
    }

    /// Goes on to the next completion; each is found once. `stop` is asked now and then.
    ///
    /// After [`Status::Sample`], [`Search::to_packed`] is the completion and the search can go on.
    /// [`Status::NoneExists`] proves that there is no further one. Budgets count from the first call.
    ///
    /// # Errors
    /// Whatever the index reports.
    pub fn advance(&mut self, stop: &dyn Fn() -> bool) -> Result<Status, SearchError> {
        let (mut contexts, mut chances) = (Contexts::default(), Vec::new());
        loop {
            let fallback = match self.step(stop)? {
                Walked::Ended(status) => return Ok(status),
                Walked::Asks(fallback) => fallback,
            };
            contexts.clear();
            self.push(&fallback, &mut contexts);
            fallback.ask(&contexts, &mut chances)?;
            // One context, one answer: `ask` sees to it.
            for chances in &chances {
                self.tell(*chances);
            }
        }
    }

    /// Goes on to the next completion or, if that comes first, to the next bit that the network is to answer.
    pub(super) fn step(&mut self, stop: &dyn Fn() -> bool) -> Result<Walked<'a>, SearchError> {
        if let Some(status) = self.ended {
            return Ok(Walked::Ended(status));
        }
        let started = *self.started.get_or_insert_with(Instant::now);
        let timeout = self.timeout;
        let interrupted = || {
            if stop() {
                return Some(Status::Stopped);
            }
            let late = timeout.is_some_and(|timeout| started.elapsed() >= timeout);
            late.then_some(Status::BudgetSpent)
        };
        let status = match &mut self.walk {
            Walk::Bits(search) => match search.advance(&interrupted)? {
                Walked::Ended(status) => status,
                asks => return Ok(asks),
            },
            Walk::Rows(search) => search.advance(&interrupted)?,
        };
        if !matches!(status, Status::Sample | Status::Stopped) {
            self.ended = Some(status);
        }
        Ok(Walked::Ended(status))
    }

    /// Adds the context that the search waits for to those that are asked.
    pub(super) fn push(&self, fallback: &Fallback<'_>, contexts: &mut Contexts) {
        if let Walk::Bits(search) = &self.walk {
            search.push(fallback, contexts);
        }
    }

    /// Takes the network's answer for the context that was added.
    pub(super) fn tell(&mut self, chances: [f64; 2]) {
        if let Walk::Bits(search) = &mut self.walk {
            search.tell(chances);
        }
    }
}
