//! Many samples at once: one search each, over all threads, in the order of their numbers.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::options::{Counters, FixedBits, SearchOptions, Status};
use super::{Search, SearchError};
use crate::index::Counts;
use crate::progress::Observer;
use crate::window::Geometry;

/// How the search for one sample went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number in the run, j.
    pub index: u64,
    /// How it ended.
    pub status: Status,
    /// What it did.
    pub counters: Counters,
    /// What it took. The one field that another run need not repeat.
    pub elapsed: Duration,
    /// The sample, packed as a row of a latent set, when the status is [`Status::Sample`].
    pub packed: Option<Vec<u8>>,
}

/// Searches for samples `0..samples` of a run. Sample j depends on what `counts` answers, the options
/// and j only, not on the threads it ran on.
///
/// When the observer asks to stop, searches under work end as [`Status::Stopped`] and the others are
/// left out: what was found is kept.
///
/// # Errors
/// [`SearchError`]: fixed bits off the grid, or whatever the index reports.
pub fn generate<C: Counts>(
    geometry: &Geometry,
    counts: &C,
    fixed: &FixedBits,
    options: SearchOptions,
    samples: u64,
    observer: &dyn Observer,
) -> Result<Vec<Attempt>, SearchError> {
    observer.stage("generate", samples, "samples");
    let attempts = (0..samples).into_par_iter().filter_map(|index| {
        if observer.stop_requested() {
            return None;
        }
        let started = Instant::now();
        let attempt =
            Search::new(geometry, counts, fixed, options, index).and_then(|mut search| {
                let status = search.advance(&|| observer.stop_requested())?;
                Ok(Attempt {
                    index,
                    status,
                    counters: search.counters(),
                    elapsed: started.elapsed(),
                    packed: (status == Status::Sample).then(|| search.to_packed()),
                })
            });
        observer.advance(1);
        Some(attempt)
    });
    attempts.collect()
}
