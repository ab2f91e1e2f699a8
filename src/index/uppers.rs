//! The upper parts of a window's contexts, held in memory: which of them occur.
//!
//! Contexts with one upper part have the bytes before its last bits in common, so in the order of the
//! index they are neighbours, or nearly: those that share these bytes come together, and at most 128
//! different last bits are noted among them.

use rayon::prelude::*;

use super::load::{Plan, gather};
use super::{Histogram, IndexError, Resident, WindowIndex};
use crate::progress::{Observer, Unobserved};
use crate::window::{ContextKey, UpperKey};

/// Contexts between two looks at the observer.
const STEP: u64 = 1 << 14;

/// The upper parts of one range of contexts, ascending, one behind the other.
struct Found<'a> {
    window: &'a WindowIndex<'a>,
    /// Upper parts that share their first bytes.
    together: Vec<UpperKey>,
    bytes: Vec<u8>,
}

impl Found<'_> {
    fn add(&mut self, key: &ContextKey) {
        let Some(upper) = self.window.geometry().upper_of(key) else {
            return;
        };
        if self
            .together
            .last()
            .is_some_and(|last| last.prefix() != upper.prefix())
        {
            self.flush();
        }
        if !self.together.contains(&upper) {
            self.together.push(upper);
        }
    }

    fn flush(&mut self) {
        self.together.sort_unstable();
        for upper in self.together.drain(..) {
            self.bytes.extend_from_slice(upper.as_key().as_bytes());
        }
    }
}

/// Every upper part that occurs, as a table without counts; `None` for a window whose contexts have none.
pub(super) fn load(
    window: &WindowIndex<'_>,
    observer: &dyn Observer,
) -> Result<Option<Resident>, IndexError> {
    let Some(key_bytes) = window.geometry().upper_bytes() else {
        return Ok(None);
    };
    let name = format!("{}: load what rows above tell", window.entry().window);
    observer.stage(&name, window.entry().distinct, "contexts");
    let ranges = window.ranges()?;
    let found = ranges.par_iter().with_max_len(1).map(|range| {
        let mut found = Found {
            window,
            together: Vec::new(),
            bytes: Vec::new(),
        };
        let mut contexts = 0;
        window.visit(range, |key, _| {
            found.add(key);
            contexts += 1;
            if contexts == STEP {
                contexts = 0;
                observer.advance(STEP);
                if observer.stop_requested() {
                    return Err(IndexError::Stopped);
                }
            }
            Ok(())
        })?;
        observer.advance(contexts);
        if observer.stop_requested() {
            return Err(IndexError::Stopped);
        }
        found.flush();
        Ok(found.bytes)
    });
    let mut found: Vec<Vec<u8>> = found.collect::<Result<_, IndexError>>()?;
    // A file may end within a group, which then goes on in the next one: what both hold is taken from the
    // later. Whole groups are compared from their ends on, at most 128 upper parts each.
    for i in 1..found.len() {
        let (before, after) = found.split_at_mut(i);
        let (Some(before), Some(after)) = (before.last_mut(), after.first()) else {
            continue;
        };
        let mut kept = before.len();
        for _ in 0..128 {
            let Some(upper) = kept
                .checked_sub(key_bytes)
                .and_then(|start| before.get(start..kept))
            else {
                break;
            };
            let repeated = after
                .chunks_exact(key_bytes)
                .take(128)
                .any(|other| other == upper);
            if repeated {
                before.drain(kept - key_bytes..kept);
            }
            kept -= key_bytes;
        }
    }
    let distinct: usize = found.iter().map(|bytes| bytes.len() / key_bytes).sum();
    let plan = Plan::of_keys(window, key_bytes, distinct as u64);
    let table = gather(
        &plan,
        &found,
        |bytes, take| {
            let mut keys = bytes.chunks_exact(key_bytes).filter_map(ContextKey::new);
            keys.try_for_each(|key| take(&key, Histogram { n0: 1, n1: 0 }))
        },
        // From memory to memory: over before a progress bar would show.
        &Unobserved,
    )?;
    Ok(Some(table))
}
