//! Proof that samples are supported, and that an index is sound.

use serde::{Deserialize, Serialize};
use serde_with::{DisplayFromStr, serde_as};

use super::{EngineError, Session};
use crate::base::{Observer, Unobserved};
use crate::index::IndexError;
use crate::samples::{SampleSet, verify_from_index, verify_from_latents};
use crate::window::Window;

/// How samples are verified.
#[serde_as]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerifyRequest {
    /// The window for latents that do not say which one answered for each bit; the only one of the index, if `None`.
    #[serde_as(as = "Option<DisplayFromStr>")]
    pub window: Option<Window>,
    /// Count in the training latents alone, whatever the index says.
    pub brute_force: bool,
}

/// Which bits of some samples are supported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Whether every bit is that is not fixed or interpolated.
    pub verified: bool,
    /// Samples.
    pub samples: usize,
    /// Bits that were looked for.
    pub checked: u64,
    /// Bits that the user fixed.
    pub fixed: u64,
    /// Bits that a network answered.
    pub interpolated: u64,
    /// Bits that are not supported.
    pub unsupported: Vec<UnsupportedBit>,
}

/// A bit that is not supported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnsupportedBit {
    /// Its sample.
    pub sample: usize,
    /// Its position.
    pub position: usize,
    /// The window at which it should be.
    pub window: String,
}

impl Session {
    /// Proves the index: checksums of every file, then every posting against the latents; with `brute_force`, every context
    /// counted once more. What is found wrong comes back in words, `None` for nothing.
    ///
    /// # Errors
    /// [`EngineError::Index`] for what keeps it from being read, latents that do not fit the memory among it, or when the
    /// observer asked to stop.
    pub fn verify_index(
        &self,
        brute_force: bool,
        observer: &dyn Observer,
    ) -> Result<Option<String>, EngineError> {
        let memory = self.memory_beside(0);
        let verified = self
            .index
            .verify(memory, observer)
            .and_then(|()| match brute_force {
                true => self.index.verify_by_recount(memory, observer),
                false => Ok(()),
            });
        match verified {
            Ok(()) => Ok(None),
            // What is wrong with the index is the answer here, not a failure to answer.
            Err(error @ (IndexError::Damaged { .. } | IndexError::Store { .. })) => {
                Ok(Some(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Proves samples: each bit that is neither fixed nor interpolated occurred after its context, in the training latents
    /// without those that the samples were generated without.
    ///
    /// # Errors
    /// [`EngineError::NoSamples`], [`EngineError::Request`] for a window where the samples name their own,
    /// [`EngineError::Without`]; [`EngineError::Memory`] where the training latents are asked themselves;
    /// [`EngineError::Samples`] for samples that do not fit the index.
    pub fn verify(
        &self,
        samples: &SampleSet,
        request: &VerifyRequest,
        observer: &dyn Observer,
    ) -> Result<VerifyReport, EngineError> {
        let other = self.as_generated(samples)?;
        let session = other.as_ref().unwrap_or(self);
        if samples.latents.is_empty() {
            return Err(EngineError::NoSamples);
        }
        let says = samples.answered_by.is_some();
        if says && request.window.is_some() {
            return Err(EngineError::Request {
                part: "the window",
                why: "the samples say themselves which window answered for each bit: leave it out"
                    .to_owned(),
            });
        }
        let own = samples.windows.first().copied().filter(|_| says);
        let otherwise = match own {
            Some(window) => window,
            None => session.window(request.window)?,
        };
        let index = &*session.index;
        let report = if request.brute_force {
            let training = session.training(&Unobserved)?;
            let anchor = index.manifest().anchor;
            let condition = index.condition();
            verify_from_latents(&training, anchor, condition, samples, otherwise, observer)?
        } else {
            verify_from_index(index, samples, otherwise, observer)?
        };
        let unsupported = report.unsupported.iter().map(|bit| UnsupportedBit {
            sample: bit.sample,
            position: bit.position,
            window: bit.window.to_string(),
        });
        Ok(VerifyReport {
            verified: report.unsupported.is_empty(),
            samples: samples.latents.len(),
            checked: report.checked,
            fixed: report.fixed,
            interpolated: report.interpolated,
            unsupported: unsupported.collect(),
        })
    }
}
