//! One search, whichever way it walks.

use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::SearchError;
use super::options::{Counters, FixedBits, Method, SearchOptions, Status};
use super::rows::RowSearch;
use super::tree::BitSearch;
use crate::index::Counts;
use crate::window::{Frame, Geometry};

/// A search for the completions of some fixed bits, one after the other.
pub struct Search<'a, C> {
    walk: Walk<'a, C>,
    timeout: Option<Duration>,
    started: Option<Instant>,
    /// Set once the search has ended for good.
    ended: Option<Status>,
}

enum Walk<'a, C> {
    Bits(BitSearch<'a, C>),
    Rows(RowSearch<'a, C>),
}

impl<'a, C: Counts> Search<'a, C> {
    /// A search for sample `sample` of a run. Bits of `fixed` have their value; every other bit gets
    /// one that is supported.
    ///
    /// # Errors
    /// [`SearchError::OffGrid`] for a fixed position that the geometry's grid does not have,
    /// [`SearchError::TooLarge`] when backjumping would need more memory for blame than it may have.
    pub fn new(
        geometry: &'a Geometry,
        counts: &'a C,
        fixed: &FixedBits,
        options: SearchOptions,
        sample: u64,
    ) -> Result<Self, SearchError> {
        let shape = geometry.shape();
        let mut frame = Frame::new(shape, &[geometry]);
        for (position, bit) in fixed.iter() {
            if position >= shape.bits() {
                return Err(SearchError::OffGrid { position, shape });
            }
            frame.set(position, bit);
        }
        let seed = xxh3_64_with_seed(&sample.to_le_bytes(), options.seed);
        let walk = match options.method {
            Method::Row => Walk::Rows(RowSearch::new(
                geometry, counts, fixed, options, seed, frame,
            )),
            Method::Chronological | Method::Backjump => Walk::Bits(BitSearch::new(
                geometry, counts, fixed, options, seed, frame,
            )?),
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
