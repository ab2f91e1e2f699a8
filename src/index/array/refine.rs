//! Sorting a cell: by one word of the context after the other, each only among occurrences that are still equal.
//!
//! Each word is one pass over the groups that are still equal, so duplicated latents and blank images cost a pass a word and no
//! more.

use super::latents::Latents;
use super::number::Number;
use crate::window::Reader;

/// Groups of so many are looked at for a value that most of them share, which is then not sorted.
const MIN_SAMPLED: usize = 1 << 12;
const SAMPLES: usize = 32;

/// In how many bits the context of an occurrence begins as the one before it: all of them.
const EQUAL: u32 = u32::MAX;

/// Sorts occurrences whose contexts agree in the words before `first_word`, ascending by number, and hands each group of equal
/// contexts to `take`, in order and ascending by number: with it, in how many bits its context begins as the one before it
/// (0 for the first group).
pub(super) fn refine<N: Number, E>(
    latents: &Latents<'_>,
    readers: &[Reader],
    first_word: usize,
    occurrences: &mut [N],
    mut take: impl FnMut(usize, &[N]) -> Result<(), E>,
) -> Result<(), E> {
    let mut sorter = Sorter {
        latents,
        pairs: Vec::new(),
        equal: Vec::new(),
        common: vec![EQUAL; occurrences.len()],
    };
    if first_word >= readers.len() {
        return take(0, occurrences);
    }
    if let Some(first) = sorter.common.first_mut() {
        *first = 0;
    }
    sorter.sort(&readers[first_word], first_word, 0, occurrences);
    // Ranges whose groups are under way, and the word that they are sorted by.
    let mut work = vec![(0, occurrences.len(), first_word)];
    while let Some((start, end, word)) = work.pop() {
        let mut at = start;
        while at < end {
            let next = sorter.common[at + 1..end]
                .iter()
                .position(|common| *common != EQUAL);
            let next = next.map_or(end, |more| at + 1 + more);
            if next - at == 1 || word + 1 == readers.len() {
                take(sorter.common[at] as usize, &occurrences[at..next])?;
                at = next;
                continue;
            }
            sorter.sort(&readers[word + 1], word + 1, at, &mut occurrences[at..next]);
            work.push((next, end, word));
            work.push((at, next, word + 1));
            break;
        }
    }
    Ok(())
}

struct Sorter<'a, N> {
    latents: &'a Latents<'a>,
    pairs: Vec<(u64, N)>,
    equal: Vec<N>,
    /// In how many bits the context of each occurrence begins as the one before it, as far as is known.
    common: Vec<u32>,
}

impl<N: Number> Sorter<'_, N> {
    /// Sorts a range that begins at `at` by one word, equal ones by number.
    fn sort(&mut self, reader: &Reader, number: usize, at: usize, occurrences: &mut [N]) {
        let word = |occurrence: N| self.latents.read(reader, occurrence.get());
        self.pairs.clear();
        if occurrences.len() >= MIN_SAMPLED
            && let Some(common) = common(occurrences, word)
        {
            self.sort_others(reader, number, common, at, occurrences);
            return;
        }
        self.pairs.extend(
            occurrences
                .iter()
                .map(|occurrence| (word(*occurrence), *occurrence)),
        );
        self.pairs.sort_unstable();
        for (place, (_, occurrence)) in occurrences.iter_mut().zip(&self.pairs) {
            *place = *occurrence;
        }
        mark(&mut self.common[at..], number, &self.pairs);
    }

    /// The same where many have the word `common`: they are in order already.
    fn sort_others(
        &mut self,
        reader: &Reader,
        number: usize,
        common: u64,
        at: usize,
        occurrences: &mut [N],
    ) {
        self.equal.clear();
        for occurrence in occurrences.iter() {
            match self.latents.read(reader, occurrence.get()) {
                word if word == common => self.equal.push(*occurrence),
                word => self.pairs.push((word, *occurrence)),
            }
        }
        self.pairs.sort_unstable();
        let below = self.pairs.partition_point(|(word, _)| *word < common);
        let (before, after) = self.pairs.split_at(below);
        let sorted = before.iter().map(|(_, occurrence)| occurrence);
        let sorted = sorted
            .chain(&self.equal)
            .chain(after.iter().map(|(_, occurrence)| occurrence));
        for (place, occurrence) in occurrences.iter_mut().zip(sorted) {
            *place = *occurrence;
        }
        let equal_end = below + self.equal.len();
        let marks = &mut self.common[at..];
        mark(marks, number, before);
        mark(&mut marks[equal_end..], number, after);
        if let Some((word, _)) = before.last() {
            marks[below] = shared(number, *word, common);
        }
        if let Some((word, _)) = after.first() {
            marks[equal_end] = shared(number, common, *word);
        }
    }
}

/// Marks where the sorted words of some occurrences differ.
fn mark<N>(common: &mut [u32], number: usize, pairs: &[(u64, N)]) {
    for (mark, pair) in common.iter_mut().skip(1).zip(pairs.windows(2)) {
        if pair[0].0 != pair[1].0 {
            *mark = shared(number, pair[0].0, pair[1].0);
        }
    }
}

/// In how many bits contexts begin alike of which word `number` is the first to differ. Orders have at most 2²⁴ bits.
fn shared(number: usize, one: u64, other: u64) -> u32 {
    64 * number as u32 + (one ^ other).leading_zeros()
}

/// A word that at least a quarter of some occurrences seem to have.
fn common<N: Number>(occurrences: &[N], word: impl Fn(N) -> u64) -> Option<u64> {
    let step = occurrences.len() / SAMPLES;
    let mut sample: Vec<u64> = occurrences
        .iter()
        .step_by(step)
        .map(|occurrence| word(*occurrence))
        .collect();
    sample.sort_unstable();
    let groups = sample.chunk_by(|a, b| a == b);
    let largest = groups.max_by_key(|group| group.len())?;
    (largest.len() * 4 >= sample.len()).then_some(largest[0])
}
