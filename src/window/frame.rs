//! A latent laid out for packing contexts: rows padded with absent sites, so that the part of a
//! row that a window sees is one shift and mask, without a branch at the edges.

use super::Geometry;
use super::given::Given;
use crate::base::bits::{push, read, replace, words};
use crate::latent::Shape;

/// A latent whose bits are being set. They can be set in any order; a context reads only earlier ones.
///
/// ```
/// use bitquilt::{Anchor, Frame, Geometry, Given, Shape};
///
/// let shape = Shape::new(1, 6, 1)?;
/// let geometry = Geometry::new("seq:3".parse()?, Anchor::None, shape)?;
/// let mut frame = Frame::new(shape, &[&geometry]);
/// frame.load(&[0b001101], Given::NOTHING); // 101100, lowest bit first
/// frame.set(5, true);
/// assert!(frame.get(5) && !frame.get(4));
/// assert_eq!(frame.to_packed(), [0b101101]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Frame {
    shape: Shape,
    /// Absent bits before and after the bits of each row.
    pad: usize,
    /// Words of one padded row, with one spare so that a two-word read never leaves the row.
    row_words: usize,
    /// Bits of a row of the coarsest level, and of all of its rows.
    row_bits: usize,
    level_bits: usize,
    /// The rows of the coarsest level: contexts of finer ones are read in scan order.
    rows: Vec<u64>,
    /// The same bits in scan order, one spare word at the end.
    scan: Vec<u64>,
    /// What is known of the latent beside its bits.
    given: Given,
    /// Where long contexts are packed before they are hashed.
    pub(super) scratch: Vec<u64>,
    pub(super) exact: Vec<u8>,
}

impl Frame {
    /// Returns a frame of zeros, with nothing given, that serves every one of `geometries` (all of one shape).
    pub fn new(shape: Shape, geometries: &[&Geometry]) -> Self {
        let pad = geometries.iter().map(|g| g.reach()).max().unwrap_or(0);
        let scratch = geometries.iter().map(|g| g.scratch_words()).max();
        let coarsest = &shape.levels()[0];
        let row_words = (2 * pad + coarsest.row_bits()).div_ceil(64) + 1;
        Self {
            shape,
            pad,
            row_words,
            row_bits: coarsest.row_bits(),
            level_bits: coarsest.bits(),
            rows: vec![0; row_words * coarsest.height()],
            scan: vec![0; shape.bits().div_ceil(64) + 1],
            given: Given::NOTHING,
            scratch: vec![0; scratch.unwrap_or(0)],
            exact: Vec::new(),
        }
    }

    /// Returns the shape of the latent.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns what is known of the latent beside its bits.
    pub fn given(&self) -> Given {
        self.given
    }

    /// Starts a latent whose bits are yet to be set: every one is 0. O(HWK/64).
    pub fn begin(&mut self, given: Given) {
        self.given = given;
        self.scan.fill(0);
        self.rows.fill(0);
    }

    /// Replaces the latent: every bit, and what is known beside them. O(HWK/64).
    ///
    /// `packed` is one row of a latent set of this shape.
    pub fn load(&mut self, packed: &[u8], given: Given) {
        self.given = given;
        self.scan.fill(0);
        for (word, packed) in self.scan.iter_mut().zip(words(packed)) {
            *word = packed;
        }
        self.rows.fill(0);
        let row_bits = self.row_bits;
        for row in 0..self.level_bits / row_bits {
            let words = &mut self.rows[row * self.row_words..(row + 1) * self.row_words];
            for from in (0..row_bits).step_by(64) {
                let n = (row_bits - from).min(64);
                push(
                    words,
                    self.pad + from,
                    read(&self.scan, row * row_bits + from, n),
                );
            }
        }
    }

    /// Sets one bit.
    pub fn set(&mut self, position: usize, bit: bool) {
        if position < self.level_bits {
            let (row, at) = (
                position / self.row_bits,
                self.pad + position % self.row_bits,
            );
            let word = &mut self.rows[row * self.row_words + at / 64];
            *word = *word & !(1 << (at % 64)) | u64::from(bit) << (at % 64);
        }
        let word = &mut self.scan[position / 64];
        *word = *word & !(1 << (position % 64)) | u64::from(bit) << (position % 64);
    }

    /// Sets `n ≤ 128` bits of one row from `position` on, lowest first.
    pub(crate) fn write(&mut self, position: usize, n: usize, bits: u128) {
        let low = n.min(64);
        let put = |words: &mut [u64], at| {
            replace(words, at, low, bits as u64);
            replace(words, at + low, n - low, (bits >> 64) as u64);
        };
        if position < self.level_bits {
            let (row, at) = (
                position / self.row_bits,
                self.pad + position % self.row_bits,
            );
            put(
                &mut self.rows[row * self.row_words..(row + 1) * self.row_words],
                at,
            );
        }
        put(&mut self.scan, position);
    }

    /// Returns one bit.
    pub fn get(&self, position: usize) -> bool {
        self.scan[position / 64] >> (position % 64) & 1 == 1
    }

    /// Returns `n ≤ 64` bits in scan order from `position` on, lowest first.
    pub(crate) fn bits(&self, position: usize, n: usize) -> u64 {
        read(&self.scan, position, n)
    }

    /// Returns the latent, packed as a row of a latent set.
    pub fn to_packed(&self) -> Vec<u8> {
        let bytes = self.scan.iter().flat_map(|word| word.to_le_bytes());
        bytes.take(self.shape.packed_bytes()).collect()
    }

    /// Returns `n ≤ 64` bits of a row, from `col_bit − pad` on: offset 0 is the first absent bit.
    pub(super) fn row(&self, row: usize, offset: usize, n: usize) -> u64 {
        read(
            &self.rows[row * self.row_words..(row + 1) * self.row_words],
            offset,
            n,
        )
    }

    /// Returns `n ≤ 64` bits in scan order from `position` on.
    pub(super) fn scan(&self, position: usize, n: usize) -> u64 {
        read(&self.scan, position, n)
    }

    /// Returns the packed latent, zeros behind it.
    pub(super) fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.scan)
    }

    /// Returns the number of absent bits before the first bit of a row.
    pub(super) fn pad(&self) -> usize {
        self.pad
    }
}
