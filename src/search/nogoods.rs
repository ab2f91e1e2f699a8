//! Nogoods: parts of a latent that have been shown to have no completion, kept for as long as the search
//! runs. A dead end that was met once is taken out of a row's chain before the row is drawn, however the
//! rows above have changed elsewhere meanwhile.
//!
//! A nogood is an interval of bits in each of a few rows. Those of one outline are kept together: whether
//! one of them applies to a row is one look into a hash table with the bits above it.

use std::collections::HashMap;
use std::ops::Range;

use crate::window::Frame;

/// Most nogoods kept: some 30 MB. A search that has met more dead ends meets old ones too rarely for them
/// to be worth more.
const MAX_NOGOODS: usize = 100_000;

/// The nogoods of one outline.
#[derive(Debug)]
struct Outline {
    /// The interval in the latest row, in positions.
    latest: Range<usize>,
    /// Those above it, ascending.
    above: Vec<Range<usize>>,
    /// Bits above → bits of the latest interval.
    known: HashMap<Box<[u64]>, Vec<Box<[u64]>>>,
}

/// A nogood that applies to a segment.
pub(super) struct Recalled {
    /// First bit of the pattern, counted from the segment's start.
    pub(super) at: usize,
    /// The bits of the segment that it rules out.
    pub(super) pattern: Vec<bool>,
    /// The positions above that it holds for as they are.
    pub(super) above: Vec<Range<usize>>,
}

/// All nogoods of a search.
#[derive(Debug, Default)]
pub(super) struct Nogoods {
    /// By the first position of the segment that the latest interval lies in.
    outlines: HashMap<usize, Vec<Outline>>,
    count: usize,
}

impl Nogoods {
    /// Remembers that the bits of `frame` in these intervals, ascending and none empty, have no completion.
    /// The last of them lies in the segment that begins at `segment`.
    pub(super) fn learn(&mut self, frame: &Frame, segment: usize, intervals: &[Range<usize>]) {
        let Some((latest, above)) = intervals.split_last() else {
            return;
        };
        if self.count >= MAX_NOGOODS {
            return;
        }
        self.count += 1;
        let outlines = self.outlines.entry(segment).or_default();
        let same = |outline: &Outline| outline.latest == *latest && outline.above == above;
        let i = outlines.iter().position(same).unwrap_or_else(|| {
            outlines.push(Outline {
                latest: latest.clone(),
                above: above.to_vec(),
                known: HashMap::new(),
            });
            outlines.len() - 1
        });
        let known = outlines[i].known.entry(read(frame, above)).or_default();
        known.push(read(frame, std::slice::from_ref(latest)));
    }

    /// Returns what is known not to be completed of the segment `positions`, given the bits before it.
    pub(super) fn recall(&self, frame: &Frame, positions: &Range<usize>) -> Vec<Recalled> {
        let mut recalled = Vec::new();
        for outline in self.outlines.get(&positions.start).into_iter().flatten() {
            let latest = &outline.latest;
            if latest.end > positions.end {
                continue;
            }
            let known = outline.known.get(&read(frame, &outline.above));
            for bits in known.into_iter().flatten() {
                let bit = |i: usize| bits[i / 64] >> (i % 64) & 1 == 1;
                recalled.push(Recalled {
                    at: latest.start - positions.start,
                    pattern: (0..latest.len()).map(bit).collect(),
                    above: outline.above.clone(),
                });
            }
        }
        recalled
    }
}

/// Returns the bits of intervals, each from a new word on.
fn read(frame: &Frame, intervals: &[Range<usize>]) -> Box<[u64]> {
    let words = intervals.iter().flat_map(|interval| {
        let starts = interval.clone().step_by(64);
        starts.map(|from| frame.bits(from, (interval.end - from).min(64)))
    });
    words.collect()
}
