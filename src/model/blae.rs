//! The diagnostics of one encoder, in one document: what `bitquilt eval blae` prints.

use serde::Serialize;

use super::{
    CodeOverlap, CodeStatistics, Collisions, Correlations, Estimate, EvalError, LossBound,
    NoiseForm, Reconstruction, Saturation, Triangular,
};
use crate::base::Budget;
use crate::images::ImageSet;
use crate::latent::{LatentSet, Shape};

/// Shared codes that a report lists.
const LISTED: usize = 10;

/// An encoder on training and test images. `schemas/blae.schema.json` describes its JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BlaeReport {
    /// The checkpoint.
    pub model: String,
    /// blae, lfq or bsq.
    pub quantizer: String,
    /// Rows of the latent grid.
    pub height: u64,
    /// Columns of the latent grid.
    pub width: u64,
    /// Bits of a site.
    pub channels: u64,
    /// Bits of an image's code, height × width × channels.
    pub bits: u64,
    /// The noise of training; none for a quantizer that has none.
    pub noise: Option<NoiseReport>,
    /// On training images.
    pub train: Option<SplitReport>,
    /// On images that were not trained on.
    pub test: Option<SplitReport>,
    /// Wall time of the evaluation, in seconds.
    pub seconds: f64,
}

impl BlaeReport {
    /// Makes a report without figures yet.
    pub fn new(model: impl Into<String>, quantizer: impl Into<String>, shape: Shape) -> Self {
        Self {
            model: model.into(),
            quantizer: quantizer.into(),
            height: shape.height() as u64,
            width: shape.width() as u64,
            channels: shape.channels() as u64,
            bits: shape.bits() as u64,
            noise: None,
            train: None,
            test: None,
            seconds: 0.0,
        }
    }
}

/// What noise does to codes at ±1, whatever the encoder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoiseReport {
    /// σ.
    pub sigma: f64,
    /// κ.
    pub kappa: f64,
    /// How Eqn 10 is read.
    pub form: NoiseForm,
    /// The chance that the noise turns the sign of a code at ±1.
    pub bit_error: f64,
    /// The overlap coefficient (Eqn 3) of codes that differ in some numbers of bits.
    pub overlaps: Vec<OverlapReport>,
}

/// The overlap coefficient of two codes, and what checks it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverlapReport {
    /// Bits in which they differ, d.
    pub differing_bits: u64,
    /// O_d.
    pub overlap: f64,
    /// The product of the overlaps of the bits, O₁ᵈ: at most O_d.
    pub product: f64,
    /// Aᵈ, the affinity of the bits: at least O_d.
    pub affinity: f64,
    /// O_d estimated by drawing.
    pub monte_carlo: Estimate,
}

impl NoiseReport {
    /// Describes the noise and its overlap at each of `distances` differing bits, checked by `draws` draws.
    pub fn of(overlap: &CodeOverlap, distances: &[usize], draws: u64, seed: u64) -> Self {
        let noise: &Triangular = overlap.noise();
        let overlaps = distances.iter().map(|bits| {
            // Beyond i32 both powers are 0, or 1.
            let power = i32::try_from(*bits).unwrap_or(i32::MAX);
            OverlapReport {
                differing_bits: *bits as u64,
                overlap: overlap.at(*bits),
                product: overlap.at(1).powi(power),
                affinity: overlap.affinity().powi(power),
                monte_carlo: overlap.monte_carlo(*bits, draws, seed),
            }
        });
        Self {
            sigma: noise.sigma(),
            kappa: noise.kappa(),
            form: noise.form(),
            bit_error: noise.tail(1.0),
            overlaps: overlaps.collect(),
        }
    }
}

/// An encoder on one set of images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitReport {
    /// Where the images come from.
    pub source: String,
    /// Decoded from bits, as they are stored: ±1.
    pub hard: Reconstruction,
    /// Decoded from activations; none for a quantizer that has no others than bits.
    pub soft: Option<Reconstruction>,
    /// By how many decibels bits are worse than activations, between the PSNRs of the mean errors.
    pub soft_to_hard_gap: Option<f64>,
    /// How binary activations are; none for a quantizer whose activations have no bounds.
    pub saturation: Option<SaturationReport>,
    /// The bits, taken one by one.
    pub codes: CodeStatistics,
    /// Pairs of bits; none for a single latent.
    pub correlations: Option<Correlations>,
    /// Different images with one code.
    pub collisions: Collisions,
    /// Decoded from bits of which some are flipped.
    pub flips: Vec<FlipReport>,
    /// The share of bits that come back when a decoded image is encoded again.
    pub reencoded: Option<f64>,
    /// The loss that the noise makes unavoidable (Eqn 2), beside what it is.
    pub bound: Option<BoundReport>,
}

/// How binary activations z in −1..1 are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SaturationReport {
    /// Activations seen.
    pub activations: u64,
    /// The share with |z| > 0.95.
    pub saturated: Option<f64>,
    /// The mean of |z|.
    pub mean_size: Option<f64>,
    /// Activations that are no finite number.
    pub not_finite: u64,
    /// Counts over |z| from 0 to 1, in bins of equal width.
    pub bins: Vec<u64>,
}

/// Reconstructions from flipped bits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlipReport {
    /// The probability with which each bit was flipped.
    pub share: f64,
    /// How far their images are from the originals.
    pub reconstruction: Reconstruction,
}

/// The least possible loss and the loss, on the same images with the same noise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BoundReport {
    /// The bounds.
    #[serde(flatten)]
    pub bound: LossBound,
    /// Decoded from activations with noise added, as in training.
    pub measured: Reconstruction,
}

impl SplitReport {
    /// Everything that codes, images and reconstructions tell by themselves. Bits are compared pair by pair
    /// up to `max_bits` of them, within `memory`. The rest is left open.
    ///
    /// # Errors
    /// [`EvalError::Counts`] when there is not one latent for each image, [`EvalError::TooFew`] for none,
    /// [`EvalError::Memory`].
    pub fn of(
        set: &LatentSet,
        images: &ImageSet,
        hard: Reconstruction,
        soft: Option<Reconstruction>,
        max_bits: usize,
        memory: Budget,
    ) -> Result<Self, EvalError> {
        Ok(Self {
            source: images.source().to_owned(),
            soft_to_hard_gap: soft.as_ref().and_then(|soft| hard.gap_to(soft)),
            hard,
            soft,
            saturation: None,
            codes: CodeStatistics::of(set)?,
            correlations: match set.len() {
                1 => None,
                _ => Some(Correlations::of(set, max_bits, memory)?),
            },
            collisions: Collisions::of(set, images, LISTED)?,
            flips: Vec::new(),
            reencoded: None,
            bound: None,
        })
    }
}

impl From<&Saturation> for SaturationReport {
    fn from(saturation: &Saturation) -> Self {
        Self {
            activations: saturation.activations(),
            saturated: saturation.share_saturated(),
            mean_size: saturation.mean_size(),
            not_finite: saturation.not_finite(),
            bins: saturation.bins().to_vec(),
        }
    }
}
