//! Long work without the interpreter's lock: Ctrl-C and progress are looked at while it runs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bitquilt::Observer;
use pyo3::prelude::*;

use crate::errors;
use crate::pool::pool;

/// How long a signal waits until it is seen, at most.
const GLANCE: Duration = Duration::from_millis(40);

/// What the work says of itself.
#[derive(Default)]
struct Watch {
    stage: Mutex<(String, u64, String)>,
    done: AtomicU64,
    stop: AtomicBool,
}

impl Observer for Watch {
    fn stage(&self, name: &str, total: u64, unit: &str) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        *stage = (name.to_owned(), total, unit.to_owned());
        self.done.store(0, Ordering::Relaxed);
    }

    fn advance(&self, done: u64) {
        self.done.fetch_add(done, Ordering::Relaxed);
    }

    fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Watch {
    /// Lets Python handle its signals, and tells `progress` how far the work is.
    fn glance(&self, progress: Option<&Py<PyAny>>) -> PyResult<()> {
        Python::attach(|py| {
            py.check_signals()?;
            let Some(progress) = progress else {
                return Ok(());
            };
            let stage = self
                .stage
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let (name, total, unit) = stage;
            if name.is_empty() {
                return Ok(());
            }
            let done = self.done.load(Ordering::Relaxed);
            progress.call1(py, (name, done, total, unit))?;
            Ok(())
        })
    }
}

/// Does `work` on this process's threads, and looks for signals meanwhile; `progress` is called with stage, done, total (0 where
/// nobody knows) and unit. What either raises stops the work and is raised once it has ended.
pub(crate) fn watched<T: Send, E: Into<PyErr> + Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    work: impl FnOnce(&dyn Observer) -> Result<T, E> + Send,
) -> PyResult<T> {
    match watched_kept(py, progress, work)? {
        (result, None) => Ok(result),
        (_, Some(raised)) => Err(raised),
    }
}

/// Does the same for work that has a result when it was stopped too: what stopped it comes back beside that.
pub(crate) fn watched_kept<T: Send, E: Into<PyErr> + Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    work: impl FnOnce(&dyn Observer) -> Result<T, E> + Send,
) -> PyResult<(T, Option<PyErr>)> {
    let watch = Watch::default();
    let (ended, raised) = py.detach(|| {
        thread::scope(|scope| {
            let (done, finished) = channel::<()>();
            let worker = scope.spawn(|| {
                // Dropped at the end, whatever the end is.
                let _done = done;
                catch_unwind(AssertUnwindSafe(|| pool().install(|| work(&watch))))
            });
            let mut raised = None;
            while finished.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
                if raised.is_none()
                    && let Err(error) = watch.glance(progress.as_ref())
                {
                    watch.stop.store(true, Ordering::Relaxed);
                    raised = Some(error);
                }
            }
            (worker.join(), raised)
        })
    });
    match (ended, raised) {
        (Ok(Ok(Ok(result))), raised @ Some(_)) => Ok((result, raised)),
        (_, Some(raised)) => Err(raised),
        (Ok(Ok(result)), None) => {
            // Short work has had no glance, and long work has its last one.
            if let Some(progress) = &progress {
                watch.glance(Some(progress))?;
            }
            Ok((result.map_err(Into::into)?, None))
        }
        (Ok(Err(panic)) | Err(panic), None) => Err(errors::internal(py, &message_of(&*panic))),
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Panics, as a bug would: so that tests see what becomes of one.
#[pyfunction]
pub(crate) fn panics(py: Python<'_>) -> PyResult<()> {
    watched(py, None, |_| -> Result<(), errors::Failure> {
        panic!("on purpose")
    })
}
