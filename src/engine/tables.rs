//! Which windows are held in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::EngineError;
use crate::base::{Budget, Observer};
use crate::index::{Resident, WindowEntry, WindowIndex};
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

/// How much memory a table may take.
pub(super) struct Room {
    /// Bytes for all tables together.
    pub(super) tables: u64,
    /// What is left for anything.
    pub(super) memory: Budget,
}

/// Windows held in memory.
#[derive(Default)]
pub(super) struct Tables(Mutex<HashMap<Window, Arc<Resident>>>);

impl Tables {
    /// Memory held, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().map(|table| table.bytes()).sum()
    }

    /// The table of a window, loaded where it is wanted and not there yet; `None` for a window without one. All tables
    /// together take no more than there is room, unless two requests load at once.
    pub(super) fn load(
        &self,
        held: &WindowIndex<'_>,
        preload: Preload,
        lookups: u64,
        room: &Room,
        observer: &dyn Observer,
    ) -> Result<Option<Arc<Resident>>, EngineError> {
        if preload == Preload::None {
            return Ok(None);
        }
        let window = held.geometry().window();
        // Not locked while a table loads: loading works on all threads, and one that waits for another request's lock could
        // be the one that this request waits for.
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let table = lock().get(&window).cloned();
        if table.is_some() {
            return Ok(table);
        }
        let left = room.tables.saturating_sub(self.bytes());
        let needed = match Resident::bytes_needed(held) {
            Err(error) if preload == Preload::All => return Err(error.into()),
            Err(_) => return Ok(None),
            Ok(needed) => needed,
        };
        if preload == Preload::All {
            Budget::bytes(left).check(needed, format!("the contexts of window {window}"))?;
        }
        // A context is loaded in about a third of the time that looking it up in the index takes.
        let few = |entry: &WindowEntry| entry.distinct / 3 <= lookups;
        let worth = preload == Preload::All || held.entry().is_some_and(few);
        if needed > left || !worth {
            return Ok(None);
        }
        // That there is too little memory altogether is for whoever wants every table to know.
        if preload == Preload::Auto && needed > room.memory.available() {
            return Ok(None);
        }
        let table = Arc::new(Resident::load(held, room.memory, observer)?);
        lock().insert(window, table.clone());
        Ok(Some(table))
    }
}
