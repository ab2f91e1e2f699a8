//! Cells: the occurrences shared out by the first bits of their contexts, so that each cell fits the memory for sorting it.
//!
//! A cell is all contexts that begin with the same 16 bits; one that holds too many is split by the next 16, and so on. To count
//! them every latent is read once for each level, and to fetch the occurrences of some cells once more: nothing is written
//! out and merged. Far down, where blank contexts agree for thousands of bits, what a cell's contexts share is measured first,
//! so that it is split where they differ. What cannot be split, because all of its contexts are equal, needs no sorting.

use std::ops::Range;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::latents::Latents;
use super::number::Number;
use super::write::{PartWriter, Sink};
use crate::base::{Observer, Stopped};
use crate::window::{Direction, Order, Reader};

const DIGIT_BITS: usize = 16;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Tables above one whose cells are measured before they are split. That is one more reading of the latents, and saves as many
/// as the contexts agree in digits: few, until there.
const DEEP: usize = 8;

/// Latents between two looks at whether to go on.
const LOOK: usize = 256;

/// Latents of which the occurrences of a cell are held at a time.
const STREAMED: usize = 1 << 10;

/// No further table, or no cell.
const NONE: u32 = u32::MAX;

/// Cells whose contexts begin alike, told apart by one digit: only those that hold something.
struct Table {
    /// The first bit of the digit, a multiple of 8, and what reads it.
    at: usize,
    reader: Reader,
    /// The bytes before it.
    path: Vec<u8>,
    /// How many tables are above.
    depth: usize,
    /// The digits that there are, ascending.
    digits: Vec<u32>,
    /// The number of each digit among these, where there is a list of all.
    dense: Vec<u32>,
    /// Occurrences of each cell in each chunk of latents.
    counts: Vec<Vec<u64>>,
    /// The table that splits each cell.
    split: Vec<u32>,
}

impl Table {
    /// The bytes that the contexts of a cell begin with.
    fn path(&self, cell: usize) -> Vec<u8> {
        // A digit is below 2¹⁶.
        let digit = (self.digits[cell] as u16).to_be_bytes();
        self.path.iter().copied().chain(digit).collect()
    }

    /// The first bit behind the digit.
    fn end(&self) -> usize {
        self.at + DIGIT_BITS
    }

    fn count(&self, cell: usize) -> u64 {
        self.counts.iter().map(|counts| counts[cell]).sum()
    }

    /// The number of a digit's cell.
    #[inline]
    fn cell(&self, digit: u32) -> Option<usize> {
        match self.dense.get(digit as usize) {
            Some(&NONE) => None,
            Some(cell) => Some(*cell as usize),
            None => self.digits.binary_search(&digit).ok(),
        }
    }

    /// Takes what was counted in each chunk.
    fn take(&mut self, counted: &[&FxHashMap<u32, u64>]) {
        let digits = counted.iter().flat_map(|counts| counts.keys().copied());
        self.digits = digits.collect();
        self.digits.sort_unstable();
        self.digits.dedup();
        let of = |counts: &&FxHashMap<u32, u64>| {
            let counts = self.digits.iter().map(|digit| counts.get(digit).copied());
            counts.map(Option::unwrap_or_default).collect()
        };
        self.counts = counted.iter().map(of).collect();
        self.split = vec![NONE; self.digits.len()];
        // The first table is asked for every occurrence.
        if self.depth == 0 {
            self.dense = vec![NONE; DIGITS];
            for (number, digit) in self.digits.iter().enumerate() {
                self.dense[*digit as usize] = number as u32;
            }
        }
    }
}

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
    order: &'a Order,
    chunks: Vec<&'a [u32]>,
    /// Of whole words of contexts.
    readers: Vec<Reader>,
    direction: Direction,
    tables: Vec<Table>,
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
        let chunk = ids.len().div_ceil(rayon::current_num_threads()).max(1);
        let mut cells = Self {
            latents,
            order,
            chunks: ids.chunks(chunk).collect(),
            readers: order.word_readers(),
            direction: order.direction(),
            tables: Vec::new(),
            alike: FxHashSet::default(),
            cells: Vec::new(),
            observer,
        };
        let mut new = 0;
        cells.add_table(0, Vec::new(), 0);
        while new < cells.tables.len() {
            cells.begin("count");
            cells.count_from(new)?;
            let next = cells.tables.len();
            cells.split_from(new, max)?;
            new = next;
        }
        let mut found = Vec::new();
        cells.collect(0, &mut found);
        cells.cells = found;
        Ok(cells)
    }

    /// Begins a reading of all latents.
    fn begin(&self, what: &str) {
        let latents = self.chunks.iter().map(|ids| ids.len()).sum::<usize>();
        let name = format!("{}: {what}", self.direction);
        self.observer.stage(&name, latents as u64, "latents");
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

    fn add_table(&mut self, at: usize, path: Vec<u8>, depth: usize) {
        let end = (at + DIGIT_BITS).min(self.order.bits());
        self.tables.push(Table {
            at,
            reader: self.order.reader(at..end),
            path,
            depth,
            digits: Vec::new(),
            dense: Vec::new(),
            counts: Vec::new(),
            split: Vec::new(),
        });
    }

    /// The table and the digit of a place, in the last table that there is for it.
    #[inline]
    fn digit_of(&self, latent: &[u8], place: crate::window::Place, label: u64) -> (u32, u32) {
        let mut number = 0;
        loop {
            let table = &self.tables[number as usize];
            let word = table.reader.read(latent, place, label);
            let digit = (word >> (64 - DIGIT_BITS)) as u32;
            // A table whose cells are not counted yet splits none.
            match table.cell(digit).map_or(NONE, |cell| table.split[cell]) {
                NONE => return (number, digit),
                next => number = next,
            }
        }
    }

    /// Hands each occurrence of some latents with its table and digit to `take`, in ascending order.
    #[inline]
    fn visit(&self, ids: &[u32], mut take: impl FnMut(u64, (u32, u32))) -> Result<(), Stopped> {
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
                take(occurrence, self.digit_of(latent, *place, label));
            }
        }
        Ok(())
    }

    /// Counts the cells of the tables from `new` on.
    fn count_from(&mut self, new: usize) -> Result<(), Stopped> {
        let tables = new..self.tables.len();
        let counted: Vec<Vec<FxHashMap<u32, u64>>> = self
            .chunks
            .par_iter()
            .map(|ids| {
                let mut counts = vec![FxHashMap::default(); tables.len()];
                // Every occurrence is in a cell of the first table: these are counted without a search.
                let mut first = vec![0; if new == 0 { DIGITS } else { 0 }];
                self.visit(ids, |_, (table, digit)| {
                    if let Some(count) = first.get_mut(digit as usize) {
                        *count += 1;
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

    /// Splits the cells of the tables from `new` on that hold more than `max`, unless all of their contexts are equal.
    fn split_from(&mut self, new: usize, max: u64) -> Result<(), Stopped> {
        let bits = self.order.bits();
        let mut large = Vec::new();
        for (number, table) in self.tables.iter().enumerate().skip(new) {
            if table.end() < bits {
                let cells = (0..table.digits.len()).filter(|cell| table.count(*cell) > max);
                large.extend(cells.map(|cell| (number, cell)));
            }
        }
        let is_deep = |(table, _): &(usize, usize)| self.tables[*table].depth >= DEEP;
        let deep = large.iter().copied().filter(is_deep);
        let shared = self.shared(deep.map(|(table, cell)| (table as u32, cell as u32)))?;
        for (number, cell) in large {
            let table = &self.tables[number];
            let (mut at, mut path) = (table.end(), table.path(cell));
            let key = (number as u32, cell as u32);
            if let Some((occurrence, common)) = shared.get(&key) {
                if *common >= bits {
                    self.alike.insert(key);
                    continue;
                }
                at = common / 8 * 8;
                path = self.latents.spell(&self.readers, *occurrence);
                path.truncate(at / 8);
            }
            let depth = table.depth + 1;
            self.tables[number].split[cell] = self.tables.len() as u32;
            self.add_table(at, path, depth);
        }
        Ok(())
    }

    /// Measures in how many bits the contexts of each of some cells begin alike; one of its occurrences beside it.
    fn shared(&self, cells: impl Iterator<Item = (u32, u32)>) -> Result<Shared, Stopped> {
        let cells: Vec<_> = cells.collect();
        if cells.is_empty() {
            return Ok(Shared::default());
        }
        let asked: Shared = cells.into_iter().map(|cell| (cell, (0, 0))).collect();
        self.begin("measure");
        let bits = self.order.bits();
        let found: Vec<Shared> = self
            .chunks
            .par_iter()
            .map(|ids| {
                let mut found = Shared::default();
                self.visit(ids, |occurrence, (table, digit)| {
                    let cell = self.tables[table as usize].cell(digit);
                    let cell = (table, cell.map_or(NONE, |cell| cell as u32));
                    if asked.contains_key(&cell) {
                        let (first, common) = found.entry(cell).or_insert((occurrence, bits));
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
        let readers = &self.readers[..bits.div_ceil(64).min(self.readers.len())];
        self.latents.common(readers, one, other).min(bits)
    }

    fn collect(&self, number: u32, found: &mut Vec<Cell>) {
        let table = &self.tables[number as usize];
        for (cell, split) in table.split.iter().enumerate() {
            let key = (number, cell as u32);
            let bits = match self.alike.contains(&key) {
                true => self.order.bits(),
                false => table.end().min(self.order.bits()),
            };
            match *split {
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
        self.begin("fetch");
        let wanted = &self.cells[cells];
        let total: u64 = wanted.iter().map(|cell| cell.count).sum();
        let mut occurrences = vec![N::default(); total as usize];
        // For each chunk of latents, where in the memory its occurrences of each cell go.
        let mut places: Vec<Vec<&mut [N]>> = self
            .chunks
            .iter()
            .map(|_| Vec::with_capacity(wanted.len()))
            .collect();
        let mut numbers: Vec<Vec<u32>> = vec![Vec::new(); self.tables.len()];
        let mut left = &mut occurrences[..];
        for (number, cell) in wanted.iter().enumerate() {
            let table = &self.tables[cell.table as usize];
            let own = &mut numbers[cell.table as usize];
            own.resize(table.digits.len(), NONE);
            own[cell.number as usize] = number as u32;
            for (places, counts) in places.iter_mut().zip(&table.counts) {
                let (own, rest) = left.split_at_mut(counts[cell.number as usize] as usize);
                places.push(own);
                left = rest;
            }
        }
        let chunks = self.chunks.par_iter().zip(places);
        chunks.try_for_each(|(ids, mut places)| {
            let mut filled = vec![0u32; places.len()];
            self.visit(ids, |occurrence, (table, digit)| {
                let own = &numbers[table as usize];
                let cell = self.tables[table as usize].cell(digit);
                let number = cell.and_then(|cell| own.get(cell).copied());
                let Some(number) = number.filter(|number| *number != NONE) else {
                    return;
                };
                let (place, filled) = (&mut places[number as usize], &mut filled[number as usize]);
                place[*filled as usize] = N::of(occurrence);
                *filled += 1;
            })
        })?;
        Ok(occurrences)
    }

    /// Hands the occurrences of a cell, all of one context, to a writer without holding them: every latent is read twice.
    pub(super) fn stream<S: Sink>(
        &self,
        cell: &Cell,
        writer: &mut PartWriter<'_, S>,
    ) -> Result<(), S::Error> {
        let own = (
            cell.table,
            self.tables[cell.table as usize].digits[cell.number as usize],
        );
        let ids: Vec<&[u32]> = self
            .chunks
            .iter()
            .flat_map(|ids| ids.chunks(STREAMED))
            .collect();
        let mut common = None;
        let mut holds = [false; 2];
        for bit in [false, true] {
            writer.begin_run(bit);
            self.begin("fetch");
            for ids in ids.chunks(rayon::current_num_threads()) {
                let found = ids
                    .par_iter()
                    .map(|ids| {
                        let mut found = Vec::new();
                        self.visit(ids, |occurrence, cell| {
                            if cell == own && self.latents.bit(occurrence) == bit {
                                found.push(occurrence);
                            }
                        })?;
                        Ok(found)
                    })
                    .collect::<Result<Vec<Vec<u64>>, Stopped>>()?;
                for occurrence in found.into_iter().flatten() {
                    common.get_or_insert_with(|| writer.common_with_last(occurrence));
                    holds[usize::from(bit)] = true;
                    writer.push(occurrence)?;
                }
            }
        }
        writer.begin_context(common.unwrap_or(0), holds[0], holds[1]);
        Ok(())
    }
}
