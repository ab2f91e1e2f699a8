//! Many samples at once: one search each, over all threads, in the order of their numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use super::fallback::Policy;
use super::novel::Taken;

use super::tree::Walked;
use super::{Search, SearchError, Task};
use crate::base::Observer;
use crate::samples::{Attempt, Counters, Status};
use crate::window::Contexts;

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
    let mut attempts: Vec<_> = if task.walks_bits() {
        let size = group_size(samples);
        let groups = (0..samples.div_ceil(size)).into_par_iter().map(|group| {
            let members = group * size..samples.min((group + 1) * size);
            let attempts = together(task, members, observer)?;
            for attempt in &attempts {
                watched.note(attempt);
            }
            Ok(attempts)
        });
        let groups: Vec<Vec<_>> = groups.collect::<Result<_, SearchError>>()?;
        groups.into_iter().flatten().collect()
    } else {
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
        attempts.collect::<Result<_, _>>()?
    };
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

/// Most searches whose questions to the network are answered in one batch.
const MAX_GROUP: u64 = 64;

/// Searches in a group, at least 1: few samples are spread over all threads, and many in as many groups for each.
fn group_size(samples: u64) -> u64 {
    let threads = rayon::current_num_threads() as u64;
    let rounds = samples.div_ceil(MAX_GROUP * threads).max(1);
    samples.div_ceil(rounds * threads).max(1)
}

/// Searches for some samples in step: each goes on until it asks the network, and all are answered at once. The
/// network's answers do not depend on the batch, so neither do the samples.
fn together(
    task: &Task<'_>,
    members: std::ops::Range<u64>,
    observer: &dyn Observer,
) -> Result<Vec<Attempt>, SearchError> {
    let Some(fallback) = task.fallback else {
        return Ok(Vec::new());
    };
    let started = Instant::now();
    let mut attempts = Vec::new();
    let mut walking = Vec::new();
    for index in members {
        if observer.stop_requested() {
            break;
        }
        walking.push((index, Search::new(task, index)?));
    }
    let (mut contexts, mut chances) = (Contexts::default(), Vec::new());
    while !walking.is_empty() {
        contexts.clear();
        let mut waiting = Vec::with_capacity(walking.len());
        for (index, mut search) in walking {
            match search.step(&|| observer.stop_requested())? {
                Walked::Ended(status) => attempts.push(ended(index, &search, status, started)),
                Walked::Asks(fallback) => {
                    search.push(&fallback, &mut contexts);
                    waiting.push((index, search));
                }
            }
        }
        fallback.ask(&contexts, &mut chances)?;
        for ((_, search), chances) in waiting.iter_mut().zip(&chances) {
            search.tell(*chances);
        }
        walking = waiting;
    }
    attempts.sort_by_key(|attempt| attempt.index);
    Ok(attempts)
}

fn attempt(task: &Task<'_>, index: u64, observer: &dyn Observer) -> Result<Attempt, SearchError> {
    let started = Instant::now();
    let stop = || observer.stop_requested();
    let mut search = Search::new(task, index)?;
    let status = search.advance(&stop)?;
    let failed = matches!(status, Status::NoneExists | Status::BudgetSpent);
    let policy = task.fallback.map(|fallback| fallback.policy);
    if !failed || policy != Some(Policy::OnDeadEnd) {
        return Ok(ended(index, &search, status, started));
    }
    let mut again = Search::let_in(task, index)?;
    let status = again.advance(&stop)?;
    let mut attempt = ended(index, &again, status, started);
    let before = search.counters();
    attempt.counters.lookups += before.lookups;
    attempt.counters.backtracks += before.backtracks;
    Ok(attempt)
}

/// How a search went that began at `started`.
fn ended(index: u64, search: &Search<'_>, status: Status, started: Instant) -> Attempt {
    let found = status == Status::Sample;
    Attempt {
        index,
        status,
        counters: search.counters(),
        elapsed: started.elapsed(),
        packed: found.then(|| search.to_packed()),
        answered: if found { search.answered() } else { Vec::new() },
    }
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
