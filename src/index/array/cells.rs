//! Cells: the occurrences shared out by the first bits of their contexts, so that each cell fits the memory for sorting it.
//!
//! A cell is all contexts that begin with the same 16 bits; one that holds too many is split by the next 16, and so on. To count
//! them every latent is read once for each level, and to fetch the occurrences of some cells once more: nothing is written
//! out and merged. What cannot be split, because all of its contexts are equal, needs no sorting.

use std::ops::Range;

use rayon::prelude::*;

use super::latents::{Latents, digit_readers};
use super::number::Number;
use super::write::{PartWriter, Sink};
use crate::base::{Observer, Stopped};
use crate::window::{Direction, Order, Reader};

const DIGIT_BITS: u32 = 16;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Latents between two looks at whether to go on.
const LOOK: usize = 256;

/// Latents of which the occurrences of a cell are held at a time.
const STREAMED: usize = 1 << 10;

/// No further table.
const NONE: u32 = u32::MAX;

/// Cells that begin with the same bits, by their next 16.
struct Table {
    /// How many digits come before these, and what they are.
    level: usize,
    path: Vec<u8>,
    /// The table that splits a cell.
    split: Vec<u32>,
    /// Occurrences of each cell in each chunk of latents.
    counts: Vec<Vec<u64>>,
}

impl Table {
    /// The bytes that the contexts of a cell begin with.
    fn path(&self, digit: u32) -> Vec<u8> {
        // A digit is below 2¹⁶.
        let digit = (digit as u16).to_be_bytes();
        self.path.iter().copied().chain(digit).collect()
    }
}

/// A cell that holds something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    table: u32,
    digit: u32,
    pub(super) count: u64,
    /// Bits in which all of its contexts agree: all bits, where there is nothing to sort.
    pub(super) bits: usize,
}

/// All cells, in ascending order of their contexts.
pub(super) struct Cells<'a> {
    latents: &'a Latents<'a>,
    chunks: Vec<&'a [u32]>,
    readers: Vec<Reader>,
    direction: Direction,
    order_bits: usize,
    tables: Vec<Table>,
    cells: Vec<Cell>,
    observer: &'a dyn Observer,
}

impl<'a> Cells<'a> {
    /// Counts the occurrences of the latents `ids`, in cells of at most `max` where that can be.
    pub(super) fn count(
        latents: &'a Latents<'a>,
        order: &Order,
        ids: &'a [u32],
        max: u64,
        observer: &'a dyn Observer,
    ) -> Result<Self, Stopped> {
        let chunk = ids.len().div_ceil(rayon::current_num_threads()).max(1);
        let mut cells = Self {
            latents,
            chunks: ids.chunks(chunk).collect(),
            readers: digit_readers(order),
            direction: order.direction(),
            order_bits: order.bits(),
            tables: Vec::new(),
            cells: Vec::new(),
            observer,
        };
        cells.add_table(0, Vec::new());
        loop {
            observer.stage(&cells.stage("count"), ids.len() as u64, "latents");
            cells.count_all()?;
            if !cells.split(max) {
                break;
            }
        }
        let mut found = Vec::new();
        cells.collect(0, &mut found);
        cells.cells = found;
        Ok(cells)
    }

    /// Returns the name of a stage of the work on the array.
    fn stage(&self, what: &str) -> String {
        format!("{}: {what}", self.direction)
    }

    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Returns what the contexts of a cell begin with, without zeros at its end: larger than every entry of the cells before it.
    pub(super) fn separator(&self, cell: usize) -> Vec<u8> {
        let Cell { table, digit, .. } = self.cells[cell];
        let mut path = self.tables[table as usize].path(digit);
        let length = path
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        path.truncate(length);
        path
    }

    fn add_table(&mut self, level: usize, path: Vec<u8>) {
        self.tables.push(Table {
            level,
            path,
            split: vec![NONE; DIGITS],
            counts: Vec::new(),
        });
    }

    /// The table and the digit of the cell that a place belongs to.
    #[inline]
    fn cell_of(&self, latent: &[u8], place: crate::window::Place, label: u64) -> (u32, u32) {
        let mut number = 0;
        loop {
            let table = &self.tables[number as usize];
            let word = self.readers[table.level].read(latent, place, label);
            let digit = (word >> (64 - DIGIT_BITS)) as u32;
            match table.split[digit as usize] {
                NONE => return (number, digit),
                next => number = next,
            }
        }
    }

    /// Hands each occurrence of some latents with its cell to `take`, in ascending order.
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
                take(occurrence, self.cell_of(latent, *place, label));
            }
        }
        Ok(())
    }

    fn count_all(&mut self) -> Result<(), Stopped> {
        let counted: Vec<Vec<Vec<u64>>> = self
            .chunks
            .par_iter()
            .map(|ids| {
                let mut counts = vec![vec![0; DIGITS]; self.tables.len()];
                self.visit(ids, |_, (table, digit)| {
                    counts[table as usize][digit as usize] += 1
                })?;
                Ok(counts)
            })
            .collect::<Result<_, Stopped>>()?;
        self.tables
            .iter_mut()
            .for_each(|table| table.counts.clear());
        for counts in counted {
            for (table, counts) in self.tables.iter_mut().zip(counts) {
                table.counts.push(counts);
            }
        }
        Ok(())
    }

    /// Splits the cells that hold more than `max`; whether there were any.
    fn split(&mut self, max: u64) -> bool {
        let mut found = Vec::new();
        for (number, table) in self.tables.iter().enumerate() {
            if table.level + 1 == self.readers.len() {
                continue;
            }
            for digit in 0..DIGITS {
                let count: u64 = table.counts.iter().map(|counts| counts[digit]).sum();
                if count > max {
                    found.push((number, digit));
                }
            }
        }
        for (number, digit) in &found {
            self.tables[*number].split[*digit] = self.tables.len() as u32;
            let table = &self.tables[*number];
            self.add_table(table.level + 1, table.path(*digit as u32));
        }
        !found.is_empty()
    }

    fn collect(&self, number: u32, found: &mut Vec<Cell>) {
        let table = &self.tables[number as usize];
        for digit in 0..DIGITS {
            let count: u64 = table.counts.iter().map(|counts| counts[digit]).sum();
            match table.split[digit] {
                NONE if count == 0 => {}
                NONE => found.push(Cell {
                    table: number,
                    digit: digit as u32,
                    count,
                    bits: ((table.level + 1) * DIGIT_BITS as usize).min(self.order_bits),
                }),
                next => self.collect(next, found),
            }
        }
    }

    /// Fetches the occurrences of some cells: one cell after the other, ascending within each. Every latent is read once.
    pub(super) fn fetch<N: Number>(&self, cells: Range<usize>) -> Result<Vec<N>, Stopped> {
        let latents = self.chunks.iter().map(|ids| ids.len()).sum::<usize>();
        self.observer
            .stage(&self.stage("fetch"), latents as u64, "latents");
        let wanted = &self.cells[cells];
        let total: u64 = wanted.iter().map(|cell| cell.count).sum();
        let mut occurrences = vec![N::default(); total as usize];
        // For each chunk of latents, where in the memory its occurrences of each cell go.
        let mut places: Vec<Vec<&mut [N]>> = self
            .chunks
            .iter()
            .map(|_| Vec::with_capacity(wanted.len()))
            .collect();
        let mut numbers: Vec<Vec<u32>> = self.tables.iter().map(|_| Vec::new()).collect();
        let mut left = &mut occurrences[..];
        for (number, cell) in wanted.iter().enumerate() {
            let table = &self.tables[cell.table as usize];
            let own = &mut numbers[cell.table as usize];
            own.resize(DIGITS, NONE);
            own[cell.digit as usize] = number as u32;
            for (places, counts) in places.iter_mut().zip(&table.counts) {
                let (own, rest) = left.split_at_mut(counts[cell.digit as usize] as usize);
                places.push(own);
                left = rest;
            }
        }
        let chunks = self.chunks.par_iter().zip(places);
        chunks.try_for_each(|(ids, mut places)| {
            let mut filled = vec![0u32; places.len()];
            self.visit(ids, |occurrence, (table, digit)| {
                let number = numbers[table as usize].get(digit as usize).copied();
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
        let own = (cell.table, cell.digit);
        let ids: Vec<&[u32]> = self
            .chunks
            .iter()
            .flat_map(|ids| ids.chunks(STREAMED))
            .collect();
        let mut common = None;
        let mut holds = [false; 2];
        for bit in [false, true] {
            writer.begin_run(bit);
            let latents = ids.iter().map(|ids| ids.len()).sum::<usize>();
            self.observer
                .stage(&self.stage("fetch"), latents as u64, "latents");
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
