//! Many samples at once: one search each, over all threads, in the order of their numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::novel::Taken;
use super::options::{Counters, Status};
use super::{Search, SearchError, Task};
use crate::progress::Observer;

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
    /// For each of its bits, the number of the window that answered; `None` for a forced one. Empty without
    /// a sample.
    pub answered: Vec<Option<u8>>,
}

/// Searches for samples `0..samples` of a run. Sample j depends on what the windows answer, the task and j
/// only, not on the threads it ran on; with `distinct`, also on samples 0 to j−1, none of which it repeats.
///
/// When the observer asks to stop, searches under work end as [`Status::Stopped`] and the others are
/// left out: what was found is kept.
///
/// # Errors
/// [`SearchError`]: a task that cannot be searched for, or whatever the index reports.
pub fn generate(
    task: &Task<'_>,
    samples: u64,
    distinct: bool,
    observer: &dyn Observer,
) -> Result<Vec<Attempt>, SearchError> {
    let watched = Watched::new(observer);
    observer.stage("generate", samples, "samples");
    let attempts = (0..samples).into_par_iter().filter_map(|index| {
        if observer.stop_requested() {
            return None;
        }
        let attempt = attempt(task, index, observer);
        if let Ok(attempt) = &attempt {
            watched.note(attempt);
        }
        Some(attempt)
    });
    let mut attempts: Vec<_> = attempts.collect::<Result<_, _>>()?;
    if distinct {
        part(task, &mut attempts, observer)?;
    }
    Ok(attempts)
}

/// Searches once more for each sample that repeats an earlier one, in order, with those before it ruled
/// out. A search that found something else would have found the same with them ruled out.
fn part(
    task: &Task<'_>,
    attempts: &mut [Attempt],
    observer: &dyn Observer,
) -> Result<(), SearchError> {
    let Some(shape) = task.shape() else {
        return Ok(());
    };
    let mut taken = Taken::none(shape);
    observer.stage("distinct", attempts.len() as u64, "samples");
    for repeated in attempts {
        observer.advance(1);
        let Some(packed) = &repeated.packed else {
            continue;
        };
        if taken.add(packed) {
            continue;
        }
        let parted = Task {
            constraints: task
                .constraints
                .iter()
                .copied()
                .chain([&taken as _])
                .collect(),
            ..task.clone()
        };
        let again = attempt(&parted, repeated.index, observer)?;
        if let Some(packed) = &again.packed {
            taken.add(packed);
        }
        *repeated = again;
    }
    Ok(())
}

/// Finds every completion of a task, at most `most`: each is an attempt of its own, and the last attempt
/// says how it ended. [`Status::NoneExists`] there proves that the others are all.
///
/// # Errors
/// As [`generate`].
pub fn enumerate(
    task: &Task<'_>,
    most: u64,
    observer: &dyn Observer,
) -> Result<Vec<Attempt>, SearchError> {
    let watched = Watched::new(observer);
    observer.stage("enumerate", 0, "samples");
    let mut search = Search::new(task, 0)?;
    let mut before = Counters::default();
    let mut attempts = Vec::new();
    loop {
        let started = Instant::now();
        let full = attempts.len() as u64 == most;
        // One more is looked for, to know whether there is one.
        let status = match search.advance(&|| observer.stop_requested())? {
            Status::Sample if full => Status::BudgetSpent,
            status => status,
        };
        let now = search.counters();
        let found = status == Status::Sample;
        let attempt = Attempt {
            index: attempts.len() as u64,
            status,
            counters: Counters {
                lookups: now.lookups - before.lookups,
                backtracks: now.backtracks - before.backtracks,
                ..now
            },
            elapsed: started.elapsed(),
            packed: found.then(|| search.to_packed()),
            answered: if found { search.answered() } else { Vec::new() },
        };
        before = now;
        watched.note(&attempt);
        attempts.push(attempt);
        if !found {
            return Ok(attempts);
        }
    }
}

fn attempt(task: &Task<'_>, index: u64, observer: &dyn Observer) -> Result<Attempt, SearchError> {
    let started = Instant::now();
    let mut search = Search::new(task, index)?;
    let status = search.advance(&|| observer.stop_requested())?;
    let found = status == Status::Sample;
    Ok(Attempt {
        index,
        status,
        counters: search.counters(),
        elapsed: started.elapsed(),
        packed: found.then(|| search.to_packed()),
        answered: if found { search.answered() } else { Vec::new() },
    })
}

/// What an observer is told of a run.
struct Watched<'a> {
    observer: &'a dyn Observer,
    started: Instant,
    found: AtomicU64,
    lookups: AtomicU64,
}

impl<'a> Watched<'a> {
    fn new(observer: &'a dyn Observer) -> Self {
        Self {
            observer,
            started: Instant::now(),
            found: AtomicU64::new(0),
            lookups: AtomicU64::new(0),
        }
    }

    fn note(&self, attempt: &Attempt) {
        let new = u64::from(attempt.status == Status::Sample);
        let found = self.found.fetch_add(new, Ordering::Relaxed) + new;
        let new = attempt.counters.lookups;
        let lookups = self.lookups.fetch_add(new, Ordering::Relaxed) + new;
        let rate = lookups as f64 / self.started.elapsed().as_secs_f64() / 1e6;
        self.observer.advance(1);
        self.observer
            .detail(&format!("{found} found, {rate:.2} million lookups/s"));
    }
}
