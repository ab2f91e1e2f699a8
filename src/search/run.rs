//! Many samples at once: one search each, over all threads, in the order of their numbers.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use super::fallback::{Fallback, Policy};
use super::novel::Taken;

use super::tree::Walked;
use super::{Search, SearchError, Task};
use crate::base::Observer;
use crate::samples::{Attempt, Counters, Status};
use crate::window::Contexts;

/// Searches for samples `0..samples` of a run, all at once: [`generate_into`] with a list.
///
/// ```
/// use bitquilt::{FixedBits, Rung, SearchOptions, Status, Task, generate};
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
/// // Of 101100 and 111010 with window seq:3, two samples begin with 111: there are no four different ones.
/// let prefix = FixedBits::prefix([true, true, true]);
/// let rung = Rung { geometry: window.geometry(), counts: &window };
/// let task = Task::new(rung, SearchOptions::default()).with(&prefix);
/// let attempts = generate(&task, 4, true, &Unobserved)?;
/// let status: Vec<_> = attempts.iter().map(|attempt| attempt.status).collect();
/// assert_eq!(status, [Status::Sample, Status::Sample, Status::NoneExists, Status::NoneExists]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`generate_into`].
pub fn generate(
    task: &Task<'_>,
    samples: u64,
    distinct: bool,
    observer: &dyn Observer,
) -> Result<Vec<Attempt>, SearchError> {
    let mut attempts = Vec::new();
    generate_into(task, 0..samples, distinct, observer, |attempt| {
        attempts.push(attempt);
        Ok::<_, SearchError>(())
    })?;
    Ok(attempts)
}

/// Searches for samples of a run and hands them to `take` as they are found, in the order of their numbers. Sample j
/// depends on what the windows answer, the task and j only, not on the range or the threads it ran on; with `distinct`, also
/// on samples 0 to j−1, none of which it repeats.
///
/// When the observer asks to stop, searches under work end as [`Status::Stopped`] and the others are
/// left out: what was found is kept. Memory for as many samples as keep all threads busy.
///
/// # Errors
/// [`SearchError`]: a task that cannot be searched for, a range of `distinct` samples that does not begin at 0, or whatever
/// the index reports; whatever `take` returns.
pub fn generate_into<E: From<SearchError>>(
    task: &Task<'_>,
    samples: Range<u64>,
    distinct: bool,
    observer: &dyn Observer,
    mut take: impl FnMut(Attempt) -> Result<(), E>,
) -> Result<(), E> {
    if distinct && samples.start > 0 {
        return Err(E::from(SearchError::Task {
            why: "distinct samples depend on all samples before them: begin with sample 0"
                .to_owned(),
        }));
    }
    let total = samples.end.saturating_sub(samples.start);
    let watched = Watched::new(observer);
    observer.stage("generate", total, "samples");
    let mut earlier = task.shape().filter(|_| distinct).map(Taken::none);
    let mut start = samples.start;
    while start < samples.end && !observer.stop_requested() {
        let end = samples.end.min(start + batch_size());
        for attempt in batch(task, start..end, observer, &watched)? {
            let attempt = match &mut earlier {
                Some(earlier) => distinct_from(earlier, task, attempt, observer)?,
                None => attempt,
            };
            take(attempt)?;
        }
        start = end;
    }
    Ok(())
}

/// Returns how many samples are searched for before they are handed on: enough for each thread that the last ones of a
/// batch, for which some threads wait, are few beside the others.
fn batch_size() -> u64 {
    MAX_GROUP * 8 * rayon::current_num_threads() as u64
}

/// Searches for some samples, over all threads.
fn batch(
    task: &Task<'_>,
    samples: Range<u64>,
    observer: &dyn Observer,
    watched: &Watched<'_>,
) -> Result<Vec<Attempt>, SearchError> {
    if task.walks_bits() {
        let size = group_size(samples.end - samples.start);
        let groups = (0..(samples.end - samples.start).div_ceil(size)).into_par_iter();
        let groups = groups.map(|group| {
            let first = samples.start + group * size;
            let attempts = run_group(task, first..samples.end.min(first + size), observer)?;
            for attempt in &attempts {
                watched.note(attempt);
            }
            Ok(attempts)
        });
        let groups: Vec<Vec<_>> = groups.collect::<Result<_, SearchError>>()?;
        return Ok(groups.into_iter().flatten().collect());
    }
    let attempts = samples.into_par_iter().filter_map(|index| {
        if observer.stop_requested() {
            return None;
        }
        let attempt = attempt(task, index, observer);
        if let Ok(attempt) = &attempt {
            watched.note(attempt);
        }
        Some(attempt)
    });
    attempts.collect()
}

/// Returns the attempt, or the one that takes its place where its sample repeats an earlier one: a search with those
/// before it ruled out. A search that found something else would have found the same with them ruled out.
fn distinct_from(
    earlier: &mut Taken,
    task: &Task<'_>,
    attempt: Attempt,
    observer: &dyn Observer,
) -> Result<Attempt, SearchError> {
    let Some(packed) = &attempt.packed else {
        return Ok(attempt);
    };
    if earlier.add(packed) {
        return Ok(attempt);
    }
    let constraints = task.constraints.iter().copied();
    let parted = Task {
        constraints: constraints.chain([&*earlier as _]).collect(),
        ..task.clone()
    };
    let again = self::attempt(&parted, attempt.index, observer)?;
    if let Some(packed) = &again.packed {
        earlier.add(packed);
    }
    Ok(again)
}

/// Finds every completion of a task, at most `max_samples`: [`enumerate_into`] with a list.
///
/// ```
/// use bitquilt::{FixedBits, Rung, SearchOptions, Status, Task, enumerate};
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
/// let attempts = enumerate(&task, 100, &Unobserved)?;
/// let mut found: Vec<_> = attempts.iter().flat_map(|attempt| &attempt.packed).collect();
/// found.sort();
/// assert_eq!(found, [&[0b010111], &[0b110111]]); // 111010 and 111011, lowest bit first
/// assert_eq!(attempts[2].status, Status::NoneExists);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`enumerate_into`].
pub fn enumerate(
    task: &Task<'_>,
    max_samples: u64,
    observer: &dyn Observer,
) -> Result<Vec<Attempt>, SearchError> {
    let mut attempts = Vec::new();
    enumerate_into(task, max_samples, observer, |attempt| {
        attempts.push(attempt);
        Ok::<_, SearchError>(())
    })?;
    Ok(attempts)
}

/// Finds every completion of a task, at most `max_samples`, and hands each to `take` as an attempt of its own; the last
/// attempt says how it ended. [`Status::NoneExists`] there proves that the others are all.
///
/// # Errors
/// As [`generate_into`].
pub fn enumerate_into<E: From<SearchError>>(
    task: &Task<'_>,
    max_samples: u64,
    observer: &dyn Observer,
    mut take: impl FnMut(Attempt) -> Result<(), E>,
) -> Result<(), E> {
    let watched = Watched::new(observer);
    observer.stage("enumerate", 0, "samples");
    let mut search = Search::new(task, 0)?;
    let mut before = Counters::default();
    let mut index = 0;
    loop {
        let started = Instant::now();
        // One more is looked for, to know whether there is one.
        let status = match search.advance(&|| observer.stop_requested())? {
            Status::Sample if index == max_samples => Status::BudgetSpent,
            status => status,
        };
        let now = search.counters();
        let found = status == Status::Sample;
        let attempt = Attempt {
            index,
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
        index += 1;
        watched.note(&attempt);
        take(attempt)?;
        if !found {
            return Ok(());
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
fn run_group(
    task: &Task<'_>,
    members: Range<u64>,
    observer: &dyn Observer,
) -> Result<Vec<Attempt>, SearchError> {
    let started = Instant::now();
    let mut attempts = Vec::new();
    let mut walking = Vec::new();
    for index in members {
        if observer.stop_requested() {
            break;
        }
        walking.push((index, Search::new(task, index)?));
    }
    // A batch for each network.
    let mut asked = vec![Contexts::default(); task.fallbacks.len()];
    let mut chances = Vec::new();
    while !walking.is_empty() {
        asked.iter_mut().for_each(Contexts::clear);
        let mut waiting = Vec::with_capacity(walking.len());
        for (index, mut search) in walking {
            match search.step(&|| observer.stop_requested())? {
                Walked::Ended(status) => attempts.push(finish(index, &search, status, started)),
                Walked::Asks(fallback) => {
                    let level = fallback.geometry.level();
                    let own = |other: &Fallback<'_>| other.geometry.level() == level;
                    let number = task.fallbacks.iter().position(own).unwrap_or(0);
                    search.push(&fallback, &mut asked[number]);
                    waiting.push((index, search, number));
                }
            }
        }
        for (number, (fallback, contexts)) in task.fallbacks.iter().zip(&asked).enumerate() {
            fallback.ask(contexts, &mut chances)?;
            let own = waiting.iter_mut().filter(|(.., asks)| *asks == number);
            for ((_, search, _), chances) in own.zip(&chances) {
                search.tell(*chances);
            }
        }
        let told = waiting.into_iter();
        walking = told.map(|(index, search, _)| (index, search)).collect();
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
    if !failed || task.policy() != Some(Policy::OnDeadEnd) {
        return Ok(finish(index, &search, status, started));
    }
    let mut again = Search::with_fallback_at_dead_ends(task, index)?;
    let status = again.advance(&stop)?;
    let mut attempt = finish(index, &again, status, started);
    let before = search.counters();
    attempt.counters.lookups += before.lookups;
    attempt.counters.backtracks += before.backtracks;
    attempt.counters.returns += before.returns;
    Ok(attempt)
}

/// Returns how a search went that began at `started`.
fn finish(index: u64, search: &Search<'_>, status: Status, started: Instant) -> Attempt {
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
