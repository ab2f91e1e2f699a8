//! Whether samples copy, from where, and how sure that is.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::measure::answering;
use super::{EngineError, MaxCopied, Preload, Session};
use crate::base::Observer;
use crate::copies::{
    Calibration, Carried, CopiesError, CopyFinder, CopyLimit, CopyWorker, Evidence, HeldOut, Judge,
    Measure, Verdict, check_measure, scores,
};
use crate::index::{Index, Resident, Source, WindowIndex};
use crate::latent::LatentSet;
use crate::provenance::Corpus;
use crate::samples::SampleSet;
use crate::window::{Direction, Window};

/// Sites of the windows of the model of honest data: 7x7, 5x5, 3x3; and less, where sites have several channels and larger contexts
/// are all different.
const SITES: [usize; 3] = [24, 12, 4];
const FEW_SITES: [usize; 3] = [2, 1, 0];
/// The largest radius of a window of a finer level in the model.
const RADIUS: usize = 3;

/// Samples no likelier than that are looked at for more than one part.
const DOUBTFUL: f64 = 0.05;

/// How samples are judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CopyRequest {
    /// The share of honest latents that may be called copies.
    pub false_alarms: f64,
    /// Parts of each level to tell of samples that look like copies.
    pub max_parts: usize,
}

impl Default for CopyRequest {
    fn default() -> Self {
        Self {
            false_alarms: 0.01,
            max_parts: 4,
        }
    }
}

impl CopyRequest {
    /// Refuses a rate that is no share of latents.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        // Written so that no number is refused too.
        if self.false_alarms > 0.0 && self.false_alarms < 1.0 {
            return Ok(());
        }
        Err(EngineError::Request {
            part: "the rate of false alarms",
            why: format!(
                "the rate of false alarms: expected a number above 0 and below 1, as 0.01, found {}",
                self.false_alarms
            ),
        })
    }
}

/// An index ready to tell copies: its training latents and the windows of the model of honest data in memory.
pub struct Copying {
    pub(super) index: Arc<Index>,
    pub(super) corpus: Arc<Corpus>,
    measure: Measure,
    model: Vec<Window>,
    tables: Vec<Option<Arc<Resident>>>,
    deepest: Vec<Window>,
}

impl Session {
    /// Prepares to look for copies in so many latents, of the training latents that some samples were generated with.
    ///
    /// # Errors
    /// [`EngineError::Without`] for latents that the index does not hold; [`EngineError::Provenance`], [`EngineError::Memory`];
    /// whatever the index reports.
    pub fn copying_as_generated(
        &self,
        samples: &SampleSet,
        latents: usize,
        observer: &dyn Observer,
    ) -> Result<Copying, EngineError> {
        match self.as_generated(samples)? {
            Some(other) => other.copying(latents, observer),
            None => self.copying(latents, observer),
        }
    }

    /// Prepares to look for copies in so many latents.
    ///
    /// # Errors
    /// [`EngineError::Provenance`], [`EngineError::Memory`]; whatever the index reports.
    pub fn copying(&self, latents: usize, observer: &dyn Observer) -> Result<Copying, EngineError> {
        let mut deepest = Vec::new();
        let mut model = Vec::new();
        for level in self.index.shape().levels() {
            let window = self.deepest_of(level.number())?;
            deepest.push(window.geometry().window());
            model.extend(self.honest_windows(&window, level.channels())?);
        }
        let windows = model.iter().map(|window| self.index.window(*window));
        let windows: Vec<WindowIndex<'_>> = windows.collect::<Result<_, _>>()?;
        let corpus = self.corpus(observer)?;
        let lookups = latents as u64 * self.index.shape().bits() as u64;
        let tables = self.tables(&windows, Preload::Auto, |_| lookups, 0, observer)?;
        let names = |windows: &[Window]| windows.iter().map(Window::to_string).collect();
        let measure = Measure {
            shape: self.index.shape().to_string(),
            latents: corpus.latents() as u64,
            training: corpus.digest(),
            bound_to: [
                self.index.manifest().anchor.to_string(),
                self.index.condition().to_string(),
            ],
            model: names(&model),
            deepest: names(&deepest),
        };
        Ok(Copying {
            index: self.index.clone(),
            corpus,
            measure,
            model,
            tables,
            deepest,
        })
    }

    /// Returns how much at most a share `rate` of latents drawn as the held-out ones of a calibration carry of one training latent, at each
    /// level: what samples may, if they are to look as honest.
    ///
    /// # Errors
    /// [`EngineError::Copies`] for a calibration against something else, named by its file; [`EngineError::Request`] for one of too few
    /// latents; as [`Session::copying`].
    pub fn carried_at(
        &self,
        calibration: &Calibration,
        path: &Path,
        rate: f64,
        observer: &dyn Observer,
    ) -> Result<Vec<MaxCopied>, EngineError> {
        let copying = self.copying(0, observer)?;
        check_measure(calibration, &copying.measure, Some(path.to_owned()))?;
        let Some(carried) = calibration.carried_at(rate) else {
            let held_out = calibration.held_out.latents;
            return Err(EngineError::Request {
                part: "the limit on copying",
                why: format!(
                    "{}: its {held_out} held-out latents tell no share below {:.4}, asked for {rate}: hold out more",
                    path.display(),
                    1.0 / (held_out as f64 + 1.0)
                ),
            });
        };
        let levels = carried.into_iter().enumerate();
        let limits = levels.map(|(level, bits)| MaxCopied {
            level: Some(level),
            bits,
        });
        Ok(limits.collect())
    }

    /// Returns the windows of the model of honest data at one level, largest first.
    fn honest_windows(
        &self,
        deepest: &WindowIndex<'_>,
        channels: usize,
    ) -> Result<Vec<Window>, EngineError> {
        let window = deepest.geometry().window();
        let parts = deepest.whole_parts();
        let mut model: Vec<Window> = if window.level() > 0 {
            let near = |part: &Window| part.of_level().is_some_and(|(radius, _)| radius <= RADIUS);
            parts.iter().copied().filter(near).collect()
        } else if window.direction() == Direction::Line {
            let lengths = SITES.iter().chain(&FEW_SITES).map(|sites| sites * channels);
            let fitting = |length: usize| {
                let fits = |part: &&Window| matches!(part, Window::Sequence { length: own } if *own <= length);
                parts.iter().find(fits).copied()
            };
            lengths.filter_map(fitting).collect()
        } else {
            let few = FEW_SITES.iter().filter(|_| channels > 1);
            let sites = SITES
                .iter()
                .chain(few)
                .map(|sites| Window::of_sites(*sites));
            sites
                .filter(|window| self.index.window(*window).is_ok())
                .collect()
        };
        model.dedup();
        if model.is_empty() {
            model.extend(parts.last());
        }
        Ok(model)
    }
}

/// The windows by which copies are found.
pub(super) struct CopyingWindows<'a> {
    /// Those of the model of honest data.
    model: Vec<WindowIndex<'a>>,
    /// The deepest one of each level.
    deepest: Vec<WindowIndex<'a>>,
}

impl Copying {
    /// Returns what samples are measured against.
    pub fn measure(&self) -> &Measure {
        &self.measure
    }

    /// Returns the windows by which copies are found.
    ///
    /// # Errors
    /// Whatever the index reports.
    pub(super) fn windows(&self) -> Result<CopyingWindows<'_>, EngineError> {
        let windows = |names: &[Window]| {
            let windows = names.iter().map(|window| self.index.window(*window));
            windows.collect::<Result<Vec<_>, _>>()
        };
        Ok(CopyingWindows {
            model: windows(&self.model)?,
            deepest: windows(&self.deepest)?,
        })
    }

    /// Returns a limit on what latents carry of one training latent, by level, in bits.
    pub(super) fn limit<'a>(
        &'a self,
        windows: &'a CopyingWindows<'a>,
        most: &[Option<f64>],
    ) -> CopyLimit<'a> {
        let model = answering(&windows.model, &self.tables);
        CopyLimit::new(&self.corpus, &model, &windows.deepest, most)
    }

    /// Hands the finder of copies to `with`.
    ///
    /// # Errors
    /// Whatever the index reports, or `with` returns.
    fn with_finder<T>(
        &self,
        observer: &dyn Observer,
        with: impl FnOnce(&CopyFinder<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let windows = self.windows()?;
        let model = answering(&windows.model, &self.tables);
        let deepest = &windows.deepest;
        let finder = CopyFinder::new(&self.index, &self.corpus, &model, deepest, observer)?;
        with(&finder)
    }

    /// Returns what each of some latents carries most of any one training latent, level by level, in bits.
    ///
    /// # Errors
    /// [`EngineError::Request`] for latents of another shape; whatever the index reports.
    pub fn carried(
        &self,
        latents: &LatentSet,
        observer: &dyn Observer,
    ) -> Result<Vec<Vec<f64>>, EngineError> {
        self.check_shape(latents, "the latents")?;
        let windows = self.windows()?;
        let all = vec![Some(0.0); self.index.shape().levels().len()];
        let limit = self.limit(&windows, &all);
        observer.stage("carried", latents.len() as u64, "latents");
        let each = (0..latents.len()).into_par_iter().map(|number| {
            observer.check().map_err(CopiesError::from)?;
            let label = latents.labels().map(|labels| labels[number]);
            // Of a label that was not seen nothing is carried.
            let levels = match self.index.given_of(label)? {
                None => vec![0.0; all.len()],
                Some(given) => {
                    let found = limit.most_carried(latents.packed_latent(number), given)?;
                    let bits = |found: Option<Carried>| found.map_or(0.0, |found| found.bits);
                    found.into_iter().map(bits).collect()
                }
            };
            observer.advance(1);
            Ok(levels)
        });
        each.collect()
    }

    /// Finds what may be copied of some samples, at most `max_parts` parts of each level.
    ///
    /// # Errors
    /// [`EngineError::Request`] for samples of another shape; whatever the index reports.
    pub fn find(
        &self,
        samples: &LatentSet,
        range: Range<usize>,
        max_parts: usize,
        observer: &dyn Observer,
    ) -> Result<Vec<Vec<Evidence>>, EngineError> {
        self.check_shape(samples, "the samples")?;
        self.with_finder(observer, |finder| {
            let find =
                |worker: &mut CopyWorker<'_, '_>, sample| worker.find(samples, sample, max_parts);
            Ok(finder.find_all(range, observer, find)?)
        })
    }

    /// Calibrates by held-out latents.
    ///
    /// # Errors
    /// As [`Copying::find`]; [`EngineError::NoSamples`] for none.
    pub fn calibrate(
        &self,
        held_out: &LatentSet,
        name: &Path,
        observer: &dyn Observer,
    ) -> Result<Calibration, EngineError> {
        self.check_shape(held_out, "the held-out latents")?;
        if held_out.is_empty() {
            return Err(EngineError::NoSamples);
        }
        let found = self.find(held_out, 0..held_out.len(), 1, observer)?;
        let carried = self.carried(held_out, observer)?;
        let duplicates = found.iter().filter(|levels| {
            let mut wholes = levels.iter().map(|level| level.whole.as_ref());
            wholes.all(|whole| {
                whole.is_some_and(|whole| whole.errors == 0 && (whole.down, whole.right) == (0, 0))
            })
        });
        let source = Source::of(held_out, name.display().to_string());
        let held_out = HeldOut {
            name: source.name,
            latents: source.latents,
            xxh3_128: source.xxh3_128,
            duplicates: duplicates.count() as u64,
        };
        let scores = found.iter().map(|evidence| scores(evidence)).collect();
        let measure = self.measure.clone();
        Ok(Calibration::new(measure, held_out, scores, carried))
    }

    /// Gives the verdict on each of some samples: what is found of them beside what is of held-out latents. Of samples that look
    /// like copies, up to `max_parts` parts of each level are told; of others the one that looks most like it.
    ///
    /// # Errors
    /// As [`Copying::find`]; [`EngineError::Copies`] for a calibration against something else.
    pub fn judge(
        &self,
        samples: &LatentSet,
        range: Range<usize>,
        calibration: &Calibration,
        request: &CopyRequest,
        observer: &dyn Observer,
    ) -> Result<Vec<Verdict>, EngineError> {
        request.check()?;
        check_measure(calibration, &self.measure, None)?;
        self.check_shape(samples, "the samples")?;
        let judge = Judge::new(calibration, request.false_alarms);
        self.with_finder(observer, |finder| {
            let find = |worker: &mut CopyWorker<'_, '_>, sample| {
                let verdict = judge.judge(&worker.find(samples, sample, 1)?);
                if verdict.p > request.false_alarms.max(DOUBTFUL) || request.max_parts <= 1 {
                    return Ok(verdict);
                }
                Ok(judge.judge(&worker.find(samples, sample, request.max_parts)?))
            };
            Ok(finder.find_all(range, observer, find)?)
        })
    }

    pub(super) fn check_shape(
        &self,
        set: &LatentSet,
        what: &'static str,
    ) -> Result<(), EngineError> {
        let shape = self.index.shape();
        match set.shape() == shape {
            true => Ok(()),
            false => Err(EngineError::Request {
                part: what,
                why: format!(
                    "{what}: a verdict needs latents of the index's shape: expected {shape}, found {}",
                    set.shape()
                ),
            }),
        }
    }
}
