//! Counting without finding: how many samples a task has.
//!
//! What lies before a row matters to it and to all rows after it only as far as their contexts still see
//! it. So the number of completions is a function of the row's number and of those bits, and is worked out
//! once for each of their values that is reached: a sum over the row's own values, which its chain lists.
//! The last row is not listed but counted on its chain. Exact, in integers of any size; the work grows
//! with the number of values reached, which is small for narrow grids (the transfer-matrix method).

use std::collections::HashMap;

use num_bigint::BigUint;

use super::chain::Chain;
use super::constraint::Constraints;
use super::links::{Links, Segment};
use super::options::Backoff;
use super::{SearchError, Task};
use crate::base::Observer;
use crate::latent::Shape;
use crate::samples::Status;
use crate::window::Frame;

/// The number of samples of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// The number of samples, or of those counted so far.
    pub samples: BigUint,
    /// [`Status::NoneExists`] when all are counted, else why they are not.
    pub status: Status,
    /// Contexts looked up.
    pub lookups: u64,
    /// States reached: different values of the bits that later rows see.
    pub states: u64,
}

struct Counter<'a> {
    links: Links<'a>,
    frame: Frame,
    shape: Shape,
    /// For each position, the first one that it or a later one sees.
    seen: Vec<usize>,
    known: HashMap<(usize, Box<[u64]>), BigUint>,
    /// Most of them.
    max_states: Option<u64>,
    status: Status,
}

/// Counts the samples of a task, keeping at most `max_states` different values of what later rows see; `None` for any number.
///
/// ```
/// use bitquilt::{FixedBits, Rung, SearchOptions, Status, Task, count};
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
/// let count = count(&task, None, &Unobserved)?;
/// assert_eq!((count.samples, count.status), (2u8.into(), Status::NoneExists));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`SearchError::Count`] for back-off on dead ends and for constraints that judge whole samples, which
/// only [`enumerate`](super::enumerate) can take; or whatever the index reports.
pub fn count(
    task: &Task<'_>,
    max_states: Option<u64>,
    observer: &dyn Observer,
) -> Result<Count, SearchError> {
    if task.options.backoff == Backoff::OnDeadEnd {
        return Err(SearchError::Count {
            why: "does not back off on dead ends",
        });
    }
    if task.constraints.iter().any(|c| c.judges_whole_samples()) {
        return Err(SearchError::Count {
            why: "cannot leave out single samples",
        });
    }
    let ladder = task.ladder(Vec::new())?;
    let frame = task.prepare(&ladder)?;
    let shape = ladder.shape();
    let bits = shape.bits();
    let mut seen = vec![bits; bits + 1];
    for position in (0..bits).rev() {
        let first = ladder.context(position).map(|run| run.start).min();
        seen[position] = first.unwrap_or(position).min(seen[position + 1]);
    }
    observer.stage("count", 0, "states");
    let mut counter = Counter {
        links: Links::new(
            ladder,
            Constraints(&task.constraints),
            task.options.max_states,
        ),
        frame,
        shape,
        seen,
        known: HashMap::new(),
        max_states,
        status: Status::NoneExists,
    };
    let samples = counter.run(observer)?;
    Ok(Count {
        samples,
        status: counter.status,
        lookups: counter.links.ladder.lookups,
        states: counter.known.len() as u64,
    })
}

/// A row whose completions are being counted.
struct Row {
    key: (usize, Box<[u64]>),
    start: usize,
    chain: Chain,
    /// The value whose completions are being counted.
    value: Vec<bool>,
    sum: BigUint,
}

/// What is known of the completions of the bits before a position.
enum Known {
    Number(BigUint),
    /// They are to be summed over the values of a row.
    Row(Row),
    /// There was no time to know.
    Nothing,
}

impl Counter<'_> {
    /// Counts all completions; those counted so far when it had to stop.
    fn run(&mut self, observer: &dyn Observer) -> Result<BigUint, SearchError> {
        // A stack of its own: a latent may have a million rows.
        let mut rows: Vec<Row> = Vec::new();
        let mut start = 0;
        loop {
            let mut number = match self.look_at(start, observer)? {
                Known::Number(number) => number,
                Known::Row(row) => {
                    start = self.write(&row);
                    rows.push(row);
                    continue;
                }
                // No two of the sums count the same: each row is at another value than those below it.
                Known::Nothing => return Ok(rows.into_iter().map(|row| row.sum).sum()),
            };
            loop {
                let Some(mut row) = rows.pop() else {
                    return Ok(number);
                };
                row.sum += number;
                let value = std::mem::take(&mut row.value);
                if let Some(value) = row.chain.next(value) {
                    row.value = value;
                    start = self.write(&row);
                    rows.push(row);
                    break;
                }
                number = row.sum;
                self.known.insert(row.key, number.clone());
                observer.advance(1);
            }
        }
    }

    /// Writes a row's value into the frame; the position behind it.
    fn write(&mut self, row: &Row) -> usize {
        for (position, value) in (row.start..).zip(&row.value) {
            self.frame.set(position, *value);
        }
        row.start + row.value.len()
    }

    /// Looks at the completions of the bits before `start`, as they stand in the frame.
    fn look_at(&mut self, start: usize, observer: &dyn Observer) -> Result<Known, SearchError> {
        if start == self.shape.bits() {
            return Ok(Known::Number(BigUint::from(1u8)));
        }
        let seen = self.seen[start].min(start)..start;
        let words = seen.clone().step_by(64);
        let words = words.map(|from| self.frame.bits(from, (start - from).min(64)));
        let key = (start, words.collect());
        if let Some(known) = self.known.get(&key) {
            return Ok(Known::Number(known.clone()));
        }
        if observer.stop_requested() {
            self.status = Status::Stopped;
            return Ok(Known::Nothing);
        }
        if self
            .max_states
            .is_some_and(|max_states| self.known.len() as u64 >= max_states)
        {
            self.status = Status::BudgetSpent;
            return Ok(Known::Nothing);
        }
        let row = self.shape.rest_of_row(start);
        let from = vec![self.links.ladder.first(start); row.len()];
        let stop = || observer.stop_requested().then_some(Status::Stopped);
        let segment = self.links.follow(&mut self.frame, row, &from, &stop)?;
        let number = match segment {
            Segment::Interrupted(status) => {
                self.status = status;
                return Ok(Known::Nothing);
            }
            Segment::Dead { .. } => BigUint::ZERO,
            Segment::Alive(chain) if start + chain.length() == self.shape.bits() => chain.count(),
            Segment::Alive(chain) => {
                if let Some(value) = chain.first() {
                    return Ok(Known::Row(Row {
                        key,
                        start,
                        chain,
                        value,
                        sum: BigUint::ZERO,
                    }));
                }
                BigUint::ZERO
            }
        };
        self.known.insert(key, number.clone());
        observer.advance(1);
        Ok(Known::Number(number))
    }
}
