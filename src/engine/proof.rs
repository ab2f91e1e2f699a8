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
    /// The window for latents that do not say which one answered for each bit, of pyramids one for each level; of levels that none is
    /// named for the only one of the index.
    #[serde_as(as = "Vec<DisplayFromStr>")]
    pub windows: Vec<Window>,
    /// Whether to count in the training latents alone, whatever the index says.
    pub brute_force: bool,
}

/// Which bits of some samples are supported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Whether every bit that is neither fixed nor interpolated is supported.
    pub verified: bool,
    /// Number of samples.
    pub samples: usize,
    /// Bits that were checked.
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
    /// The window at which it should be supported.
    pub window: String,
}

impl Session {
    /// Proves the index: checksums of every file, then every posting against the latents; with `brute_force`, every context
    /// counted once more. What is found wrong comes back in words, `None` for nothing.
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
    /// assert_eq!(session.verify_index(true, &Unobserved)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    /// use bitquilt::engine::VerifyRequest;
    /// # use bitquilt::engine::{Session, SessionOptions};
    /// # use bitquilt::{Ids, SampleSet};
    /// # use bitquilt::{BuildOptions, LatentSet, Shape, Unobserved, build};
    /// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
    /// # for bits in ["101100", "111010"] {
    /// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
    /// # }
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("index");
    /// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
    /// # let session = Session::open(&path, &SessionOptions::default())?;
    /// // In 101100 and 111010, 111 is never followed by 1.
    /// let mut latents = LatentSet::new(Shape::new(1, 6, 1)?);
    /// latents.push_bits([1, 1, 1, 1, 0, 0].map(|bit| bit == 1))?;
    /// # let samples =
    /// #     SampleSet { latents, answered_by: None, windows: Vec::new(), min_count: 1.into(), without: Ids::default() };
    /// let report = session.verify(&samples, &VerifyRequest::default(), &Unobserved)?;
    /// assert!(!report.verified);
    /// assert_eq!(report.unsupported.len(), 1);
    /// assert_eq!((report.unsupported[0].sample, report.unsupported[0].position), (0, 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        if says && !request.windows.is_empty() {
            return Err(EngineError::Request {
                part: "the window",
                why: "the samples say themselves which window answered for each bit: leave it out"
                    .to_owned(),
            });
        }
        let mut otherwise = request.windows.clone();
        for level in session.index.shape().levels().iter().filter(|_| !says) {
            let number = level.number();
            if otherwise.iter().all(|window| window.level() != number) {
                otherwise.push(session.window_of(None, Some(number))?);
            }
        }
        let index = &*session.index;
        let report = if request.brute_force {
            let training = session.training(&Unobserved)?;
            let anchor = index.manifest().anchor;
            let condition = index.condition();
            verify_from_latents(&training, anchor, condition, samples, &otherwise, observer)?
        } else {
            verify_from_index(index, samples, &otherwise, observer)?
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
