//! Cells: the occurrences shared out by the first bits of their contexts, so that each cell fits the memory for sorting it.
//!
//! A cell is all contexts that begin with the same 16 bits; one that holds too many is split by the next 16, and so on. Which
//! ones those are is foreseen from a sample of the latents, so that mostly one reading of all counts them; another one
//! fetches the occurrences of some cells: nothing is written out and merged. Far down, where blank contexts agree for
//! thousands of bits, what a cell's contexts share is measured first, so that it is split where they differ. What cannot be split, because all of its contexts are equal, needs no sorting.

use std::ops::Range;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::latents::Latents;
use super::number::Number;
use super::tables::{Counts, DIGIT_BITS, DIGITS, NONE, Tables};
use super::write::TakeContexts;
use crate::base::{Observer, Stopped};
use crate::window::{Direction, Order};

/// Tables above one whose cells are measured before they are split. That is one more reading of the latents, and saves as many
/// as the contexts agree in digits: few, until there.
const DEEP: usize = 8;

/// Latents between two looks at whether to go on.
const LOOK: usize = 256;

/// Latents of which the occurrences of a cell are held at a time.
const STREAMED: usize = 1 << 10;

/// Of so many latents one is read to foresee which cells have to be split, so that all of them are counted by one reading.
const SAMPLED: usize = 16;

/// A cell that holds something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    table: u32,
    number: u32,
    pub(super) count: u64,
    /// Bits in which all of its contexts agree: all bits, where there is nothing to sort.
    pub(super) bits: usize,
}

/// All cells, in ascending order of their contexts.
pub(super) struct Cells<'a> {
    latents: &'a Latents<'a>,
    bits: usize,
    chunks: Vec<&'a [u32]>,
    direction: Direction,
    tables: Tables,
    /// Cells of equal contexts, by table and number: they are not split.
    alike: FxHashSet<(u32, u32)>,
    cells: Vec<Cell>,
    observer: &'a dyn Observer,
}

/// What the contexts of a cell share, by one of them.
type Shared = FxHashMap<(u32, u32), (u64, usize)>;

impl<'a> Cells<'a> {
    /// Counts the occurrences of the latents `ids`, in cells of at most `max` where that can be.
    pub(super) fn count(
        latents: &'a Latents<'a>,
        order: &'a Order,
        ids: &'a [u32],
        max: u64,
        observer: &'a dyn Observer,
    ) -> Result<Self, Stopped> {
        let mut cells = Self {
            latents,
            bits: order.bits(),
            chunks: chunks(ids),
            direction: order.direction(),
            tables: Tables::new(order),
            alike: FxHashSet::default(),
            cells: Vec::new(),
            observer,
        };
        if (ids.len() * latents.places().len()) as u64 > max {
            cells.foresee(ids, max)?;
        }
        let mut new = 0;
        while new < cells.tables.len() {
            cells.begin("count", ids.len());
            cells.count_from(&cells.chunks.clone(), new)?;
            let next = cells.tables.len();
            cells.split_from(new, max)?;
            new = next;
        }
        let mut found = Vec::new();
        cells.collect(0, &mut found);
        cells.cells = found;
        Ok(cells)
    }

    /// Splits what a sample of the latents says to be larger than `max`. What it says wrongly costs another reading, or a cell
    /// more.
    fn foresee(&mut self, ids: &[u32], max: u64) -> Result<(), Stopped> {
        let sample: Vec<u32> = ids.iter().copied().step_by(SAMPLED).collect();
        // A tenth less: cells that are nearly too large are split as well.
        let max = max / SAMPLED as u64 * 9 / 10;
        let mut new = 0;
        while new < self.tables.len() {
            self.begin("sample", sample.len());
            self.count_from(&chunks(&sample), new)?;
            let next = self.tables.len();
            // Far down a sample cannot say what all contexts share.
            for (table, cell) in self.large(new, max) {
                if self.tables[table].depth < DEEP {
                    self.split(table, cell);
                }
            }
            new = next;
        }
        Ok(())
    }

    /// Begins a reading of some latents.
    fn begin(&self, what: &str, latents: usize) {
        let name = format!("{}: {what}", self.direction);
        self.observer.stage(&name, latents as u64, "latents");
    }

    /// Begins a reading of all latents.
    fn begin_all(&self, what: &str) {
        self.begin(what, self.chunks.iter().map(|ids| ids.len()).sum());
    }

    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Returns what the contexts of a cell begin with, without zeros at its end: larger than every entry of the cells before it.
    pub(super) fn separator(&self, cell: usize) -> Vec<u8> {
        let Cell { table, number, .. } = self.cells[cell];
        let mut path = self.tables[table as usize].path(number as usize);
        let length = path
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        path.truncate(length);
        path
    }

    /// Hands each occurrence of some latents with its table and digit to `take`, in ascending order: of the `wanted` tables.
    #[inline]
    fn visit(
        &self,
        ids: &[u32],
        wanted: &[bool],
        mut take: impl FnMut(u64, (u32, u32)),
    ) -> Result<(), Stopped> {
        for (number, id) in ids.iter().enumerate() {
            if number % LOOK == 0 {
                self.observer.check()?;
                self.observer.advance((ids.len() - number).min(LOOK) as u64);
            }
            let (latent, label) = (
                self.latents.from(*id as usize),
                self.latents.label(*id as usize),
            );
            let places = self.latents.places();
            let first = u64::from(*id) * places.len() as u64;
            for (occurrence, place) in (first..).zip(places) {
                if let Some(found) = self.tables.digit_of(latent, *place, label, wanted) {
                    take(occurrence, found);
                }
            }
        }
        Ok(())
    }

    /// Counts the cells of the tables from `new` on.
    fn count_from(&mut self, chunks: &[&[u32]], new: usize) -> Result<(), Stopped> {
        let tables = new..self.tables.len();
        let wanted = self.tables.above(tables.clone());
        let counted: Vec<Vec<Counts>> = chunks
            .par_iter()
            .map(|ids| {
                let mut counts = vec![Counts::default(); tables.len()];
                // Most occurrences are in a cell of the first table: these are counted without a search.
                let mut first = vec![0; if new == 0 { DIGITS } else { 0 }];
                self.visit(ids, &wanted, |_, (table, digit)| {
                    if table == 0 {
                        if let Some(count) = first.get_mut(digit as usize) {
                            *count += 1;
                        }
                    } else if let Some(table) = (table as usize).checked_sub(new) {
                        *counts[table].entry(digit).or_default() += 1;
                    }
                })?;
                let first = (0..).zip(first).filter(|(_, count)| *count > 0);
                if let Some(counts) = counts.first_mut() {
                    counts.extend(first);
                }
                Ok(counts)
            })
            .collect::<Result<_, Stopped>>()?;
        for (number, table) in tables.enumerate() {
            let counted: Vec<_> = counted.iter().map(|counts| &counts[number]).collect();
            self.tables[table].take(&counted);
        }
        Ok(())
    }

    /// Returns the cells of the tables from `new` on that hold more than `max` and could be split.
    fn large(&self, new: usize, max: u64) -> Vec<(usize, usize)> {
        let mut large = Vec::new();
        for number in new..self.tables.len() {
            let table = &self.tables[number];
            if table.end() < self.bits {
                let cells = (0..table.digits.len()).filter(|cell| table.count(*cell) > max);
                large.extend(cells.map(|cell| (number, cell)));
            }
        }
        large
    }

    /// Splits a cell by its next digit.
    fn split(&mut self, number: usize, cell: usize) {
        let table = &self.tables[number];
        let (at, path) = (table.end(), table.path(cell));
        self.tables.split(number, cell, at, path);
    }

    /// Splits the cells of the tables from `new` on that hold more than `max`, unless all of their contexts are equal.
    fn split_from(&mut self, new: usize, max: u64) -> Result<(), Stopped> {
        let large = self.large(new, max);
        let is_deep = |(table, _): &(usize, usize)| self.tables[*table].depth >= DEEP;
        let deep = large.iter().copied().filter(is_deep);
        let shared = self.shared(deep.map(|(table, cell)| (table as u32, cell as u32)))?;
        for (number, cell) in large {
            let key = (number as u32, cell as u32);
            match shared.get(&key) {
                None => self.split(number, cell),
                Some((_, common)) if *common >= self.bits => {
                    self.alike.insert(key);
                }
                Some((occurrence, common)) => {
                    let at = common / DIGIT_BITS * DIGIT_BITS;
                    let mut path = self.latents.spell(self.tables.readers(), *occurrence);
                    path.truncate(at / 8);
                    self.tables.split(number, cell, at, path);
                }
            }
        }
        Ok(())
    }

    /// Measures in how many bits the contexts of each of some cells begin alike; one of its occurrences beside it.
    fn shared(&self, cells: impl Iterator<Item = (u32, u32)>) -> Result<Shared, Stopped> {
        let cells: Vec<_> = cells.collect();
        if cells.is_empty() {
            return Ok(Shared::default());
        }
        let wanted = self
            .tables
            .above(cells.iter().map(|(table, _)| *table as usize));
        let asked: Shared = cells.into_iter().map(|cell| (cell, (0, 0))).collect();
        self.begin_all("measure");
        let found: Vec<Shared> = self
            .chunks
            .par_iter()
            .map(|ids| {
                let mut found = Shared::default();
                self.visit(ids, &wanted, |occurrence, (table, digit)| {
                    let cell = self.tables[table as usize].cell(digit);
                    let cell = (table, cell.map_or(NONE, |cell| cell as u32));
                    if asked.contains_key(&cell) {
                        let (first, common) = found.entry(cell).or_insert((occurrence, self.bits));
                        *common = self.common(*first, occurrence, *common);
                    }
                })?;
                Ok(found)
            })
            .collect::<Result<_, Stopped>>()?;
        let mut shared = Shared::default();
        for (cell, (occurrence, own)) in found.into_iter().flatten() {
            let (first, common) = shared.entry(cell).or_insert((occurrence, own));
            *common = self.common(*first, occurrence, (*common).min(own));
        }
        Ok(shared)
    }

    /// Returns in how many of the first `bits` bits two contexts begin alike.
    fn common(&self, one: u64, other: u64, bits: usize) -> usize {
        let readers = self.tables.readers();
        let readers = &readers[..bits.div_ceil(64).min(readers.len())];
        self.latents.common(readers, one, other).min(bits)
    }

    fn collect(&self, number: u32, found: &mut Vec<Cell>) {
        let table = &self.tables[number as usize];
        for (cell, digit) in table.digits.iter().enumerate() {
            let key = (number, cell as u32);
            let bits = match self.alike.contains(&key) {
                true => self.bits,
                false => table.end().min(self.bits),
            };
            match table.split(*digit) {
                NONE => found.push(Cell {
                    table: number,
                    number: key.1,
                    count: table.count(cell),
                    bits,
                }),
                next => self.collect(next, found),
            }
        }
    }

    /// Fetches the occurrences of some cells: one cell after the other, ascending within each. Every latent is read once.
    pub(super) fn fetch<N: Number>(&self, cells: Range<usize>) -> Result<Vec<N>, Stopped> {
        self.begin_all("fetch");
        let wanted = &self.cells[cells];
        let total: u64 = wanted.iter().map(|cell| cell.count).sum();
        let mut occurrences = vec![N::default(); total as usize];
        // For each chunk of latents, where in the memory its occurrences of each cell go.
        let mut places: Vec<Vec<&mut [N]>> = self
            .chunks
            .iter()
            .map(|_| Vec::with_capacity(wanted.len()))
            .collect();
        // The number of each cell by its digit in the first table, which most are in; of the others by its own.
        let mut first = vec![NONE; DIGITS];
        let mut numbers: Vec<Vec<u32>> = vec![Vec::new(); self.tables.len()];
        let mut left = &mut occurrences[..];
        for (number, cell) in wanted.iter().enumerate() {
            let table = &self.tables[cell.table as usize];
            let own = &mut numbers[cell.table as usize];
            own.resize(table.digits.len(), NONE);
            own[cell.number as usize] = number as u32;
            if cell.table == 0 {
                first[table.digits[cell.number as usize] as usize] = number as u32;
            }
            for (places, counts) in places.iter_mut().zip(&table.counts) {
                let (own, rest) = left.split_at_mut(counts[cell.number as usize] as usize);
                places.push(own);
                left = rest;
            }
        }
        let tables = wanted.iter().map(|cell| cell.table as usize);
        let wanted = self.tables.above(tables);
        let chunks = self.chunks.par_iter().zip(places);
        chunks.try_for_each(|(ids, mut places)| {
            let mut filled = vec![0u32; places.len()];
            self.visit(ids, &wanted, |occurrence, (table, digit)| {
                let number = match table {
                    0 => first[digit as usize],
                    _ if numbers[table as usize].is_empty() => NONE,
                    _ => {
                        let cell = self.tables[table as usize].cell(digit);
                        let number = cell.and_then(|cell| numbers[table as usize].get(cell));
                        number.copied().unwrap_or(NONE)
                    }
                };
                if number == NONE {
                    return;
                }
                let (place, filled) = (&mut places[number as usize], &mut filled[number as usize]);
                place[*filled as usize] = N::of(occurrence);
                *filled += 1;
            })
        })?;
        Ok(occurrences)
    }

    /// Hands the occurrences of a cell, all of one context, to a writer without holding them: every latent is read twice.
    pub(super) fn stream<W: TakeContexts>(
        &self,
        cell: &Cell,
        writer: &mut W,
    ) -> Result<(), W::Error> {
        let own = (
            cell.table,
            self.tables[cell.table as usize].digits[cell.number as usize],
        );
        let ids: Vec<&[u32]> = self
            .chunks
            .iter()
            .flat_map(|ids| ids.chunks(STREAMED))
            .collect();
        let wanted = self.tables.above([cell.table as usize].into_iter());
        let mut has_begun = false;
        for bit in [false, true] {
            self.begin_all("fetch");
            for ids in ids.chunks(rayon::current_num_threads()) {
                let found = ids
                    .par_iter()
                    .map(|ids| {
                        let mut found = Vec::new();
                        self.visit(ids, &wanted, |occurrence, cell| {
                            if cell == own && self.latents.bit(occurrence) == bit {
                                found.push(occurrence);
                            }
                        })?;
                        Ok(found)
                    })
                    .collect::<Result<Vec<Vec<u64>>, Stopped>>()?;
                for occurrence in found.into_iter().flatten() {
                    if !std::mem::replace(&mut has_begun, true) {
                        writer.begin(occurrence)?;
                    }
                    writer.push(bit, occurrence)?;
                }
            }
        }
        writer.end()
    }
}

/// Shares latents out to the threads.
fn chunks(ids: &[u32]) -> Vec<&[u32]> {
    let chunk = ids.len().div_ceil(rayon::current_num_threads()).max(1);
    ids.chunks(chunk).collect()
}
