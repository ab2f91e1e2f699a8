//! Verdicts on samples, by held-out latents or by how they looked earlier.

use std::ops::Range;
use std::path::Path;

use super::{CopyRequest, Copying, EngineError, Session, TraceRequest};
use crate::base::Observer;
use crate::copies::{Calibration, CopyCount, Verdict, check_measure};
use crate::latent::LatentSet;
use crate::samples::SampleSet;

/// What samples are judged by.
#[derive(Clone, Copy)]
pub enum JudgeBy<'a> {
    /// Latents that were not indexed, drawn as the training latents were.
    HeldOut {
        /// The latents.
        latents: &'a LatentSet,
        /// What they are called.
        name: &'a Path,
        /// A file to keep how they looked in, written before any sample is judged.
        keep: Option<&'a Path>,
    },
    /// How held-out latents looked: a file of an earlier run.
    Calibration(&'a Path),
    /// The same, at hand.
    Calibrated(&'a Calibration),
}

impl JudgeBy<'_> {
    /// Returns how many latents are looked at before any sample is.
    fn latents(&self) -> usize {
        match self {
            Self::HeldOut { latents, .. } => latents.len(),
            Self::Calibration(_) | Self::Calibrated(_) => 0,
        }
    }
}

/// The verdicts on some samples, and what they were judged by.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Judged {
    /// How held-out latents look.
    pub calibration: Calibration,
    /// Number of the first sample that was judged.
    pub first: usize,
    /// The verdict on each sample from that one on.
    pub each: Vec<Verdict>,
    /// How many of them are called copies.
    pub count: CopyCount,
}

impl Judged {
    /// Returns the verdict on a sample, if it was judged.
    pub fn of(&self, sample: usize) -> Option<&Verdict> {
        self.each.get(sample.checked_sub(self.first)?)
    }

    /// Returns the verdicts on some of the samples.
    #[must_use]
    pub fn only(&self, samples: Range<usize>) -> Self {
        let place = |sample: usize| sample.saturating_sub(self.first).min(self.each.len());
        let (start, end) = (place(samples.start), place(samples.end));
        let each = self.each[start.min(end)..end].to_vec();
        Self {
            first: self.first + start,
            count: CopyCount::new(&self.calibration, self.count.false_alarms, &each),
            calibration: self.calibration.clone(),
            each,
        }
    }
}

impl Session {
    /// Judges the samples of a trace: against the training latents that they were generated with, or against all, as the request
    /// has it.
    ///
    /// # Errors
    /// [`EngineError::Copies`] for a file that is no calibration, or one against something else; [`EngineError::Request`] for latents
    /// of another shape than the index's; [`EngineError::NoSamples`] without held-out latents; as [`Session::copying_as_generated`].
    pub fn judge(
        &self,
        samples: &SampleSet,
        of: &TraceRequest,
        by: JudgeBy<'_>,
        request: &CopyRequest,
        observer: &dyn Observer,
    ) -> Result<Judged, EngineError> {
        request.check()?;
        let range = of.range(samples);
        let latents = range.len() + by.latents();
        let copying = match of.all_latents {
            true => self.copying(latents, observer)?,
            false => self.copying_as_generated(samples, latents, observer)?,
        };
        // Before the held-out latents are looked at, which takes longest.
        copying.check_shape(&samples.latents, "the samples")?;
        let calibration = copying.calibration(by, observer)?;
        copying.judged(&samples.latents, range, calibration, request, observer)
    }
}

impl Copying {
    /// Calibrates by held-out latents, or reads how they looked.
    fn calibration(
        &self,
        by: JudgeBy<'_>,
        observer: &dyn Observer,
    ) -> Result<Calibration, EngineError> {
        match by {
            JudgeBy::HeldOut {
                latents,
                name,
                keep,
            } => {
                let calibration = self.calibrate(latents, name, observer)?;
                if let Some(path) = keep {
                    calibration.write(path)?;
                }
                Ok(calibration)
            }
            JudgeBy::Calibration(path) => {
                let calibration = Calibration::read(path)?;
                check_measure(&calibration, self.measure(), Some(path.to_owned()))?;
                Ok(calibration)
            }
            // Whoever judges by it looks whether it is of this index.
            JudgeBy::Calibrated(calibration) => Ok(calibration.clone()),
        }
    }

    /// Judges some samples by a calibration, with how many of them are called copies.
    ///
    /// # Errors
    /// As [`Copying::judge`].
    pub fn judged(
        &self,
        samples: &LatentSet,
        range: Range<usize>,
        calibration: Calibration,
        request: &CopyRequest,
        observer: &dyn Observer,
    ) -> Result<Judged, EngineError> {
        let first = range.start;
        let each = self.judge(samples, range, &calibration, request, observer)?;
        Ok(Judged {
            count: CopyCount::new(&calibration, request.false_alarms, &each),
            calibration,
            first,
            each,
        })
    }
}
