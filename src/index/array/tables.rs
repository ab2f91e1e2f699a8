//! The tree of tables that tells which cell a context is in: one digit of 16 bits after the other.

use rustc_hash::FxHashMap;

use crate::window::{Order, Place, Reader};

pub(super) const DIGIT_BITS: usize = 16;
pub(super) const DIGITS: usize = 1 << DIGIT_BITS;

/// No further table, or no cell.
pub(super) const NONE: u32 = u32::MAX;

/// How many contexts have each digit.
pub(super) type Counts = FxHashMap<u32, u64>;

/// Cells whose contexts begin alike, told apart by one digit: only those that hold something.
pub(super) struct Table {
    /// The first bit of the digit, a multiple of 16.
    at: usize,
    /// The bytes before it.
    path: Vec<u8>,
    /// The table above; the first one is its own.
    above: u32,
    /// How many tables are above.
    pub(super) depth: usize,
    /// The digits that there are, ascending.
    pub(super) digits: Vec<u32>,
    /// Occurrences of each cell in each chunk of latents; none where it is split.
    pub(super) counts: Vec<Vec<u64>>,
    /// The digits whose cells are split, ascending, and the table that splits each.
    splits: Vec<(u32, u32)>,
}

impl Table {
    /// Returns the bytes that the contexts of a cell begin with.
    pub(super) fn path(&self, cell: usize) -> Vec<u8> {
        // A digit is below 2¹⁶.
        let digit = (self.digits[cell] as u16).to_be_bytes();
        self.path.iter().copied().chain(digit).collect()
    }

    /// Returns the first bit behind the digit.
    pub(super) fn end(&self) -> usize {
        self.at + DIGIT_BITS
    }

    pub(super) fn count(&self, cell: usize) -> u64 {
        self.counts.iter().map(|counts| counts[cell]).sum()
    }

    /// Returns the number of a digit's cell.
    #[inline]
    pub(super) fn cell(&self, digit: u32) -> Option<usize> {
        self.digits.binary_search(&digit).ok()
    }

    /// Returns the table that splits a digit's cell, or [`NONE`].
    #[inline]
    pub(super) fn split(&self, digit: u32) -> u32 {
        match self.splits.binary_search_by_key(&digit, |split| split.0) {
            Ok(at) => self.splits[at].1,
            Err(_) => NONE,
        }
    }

    /// Takes what was counted in each chunk of latents.
    pub(super) fn take(&mut self, counted: &[&Counts]) {
        let digits = counted.iter().flat_map(|counts| counts.keys().copied());
        let split = self.splits.iter().map(|(digit, _)| *digit);
        self.digits = digits.chain(split).collect();
        self.digits.sort_unstable();
        self.digits.dedup();
        let of = |counts: &&Counts| {
            let counts = self.digits.iter().map(|digit| counts.get(digit).copied());
            counts.map(Option::unwrap_or_default).collect()
        };
        self.counts = counted.iter().map(of).collect();
    }
}

/// All tables. The first one is of the first digit.
pub(super) struct Tables {
    all: Vec<Table>,
    /// The table that splits each cell of the first one, which is asked for every context.
    first_splits: Vec<u32>,
    /// Of the first digit.
    first: Reader,
    /// Of whole words.
    readers: Vec<Reader>,
}

impl Tables {
    /// Starts with the first table.
    pub(super) fn new(order: &Order) -> Self {
        let mut tables = Self {
            all: Vec::new(),
            first_splits: vec![NONE; DIGITS],
            first: order.reader(0..DIGIT_BITS.min(order.bits())),
            readers: order.word_readers(),
        };
        tables.add(0, Vec::new(), 0, 0);
        tables
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns what reads whole words of contexts.
    pub(super) fn readers(&self) -> &[Reader] {
        &self.readers
    }

    fn add(&mut self, at: usize, path: Vec<u8>, above: u32, depth: usize) {
        debug_assert_eq!(at % DIGIT_BITS, 0);
        self.all.push(Table {
            at,
            path,
            above,
            depth,
            digits: Vec::new(),
            counts: Vec::new(),
            splits: Vec::new(),
        });
    }

    /// Splits a cell by the digit at bit `at`, before which its contexts begin with `path`.
    pub(super) fn split(&mut self, table: usize, cell: usize, at: usize, path: Vec<u8>) {
        let next = self.all.len() as u32;
        let own = &mut self.all[table];
        let digit = own.digits[cell];
        let place = own.splits.partition_point(|split| split.0 < digit);
        own.splits.insert(place, (digit, next));
        let depth = own.depth + 1;
        if table == 0 {
            self.first_splits[digit as usize] = next;
        }
        self.add(at, path, table as u32, depth);
    }

    /// Returns, for each table, whether it is one of `tables` or above one.
    pub(super) fn above(&self, tables: impl Iterator<Item = usize>) -> Vec<bool> {
        let mut is_above = vec![false; self.all.len()];
        for mut table in tables {
            while !std::mem::replace(&mut is_above[table], true) {
                table = self.all[table].above as usize;
            }
        }
        is_above
    }

    /// Returns the table and the digit of a context, in the last table that there is for it; `None` where one on the way is
    /// not `wanted`.
    #[inline]
    pub(super) fn digit_of(
        &self,
        latent: &[u8],
        place: Place,
        label: u64,
        wanted: &[bool],
    ) -> Option<(u32, u32)> {
        let first = self.first.read(latent, place, label) >> (64 - DIGIT_BITS);
        let mut digit = first as u32;
        let (mut number, mut next) = (0, self.first_splits[digit as usize]);
        let (mut word_at, mut word) = (usize::MAX, 0);
        while next != NONE {
            if !wanted[next as usize] {
                return None;
            }
            let table = &self.all[next as usize];
            if table.at / 64 != word_at {
                word_at = table.at / 64;
                word = self.readers[word_at].read(latent, place, label);
            }
            digit = (word << (table.at % 64) >> (64 - DIGIT_BITS)) as u32;
            (number, next) = (next, table.split(digit));
        }
        Some((number, digit))
    }
}

impl std::ops::Index<usize> for Tables {
    type Output = Table;

    fn index(&self, number: usize) -> &Table {
        &self.all[number]
    }
}

impl std::ops::IndexMut<usize> for Tables {
    fn index_mut(&mut self, number: usize) -> &mut Table {
        &mut self.all[number]
    }
}
