//! Contexts on their way from the index to the parts of a [`Resident`](super::Resident) table, from
//! several threads at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::{FxHashMap, FxHashSet};

use super::plan::{BUCKET_BYTES, Contexts, PENDING, TablePlan};
use super::{Histogram, IndexError};
use crate::base::Observer;
use crate::window::{ContextKey, UpperKey};

/// Contexts between two looks at the observer.
const STEP: u64 = 1 << 14;

/// Upper parts that a thread remembers.
const REMEMBERED: usize = 1 << 15;

/// What stands in place of a histogram where only an upper part occurred; no context has this one.
const NO_MATCH: Histogram = Histogram { n0: 0, n1: 0 };

/// The different histograms, numbered in the order in which they are met; first [`NO_MATCH`].
struct Codes {
    codes: FxHashMap<Histogram, u32>,
    histograms: Vec<Histogram>,
}

/// What all threads fill together.
pub(super) struct Gathered<'a> {
    plan: &'a TablePlan,
    observer: &'a dyn Observer,
    parts: Vec<Contexts>,
    codes: Mutex<Codes>,
    contexts: AtomicU64,
    occurrences: AtomicU64,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(plan: &'a TablePlan, observer: &'a dyn Observer) -> Self {
        let parts = (0..plan.layout.parts()).map(|_| Mutex::default());
        let codes = Codes {
            codes: FxHashMap::from_iter([(NO_MATCH, 0)]),
            histograms: vec![NO_MATCH],
        };
        Self {
            plan,
            observer,
            parts: parts.collect(),
            codes: Mutex::new(codes),
            contexts: AtomicU64::new(0),
            occurrences: AtomicU64::new(0),
        }
    }

    /// Returns the contexts of each part and the different histograms, once all is there that the manifest
    /// announced.
    pub(super) fn finish(self) -> Result<(Vec<Contexts>, Vec<Histogram>), IndexError> {
        let found = (self.contexts.into_inner(), self.occurrences.into_inner());
        let expected = (self.plan.distinct, self.plan.occurrences);
        if found != expected {
            let expected = format!("{expected:?} contexts and occurrences");
            return Err(self.plan.damaged(expected, format!("{found:?}")));
        }
        let codes = self.codes.into_inner();
        let codes = codes.unwrap_or_else(PoisonError::into_inner);
        Ok((self.parts, codes.histograms))
    }
}

/// A thread that panics takes its panic on; what others have gathered is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread's contexts on their way to the parts.
pub(super) struct Gatherer<'a> {
    to: &'a Gathered<'a>,
    /// Room for [`PENDING`] contexts of each part, and how many are there.
    pending: Vec<u8>,
    filled: Vec<u8>,
    codes: FxHashMap<Histogram, u32>,
    /// Upper parts that were added.
    uppers: FxHashSet<UpperKey>,
    /// Contexts and occurrences not yet reported.
    contexts: u64,
    occurrences: u64,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(to: &'a Gathered<'a>) -> Self {
        let parts = to.parts.len();
        Self {
            to,
            pending: vec![0; parts * PENDING * to.plan.width()],
            filled: vec![0; parts],
            codes: FxHashMap::default(),
            uppers: FxHashSet::default(),
            contexts: 0,
            occurrences: 0,
        }
    }

    /// Takes a context.
    pub(super) fn add(
        &mut self,
        key: &ContextKey,
        histogram: Histogram,
        upper: Option<UpperKey>,
    ) -> Result<(), IndexError> {
        if histogram == NO_MATCH {
            let found = format!("none of {:02x?}", key.as_bytes());
            return Err(self.to.plan.damaged("occurrences of every context", found));
        }
        self.put(key, histogram)?;
        if let Some(upper) = upper {
            self.add_upper(upper)?;
        }
        self.contexts += 1;
        self.occurrences += histogram.total();
        if self.contexts == STEP {
            self.report()?;
        }
        Ok(())
    }

    /// Adds the upper part of a key, unless it was added not long ago; what is added twice is found out in its part.
    fn add_upper(&mut self, upper: UpperKey) -> Result<(), IndexError> {
        if self.uppers.len() == REMEMBERED {
            self.uppers.clear();
        }
        match self.uppers.insert(upper) {
            true => self.put(upper.as_key(), NO_MATCH),
            false => Ok(()),
        }
    }

    fn put(&mut self, key: &ContextKey, histogram: Histogram) -> Result<(), IndexError> {
        let plan = self.to.plan;
        let code = self.code(histogram)?;
        let place = plan.layout.place(key);
        let filled = usize::from(self.filled[place.part]);
        let at = (place.part * PENDING + filled) * plan.width();
        let entry = &mut self.pending[at..at + plan.width()];
        let (bucket, rest) = entry.split_at_mut(BUCKET_BYTES);
        let (stored, number) = rest.split_at_mut(plan.layout.stored_bytes());
        bucket.copy_from_slice(&(place.bucket as u16).to_le_bytes());
        stored.copy_from_slice(plan.layout.stored(key));
        number.copy_from_slice(&code.to_le_bytes());
        self.filled[place.part] += 1;
        if filled + 1 == PENDING {
            self.flush(place.part)?;
        }
        Ok(())
    }

    fn code(&mut self, histogram: Histogram) -> Result<u32, IndexError> {
        if let Some(code) = self.codes.get(&histogram) {
            return Ok(*code);
        }
        let Codes { codes, histograms } = &mut *lock(&self.to.codes);
        let code = match codes.get(&histogram) {
            Some(code) => *code,
            None => {
                let code = u32::try_from(histograms.len())
                    .map_err(|_| self.to.plan.damaged("2³² histograms at most", "more"))?;
                codes.insert(histogram, code);
                histograms.push(histogram);
                code
            }
        };
        self.codes.insert(histogram, code);
        Ok(code)
    }

    fn flush(&mut self, part: usize) -> Result<(), IndexError> {
        let plan = self.to.plan;
        let at = part * PENDING * plan.width();
        let bytes = usize::from(self.filled[part]) * plan.width();
        self.filled[part] = 0;
        let mut gathered = lock(&self.to.parts[part]);
        if gathered.capacity() == 0 {
            let room = plan.part_entries() * plan.width();
            gathered
                .try_reserve_exact(room)
                .map_err(|_| plan.out_of_memory())?;
        }
        gathered
            .try_reserve(bytes)
            .map_err(|_| plan.out_of_memory())?;
        gathered.extend_from_slice(&self.pending[at..at + bytes]);
        Ok(())
    }

    fn report(&mut self) -> Result<(), IndexError> {
        let to = self.to;
        let (contexts, occurrences) = (self.contexts, self.occurrences);
        (self.contexts, self.occurrences) = (0, 0);
        let found = to.contexts.fetch_add(contexts, Ordering::Relaxed) + contexts;
        to.occurrences.fetch_add(occurrences, Ordering::Relaxed);
        to.observer.advance(contexts);
        // Not only at the end: an index with more contexts than its manifest says takes no more memory.
        if found > to.plan.distinct {
            let expected = format!("{} contexts", to.plan.distinct);
            return Err(to.plan.damaged(expected, format!("at least {found}")));
        }
        to.observer.check()?;
        Ok(())
    }

    /// Hands over what is left.
    pub(super) fn finish(mut self) -> Result<(), IndexError> {
        for part in 0..self.filled.len() {
            if self.filled[part] > 0 {
                self.flush(part)?;
            }
        }
        self.report()
    }
}
