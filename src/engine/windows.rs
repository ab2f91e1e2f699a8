//! Which windows of an index know latents best that it has not seen.

use serde::Serialize;

use super::{EngineError, Session};
use crate::base::Observer;
use crate::latent::{LatentSet, Level};
use crate::model::{Fit, fit};
use crate::window::Window;

/// What every window of an index is worth on held-out latents.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WindowsReport {
    /// Held-out latents that were looked at.
    pub latents: usize,
    /// The levels, coarse to fine; one for latents of one level.
    pub levels: Vec<LevelWindows>,
}

/// The windows of one level.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LevelWindows {
    /// Its grid, `HxWxK`.
    pub shape: String,
    /// Its bits: what a model that knows nothing needs.
    pub bits: usize,
    /// The window of which held-out latents take the fewest bits; of equal ones the smallest.
    pub best: Option<String>,
    /// Every window that the index answers and has counted, smallest first.
    pub windows: Vec<WindowWorth>,
}

/// What one window is worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WindowWorth {
    /// The window.
    pub window: String,
    /// Distinct contexts of the training latents as a share of all: 1 when each occurs once, and can only be copied.
    pub distinct: f64,
    /// Share of the held-out bits that it supports: whose context and bit occurred together.
    pub supported: f64,
    /// Share of the held-out bits whose context occurred.
    pub known: f64,
    /// Bits that the level of a held-out latent takes, at the mean.
    pub bits: f64,
}

impl Session {
    /// Measures every window of the index that has been counted on held-out latents, at most `limit` of them: how many bits a
    /// latent takes by its counts alone (Krichevsky and Trofimov 1981; a bit where a context never occurred), and how much it
    /// supports.
    ///
    /// Useful to choose a window: one that is too small does not know what follows; one that is too large has not seen what unseen
    /// latents need, and can only copy.
    ///
    /// ```
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
    /// let report = session.measure_windows(&set, 1000, &Unobserved)?;
    /// let windows = &report.levels[0].windows;
    /// assert_eq!((windows[2].window.as_str(), windows[2].supported), ("seq:3", 1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Request`] for held-out latents of another shape, or without labels where they are needed;
    /// [`EngineError::NoSamples`] for none; [`EngineError::Index`].
    pub fn measure_windows(
        &self,
        held_out: &LatentSet,
        limit: usize,
        observer: &dyn Observer,
    ) -> Result<WindowsReport, EngineError> {
        self.check_held_out(held_out)?;
        let held_out = held_out.clone().first(limit);
        let labels = self.label_numbers(&held_out)?;
        let windows = self.index.all_windows().count();
        observer.stage("windows", (windows * held_out.len()) as u64, "latents");
        let shape = self.index.shape();
        let levels = shape.levels().iter();
        let levels = levels.map(|level| self.level_windows(level, &held_out, &labels, observer));
        Ok(WindowsReport {
            latents: held_out.len(),
            levels: levels.collect::<Result<_, _>>()?,
        })
    }

    fn level_windows(
        &self,
        level: &Level,
        held_out: &LatentSet,
        labels: &[u64],
        observer: &dyn Observer,
    ) -> Result<LevelWindows, EngineError> {
        let own = |window: Window| window.level() == level.number();
        let all = self.index.all_windows();
        let mut all: Vec<_> = all.filter(|held| own(held.geometry().window())).collect();
        all.sort_by_key(|held| held.geometry().context_bits());
        let mut windows = Vec::new();
        for held in &all {
            let Some(entry) = held.entry() else { continue };
            let Fit {
                bits,
                supported,
                known,
            } = fit(held.geometry(), held, held_out, labels, observer)?;
            windows.push(WindowWorth {
                window: held.geometry().window().to_string(),
                distinct: entry.distinct as f64 / (entry.contexts as f64).max(1.0),
                supported,
                known,
                bits,
            });
        }
        let best = windows.iter().min_by(|a, b| a.bits.total_cmp(&b.bits));
        Ok(LevelWindows {
            shape: level.to_string(),
            bits: level.bits(),
            best: best.map(|best| best.window.clone()),
            windows,
        })
    }
}
