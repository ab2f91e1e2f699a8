//! What many spilled for one part → its blocks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Read;

use super::content::ContentSum;
use super::directory::Rank;
use super::distinct::Distinct;
use super::segment::{Segment, SegmentError};
use super::words::{common, spell};
use super::write::{BlockWriter, Entry, Part, Sink};
use crate::base::{Observer, Stopped};

/// Occurrences between two looks at whether to go on.
const LOOK: u64 = 1 << 14;

/// Why a part cannot be made.
#[derive(Debug)]
pub(in crate::index) enum MergeError<E> {
    /// The number of a segment, and why it cannot be read.
    Segment(usize, SegmentError),
    /// Why its blocks cannot be kept.
    Sink(E),
}

/// The next context of a segment.
type Head = Reverse<(Vec<u64>, usize)>;

/// What a part came to: its contexts lie between two.
pub(in crate::index) struct Merged<S> {
    pub(in crate::index) sink: S,
    pub(in crate::index) distinct: Distinct,
    pub(in crate::index) content: ContentSum,
    pub(in crate::index) entries: u64,
    pub(in crate::index) ones: u64,
    /// Its first and its last context; none where it holds nothing.
    pub(in crate::index) ends: Option<[Vec<u64>; 2]>,
    /// XXH3-128 of each segment.
    pub(in crate::index) checksums: Vec<u128>,
}

/// What makes a part.
pub(in crate::index) struct Merge<'a> {
    /// Occurrences are numbered below this.
    pub(in crate::index) total: u64,
    /// Bits of the windows whose contexts are counted.
    pub(in crate::index) prefixes: &'a [usize],
    /// What its first block is separated by, and the first context of the next part: its own lie between.
    pub(in crate::index) first: &'a [u8],
    pub(in crate::index) end: Option<&'a [u64]>,
    pub(in crate::index) observer: &'a dyn Observer,
}

impl Merge<'_> {
    /// Merges segments: of latents whose ids ascend from one to the next. Memory does not grow with what they hold.
    pub(in crate::index) fn run<R: Read, S: Sink>(
        &self,
        segments: &mut [Segment<R>],
        sink: S,
    ) -> Result<Merged<S>, MergeError<S::Error>> {
        let mut heads: BinaryHeap<Head> = BinaryHeap::new();
        for (number, segment) in segments.iter_mut().enumerate() {
            let mut context = Vec::new();
            if next(segment, number, &mut context)? {
                heads.push(Reverse((context, number)));
            }
        }
        let blocks = BlockWriter::new(self.total, self.prefixes, self.first.to_vec(), sink);
        let mut work = Work {
            blocks,
            context: Vec::new(),
            ends: None,
            chunk: Vec::new(),
            observer: self.observer,
            told: 0,
        };
        let begin = self.begin(heads.peek());
        let mut same: Vec<Head> = Vec::new();
        while let Some(head) = heads.pop() {
            let Reverse((context, number)) = &head;
            let is_outside =
                *context < begin || self.end.is_some_and(|end| context.as_slice() >= end);
            if is_outside {
                let error = SegmentError::Damaged("contexts of its part");
                return Err(MergeError::Segment(*number, error));
            }
            same.push(head);
            while let Some(next) = heads.peek()
                && next.0.0 == same[0].0.0
            {
                same.extend(heads.pop());
            }
            work.context(&same, segments)?;
            for Reverse((mut context, number)) in same.drain(..) {
                if next(&mut segments[number], number, &mut context)? {
                    heads.push(Reverse((context, number)));
                }
            }
        }
        let finished = segments.iter_mut().enumerate();
        let checksums = finished.map(|(number, segment)| {
            let finished = segment.finish();
            finished.map_err(|error| MergeError::Segment(number, error))
        });
        let checksums = checksums.collect::<Result<_, _>>()?;
        let (ends, last) = (work.ends, work.context);
        let part: Part<S> = work.blocks.finish().map_err(MergeError::Sink)?;
        let Rank { entries, ones } = part.holds;
        Ok(Merged {
            sink: part.sink,
            distinct: part.distinct,
            content: part.content,
            entries,
            ones,
            ends: ends.map(|first| [first, last]),
            checksums,
        })
    }

    /// Returns what the part begins with, in as many words as contexts have.
    fn begin(&self, head: Option<&Head>) -> Vec<u64> {
        let words = head.map_or(0, |Reverse((context, _))| context.len());
        super::spill::context_words(self.first, words)
    }
}

fn next<R: Read, E>(
    segment: &mut Segment<R>,
    number: usize,
    context: &mut Vec<u64>,
) -> Result<bool, MergeError<E>> {
    let next = segment.next_context(context);
    next.map_err(|error| MergeError::Segment(number, error))
}

/// A part under work.
struct Work<'a, S> {
    blocks: BlockWriter<S>,
    /// The last context.
    context: Vec<u64>,
    /// The first one.
    ends: Option<Vec<u64>>,
    chunk: Vec<u64>,
    observer: &'a dyn Observer,
    told: u64,
}

impl<S: Sink> Work<'_, S> {
    /// Writes a context of which some segments have occurrences, in the order of the segments.
    fn context<R: Read>(
        &mut self,
        same: &[Head],
        segments: &mut [Segment<R>],
    ) -> Result<(), MergeError<S::Error>> {
        let Some(Reverse((own, _))) = same.first() else {
            return Ok(());
        };
        let mut followed = [false; 2];
        let mut is_first = true;
        for bit in [false, true] {
            let mut last = None;
            for Reverse((_, number)) in same {
                loop {
                    let read = segments[*number].read_chunk(bit, &mut self.chunk);
                    read.map_err(|error| MergeError::Segment(*number, error))?;
                    let Some(first) = self.chunk.first() else {
                        break;
                    };
                    if last.is_some_and(|last| last >= *first) {
                        let error = SegmentError::Damaged("occurrences behind those before it");
                        return Err(MergeError::Segment(*number, error));
                    }
                    if !std::mem::replace(&mut followed[usize::from(bit)], true) {
                        self.blocks.begin_run(bit);
                    }
                    for occurrence in &self.chunk {
                        let before = if is_first { &self.context } else { own };
                        let spell = |context: &[u64], (bit, occurrence): Entry| {
                            spell(context.iter().copied(), bit, occurrence)
                        };
                        let spell = |last, entry| [spell(before, last), spell(own, entry)];
                        self.blocks
                            .push(*occurrence, spell)
                            .map_err(MergeError::Sink)?;
                        is_first = false;
                    }
                    last = self.chunk.last().copied();
                    self.told += self.chunk.len() as u64;
                }
            }
        }
        let common = common(&self.context, own);
        self.blocks.count(common, followed[0], followed[1]);
        self.ends.get_or_insert_with(|| own.clone());
        self.context.clone_from(own);
        if self.told >= LOOK {
            let stopped = |stopped: Stopped| MergeError::Sink(S::Error::from(stopped));
            self.observer.check().map_err(stopped)?;
            self.observer.advance(std::mem::take(&mut self.told));
        }
        Ok(())
    }
}
