//! What is known of a [`Resident`](super::Resident) table before a context is read: its layout and the
//! memory that it can take.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::layout::{STARTS_BYTES, TableLayout};
use super::{Histogram, IndexError, WindowEntry, WindowIndex};
use crate::base::{Budget, OutOfMemory, memory};
use crate::window::{KeyRule, Window};

/// Contexts that a thread gathers for one part before it locks it.
pub(super) const PENDING: usize = 32;

/// The contexts of one part, in any order.
pub(super) type Contexts = Mutex<Vec<u8>>;

/// Bytes of a bucket's number in its part, and of a histogram's while it is not known how many there
/// will be.
pub(super) const BUCKET_BYTES: usize = 2;
pub(super) const CODE_BYTES: usize = 4;

/// What the manifest says of the table to be.
pub(super) struct TablePlan {
    pub(super) layout: TableLayout,
    pub(super) window: Window,
    path: PathBuf,
    pub(super) distinct: u64,
    pub(super) occurrences: u64,
    /// Whether contexts have upper parts.
    upper: bool,
}

impl TablePlan {
    /// Plans the table of a window.
    ///
    /// # Errors
    /// [`IndexError::Input`] for one that is not counted.
    pub(super) fn new(window: &WindowIndex<'_>) -> Result<Self, IndexError> {
        let (geometry, path) = (window.geometry(), window.index().path());
        let entry = window.entry().ok_or_else(|| {
            IndexError::Input(format!(
                "the contexts of window {} are not counted: build the index with that window to hold them in memory",
                geometry.window()
            ))
        })?;
        let upper = entry.window.radius().is_some() && geometry.key_rule() == KeyRule::Exact;
        Ok(Self::of_keys(geometry.key_bytes(), upper, entry, path))
    }

    /// Plans a table of keys of so many bytes.
    pub(super) fn of_keys(key_bytes: usize, upper: bool, entry: &WindowEntry, path: &Path) -> Self {
        Self {
            layout: TableLayout::new(key_bytes, entry.distinct),
            window: entry.window,
            path: path.to_owned(),
            distinct: entry.distinct,
            occurrences: entry.contexts,
            upper,
        }
    }

    /// Returns the bytes that a context takes while they are gathered: bucket, stored bytes of the key, histogram.
    pub(super) fn width(&self) -> usize {
        BUCKET_BYTES + self.layout.stored_bytes() + CODE_BYTES
    }

    /// Returns how many entries a part has room for: six standard deviations more than the mean, which one part of
    /// a billion passes; that one grows. Each context may have an upper part that needs an entry of its own. Room
    /// that is not used takes no memory.
    pub(super) fn part_entries(&self) -> usize {
        let mean = (self.distinct.div_ceil(self.layout.parts())) as usize;
        let entries = mean + 6 * mean.isqrt() + 1;
        if self.upper { 2 * entries } else { entries }
    }

    /// Returns a bound on the number of different histograms: a total `t` allows `t + 1`, and the totals add up to
    /// the occurrences.
    fn max_histograms(&self) -> u64 {
        let (mut histograms, mut sum, mut total) = (0u64, 0u64, 0u64);
        while sum < self.occurrences && histograms < self.distinct {
            total += 1;
            sum = sum.saturating_add(total * (total + 1));
            histograms += total + 1;
        }
        histograms.min(self.distinct)
    }

    /// Returns the most memory at any time, in bytes: everything gathered, what is already in order (never more
    /// than was gathered of it), the different histograms, and what each thread knows of them.
    pub(super) fn bytes_needed(&self) -> u64 {
        let threads = rayon::current_num_threads() as u64;
        let (width, parts) = (self.width() as u64, self.layout.parts());
        let part = self.part_entries() as u64 * width;
        let fixed = (size_of::<Contexts>() + 2 * size_of::<Vec<u8>>()) as u64;
        // Once in order and once more in large pages.
        let block = STARTS_BYTES as u64 + part + 2 * size_of::<u64>() as u64;
        let pending = threads.saturating_mul(PENDING as u64 * width + 1);
        let gathered = parts.saturating_mul(part + fixed + pending + block);
        // A hash table is half full at the worst and doubles into a new one, a list likewise.
        let known = 4 * size_of::<(Histogram, u32, u8)>() as u64;
        let histograms = self.max_histograms().saturating_mul(known * (threads + 1));
        let in_order = threads.saturating_mul(2 * part);
        gathered.saturating_add(in_order).saturating_add(histograms)
    }

    pub(super) fn damaged(&self, expected: impl ToString, found: impl ToString) -> IndexError {
        IndexError::Damaged {
            path: self.path.clone(),
            expected: expected.to_string(),
            found: format!("{} at window {}", found.to_string(), self.window),
        }
    }

    /// Refuses a table that may take more than the budget.
    pub(super) fn check_memory(&self, budget: Budget) -> Result<(), OutOfMemory> {
        budget.check(self.bytes_needed(), self.what())
    }

    /// Returns the refusal of a table that the budget allowed and the machine did not.
    pub(super) fn out_of_memory(&self) -> OutOfMemory {
        OutOfMemory {
            what: self.what(),
            needed: self.bytes_needed(),
            available: memory::available_memory(),
        }
    }

    fn what(&self) -> String {
        format!("{}: a table of window {}", self.path.display(), self.window)
    }
}
