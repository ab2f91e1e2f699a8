//! The histograms of one window held in memory: a compact exact table.
//!
//! The table is filled once, so it needs no room to grow: the contexts of a bucket are stored without
//! gaps, and 2 bytes say where they begin. A key's bucket is its first bytes plus a hash of the rest,
//! modulo the bucket count. Given the bucket and the rest, the first bytes can be recovered, so they are
//! not stored, and the answer is still exact. A histogram is stored as a number into a list of the
//! different histograms, of which there are few.
//!
//! An upper part is stored as the context that continues it with zeros: the upper part occurred if that
//! entry exists. If the context itself did not occur, the entry has no histogram.
//!
//! It was chosen for its size, about half of that of a hash table with whole keys. `docs/notes/index.md` compares the
//! layouts that were tried.

use std::hint::black_box;
use std::ops::Range;

use super::layout::{Place, STARTS_BYTES, TableLayout, low_bytes, word};
use super::pages::Pages;
use super::{Counts, Histogram, IndexError, Question, UpperQuestion};
use crate::window::ContextKey;

/// Keys of which the places are fetched together, and the fewest for which that pays.
const GROUP: usize = 16;
const MIN_GROUP: usize = 4;

/// The contexts of [`PART_BUCKETS`](super::layout::PART_BUCKETS) consecutive buckets.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// The number of each bucket's first context, and of the end: 2 bytes each, lowest first. Then for each
    /// context the stored bytes of its key and its histogram's number; 8 bytes behind all.
    block: &'a [u8],
}

impl<'a> Part<'a> {
    #[inline]
    fn contexts(self, bucket: usize) -> Range<usize> {
        let both = word(self.block, 2 * bucket);
        (both & 0xffff) as usize..(both >> 16 & 0xffff) as usize
    }

    fn entries(self) -> &'a [u8] {
        // Every block begins with that many.
        &self.block[STARTS_BYTES..]
    }
}

/// The histograms of one window, all in memory: answers what the index answers, without reading it.
///
/// ```
/// use bitquilt::{Budget, Counts, Frame, Given, Resident};
/// # use bitquilt::{BuildOptions, Index, LatentSet, Shape, Unobserved, build};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
/// # let index = Index::open(&path)?;
/// # let window = index.window("seq:3".parse()?)?;
/// let table = Resident::load(&window, Budget::of_machine(), &Unobserved)?;
/// assert_eq!(Some(table.contexts()), window.entry().map(|entry| entry.distinct));
/// let mut frame = Frame::new(index.shape(), &[window.geometry()]);
/// frame.load(set.packed_latent(0), Given::NOTHING);
/// // Both are asked in their own way, and answer the same.
/// for position in 0..6 {
///     let by_key = table.question(window.geometry(), &mut frame, position);
///     let laid_out = window.question(window.geometry(), &mut frame, position);
///     assert_eq!(table.histogram(&by_key)?, window.histogram(&laid_out)?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Resident {
    pub(super) layout: TableLayout,
    pub(super) pages: Pages,
    /// Where the block of each part begins, and the end.
    pub(super) blocks: Box<[usize]>,
    /// The different histograms; an upper part's is empty.
    pub(super) histograms: Box<[Histogram]>,
    /// Bytes of a histogram's number.
    pub(super) code_bytes: usize,
    pub(super) contexts: u64,
}

impl Resident {
    /// Returns the memory held, in bytes.
    pub fn bytes(&self) -> u64 {
        let held = self.pages.len() + size_of_val(&*self.blocks);
        (size_of_val(self) + held + size_of_val(&*self.histograms)) as u64
    }

    /// Returns the number of contexts held.
    pub fn contexts(&self) -> u64 {
        self.contexts
    }

    #[inline]
    fn part(&self, number: usize) -> Option<Part<'_>> {
        let block = match self.blocks.get(number..number + 2) {
            Some(&[start, end]) => self.pages.get(start..end)?,
            _ => return None,
        };
        Some(Part { block })
    }

    #[inline]
    fn place(&self, key: &ContextKey) -> Option<(Part<'_>, Place)> {
        // A key of another window is in no bucket, though its first bytes may look so.
        if key.as_bytes().len() != self.layout.key_bytes {
            return None;
        }
        let place = self.layout.place(key);
        Some((self.part(place.part)?, place))
    }

    fn entry_bytes(&self) -> usize {
        self.layout.stored_bytes() + self.code_bytes
    }

    #[inline]
    fn find(&self, part: Part<'_>, among: Range<usize>, place: &Place) -> Option<Histogram> {
        let found = self.find_entry(part, among, place)?;
        (found.total() > 0).then_some(found)
    }

    #[inline]
    fn find_entry(&self, part: Part<'_>, among: Range<usize>, place: &Place) -> Option<Histogram> {
        let (layout, entries) = (&self.layout, part.entries());
        let same_word = |at, i| word(entries, at + 8 * i) & layout.masks[i] == place.rest[i];
        let same = |at| same_word(at, 0) && (1..layout.words).all(|i| same_word(at, i));
        let at = among
            .map(|context| context * self.entry_bytes())
            .find(|at| same(*at))?;
        let code = word(entries, at + layout.stored_bytes()) & low_bytes(self.code_bytes);
        self.histograms.get(code as usize).copied()
    }

    fn get(&self, key: &ContextKey) -> Option<Histogram> {
        let (part, place) = self.place(key)?;
        self.find(part, part.contexts(place.bucket), &place)
    }
}

impl Counts for Resident {
    fn histogram(&self, question: &Question) -> Result<Option<Histogram>, IndexError> {
        match question {
            Question::Key(key) => Ok(self.get(key)),
            Question::Context(_) => Ok(None),
        }
    }

    fn has_upper(&self, question: &UpperQuestion) -> Result<bool, IndexError> {
        let UpperQuestion::Key(upper) = question else {
            return Ok(false);
        };
        let place = self.layout.place(upper.as_key());
        let entry = self.part(place.part).and_then(|part| {
            let among = part.contexts(place.bucket);
            self.find_entry(part, among, &place)
        });
        Ok(entry.is_some())
    }

    fn histograms(
        &self,
        questions: &[Question],
        found: &mut Vec<Option<Histogram>>,
    ) -> Result<(), IndexError> {
        found.clear();
        fn key(question: &Question) -> Option<&ContextKey> {
            match question {
                Question::Key(key) => Some(key),
                Question::Context(_) => None,
            }
        }
        for questions in questions.chunks(GROUP) {
            let keys = questions.iter().map(key);
            if questions.len() < MIN_GROUP {
                found.extend(keys.map(|key| self.get(key?)));
                continue;
            }
            let mut places = [const { None }; GROUP];
            for (place, key) in places.iter_mut().zip(keys) {
                *place = key.and_then(|key| self.place(key)).map(|(part, place)| {
                    let among = part.contexts(place.bucket);
                    (part, among, place)
                });
            }
            // The contexts of all keys are on their way from memory before the first is looked at.
            let mut touched = 0;
            for (part, among, _) in places.iter().flatten() {
                for context in [among.start, among.end] {
                    let byte = part.entries().get(context * self.entry_bytes());
                    touched ^= byte.copied().unwrap_or_default();
                }
            }
            black_box(touched);
            found.extend(places[..questions.len()].iter().map(|place| {
                let (part, among, place) = place.as_ref()?;
                self.find(*part, among.clone(), place)
            }));
        }
        Ok(())
    }
}
