//! How well a model knows latents: bits per latent, the negative log₂ likelihood, exact. And the model without
//! a network: the index itself, with back-off and a prior.

use rayon::prelude::*;
use serde::Serialize;

use crate::base::Observer;
use crate::base::random::uniform_at;
use crate::index::{Counts, Histogram, IndexError, Question};
use crate::latent::LatentSet;
use crate::window::{Frame, Geometry, Given};

/// How the counts of several windows become one probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Smoothing {
    /// (n₁ + ½) / (n + 1) at the largest window that has a match, ½ where none has: the estimator of
    /// Krichevsky and Trofimov (1981).
    Backoff,
    /// (n₁ + p) / (n + 1), with p what the next smaller window says, ½ below the last: a Dirichlet prior of
    /// weight 1 around the smaller window (MacKay & Peto 1995).
    Blend,
}

/// The index as a model: a probability for every bit of every latent.
///
/// ```
/// use bitquilt::model::{CountModel, Smoothing};
/// # use bitquilt::{BuildOptions, Given, Index, LatentSet, Shape, Unobserved, build};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
/// # let index = Index::open(&path)?;
/// # let window = index.window("seq:3".parse()?)?;
/// let model = CountModel {
///     windows: vec![(window.geometry(), &window)],
///     smoothing: Smoothing::Backoff,
/// };
/// let bits = model.bits(&set, &[], &Unobserved)?;
/// assert!(bits.iter().all(|bits| *bits < 6.0), "all 64 latents alike take 6 bits each");
/// // The same seed draws the same latent.
/// assert_eq!(model.sample(Given::NOTHING, 7)?, model.sample(Given::NOTHING, 7)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CountModel<'a> {
    /// Windows, of each level largest first, with what followed their contexts. All on latents of one shape.
    pub windows: Vec<(&'a Geometry, &'a dyn Counts)>,
    /// How their counts become a probability.
    pub smoothing: Smoothing,
}

/// Returns the probability of a bit by a histogram and what the next smaller window says of it: [`Smoothing::Blend`].
pub(crate) fn blend(histogram: Histogram, bit: bool, smaller: f64) -> f64 {
    (histogram.count(bit) as f64 + smaller) / (histogram.total() as f64 + 1.0)
}

impl CountModel<'_> {
    /// Returns the probability of a 1 by the histograms of a bit's contexts, largest window first.
    fn probability(&self, found: impl DoubleEndedIterator<Item = Histogram>) -> f64 {
        match self.smoothing {
            Smoothing::Backoff => {
                let mut found = found;
                let first = found.find(|histogram| histogram.total() > 0);
                let histogram = first.unwrap_or_default();
                (histogram.n1 as f64 + 0.5) / (histogram.total() as f64 + 1.0)
            }
            Smoothing::Blend => found
                .rev()
                .fold(0.5, |smaller, histogram| blend(histogram, true, smaller)),
        }
    }

    /// Returns the probability of a 1 at `position`, given the bits before it in `frame`.
    ///
    /// # Errors
    /// Whatever the index reports.
    pub fn of_position(&self, frame: &mut Frame, position: usize) -> Result<f64, IndexError> {
        let mut found = Vec::with_capacity(self.windows.len());
        for (geometry, counts) in &self.windows {
            if !geometry.positions().contains(&position) {
                continue;
            }
            let question = counts.question(geometry, frame, position);
            let histogram = counts.histogram(&question)?;
            found.push(histogram.unwrap_or_default());
        }
        Ok(self.probability(found.into_iter()))
    }

    /// Draws a latent bit by bit from the model, of the label that is given where contexts are bound to labels. The
    /// latent is a function of the seed, packed as a row of a latent set.
    ///
    /// # Errors
    /// Whatever the index reports.
    pub fn sample(&self, given: Given, seed: u64) -> Result<Vec<u8>, IndexError> {
        let geometries: Vec<_> = self.windows.iter().map(|(geometry, _)| *geometry).collect();
        let Some(shape) = geometries.first().map(|geometry| geometry.shape()) else {
            return Ok(Vec::new());
        };
        let mut frame = Frame::new(shape, &geometries);
        frame.begin(given);
        for position in 0..shape.bits() {
            let one = self.of_position(&mut frame, position)?;
            frame.set(position, uniform_at(position as u64, seed) < one);
        }
        Ok(frame.to_packed())
    }

    /// Returns how many bits each latent takes; `labels` gives the number of each one's label, or none where contexts
    /// are of any label. One batch of lookups for each latent and window.
    ///
    /// # Errors
    /// [`IndexError::Input`] for labels that are not one for each latent; whatever the index reports.
    pub fn bits(
        &self,
        latents: &LatentSet,
        labels: &[u64],
        observer: &dyn Observer,
    ) -> Result<Vec<f64>, IndexError> {
        let levels = self.bits_of_levels(latents, labels, observer)?;
        Ok(levels.iter().map(|levels| levels.iter().sum()).collect())
    }

    /// Returns as [`CountModel::bits`] how many bits each level of each latent takes, coarse to fine.
    ///
    /// # Errors
    /// As [`CountModel::bits`].
    pub fn bits_of_levels(
        &self,
        latents: &LatentSet,
        labels: &[u64],
        observer: &dyn Observer,
    ) -> Result<Vec<Vec<f64>>, IndexError> {
        let shape = latents.shape();
        let geometries: Vec<_> = self.windows.iter().map(|(geometry, _)| *geometry).collect();
        let bound = geometries.iter().any(|geometry| geometry.labels() > 0);
        if labels.len() != latents.len() && (bound || !labels.is_empty()) {
            return Err(IndexError::Input(format!(
                "expected {} label numbers, one for each latent, found {}",
                latents.len(),
                labels.len()
            )));
        }
        let each = (0..latents.len()).into_par_iter().map(|id| {
            observer.check()?;
            let mut frame = Frame::new(shape, &geometries);
            let given = labels.get(id).map_or(Given::NOTHING, |n| Given::label(*n));
            frame.load(latents.packed_latent(id), given);
            let mut found: Vec<Vec<Option<Histogram>>> = Vec::new();
            for (geometry, counts) in &self.windows {
                found.push(histograms_of(geometry, *counts, &mut frame)?);
            }
            let levels = shape.levels().iter().map(|level| {
                let own = self.windows.iter().zip(&found);
                let own = own.filter(|((geometry, _), _)| geometry.level() == level);
                let mut bits = 0.0;
                for (at, position) in level.positions().enumerate() {
                    let histograms = own.clone().map(|(_, found)| found[at].unwrap_or_default());
                    let one = self.probability(histograms);
                    bits -= if frame.get(position) { one } else { 1.0 - one }.log2();
                }
                bits
            });
            let levels = levels.collect();
            observer.advance(1);
            Ok(levels)
        });
        each.collect()
    }
}

/// Returns what followed the context of each bit of a window's level, in one batch of lookups.
pub(super) fn histograms_of(
    geometry: &Geometry,
    counts: &dyn Counts,
    frame: &mut Frame,
) -> Result<Vec<Option<Histogram>>, IndexError> {
    let positions = geometry.positions();
    let questions = positions.map(|position| counts.question(geometry, frame, position));
    let questions: Vec<Question> = questions.collect();
    let mut histograms = Vec::new();
    counts.histograms(&questions, &mut histograms)?;
    Ok(histograms)
}

/// Returns the negative log₂ likelihood of bits by the logits of a 1.
///
/// ```
/// use bitquilt::model::bits_of_logits;
///
/// // A logit of 0 is a probability of ½: one bit for each.
/// assert!((bits_of_logits(&[0.0, 0.0], [true, false].into_iter()) - 2.0).abs() < 1e-12);
/// ```
pub fn bits_of_logits(logits: &[f32], bits: impl Iterator<Item = bool>) -> f64 {
    let nats = logits.iter().zip(bits).map(|(logit, bit)| {
        let wrong = if bit {
            -f64::from(*logit)
        } else {
            f64::from(*logit)
        };
        // softplus, without overflow
        wrong.max(0.0) + (-wrong.abs()).exp().ln_1p()
    });
    nats.sum::<f64>() / std::f64::consts::LN_2
}

/// What a model knows of training latents and of others, in bits per latent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BitsReport {
    /// `count`, `count, blended`, or the kind of network.
    pub model: String,
    /// Mean over training latents.
    pub train: f64,
    /// Mean over latents that were not indexed.
    pub held_out: Option<f64>,
    /// `held_out` − `train`: what the model has memorized, in bits.
    pub gap: Option<f64>,
}

impl BitsReport {
    /// Averages the bits that each latent takes.
    pub fn new(model: impl Into<String>, train: &[f64], held_out: Option<&[f64]>) -> Self {
        let mean = |bits: &[f64]| bits.iter().sum::<f64>() / bits.len().max(1) as f64;
        let (train, held_out) = (mean(train), held_out.map(mean));
        Self {
            model: model.into(),
            train,
            held_out,
            gap: held_out.map(|held_out| held_out - train),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Unobserved;
    use crate::latent::Shape;
    use crate::window::{Anchor, Window};

    /// Answers from a plain table of counts after the last bits.
    struct Table<'a>(&'a [(Vec<u8>, u64, u64)]);

    impl Counts for Table<'_> {
        fn histogram(&self, question: &Question) -> Result<Option<Histogram>, IndexError> {
            let Question::Key(key) = question else {
                return Ok(None);
            };
            let found = self.0.iter().find(|(own, ..)| own == key.as_bytes());
            Ok(found.map(|(_, n0, n1)| Histogram { n0: *n0, n1: *n1 }))
        }

        fn has_upper(&self, _: &crate::index::UpperQuestion) -> Result<bool, IndexError> {
            Ok(true)
        }
    }

    #[test]
    fn bits_are_those_of_plain_arithmetic() {
        let shape = Shape::new(1, 3, 1).unwrap();
        let windows = [2, 1]
            .map(|length| Geometry::new(Window::Sequence { length }, Anchor::None, shape).unwrap());
        let mut set = LatentSet::new(shape);
        set.push_bits([true, false, true]).unwrap();
        let mut frame = Frame::new(shape, &[&windows[0], &windows[1]]);
        frame.load(set.packed_latent(0), Given::NOTHING);
        let mut key = |window: usize, position| {
            windows[window]
                .key(&mut frame, position)
                .as_bytes()
                .to_vec()
        };
        // The larger window knows the first two bits, the smaller all of them.
        let large = [(key(0, 0), 1, 3), (key(0, 1), 2, 0)];
        let small = [(key(1, 0), 5, 5), (key(1, 1), 4, 4), (key(1, 2), 1, 6)];
        let (large, small) = (Table(&large), Table(&small));
        let model = |smoothing| CountModel {
            windows: vec![(&windows[0], &large), (&windows[1], &small)],
            smoothing,
        };
        let log = |p: f64| -p.log2();
        // Bit 0 is 1: (3 + ½) / 5. Bit 1 is 0: (2 + ½) / 3. Bit 2 is 1, by the smaller: (6 + ½) / 8.
        let expected = log(3.5 / 5.0) + log(2.5 / 3.0) + log(6.5 / 8.0);
        let found = model(Smoothing::Backoff)
            .bits(&set, &[0], &Unobserved)
            .unwrap();
        assert!((found[0] - expected).abs() < 1e-12);
        // Blended: the smaller window's own estimate is the prior of the larger one.
        let [p0, p1, p2] = [5.5 / 11.0, 4.5 / 9.0, 6.5 / 8.0];
        let expected = log((3.0 + p0) / 5.0) + log(1.0 - (0.0 + p1) / 3.0) + log(p2);
        let found = model(Smoothing::Blend)
            .bits(&set, &[0], &Unobserved)
            .unwrap();
        assert!((found[0] - expected).abs() < 1e-12);
    }

    #[test]
    fn samples_follow_the_probabilities() {
        let shape = Shape::new(1, 1, 1).unwrap();
        let window = Geometry::new(Window::Global, Anchor::None, shape).unwrap();
        let key = window.key(&mut Frame::new(shape, &[&window]), 0);
        let table = [(key.as_bytes().to_vec(), 7, 2)];
        let table = Table(&table);
        let model = CountModel {
            windows: vec![(&window, &table)],
            smoothing: Smoothing::Backoff,
        };
        let ones = (0..4000).filter(|seed| model.sample(Given::NOTHING, *seed).unwrap()[0] == 1);
        // Six standard errors: 6·√(0.25 · 0.75 / 4,000) = 0.041.
        let share = ones.count() as f64 / 4000.0;
        assert!((share - 0.25).abs() < 0.041, "{share}");
    }

    #[test]
    fn logits_of_any_size_have_finite_bits() {
        let bits = bits_of_logits(
            &[0.0, 100.0, -1000.0, 3.0],
            [true, true, true, false].into_iter(),
        );
        let expected = 1.0
            + 0.0
            + 1000.0 / std::f64::consts::LN_2
            + 3.048_587_351_573_742 / std::f64::consts::LN_2;
        assert!((bits - expected).abs() < 1e-9, "{bits}");
    }
}
