//! Reading what was spilled for one part, context after context, in memory that does not grow with it.

use std::io::{self, BufRead, BufReader, Read};

use xxhash_rust::xxh3::Xxh3;

use super::spill::{CHUNK, NUMBER_BYTES, context_bytes, context_words};
use crate::window::Order;

/// Bytes that are read ahead of each segment.
const READ_AHEAD: usize = 1 << 17;

/// Why a segment cannot be read on.
#[derive(Debug)]
pub(in crate::index) enum SegmentError {
    /// What was expected of its bytes.
    Damaged(&'static str),
    Io(io::Error),
}

impl From<io::Error> for SegmentError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("more bytes"),
            _ => Self::Io(error),
        }
    }
}

/// Takes the checksum of what is read.
struct Hashed<R> {
    inner: R,
    hash: Xxh3,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// What was spilled for one part.
pub(in crate::index) struct Segment<R> {
    source: BufReader<Hashed<R>>,
    /// Bytes of a context, and the words that hold it.
    bytes: usize,
    words: usize,
    /// Occurrences are numbered below this.
    total: u64,
    context: Vec<u8>,
    /// Contexts that are still to come.
    contexts: u64,
    /// Of the next chunk of the context: how many occurrences, what follows them, whether another chunk follows.
    next: Option<(usize, bool, bool)>,
}

impl<R: Read> Segment<R> {
    /// Reads from `source`, which ends with the segment, so many contexts of an order; occurrences are numbered below `total`.
    pub(in crate::index) fn new(source: R, contexts: u64, order: &Order, total: u64) -> Self {
        let hashed = Hashed {
            inner: source,
            hash: Xxh3::new(),
        };
        Self {
            source: BufReader::with_capacity(READ_AHEAD, hashed),
            bytes: context_bytes(order),
            words: order.word_readers().len(),
            total,
            context: Vec::new(),
            contexts,
            next: None,
        }
    }

    fn number(&mut self) -> Result<u64, SegmentError> {
        let mut number = 0;
        for place in 0..NUMBER_BYTES {
            let mut byte = [0];
            self.source.read_exact(&mut byte)?;
            number |= u64::from(byte[0] & 0x7f) << (7 * place);
            if byte[0] < 0x80 {
                return Ok(number);
            }
        }
        Err(SegmentError::Damaged("a number of at most 10 bytes"))
    }

    /// Reads the next context into `context`, one word for each 64 bits; whether there is one. It must be behind the one before.
    pub(super) fn next_context(&mut self, context: &mut Vec<u64>) -> Result<bool, SegmentError> {
        if self.next.is_some() {
            return Err(SegmentError::Damaged("occurrences of 0 before those of 1"));
        }
        if self.contexts == 0 {
            return Ok(false);
        }
        self.contexts -= 1;
        let same = self.number()?;
        let is_first = self.context.is_empty();
        if same > self.context.len() as u64 || same > self.bytes as u64 {
            return Err(SegmentError::Damaged("no more shared bytes than there are"));
        }
        self.context.resize(self.bytes, 0);
        self.source.read_exact(&mut self.context[same as usize..])?;
        let read = context_words(&self.context, self.words);
        // The first of a part that was written in pieces may share nothing with what is before it.
        if !is_first && read <= *context {
            return Err(SegmentError::Damaged("contexts that ascend"));
        }
        *context = read;
        self.read_tag()?;
        Ok(true)
    }

    fn read_tag(&mut self) -> Result<(), SegmentError> {
        let tag = self.number()?;
        let (count, bit, more) = (tag >> 2, tag >> 1 & 1 == 1, tag & 1 == 1);
        if !(1..=CHUNK as u64).contains(&count) {
            return Err(SegmentError::Damaged("a chunk of 1 to 4,096 occurrences"));
        }
        self.next = Some((count as usize, bit, more));
        Ok(())
    }

    /// Reads the next occurrences of the context that are followed by `bit`, some of them; none where there are no more.
    pub(super) fn read_chunk(
        &mut self,
        bit: bool,
        into: &mut Vec<u64>,
    ) -> Result<(), SegmentError> {
        into.clear();
        let Some((count, _, more)) = self.next.filter(|(_, own, _)| *own == bit) else {
            return Ok(());
        };
        let mut last = None;
        for _ in 0..count {
            let number = self.number()?;
            let occurrence = match last {
                None => Some(number),
                Some(last) if number > 0 => number.checked_add(last),
                Some(_) => None,
            };
            let occurrence = occurrence.filter(|occurrence| *occurrence < self.total);
            let occurrence = occurrence.ok_or(SegmentError::Damaged(
                "occurrences that ascend, of latents that there are",
            ))?;
            into.push(occurrence);
            last = Some(occurrence);
        }
        self.next = None;
        if more {
            self.read_tag()?;
        }
        Ok(())
    }

    /// Returns the XXH3-128 of all bytes, once all contexts were read.
    pub(super) fn finish(&mut self) -> Result<u128, SegmentError> {
        if self.contexts > 0 || self.next.is_some() || !self.source.fill_buf()?.is_empty() {
            return Err(SegmentError::Damaged("no bytes behind the last context"));
        }
        Ok(self.source.get_ref().hash.digest128())
    }
}
