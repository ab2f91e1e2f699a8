//! Where contexts lie within a block.
//!
//! Contexts of a block begin alike, often for dozens of bits: what they share is compared once. In a block that is asked again
//! the 32 bits behind that of every group are kept beside it, so that the latents are read only where those leave several
//! groups.

use std::cmp::Ordering;
use std::hint::black_box;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use bytes::Bytes;

use super::block::{BLOCK, Block};
use super::halving::{STEP, below, from_sample, halved, leading, samples};
use super::latents::Latents;
use crate::window::Reader;

/// Questions to a block after which the heads of its groups are kept: reading them costs as much as some twenty questions, and a block that is
/// asked twice is mostly asked often (`docs/notes/index.md`).
const KEPT_AFTER: u32 = 1;

/// Bits of a head.
const HEAD: usize = 32;

/// What is known of the contexts of a block.
#[derive(Debug)]
pub(super) struct Sketch {
    /// How many bits all of its contexts begin with alike, and the words that hold these: the first one, and the others.
    shared_bits: usize,
    first: u64,
    others: Box<[u64]>,
    /// The bits behind them of every group.
    heads: OnceLock<Heads>,
    asked: AtomicU32,
}

impl Sketch {
    /// Bytes that are kept of each group.
    pub(super) const OF_GROUP: usize = size_of::<u32>();
}

/// The heads of the groups of a block.
#[derive(Debug)]
pub(super) struct Heads {
    /// Every sixteenth, where the block itself is: found without another look at memory.
    samples: [u32; BLOCK.div_ceil(STEP)],
    all: Bytes,
}

impl Heads {
    fn new(block: &Block, all: Vec<u32>) -> Self {
        let mut own = [0; _];
        let every = own.iter_mut().zip(samples(&all));
        every.for_each(|(to, from)| *to = from);
        Self {
            samples: own,
            all: block.keep(all),
        }
    }

    fn all(&self) -> &[u32] {
        bytemuck::cast_slice(&self.all)
    }

    /// Returns the sample behind which the first group is whose head is no less than `wanted`, and has what is kept of the groups there come
    /// from memory.
    #[inline]
    fn sample(&self, block: &Block, wanted: Wanted) -> usize {
        let samples = &self.samples[..self.all().len().div_ceil(STEP)];
        let sample = below(samples, |head| wanted.is_above(head)).saturating_sub(1);
        black_box(self.all().get(sample * STEP).copied());
        block.touch(sample * STEP);
        sample
    }

    /// Returns the groups whose heads are what is wanted, from that sample on; those before are below.
    #[inline]
    fn equal(&self, sample: usize, wanted: Wanted) -> Range<usize> {
        let all = self.all();
        let start = from_sample(all, sample, |head| wanted.is_above(head));
        let rest = &all[start..];
        start..start + leading(rest.len(), |at| wanted.is(rest[at]))
    }
}

/// A head, where a mask has ones, which are the highest bits.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    head: u32,
    mask: u32,
}

impl Wanted {
    fn is_above(self, head: u32) -> bool {
        head & self.mask < self.head & self.mask
    }

    fn is(self, head: u32) -> bool {
        (head ^ self.head) & self.mask == 0
    }
}

/// Where the groups of a block with a context are, as far as the block itself tells.
pub(super) enum Sought<'b> {
    Found(Range<usize>),
    /// Behind a sample of the heads, which follow so many bits that all contexts share.
    Behind {
        heads: &'b Heads,
        sample: usize,
        wanted: Wanted,
        shared: usize,
    },
    /// Anywhere: what tells more is behind so many bits that all contexts share.
    Beyond {
        shared: usize,
    },
}

/// What reads contexts.
#[derive(Clone, Copy)]
pub(super) struct Contexts<'a> {
    pub(super) latents: &'a Latents<'a>,
    pub(super) readers: &'a [Reader],
}

impl Contexts<'_> {
    /// Returns how many bits all contexts of a block begin with alike.
    pub(super) fn shared(&self, block: &Block) -> usize {
        block.sketch.get_or_init(|| self.sketch(block)).shared_bits
    }

    /// Returns the groups of a block that have the first `bits` bits of the asked context: those before are below it.
    pub(super) fn groups(&self, block: &Block, asked: &[u64], bits: usize) -> Range<usize> {
        self.found(block, asked, bits, self.seek(block, asked, bits))
    }

    /// Begins to look for these groups: has what tells more come from memory. Whoever asks two blocks begins with both.
    pub(super) fn seek<'b>(&self, block: &'b Block, asked: &[u64], bits: usize) -> Sought<'b> {
        let sketch = block.sketch.get_or_init(|| self.sketch(block));
        let (groups, shared) = (block.groups(), sketch.shared_bits);
        let own = std::iter::once(&sketch.first).chain(&sketch.others);
        for (number, (own, asked)) in own.zip(asked).enumerate() {
            let mask = mask(bits.min(shared), number);
            match (own & mask).cmp(&(asked & mask)) {
                Ordering::Less => return Sought::Found(groups..groups),
                Ordering::Equal => {}
                Ordering::Greater => return Sought::Found(0..0),
            }
        }
        if bits <= shared {
            return Sought::Found(0..groups);
        }
        let Some(heads) = self.heads(sketch, block) else {
            return Sought::Beyond { shared };
        };
        let wanted = Wanted {
            head: head(asked, shared),
            mask: (mask(bits - shared, 0) >> 32) as u32,
        };
        let sample = heads.sample(block, wanted);
        Sought::Behind {
            heads,
            sample,
            wanted,
            shared,
        }
    }

    /// Returns the groups that were sought.
    pub(super) fn found(
        &self,
        block: &Block,
        asked: &[u64],
        bits: usize,
        sought: Sought<'_>,
    ) -> Range<usize> {
        match sought {
            Sought::Found(groups) => groups,
            Sought::Beyond { shared } => {
                self.compared(block, asked, bits, shared / 64, 0..block.groups())
            }
            Sought::Behind {
                heads,
                sample,
                wanted,
                shared,
            } => {
                let range = heads.equal(sample, wanted);
                if bits <= shared + HEAD || range.is_empty() {
                    return range;
                }
                self.compared(block, asked, bits, (shared + HEAD) / 64, range)
            }
        }
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
        let compare = |at: usize| self.compare(block.first(at), asked, bits, word);
        if among.len() == 1 {
            return match compare(among.start) {
                Ordering::Less => among.end..among.end,
                Ordering::Equal => among,
                Ordering::Greater => among.start..among.start,
            };
        }
        let below = halved(among.len(), |at| {
            compare(among.start + at) == Ordering::Less
        });
        let start = among.start + below;
        let equal = leading(among.end - start, |at| {
            compare(start + at) == Ordering::Equal
        });
        start..start + equal
    }

    /// Returns the group behind those, from `from` on, that have the first `bits` bits of the asked context, none of which is
    /// below it.
    pub(super) fn end(&self, block: &Block, asked: &[u64], bits: usize, from: usize) -> usize {
        let equal = leading(block.groups() - from, |at| {
            self.compare(block.first(from + at), asked, bits, 0) == Ordering::Equal
        });
        from + equal
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
        let ends = [block.first(0), block.last_first()];
        let shared_bits = self.latents.common(self.readers, ends[0], ends[1]);
        let words = shared_bits.div_ceil(64).clamp(1, self.readers.len());
        let first = self.latents.standing(ends[0]);
        let mut shared = self.readers[..words]
            .iter()
            .map(|reader| first.read(reader));
        Sketch {
            shared_bits,
            first: shared.next().unwrap_or(0),
            others: shared.collect(),
            heads: OnceLock::new(),
            asked: AtomicU32::new(0),
        }
    }

    /// Returns the heads of the groups, once the block was asked often enough.
    fn heads<'s>(&self, sketch: &'s Sketch, block: &Block) -> Option<&'s Heads> {
        if let Some(heads) = sketch.heads.get() {
            return Some(heads);
        }
        if sketch.asked.fetch_add(1, Relaxed) < KEPT_AFTER {
            return None;
        }
        // The words that hold the head: one where it does not lie across its end.
        let word = sketch.shared_bits / 64;
        let end = (sketch.shared_bits + HEAD).div_ceil(64);
        let readers = self.readers.get(word..end.min(self.readers.len()))?;
        let read = |group: usize| {
            let standing = self.latents.standing(block.first(group));
            let mut words = [0; 2];
            let read = readers.iter().map(|reader| standing.read(reader));
            words.iter_mut().zip(read).for_each(|(to, from)| *to = from);
            head(&words, sketch.shared_bits % 64)
        };
        let heads = || Heads::new(block, (0..block.groups()).map(read).collect());
        Some(sketch.heads.get_or_init(heads))
    }
}

/// Returns the bits of a context from bit `at` on, zeros behind its end.
#[inline]
fn head(words: &[u64], at: usize) -> u32 {
    let word = |number: usize| words.get(number).copied().unwrap_or(0);
    let (number, shift) = (at / 64, at % 64);
    // `>> 1 >> (63 - shift)` is `>> (64 - shift)` that is 0, not undefined, at shift 0.
    let both = word(number) << shift | word(number + 1) >> 1 >> (63 - shift);
    (both >> 32) as u32
}

/// The bits of word `number` that are among the first `bits` of all words.
pub(super) fn mask(bits: usize, number: usize) -> u64 {
    match bits.saturating_sub(64 * number) {
        0 => 0,
        left @ 1..64 => !(!0 >> left),
        _ => !0,
    }
}
