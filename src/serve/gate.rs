//! How much is worked on at once, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::problem::{Failure, Problem};
use crate::base::Observer;

/// Requests that wait for their turn at most, beside those that are worked on.
const MAX_WAITING: usize = 32;

/// Stops work whose time is over, whose asker is gone, or when the server stops.
pub(super) struct Watch {
    left: AtomicBool,
    stopping: Arc<AtomicBool>,
    until: Instant,
}

impl Watch {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Tells the work that nobody waits for it any more.
    pub(super) fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }
}

impl Observer for Watch {
    fn stage(&self, _name: &str, _total: u64, _unit: &str) {}

    fn advance(&self, _done: u64) {}

    fn stop_requested(&self) -> bool {
        let told = [&self.left, &*self.stopping];
        told.iter().any(|flag| flag.load(Ordering::Relaxed)) || self.is_over()
    }
}

/// Stops the work when it is dropped, as it is when its asker hangs up.
pub(super) struct Leave(pub(super) Arc<Watch>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A turn to work.
pub(super) struct Turn {
    watch: Arc<Watch>,
    // Given back when the work ends, not when its asker leaves.
    _permits: [OwnedSemaphorePermit; 2],
}

impl Turn {
    /// Returns what tells the work to stop. A method: a closure that named the field would take that alone along, and
    /// leave the turn itself with the asker.
    pub(super) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }
}

/// Lets as many requests work as there are cores, and a few more wait.
pub(super) struct Gate {
    /// Those that work or wait.
    all: Arc<Semaphore>,
    working: Arc<Semaphore>,
    limit: Duration,
    pub(super) stopping: Arc<AtomicBool>,
}

impl Gate {
    pub(super) fn new(cores: usize, limit: Duration) -> Self {
        Self {
            all: Arc::new(Semaphore::new(cores + MAX_WAITING)),
            working: Arc::new(Semaphore::new(cores)),
            limit,
            stopping: Arc::default(),
        }
    }

    /// Returns the time that a request may take, in seconds.
    pub(super) fn seconds(&self) -> u64 {
        self.limit.as_secs()
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> Result<Turn, Problem> {
        let entered = self.all.clone().try_acquire_owned();
        let entered = entered.map_err(|_| Problem::busy())?;
        let turn = timeout(self.limit, self.working.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::busy());
        };
        let watch = Watch {
            left: AtomicBool::new(false),
            stopping: self.stopping.clone(),
            until: Instant::now() + self.limit,
        };
        Ok(Turn {
            watch: Arc::new(watch),
            _permits: [entered, turn],
        })
    }

    /// Does work in its turn, on a thread that may block; it is told to stop when its time is over or its asker leaves.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Watch) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.turn().await?;
        let watch = turn.watch().clone();
        let _leave = Leave(watch.clone());
        let done = spawn_blocking(move || work(turn.watch())).await;
        match done {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(failure)) => Err(self.told(failure, &watch)),
            // The panic's message is on stderr.
            Err(_) => Err(Problem::internal(
                "a bug of this server: the rest of it goes on",
            )),
        }
    }

    /// Says why work failed.
    pub(super) fn told(&self, failure: Failure, watch: &Watch) -> Problem {
        match failure {
            Failure::Problem(problem) => problem,
            Failure::Stopped if watch.is_over() => Problem::too_slow(self.seconds()),
            Failure::Stopped => Problem::stopping(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use axum::response::IntoResponse;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    }

    fn status(problem: Problem) -> u16 {
        problem.into_response().status().as_u16()
    }

    #[test]
    fn a_panic_is_an_answer_and_the_next_request_is_answered() {
        let gate = Gate::new(1, Duration::from_secs(5));
        runtime().block_on(async {
            let broken = gate.run(|_| -> Result<(), Failure> { unreachable!("on purpose") });
            assert_eq!(broken.await.map_err(status), Err(500));
            assert_eq!(gate.run(|_| Ok(3)).await.map_err(status), Ok(3));
        });
    }

    #[test]
    fn work_beyond_its_time_is_told_to_stop_and_says_so() {
        let gate = Gate::new(1, Duration::from_millis(30));
        runtime().block_on(async {
            let endless = gate.run(|watch| -> Result<(), Failure> {
                while watch.check().is_ok() {
                    thread::sleep(Duration::from_millis(1));
                }
                Err(Failure::Stopped)
            });
            let problem = endless.await.unwrap_err();
            assert!(
                serde_json::to_string(&problem)
                    .unwrap()
                    .contains("too-slow")
            );
            assert_eq!(status(problem), 503);
        });
    }

    #[test]
    fn work_stops_when_its_asker_leaves_and_its_turn_is_free_again() {
        let gate = Gate::new(1, Duration::from_secs(60));
        runtime().block_on(async {
            let (begun, ended) = (Arc::new(Barrier::new(2)), Arc::new(AtomicBool::new(false)));
            let (begins, ends) = (begun.clone(), ended.clone());
            let work = gate.run(move |watch| -> Result<(), Failure> {
                begins.wait();
                while watch.check().is_ok() {
                    thread::sleep(Duration::from_millis(1));
                }
                // The next in turn waits for this too, though nobody else does.
                thread::sleep(Duration::from_millis(50));
                ends.store(true, Ordering::SeqCst);
                Err(Failure::Stopped)
            });
            // Dropped after 50 ms, as the work of a connection that is closed.
            assert!(timeout(Duration::from_millis(50), work).await.is_err());
            begun.wait();
            assert_eq!(gate.run(|_| Ok(())).await.map_err(status), Ok(()));
            assert!(ended.load(Ordering::SeqCst));
        });
    }

    #[test]
    fn more_than_may_wait_are_refused_at_once() {
        let gate = Arc::new(Gate::new(1, Duration::from_secs(60)));
        runtime().block_on(async {
            let go = Arc::new(AtomicBool::new(false));
            let started: Vec<_> = (0..MAX_WAITING + 1)
                .map(|_| {
                    let (gate, go) = (gate.clone(), go.clone());
                    let work = move |_: &Watch| {
                        while !go.load(Ordering::SeqCst) {
                            thread::sleep(Duration::from_millis(1));
                        }
                        Ok(())
                    };
                    tokio::spawn(async move { gate.run(work).await.map_err(status) })
                })
                .collect();
            while gate.all.available_permits() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(gate.run(|_| Ok(())).await.map_err(status), Err(503));
            go.store(true, Ordering::SeqCst);
            for work in started {
                assert_eq!(work.await.unwrap(), Ok(()));
            }
            assert_eq!(gate.run(|_| Ok(())).await.map_err(status), Ok(()));
        });
    }
}
