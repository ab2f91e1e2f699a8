//! The threads that work, one set for each process: after a fork those of the parent are not there, and waiting for them would
//! be for ever.

use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// Returns something that belongs to one process: in a forked one it is made anew, and what was there is left alone.
pub(crate) fn of_process<T, E>(
    place: &Mutex<Option<(u32, Arc<T>)>>,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<Arc<T>, E> {
    let mut held = place.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((process, value)) = &*held
        && *process == process::id()
    {
        return Ok(value.clone());
    }
    // Another process's: to drop it would wait for its threads, which this process has not.
    std::mem::forget(held.take());
    let value = Arc::new(make()?);
    *held = Some((process::id(), value.clone()));
    Ok(value)
}

/// Returns the threads of this process, one for each core.
pub(crate) fn pool() -> Arc<ThreadPool> {
    let made = of_process(&POOL, || {
        let builder = ThreadPoolBuilder::new().thread_name(|number| format!("bitquilt-{number}"));
        builder.build()
    });
    made.unwrap_or_else(|error| panic!("no threads to work with: {error}"))
}
