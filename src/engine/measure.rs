//! The index as a model of latents.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_with::{DisplayFromStr, serde_as};

use super::{EngineError, Preload, Session};
use crate::base::Observer;
use crate::index::{Counts, Resident, WindowIndex};
use crate::latent::LatentSet;
use crate::model::{BitsReport, CountModel, Smoothing};
use crate::window::{Condition, Geometry, Window};

/// How the counts of an index are measured as a model.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CountsRequest {
    /// The windows, each nested in the one of its level before. With none of a level, the largest of the index and those that
    /// nest in it.
    #[serde_as(as = "Vec<DisplayFromStr>")]
    pub windows: Vec<Window>,
    /// Latents of each set to look at: the first ones.
    pub limit: usize,
}

impl Default for CountsRequest {
    fn default() -> Self {
        Self {
            windows: Vec::new(),
            limit: 1000,
        }
    }
}

/// Bits per latent by the counts of an index.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CountsReport {
    /// The windows, of each level largest first.
    pub windows: Vec<String>,
    /// Bits of a latent: what a model that knows nothing needs.
    pub bits: usize,
    /// Training latents that were looked at. Their own occurrences are among the counts.
    pub latents_train: usize,
    /// Held-out latents that were looked at.
    pub latents_held_out: Option<usize>,
    /// One for each way in which counts become a probability.
    pub models: Vec<BitsReport>,
    /// The same for each level of pyramids; none of latents of one level.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelCounts>,
}

/// Bits of one level by the counts of an index.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LevelCounts {
    /// Its grid, `HxWxK`.
    pub shape: String,
    /// Its bits.
    pub bits: usize,
    /// As [`CountsReport::models`].
    pub models: Vec<BitsReport>,
}

impl Session {
    /// Measures the counts of the index as a model: negative log₂ likelihoods, exact, of training latents and of held-out
    /// ones.
    ///
    /// ```
    /// use bitquilt::engine::CountsRequest;
    /// # use bitquilt::engine::{Session, SessionOptions};
    /// # use bitquilt::{BuildOptions, LatentSet, Shape, Unobserved, build};
    /// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
    /// # for bits in ["101100", "111010"] {
    /// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
    /// # }
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("index");
    /// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
    /// # let session = Session::open(&path, &SessionOptions::default())?;
    /// let report = session.measure_counts(&CountsRequest::default(), Some(&set), &Unobserved)?;
    /// assert_eq!(report.bits, 6);
    /// for model in &report.models {
    ///     assert!(model.train < 6.0, "{} knows something of what was indexed", model.model);
    ///     assert_eq!(model.gap, Some(0.0), "the held-out set is the training set here");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError::WindowOrder`], [`EngineError::Request`] for held-out latents of another shape or without labels where
    /// they are needed, [`EngineError::NoSamples`] for none; [`EngineError::Memory`], [`EngineError::Index`].
    pub fn measure_counts(
        &self,
        request: &CountsRequest,
        held_out: Option<&LatentSet>,
        observer: &dyn Observer,
    ) -> Result<CountsReport, EngineError> {
        let windows = self.model_windows(&request.windows)?;
        let shape = self.index.shape();
        let training = self.training(observer)?.first(request.limit);
        let held_out = held_out.map(|set| set.clone().first(request.limit));
        let mut sets = vec![(&training, self.label_numbers(&training)?)];
        if let Some(set) = &held_out {
            self.check_held_out(set)?;
            sets.push((set, self.label_numbers(set)?));
        }
        let latents: usize = sets.iter().map(|(set, _)| set.len()).sum();
        let lookups = 2 * latents as u64 * shape.bits() as u64;
        let tables = self.tables(&windows, Preload::Auto, |_| lookups, 0, observer)?;
        let mut models = Vec::new();
        let grids = shape.levels().iter().filter(|_| shape.is_pyramid());
        let mut levels: Vec<LevelCounts> = grids
            .map(|level| LevelCounts {
                shape: level.to_string(),
                bits: level.bits(),
                models: Vec::new(),
            })
            .collect();
        for (name, smoothing) in [
            ("back-off", Smoothing::Backoff),
            ("blended", Smoothing::Blend),
        ] {
            let model = count_model(&windows, &tables, smoothing);
            observer.stage(name, latents as u64, "latents");
            let each = sets
                .iter()
                .map(|(set, labels)| model.bits_of_levels(set, labels, observer));
            let each = each.collect::<Result<Vec<_>, _>>()?;
            let report = |of: &dyn Fn(&Vec<f64>) -> f64| {
                let bits = |latents: &Vec<Vec<f64>>| latents.iter().map(of).collect::<Vec<_>>();
                BitsReport::new(name, &bits(&each[0]), each.get(1).map(bits).as_deref())
            };
            models.push(report(&|levels| levels.iter().sum()));
            for (number, level) in levels.iter_mut().enumerate() {
                level.models.push(report(&|levels| levels[number]));
            }
        }
        Ok(CountsReport {
            windows: windows
                .iter()
                .map(|held| held.geometry().window().to_string())
                .collect(),
            bits: shape.bits(),
            latents_train: training.len(),
            latents_held_out: held_out.as_ref().map(LatentSet::len),
            models,
            levels,
        })
    }

    /// Refuses held-out latents of another shape than the index's, and none.
    pub(super) fn check_held_out(&self, set: &LatentSet) -> Result<(), EngineError> {
        let shape = self.index.shape();
        if set.shape() != shape {
            return Err(EngineError::Request {
                part: "the held-out latents",
                why: format!(
                    "expected {shape} latents, as the index holds, found {}",
                    set.shape()
                ),
            });
        }
        match set.is_empty() {
            true => Err(EngineError::NoSamples),
            false => Ok(()),
        }
    }

    /// Returns the windows of a model, level by level, largest first.
    fn model_windows(&self, asked: &[Window]) -> Result<Vec<WindowIndex<'_>>, EngineError> {
        let mut all = Vec::new();
        for level in self.index.shape().levels() {
            let own = |window: &Window| window.level() == level.number();
            let asked: Vec<_> = asked.iter().copied().filter(own).collect();
            if asked.is_empty() {
                all.extend(self.nested(level.number()));
                continue;
            }
            for pair in asked.windows(2) {
                if pair[0] == pair[1] || !pair[1].nests_in(pair[0]) {
                    return Err(EngineError::WindowOrder {
                        first: pair[0],
                        second: pair[1],
                    });
                }
            }
            let held = asked.iter().map(|window| self.index.window(*window));
            all.extend(held.collect::<Result<Vec<_>, _>>()?);
        }
        // Windows of levels that there are not are refused by name.
        let levels = self.index.shape().levels().len();
        for window in asked.iter().filter(|window| window.level() >= levels) {
            self.index.window(*window)?;
        }
        Ok(all)
    }

    /// Returns the largest window that the index names of a level, and those that nest in it, largest first.
    fn nested(&self, level: usize) -> Vec<WindowIndex<'_>> {
        let named = self.index.windows();
        let named = named.filter(|held| held.geometry().window().level() == level);
        let mut held: Vec<_> = named.collect();
        held.sort_by_key(|held| Reverse(held.geometry().context_bits()));
        let largest = held.first().map(|held| held.geometry().window());
        held.retain(|held| {
            let own = held.geometry().window();
            largest.is_some_and(|largest| own.nests_in(largest))
        });
        held
    }

    /// Returns the number of each latent's label where contexts are bound to them; none where they are not.
    pub(super) fn label_numbers(&self, set: &LatentSet) -> Result<Vec<u64>, EngineError> {
        match (self.index.condition(), set.labels()) {
            (Condition::None, _) => Ok(Vec::new()),
            (Condition::Label, Some(labels)) => {
                let numbers = labels.iter().map(|label| self.index.label_number(*label));
                Ok(numbers.collect::<Result<_, _>>()?)
            }
            (Condition::Label, None) => Err(EngineError::Request {
                part: "the held-out latents",
                why: format!(
                    "expected a label for each, since contexts of {} are bound to labels",
                    self.index.path().display()
                ),
            }),
        }
    }
}

fn count_model<'a>(
    windows: &'a [WindowIndex<'a>],
    tables: &'a [Option<Arc<Resident>>],
    smoothing: Smoothing,
) -> CountModel<'a> {
    CountModel {
        windows: answering(windows, tables),
        smoothing,
    }
}

/// Returns windows with what answers for them: their table, where one is in memory.
pub(super) fn answering<'a>(
    windows: &'a [WindowIndex<'a>],
    tables: &'a [Option<Arc<Resident>>],
) -> Vec<(&'a Geometry, &'a dyn Counts)> {
    let pairs = windows.iter().zip(tables).map(|(window, table)| {
        let counts: &dyn Counts = match table {
            Some(table) => &**table,
            None => window,
        };
        (window.geometry(), counts)
    });
    pairs.collect()
}
