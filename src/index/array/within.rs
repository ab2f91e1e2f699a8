//! Where contexts lie within a block.
//!
//! Contexts of a block begin alike, often for more than a word: what they share is compared once. In a block that is asked again
//! the next word of every group is kept beside it, so that the latents are read only where that leaves several groups.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::block::Block;
use super::latents::Latents;
use crate::window::Reader;

/// Questions to a block after which the words of its groups are kept: reading them costs as much as some twenty questions.
const KEPT_AFTER: u32 = 2;

/// What is known of the contexts of a block.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    /// The words in which all of its contexts agree.
    shared: Vec<u64>,
    /// The word behind these of every group.
    heads: OnceLock<Box<[u64]>>,
    asked: AtomicU32,
}

/// What reads contexts.
#[derive(Clone, Copy)]
pub(super) struct Contexts<'a> {
    pub(super) latents: &'a Latents<'a>,
    pub(super) readers: &'a [Reader],
}

impl Contexts<'_> {
    /// Returns the groups of a block that have the first `bits` bits of the asked context: those before are below it.
    pub(super) fn groups(&self, block: &Block, asked: &[u64], bits: usize) -> Range<usize> {
        let sketch = block.sketch.get_or_init(|| self.sketch(block));
        let groups = block.groups();
        let shared = sketch.shared.len();
        for (number, (own, asked)) in sketch.shared.iter().zip(asked).enumerate() {
            let mask = mask(bits, number);
            match (own & mask).cmp(&(asked & mask)) {
                Ordering::Less => return groups..groups,
                Ordering::Equal => {}
                Ordering::Greater => return 0..0,
            }
        }
        if bits <= 64 * shared {
            return 0..groups;
        }
        let Some(heads) = self.heads(sketch, block) else {
            return self.compared(block, asked, bits, shared, 0..groups);
        };
        let mask = mask(bits, shared);
        let wanted = asked.get(shared).copied().unwrap_or(0) & mask;
        let start = heads.partition_point(|head| head & mask < wanted);
        let equal = heads[start..].partition_point(|head| head & mask == wanted);
        let range = start..start + equal;
        if bits <= 64 * (shared + 1) || range.is_empty() {
            return range;
        }
        self.compared(block, asked, bits, shared + 1, range)
    }

    /// The same among some groups whose contexts agree with the asked one in the words before `word`.
    fn compared(
        &self,
        block: &Block,
        asked: &[u64],
        bits: usize,
        word: usize,
        among: Range<usize>,
    ) -> Range<usize> {
        let compare = |first: &u64| self.compare(*first, asked, bits, word);
        let firsts = &block.firsts[among.clone()];
        let start = firsts.partition_point(|first| compare(first) == Ordering::Less);
        let end = start + end_of(&firsts[start..], |first| compare(first) == Ordering::Equal);
        among.start + start..among.start + end
    }

    /// Returns the group behind those, from `from` on, that have the first `bits` bits of the asked context, none of which is
    /// below it.
    pub(super) fn end(&self, block: &Block, asked: &[u64], bits: usize, from: usize) -> usize {
        let is_equal = |first: &u64| self.compare(*first, asked, bits, 0) == Ordering::Equal;
        end_of(&block.firsts[from..], is_equal) + from
    }

    /// Returns how the context at an occurrence compares with the first `bits` bits of the asked one, from a word on.
    #[inline]
    fn compare(&self, occurrence: u64, asked: &[u64], bits: usize, word: usize) -> Ordering {
        let standing = self.latents.standing(occurrence);
        let last = bits.div_ceil(64).min(self.readers.len());
        let words = self.readers[..last].iter().zip(asked).enumerate();
        for (number, (reader, asked)) in words.skip(word) {
            let mask = mask(bits, number);
            match (standing.read(reader) & mask).cmp(&(asked & mask)) {
                Ordering::Equal => {}
                other => return other,
            }
        }
        Ordering::Equal
    }

    fn sketch(&self, block: &Block) -> Sketch {
        let ends = block.firsts.first().zip(block.firsts.last());
        let shared = ends.map_or(Vec::new(), |(first, last)| {
            let [first, last] = [first, last].map(|own| self.latents.standing(*own));
            let words = self
                .readers
                .iter()
                .map(|reader| (first.read(reader), last.read(reader)));
            words
                .take_while(|(a, b)| a == b)
                .map(|(word, _)| word)
                .collect()
        });
        Sketch {
            shared,
            ..Sketch::default()
        }
    }

    /// Returns the words of the groups, once the block was asked often enough.
    fn heads<'s>(&self, sketch: &'s Sketch, block: &Block) -> Option<&'s [u64]> {
        if let Some(heads) = sketch.heads.get() {
            return Some(heads);
        }
        if sketch.asked.fetch_add(1, Relaxed) < KEPT_AFTER {
            return None;
        }
        let reader = self.readers.get(sketch.shared.len())?;
        let read = |first: &u64| self.latents.read(reader, *first);
        Some(
            sketch
                .heads
                .get_or_init(|| block.firsts.iter().map(read).collect()),
        )
    }
}

/// Returns how many of some occurrences are equal, which come first. Few, mostly: doubling steps before halving.
fn end_of(firsts: &[u64], is_equal: impl Fn(&u64) -> bool) -> usize {
    let (mut end, mut step) = (0, 1);
    while end < firsts.len() {
        let next = (end + step).min(firsts.len());
        if !is_equal(&firsts[next - 1]) {
            return end + firsts[end..next - 1].partition_point(is_equal);
        }
        (end, step) = (next, 2 * step);
    }
    end
}

/// The bits of word `number` that are among the first `bits` of all words.
pub(super) fn mask(bits: usize, number: usize) -> u64 {
    match bits.saturating_sub(64 * number) {
        0 => 0,
        left @ 1..64 => !(!0 >> left),
        _ => !0,
    }
}
