//! One search, whichever way it walks.

use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::constraint::Constraints;
use super::ladder::{FORCED, Ladder};
use super::options::{Counters, Method, Status};
use super::rows::RowSearch;
use super::tree::BitSearch;
use super::{SearchError, Task};

/// A search for the samples of a task, one after the other.
pub struct Search<'a> {
    walk: Walk<'a>,
    timeout: Option<Duration>,
    started: Option<Instant>,
    /// Set once the search has ended for good.
    ended: Option<Status>,
}

enum Walk<'a> {
    Bits(BitSearch<'a>),
    Rows(RowSearch<'a>),
}

impl<'a> Search<'a> {
    /// A search for sample `sample` of a run. Forced bits have their value; every other bit gets one that
    /// is supported.
    ///
    /// # Errors
    /// [`SearchError::Task`], [`SearchError::Contradiction`] or a constraint's own for what cannot be
    /// searched for, [`SearchError::TooLarge`] when backjumping would need more memory for blame than it
    /// may have.
    pub fn new(task: &'a Task<'a>, sample: u64) -> Result<Self, SearchError> {
        let options = &task.options;
        let seed = xxh3_64_with_seed(&sample.to_le_bytes(), options.seed);
        let constraints = Constraints(&task.constraints);
        let ladder = Ladder::new(&task.rungs, options);
        let frame = task.prepare(|| ladder.frame())?;
        let walk = match options.method {
            Method::Row => Walk::Rows(RowSearch::new(ladder, constraints, options, seed, frame)),
            Method::Chronological | Method::Backjump => {
                Walk::Bits(BitSearch::new(ladder, constraints, options, seed, frame)?)
            }
        };
        Ok(Self {
            walk,
            timeout: options.timeout,
            started: None,
            ended: None,
        })
    }

    /// What the search has done so far.
    pub fn counters(&self) -> Counters {
        match &self.walk {
            Walk::Bits(search) => search.counters(),
            Walk::Rows(search) => search.counters(),
        }
    }

    /// The latent as it stands: the sample, after [`Status::Sample`]. Packed as a row of a latent set.
    pub fn to_packed(&self) -> Vec<u8> {
        match &self.walk {
            Walk::Bits(search) => search.frame().to_packed(),
            Walk::Rows(search) => search.frame().to_packed(),
        }
    }

    /// For each bit, the number of the window that answered it, counted from the largest; `None` where a
    /// constraint forced it. After [`Status::Sample`].
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
        if let Some(status) = self.ended {
            return Ok(status);
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
            Walk::Bits(search) => search.advance(&interrupted)?,
            Walk::Rows(search) => search.advance(&interrupted)?,
        };
        if matches!(status, Status::NoneExists | Status::BudgetSpent) {
            self.ended = Some(status);
        }
        Ok(status)
    }
}
