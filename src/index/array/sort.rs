//! Latents → the parts of an array, each a range of contexts: fetched, sorted and written in parallel, within a memory limit.

use std::ops::Range;

use rayon::prelude::*;

use super::cells::{Cell, Cells};
use super::content::ContentSum;
use super::directory::Rank;
use super::distinct::Distinct;
use super::latents::Latents;
use super::number::Number;
use super::refine::refine;
use super::write::{Part, TakeContexts};
use crate::base::Observer;
use crate::window::{Order, Reader};

/// Bytes that sorting an occurrence takes beside the occurrence itself: its word with its number, once more where it shares
/// its word with most, and where it begins to differ.
const SORT_BYTES: u64 = 16 + 8 + 4;

/// Parts aimed at for each thread, so that threads end together.
const PARTS: u64 = 16;

/// Fewest occurrences that are worth a file of their own.
const MIN_PART: u64 = 1 << 18;

/// How much is in memory at a time.
#[derive(Clone, Copy, Debug)]
pub(in crate::index) struct Room {
    /// Occurrences that are fetched by one reading of the latents.
    pub(in crate::index) fetched: u64,
    /// Occurrences that one thread sorts at a time.
    pub(in crate::index) sorted: u64,
}

impl Room {
    /// Shares out `bytes` of memory for so many occurrences: half for what is fetched, with so many bytes `beside` each until
    /// they are written, half for what the threads sort.
    pub(in crate::index) fn within(bytes: u64, occurrences: u64, beside: u64) -> Self {
        let threads = rayon::current_num_threads() as u64;
        let fetched = bytes / 2 / (number_bytes(occurrences) + beside);
        Self {
            fetched: fetched.clamp(1, occurrences.max(1)),
            sorted: bytes / 2 / (threads * SORT_BYTES),
        }
    }

    /// Returns the memory in which each thread can sort `sorted` occurrences at a time, and as many are fetched, with so many
    /// bytes `beside` each.
    pub(in crate::index) fn bytes_for(sorted: u64, beside: u64) -> u64 {
        let threads = rayon::current_num_threads() as u64;
        2 * sorted * (threads * SORT_BYTES).max(number_bytes(u64::MAX) + beside)
    }

    /// Returns the largest cell that is not split where it can be.
    fn max_cell(self) -> u64 {
        self.sorted.min(self.fetched).max(1)
    }
}

/// Bytes that the number of an occurrence takes.
fn number_bytes(occurrences: u64) -> u64 {
    if u32::try_from(occurrences).is_ok() {
        4
    } else {
        8
    }
}

/// A part: cells that follow one another, what separates it from those before it, and its number.
struct Task<'a, N> {
    number: usize,
    cells: &'a [Cell],
    separator: Vec<u8>,
    occurrences: &'a mut [N],
}

/// What sorts and writes.
pub(in crate::index) struct Sort<'a> {
    pub(in crate::index) latents: &'a Latents<'a>,
    pub(in crate::index) order: &'a Order,
    pub(in crate::index) ids: &'a [u32],
    pub(in crate::index) room: Room,
    pub(in crate::index) observer: &'a dyn Observer,
}

impl Sort<'_> {
    /// Sorts everything and hands each part, in order, to `done`: what was made of it by the writer that `writer` gives for its
    /// number and its separator (of which none is larger than what the part begins with). Parts that are in memory together are
    /// written in parallel.
    pub(in crate::index) fn run<N: Number, W: TakeContexts + Send>(
        &self,
        writer: impl Fn(usize, Vec<u8>) -> W + Sync,
        mut done: impl FnMut(W::Done) -> Result<(), W::Error>,
    ) -> Result<(), W::Error>
    where
        W::Done: Send,
        W::Error: Send,
    {
        let readers = self.order.word_readers();
        let cells = Cells::count(
            self.latents,
            self.order,
            self.ids,
            self.room.max_cell(),
            self.observer,
        )?;
        let mut number = 0;
        for batch in batches(cells.cells(), self.room.fetched) {
            let own = &cells.cells()[batch.clone()];
            if let [cell] = own
                && cell.count > self.room.fetched
            {
                let mut writer = writer(number, separator(&cells, batch.start));
                cells.stream(cell, &mut writer)?;
                done(writer.finish()?)?;
                number += 1;
                continue;
            }
            let mut occurrences: Vec<N> = cells.fetch(batch.clone())?;
            let stage = format!("{}: sort and write", self.order.direction());
            self.observer
                .stage(&stage, occurrences.len() as u64, "contexts");
            let tasks = self.tasks(&cells, batch, number, &mut occurrences);
            let written = tasks.into_par_iter().with_max_len(1).map(|task| {
                let mut writer = writer(task.number, task.separator);
                let mut occurrences = task.occurrences;
                for cell in task.cells {
                    self.observer.check()?;
                    let (own, rest) = occurrences.split_at_mut(cell.count as usize);
                    occurrences = rest;
                    self.sort_cell(&readers, cell, own, &mut writer)?;
                    self.observer.advance(cell.count);
                }
                Ok((task.number, writer.finish()?))
            });
            let mut written = written.collect::<Result<Vec<_>, W::Error>>()?;
            written.sort_by_key(|(number, _)| *number);
            number += written.len();
            for (_, part) in written {
                done(part)?;
            }
        }
        Ok(())
    }

    /// Sorts one cell; its first context is compared with the last one that was written.
    fn sort_cell<N: Number, W: TakeContexts>(
        &self,
        readers: &[Reader],
        cell: &Cell,
        occurrences: &mut [N],
        writer: &mut W,
    ) -> Result<(), W::Error> {
        if cell.bits == self.order.bits() {
            // All are equal.
            let common = occurrences
                .first()
                .map_or(0, |first| writer.common_with_last(first.get()));
            return writer.context(common, occurrences);
        }
        let mut is_first = true;
        refine(self.latents, readers, 0, occurrences, |common, group| {
            let common = match std::mem::take(&mut is_first) {
                true => writer.common_with_last(group[0].get()),
                false => common,
            };
            writer.context(common, group)
        })
    }

    /// Shares the cells of a batch out, the largest parts first.
    fn tasks<'t, N: Number>(
        &self,
        cells: &'t Cells<'_>,
        batch: Range<usize>,
        first: usize,
        occurrences: &'t mut [N],
    ) -> Vec<Task<'t, N>> {
        let threads = rayon::current_num_threads() as u64;
        let aim = (occurrences.len() as u64 / (threads * PARTS)).max(MIN_PART);
        let aim = aim.min(self.room.sorted).max(1);
        let mut tasks: Vec<Task<'t, N>> = Vec::new();
        let mut left = occurrences;
        for range in batches(&cells.cells()[batch.clone()], aim) {
            let range = range.start + batch.start..range.end + batch.start;
            let own = &cells.cells()[range.clone()];
            let count: u64 = own.iter().map(|cell| cell.count).sum();
            let (occurrences, rest) = left.split_at_mut(count as usize);
            left = rest;
            tasks.push(Task {
                number: first + tasks.len(),
                cells: own,
                separator: separator(cells, range.start),
                occurrences,
            });
        }
        tasks.sort_by_key(|task| std::cmp::Reverse(task.occurrences.len()));
        tasks
    }
}

/// What all parts of an array hold together.
pub(in crate::index) struct Joined {
    /// What comes before each part that is not empty, and in all.
    pub(super) before: Vec<Rank>,
    /// The contexts of all.
    pub(in crate::index) distinct: Distinct,
    pub(in crate::index) content: ContentSum,
}

impl Joined {
    /// Puts parts together, in order; contexts of `prefixes` were counted.
    pub(in crate::index) fn of<S>(
        parts: &[Part<S>],
        latents: &Latents<'_>,
        readers: &[Reader],
        prefixes: &[usize],
    ) -> Self {
        let mut joined = Self {
            before: vec![Rank::default()],
            distinct: Distinct::new(prefixes),
            content: ContentSum::default(),
        };
        let mut rank = Rank::default();
        let mut last = None;
        for part in parts {
            let Some((first, own_last)) = part.ends else {
                continue;
            };
            let common = last.map_or(0, |last| latents.common(readers, last, first));
            joined.distinct.append(&part.distinct, common);
            joined.content.append(&part.content);
            last = Some(own_last);
            rank.entries += part.holds.entries;
            rank.ones += part.holds.ones;
            joined.before.push(rank);
        }
        joined
    }
}

/// Ranges of cells that hold at most `max` together, or one cell.
fn batches(cells: &[Cell], max: u64) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut sum = 0;
    for (number, cell) in cells.iter().enumerate() {
        match batches.last_mut() {
            Some(last) if sum + cell.count <= max => {
                last.end = number + 1;
                sum += cell.count;
            }
            _ => {
                batches.push(number..number + 1);
                sum = cell.count;
            }
        }
    }
    batches
}

/// The separator of a part that begins with a cell: empty for the first one, so that nothing lies before it.
fn separator(cells: &Cells<'_>, first: usize) -> Vec<u8> {
    match first {
        0 => Vec::new(),
        _ => cells.separator(first),
    }
}
