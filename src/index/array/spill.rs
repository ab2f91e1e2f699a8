//! Sorted contexts with their occurrences, as bytes that another machine merges with those of others.
//!
//! Of each context: how many bytes it shares with the one before it, the other bytes, and its occurrences in chunks, those that
//! are followed by 0 first. Numbers take seven bits a byte. The byte-level page is `schemas/parts.md`.

use super::latents::Latents;
use super::number::Number;
use super::write::TakeContexts;
use crate::index::IndexError;
use crate::window::{Order, Reader};

/// Occurrences of one chunk, at most: what a reader holds at a time.
pub(super) const CHUNK: usize = 1 << 12;

/// Bytes of the longest number.
pub(super) const NUMBER_BYTES: usize = 10;

/// Bytes that an occurrence takes beside its context: its number, and how much of the context is not written.
const ENTRY_BYTES: u64 = 8;

/// Appends a number, seven bits a byte, lowest first; every byte but the last has its highest bit set.
fn write_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// How contexts are written: of an order, shared out to parts by where each begins.
pub(in crate::index) struct SpillRule<'a> {
    pub(in crate::index) latents: &'a Latents<'a>,
    readers: Vec<Reader>,
    /// Bytes of a context.
    bytes: usize,
    /// The number of the first occurrence of the latents.
    first: u64,
    /// The first context of every part but the first one, in words.
    splitters: Vec<Vec<u64>>,
}

impl<'a> SpillRule<'a> {
    /// Takes latents whose first occurrence has the number `first`, and where parts begin (bytes, zeros behind them).
    pub(in crate::index) fn new(
        latents: &'a Latents<'a>,
        order: &Order,
        first: u64,
        splitters: &[Vec<u8>],
    ) -> Self {
        let readers = order.word_readers();
        let words = |bytes: &Vec<u8>| context_words(bytes, readers.len());
        Self {
            latents,
            bytes: context_bytes(order),
            first,
            splitters: splitters.iter().map(words).collect(),
            readers,
        }
    }

    /// Returns the bytes that an occurrence takes at most, or nearly.
    pub(in crate::index) fn bytes_of_entry(order: &Order) -> u64 {
        context_bytes(order) as u64 + ENTRY_BYTES
    }
}

/// Returns the bytes of a context of an order.
pub(super) fn context_bytes(order: &Order) -> usize {
    order.bits().div_ceil(8)
}

/// Lays bytes out in words, zeros behind them.
pub(in crate::index) fn context_words(bytes: &[u8], words: usize) -> Vec<u64> {
    let mut all: Vec<u64> = bytes
        .chunks(8)
        .map(|bytes| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(word)
        })
        .collect();
    all.resize(words, 0);
    all
}

/// Contexts of one part that were written one after the other.
#[derive(Debug, Default)]
pub(in crate::index) struct Piece {
    pub(in crate::index) part: usize,
    pub(in crate::index) bytes: Vec<u8>,
    pub(in crate::index) contexts: u64,
    pub(in crate::index) occurrences: u64,
}

/// Writes contexts in order.
pub(in crate::index) struct Spiller<'a> {
    rule: &'a SpillRule<'a>,
    pieces: Vec<Piece>,
    /// The part under work.
    part: usize,
    words: Vec<u64>,
    /// The last context of the piece, and the one under work.
    last: Vec<u8>,
    context: Vec<u8>,
    /// The chunk under work: what follows it, and its occurrences.
    bit: bool,
    chunk: Vec<u64>,
}

impl<'a> Spiller<'a> {
    pub(in crate::index) fn new(rule: &'a SpillRule<'a>) -> Self {
        Self {
            rule,
            pieces: Vec::new(),
            part: 0,
            words: Vec::new(),
            last: Vec::new(),
            context: Vec::new(),
            bit: false,
            chunk: Vec::new(),
        }
    }

    fn write_chunk(&mut self, is_last: bool) {
        let Some((first, rest)) = self.chunk.split_first() else {
            return;
        };
        let Some(piece) = self.pieces.last_mut() else {
            return;
        };
        let out = &mut piece.bytes;
        let tag = (self.chunk.len() as u64) << 2 | u64::from(self.bit) << 1 | u64::from(!is_last);
        write_number(tag, out);
        write_number(*first, out);
        let mut before = *first;
        for occurrence in rest {
            write_number(occurrence - before, out);
            before = *occurrence;
        }
        piece.occurrences += self.chunk.len() as u64;
        self.chunk.clear();
    }
}

impl TakeContexts for Spiller<'_> {
    type Done = Vec<Piece>;
    type Error = IndexError;

    fn common_with_last(&self, _: u64) -> usize {
        // Contexts are laid out whole: what they share is seen then.
        0
    }

    fn context<N: Number>(&mut self, _: usize, occurrences: &[N]) -> Result<(), IndexError> {
        let Some(first) = occurrences.first() else {
            return Ok(());
        };
        self.begin(first.get())?;
        for bit in [false, true] {
            for occurrence in occurrences {
                if self.rule.latents.bit(occurrence.get()) == bit {
                    self.push(bit, occurrence.get())?;
                }
            }
        }
        self.end()
    }

    fn begin(&mut self, occurrence: u64) -> Result<(), IndexError> {
        let rule = self.rule;
        rule.latents
            .lay_out(&rule.readers, occurrence, &mut self.words);
        let before = self.part;
        while let Some(next) = rule.splitters.get(self.part)
            && *next <= self.words
        {
            self.part += 1;
        }
        if self.pieces.is_empty() || self.part > before {
            self.last.clear();
            self.pieces.push(Piece {
                part: self.part,
                ..Piece::default()
            });
        }
        self.context.clear();
        let bytes = self.words.iter().flat_map(|word| word.to_be_bytes());
        self.context.extend(bytes.take(rule.bytes));
        let same = self.context.iter().zip(&self.last);
        let same = same.take_while(|(a, b)| a == b).count();
        if let Some(piece) = self.pieces.last_mut() {
            write_number(same as u64, &mut piece.bytes);
            piece.bytes.extend_from_slice(&self.context[same..]);
            piece.contexts += 1;
        }
        std::mem::swap(&mut self.last, &mut self.context);
        Ok(())
    }

    fn push(&mut self, bit: bool, occurrence: u64) -> Result<(), IndexError> {
        if self.chunk.len() == CHUNK || self.bit != bit {
            self.write_chunk(false);
            self.bit = bit;
        }
        self.chunk.push(self.rule.first + occurrence);
        Ok(())
    }

    fn end(&mut self) -> Result<(), IndexError> {
        self.write_chunk(true);
        Ok(())
    }

    fn finish(self) -> Result<Vec<Piece>, IndexError> {
        Ok(self.pieces)
    }
}
