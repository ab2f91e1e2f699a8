//! Which windows are held in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::EngineError;
use crate::base::{Budget, Observer};
use crate::index::{Resident, WindowIndex};
use crate::window::Window;

/// Which windows to hold in memory. The answers are the same either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preload {
    /// Those that fit, where the run is long enough to win the time back.
    #[default]
    Auto,
    /// Every one, or refuse.
    All,
    /// None: each lookup reads the index.
    None,
}

/// Windows held in memory.
#[derive(Default)]
pub(super) struct Tables(Mutex<HashMap<Window, Arc<Resident>>>);

impl Tables {
    /// The tables of some windows, loaded where they are wanted and not there yet; `None` for a window without one. All
    /// together take at most `limit` bytes, unless two requests load at once.
    pub(super) fn load(
        &self,
        windows: &[WindowIndex<'_>],
        preload: Preload,
        lookups: u64,
        limit: u64,
        observer: &dyn Observer,
    ) -> Result<Vec<Option<Arc<Resident>>>, EngineError> {
        let mut tables = Vec::new();
        for held in windows {
            tables.push(self.table(held, preload, lookups, limit, observer)?);
        }
        Ok(tables)
    }

    fn table(
        &self,
        held: &WindowIndex<'_>,
        preload: Preload,
        lookups: u64,
        limit: u64,
        observer: &dyn Observer,
    ) -> Result<Option<Arc<Resident>>, EngineError> {
        if preload == Preload::None {
            return Ok(None);
        }
        let window = held.geometry().window();
        // Not locked while a table loads: loading works on all threads, and one that waits for another request's lock could
        // be the one that this request waits for.
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (table, used) = {
            let all = lock();
            let used: u64 = all.values().map(|table| table.bytes()).sum();
            (all.get(&window).cloned(), used)
        };
        if table.is_some() {
            return Ok(table);
        }
        let left = limit.saturating_sub(used);
        let needed = Resident::bytes_needed(held);
        if preload == Preload::All {
            Budget::bytes(left).check(needed, format!("the contexts of window {window}"))?;
        }
        // A context is loaded in about a third of the time that looking it up in the index takes.
        let worth = preload == Preload::All || held.entry().distinct / 3 <= lookups;
        if needed > left || !worth {
            return Ok(None);
        }
        let table = Arc::new(Resident::load(held, Budget::of_machine(), observer)?);
        lock().insert(window, table.clone());
        Ok(Some(table))
    }
}
