//! What honest data would make of a sample's bits: counts of the index, less those of the training latent that a copy is laid to.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::index::{Counts, Histogram, IndexError, Question};
use crate::latent::Shape;
use crate::model::blend;
use crate::window::{ContextKey, Frame, Geometry, Given};

/// One window of the model, with what followed its contexts.
#[derive(Clone, Copy)]
pub(super) struct ModelWindow<'a> {
    pub(super) geometry: &'a Geometry,
    pub(super) counts: &'a dyn Counts,
}

/// Occurrences of 0 and of 1.
type Taken = [u64; 2];

/// Tells how surprising a sample's bits are, remembering one sample: one for each thread.
///
/// The probability of a bit is that of [`Smoothing::Blend`](crate::model::Smoothing::Blend).
pub(super) struct Honest<'a> {
    /// Of each level largest first.
    windows: &'a [ModelWindow<'a>],
    frame: Frame,
    /// Of each window, the contexts of the sample's bits and what followed them.
    keys: Vec<Vec<ContextKey>>,
    histograms: Vec<Vec<Option<Histogram>>>,
    questions: Vec<Question>,
}

impl<'a> Honest<'a> {
    /// Prepares to tell of samples of a shape.
    pub(super) fn new(windows: &'a [ModelWindow<'a>], shape: Shape) -> Self {
        let geometries: Vec<_> = windows.iter().map(|window| window.geometry).collect();
        Self {
            windows,
            frame: Frame::new(shape, &geometries),
            keys: vec![Vec::new(); windows.len()],
            histograms: vec![Vec::new(); windows.len()],
            questions: Vec::new(),
        }
    }

    /// Asks what followed the contexts of a sample; none of a label that the index has not seen occurred.
    pub(super) fn load(&mut self, packed: &[u8], given: Option<Given>) -> Result<(), IndexError> {
        self.frame.load(packed, given.unwrap_or_default());
        for (number, window) in self.windows.iter().enumerate() {
            let ModelWindow { geometry, counts } = window;
            self.questions.clear();
            self.keys[number].clear();
            for position in geometry.positions() {
                let question = counts.question(geometry, &mut self.frame, position);
                self.keys[number].push(match &question {
                    Question::Key(key) => *key,
                    Question::Context(_) => geometry.key(&mut self.frame, position),
                });
                self.questions.push(question);
            }
            let found = &mut self.histograms[number];
            match given {
                Some(_) => counts.histograms(&self.questions, found)?,
                None => {
                    found.clear();
                    found.resize(self.questions.len(), None);
                }
            }
        }
        Ok(())
    }

    /// Returns the information of each bit of a level, in bits, as if one occurrence of it at each window were the source's:
    /// what it is where a source agrees, and others are rare enough to matter.
    pub(super) fn without_one(&self, level: usize, costs: &mut Vec<f32>) {
        self.costs(level, costs, |_, _, bit, histogram| one_of(bit, histogram));
    }

    /// Counts what the contexts of a training latent's own bits were followed by, in one level.
    pub(super) fn own_of(
        &self,
        level: usize,
        packed: &[u8],
        given: Option<Given>,
        own: &mut OwnCounts,
    ) {
        let mut frame = self.frame.clone();
        frame.load(packed, given.unwrap_or_default());
        own.windows
            .resize_with(self.windows.len(), Default::default);
        for (window, counts) in self.windows.iter().zip(&mut own.windows) {
            if window.geometry.window().level() != level {
                continue;
            }
            for position in window.geometry.positions() {
                let key = window.geometry.key(&mut frame, position);
                let bit = frame.get(position);
                counts.entry(key).or_default()[usize::from(bit)] += 1;
            }
        }
    }

    /// Returns the information of each bit of a level, in bits, by the counts of the index without those of some latents.
    pub(super) fn without(&self, level: usize, own: &OwnCounts, costs: &mut Vec<f32>) {
        self.costs(level, costs, |window, at, _, _| {
            let key = &self.keys[window][at];
            own.windows[window].get(key).copied().unwrap_or_default()
        });
    }

    fn costs(
        &self,
        level: usize,
        costs: &mut Vec<f32>,
        taken: impl Fn(usize, usize, bool, Histogram) -> Taken,
    ) {
        let all = self.windows.iter().enumerate();
        let own: Vec<_> = all
            .filter(|(_, window)| window.geometry.window().level() == level)
            .collect();
        let shape = self.frame.shape();
        costs.clear();
        let Some(level) = shape.level(level) else {
            return;
        };
        costs.extend(level.positions().enumerate().map(|(at, position)| {
            let bit = self.frame.get(position);
            let smallest_first = own.iter().rev().map(|(number, _)| {
                let histogram = self.histograms[*number][at].unwrap_or_default();
                (histogram, taken(*number, at, bit, histogram))
            });
            information(bit, smallest_first)
        }));
    }
}

/// Returns one occurrence of a bit, where there is one.
fn one_of(bit: bool, histogram: Histogram) -> Taken {
    let mut taken = [0, 0];
    taken[usize::from(bit)] = histogram.count(bit).min(1);
    taken
}

/// Returns the information of a bit, in bits, by what followed its contexts, smallest window first, each less what is taken.
fn information(bit: bool, smallest_first: impl Iterator<Item = (Histogram, Taken)>) -> f32 {
    let share = smallest_first.fold(0.5, |share, (histogram, [zeros, ones])| {
        let left = Histogram {
            n0: histogram.n0.saturating_sub(zeros),
            n1: histogram.n1.saturating_sub(ones),
        };
        blend(left, bit, share)
    });
    -share.log2() as f32
}

/// Returns the information of some bits of one level, as [`Honest::without_one`] does of all. The bits before them are in `frame`.
pub(super) fn without_one(
    windows: &[ModelWindow<'_>],
    frame: &mut Frame,
    positions: Range<usize>,
) -> Result<Vec<f32>, IndexError> {
    let level = frame.shape().level_of(positions.start).number();
    let mut found = Vec::new();
    for ModelWindow { geometry, counts } in windows {
        if geometry.window().level() != level {
            continue;
        }
        let questions = positions
            .clone()
            .map(|at| counts.question(geometry, frame, at));
        let questions: Vec<_> = questions.collect();
        let mut histograms = Vec::new();
        counts.histograms(&questions, &mut histograms)?;
        found.push(histograms);
    }
    let each = positions.enumerate().map(|(at, position)| {
        let bit = frame.get(position);
        let smallest_first = found.iter().rev().map(|histograms| {
            let histogram = histograms[at].unwrap_or_default();
            (histogram, one_of(bit, histogram))
        });
        information(bit, smallest_first)
    });
    Ok(each.collect())
}

/// How often the bits of some training latents followed their contexts, at each window.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnCounts {
    windows: Vec<FxHashMap<ContextKey, Taken>>,
}

impl OwnCounts {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.windows.iter_mut().for_each(FxHashMap::clear);
    }
}
