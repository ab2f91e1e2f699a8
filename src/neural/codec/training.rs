//! How a BL-AE is trained: batches, noise that grows, a slope that grows late, rounded bits at the end, and what
//! is watched.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Kind, Tensor, no_grad_guard};
use xxhash_rust::xxh3::Xxh3;

use super::blae::{Blae, KIND};
use super::noise;
use super::quantizer::OSCILLATION;
use crate::base::Observer;
use crate::images::ImageSet;
use crate::model::{SATURATED, Triangular, decibels};
use crate::neural::kit::checkpoint::{Checkpoint, json_of};
use crate::neural::kit::layers::Statistics;
use crate::neural::kit::train::{self, Batches, Moment, Outcome, Resumed, Trainee, Validation};
use crate::neural::{
    BlaeConfig, Device, NeuralError, Parameters, Quantizer, RunFolder, TrainOptions,
};
use crate::picture::{self, Picture};

/// The slope grows by the power of this power of the time that has passed: late, because a steep tanh has no gradient
/// where it is saturated, and its encoder stops learning. Small powers are worse; from 10 on it makes little difference
/// (`docs/notes/networks.md`).
const LATE: f64 = 20.0;
/// Longest finish: the running statistics, which it takes as they are, are measured before it.
const MAX_FINISH: f64 = 0.9;
/// Held-out images that are looked at in one go.
const BATCH: usize = 250;
/// Held-out images in the picture.
const SHOWN: usize = 24;

/// How a BL-AE is trained, in addition to [`TrainOptions`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlaeRecipe {
    /// Images of one update.
    pub batch: usize,
    /// Share of the steps in which σ grows from a fifth to its full strength: the decoder learns what a bit
    /// means before it is hidden (blae).
    pub ramp: f64,
    /// Share of the steps, the last ones, in which the network is trained as it will run: the encoder's numbers by
    /// their running statistics; to the decoder rounded bits in place of noise, with the gradient of an activation of
    /// slope 1 straight through the rounding (blae).
    pub finish: f64,
    /// Weight of the commitment term (lfq).
    pub commitment: f64,
    /// Weight of the entropy terms (lfq, bsq).
    pub entropy: f64,
}

impl Default for BlaeRecipe {
    fn default() -> Self {
        Self {
            batch: 64,
            ramp: 0.3,
            finish: 0.2,
            // At 0.25 it outweighs the reconstruction: every bit becomes constant.
            commitment: 0.005,
            entropy: 0.02,
        }
    }
}

impl BlaeRecipe {
    /// Returns whether the last part has begun.
    fn finishing(&self, part: f64) -> bool {
        part >= 1.0 - self.finish
    }

    /// Returns σ as a share of its full strength, or `None` where bits are rounded.
    fn strength(&self, part: f64) -> Option<f64> {
        if self.finishing(part) {
            return None;
        }
        let grown = if self.ramp > 0.0 {
            (part / self.ramp).min(1.0)
        } else {
            1.0
        };
        Some(0.2 + 0.8 * grown)
    }

    /// Returns the slope of the activation, 1 at first, full where the finish begins.
    fn slope(&self, part: f64, full: f64) -> f64 {
        let passed = (part / (1.0 - self.finish)).min(1.0);
        full.powf(passed.powf(LATE))
    }

    fn check(&self) -> Result<(), NeuralError> {
        if self.batch == 0 {
            return Err(NeuralError::setting("a batch of at least 1 image", 0));
        }
        let shares = [
            ("ramp", self.ramp, 1.0),
            ("finish", self.finish, MAX_FINISH),
        ];
        for (name, share, max) in shares {
            if !(0.0..=max).contains(&share) {
                let expected = format!("a {name} of 0 to {max}");
                return Err(NeuralError::setting(expected, share));
            }
        }
        Ok(())
    }
}

/// A BL-AE with the images it learns from and those it is watched on.
struct BlaeTraining<'a> {
    blae: Blae,
    recipe: BlaeRecipe,
    images: &'a ImageSet,
    held_out: &'a ImageSet,
    batches: Batches,
    noise: Triangular,
}

/// Trains a BL-AE from the start into an empty folder.
///
/// # Errors
/// [`NeuralError::Setting`] when network, recipe and images do not fit; otherwise as the training loop:
/// [`NeuralError::Diverged`], [`NeuralError::Io`].
pub fn train_blae(
    config: BlaeConfig,
    recipe: BlaeRecipe,
    options: &TrainOptions,
    (images, held_out): (&ImageSet, &ImageSet),
    folder: &RunFolder,
    device: Device,
    observer: &dyn Observer,
) -> Result<(Blae, Outcome), NeuralError> {
    let blae = Blae::new(config, options.seed, device)?;
    let mut training = BlaeTraining::new(blae, recipe, options, (images, held_out))?;
    let outcome = train::train(&mut training, folder, options, None, observer)?;
    Ok((training.blae, outcome))
}

/// Returns how the training in a folder was started: to be compared with what is asked for now.
///
/// # Errors
/// [`NeuralError::Checkpoint`] when `last.safetensors` is not that of a BL-AE's training.
pub fn blae_run(folder: &RunFolder) -> Result<(BlaeConfig, BlaeRecipe, TrainOptions), NeuralError> {
    Checkpoint::read(&folder.last(), KIND)?.begun()
}

/// Goes on with the training in a folder, exactly as if it had never stopped.
///
/// # Errors
/// [`NeuralError::Checkpoint`] when `last.safetensors` cannot be resumed or was trained on other images;
/// otherwise as [`train_blae`].
pub fn resume_blae(
    (images, held_out): (&ImageSet, &ImageSet),
    folder: &RunFolder,
    device: Device,
    observer: &dyn Observer,
) -> Result<(Blae, Outcome), NeuralError> {
    let (_, recipe, options) = blae_run(folder)?;
    let mut checkpoint = Checkpoint::read(&folder.last(), KIND)?;
    let blae = Blae::from_checkpoint(&mut checkpoint, device)?;
    let mut training = BlaeTraining::new(blae, recipe, &options, (images, held_out))?;
    let resumed = Resumed::from_checkpoint(&mut checkpoint, &training, &options)?;
    let outcome = train::train(&mut training, folder, &options, Some(resumed), observer)?;
    Ok((training.blae, outcome))
}

impl<'a> BlaeTraining<'a> {
    fn new(
        blae: Blae,
        recipe: BlaeRecipe,
        options: &TrainOptions,
        (images, held_out): (&'a ImageSet, &'a ImageSet),
    ) -> Result<Self, NeuralError> {
        recipe.check()?;
        options.check()?;
        for set in [images, held_out] {
            blae.check_images((set.height(), set.width(), set.colours()))?;
            if set.is_empty() {
                return Err(NeuralError::setting(
                    "at least one image to train on and one held out",
                    "none",
                ));
            }
        }
        // One number has no variance.
        let batch = recipe.batch.min(images.len());
        if batch * blae.config().latent_height * blae.config().latent_width < 2 {
            return Err(NeuralError::setting(
                "a batch of at least 2 images for latents of one site",
                batch,
            ));
        }
        Ok(Self {
            noise: blae.config().noise()?,
            batches: Batches::new(options.seed, images.len(), recipe.batch),
            blae,
            recipe,
            images,
            held_out,
        })
    }

    /// Activations as the decoder gets them in training.
    fn codes(&self, activation: &Tensor, moment: &Moment) -> Result<Tensor, NeuralError> {
        let quantizer = self.blae.config().quantizer;
        let strength = match quantizer {
            Quantizer::Blae => self.recipe.strength(moment.part()),
            Quantizer::Lfq | Quantizer::Bsq => None,
        };
        let Some(strength) = strength else {
            return Ok(quantizer.straight_through(activation));
        };
        // Eqn 8: ψ + ‖ψ‖_ω / 2 · ε.
        let full = &self.noise;
        let noise = Triangular::new(full.sigma() * strength, full.kappa(), full.form())?;
        let drawn = noise::sample(
            &noise,
            &activation.size(),
            &mut moment.noise(),
            self.blae.device(),
        );
        Ok(activation + drawn * (OSCILLATION / 2.0))
    }
}

impl Trainee for BlaeTraining<'_> {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn config(&self) -> Value {
        self.blae.config_json()
    }

    fn recipe(&self) -> Value {
        json_of(&self.recipe)
    }

    fn data(&self) -> String {
        let mut hasher = Xxh3::new();
        for set in [self.images, self.held_out] {
            hasher.update(&(set.len() as u64).to_le_bytes());
            hasher.update(set.pixels());
        }
        format!("{:032x}", hasher.digest128())
    }

    fn parameters(&self) -> &Parameters {
        self.blae.parameters()
    }

    fn loss(&mut self, moment: &Moment) -> Result<Tensor, NeuralError> {
        let ids = self.batches.at(moment.step).to_vec();
        let images = self.blae.tensor(self.images, ids);
        let (slope, statistics) = if self.recipe.finishing(moment.part()) {
            // A rounded bit is the same at any slope, its gradient is not: at the full one hardly any is left.
            (1.0, Statistics::Running)
        } else {
            let full = self.blae.config().slope;
            (self.recipe.slope(moment.part(), full), Statistics::Batch)
        };
        let numbers = self.blae.numbers(&images, statistics);
        let activation = self.blae.config().quantizer.activation(&numbers, slope);
        let decoded = self.blae.image(&self.codes(&activation, moment)?);
        let error = (decoded - images).square().mean(Kind::Float);
        let recipe = &self.recipe;
        let quantizer = self.blae.config().quantizer;
        Ok(
            match quantizer.terms(&activation, recipe.commitment, recipe.entropy) {
                Some(terms) => error + terms,
                None => error,
            },
        )
    }

    fn validate(&self) -> Result<Validation, NeuralError> {
        let _guard = no_grad_guard();
        let quantizer = self.blae.config().quantizer;
        let (mut hard, mut soft, mut saturated) = (0.0, 0.0, 0.0);
        let mut ones: Option<Tensor> = None;
        let count = self.held_out.len();
        for first in (0..count).step_by(BATCH) {
            let last = count.min(first + BATCH);
            let images = self.blae.tensor(self.held_out, first..last);
            let activation = self.blae.activation(&images);
            let share = (last - first) as f64 / count as f64;
            let mean = |tensor: Tensor| tensor.mean(Kind::Double).double_value(&[]) * share;
            let error = |codes: &Tensor| mean((self.blae.image(codes) - &images).square());
            hard += error(&quantizer.round(&activation));
            if quantizer == Quantizer::Blae {
                soft += error(&activation);
                saturated += mean(
                    activation
                        .abs()
                        .gt(f64::from(SATURATED))
                        .to_kind(Kind::Float),
                );
            }
            let sum =
                activation
                    .gt(0.0)
                    .to_kind(Kind::Double)
                    .sum_dim_intlist(0, false, Kind::Double);
            ones = Some(match ones {
                Some(ones) => ones + sum,
                None => sum,
            });
        }
        let psnr = |error: f64| decibels(error.max(1e-10));
        let mut figures = vec![("psnr", psnr(hard))];
        if quantizer == Quantizer::Blae {
            figures.push(("saturated", saturated));
            figures.push(("soft_gap", psnr(soft) - psnr(hard)));
        }
        if let Some(ones) = ones {
            // A bit, or a whole channel, that is the same in 99 % of the images says next to nothing.
            let constant = |share: &Tensor| (share - 0.5).abs().gt(0.49).to_kind(Kind::Double);
            let share = ones / count as f64;
            let channels = share.mean_dim([1i64, 2].as_slice(), false, Kind::Double);
            figures.push((
                "constant_bits",
                constant(&share).mean(Kind::Double).double_value(&[]),
            ));
            figures.push((
                "dead_channels",
                constant(&channels).sum(Kind::Double).double_value(&[]),
            ));
        }
        Ok(Validation {
            score: psnr(hard),
            figures,
        })
    }

    fn picture(&self) -> Result<Option<Picture>, NeuralError> {
        let shown = self.held_out.len().min(SHOWN);
        let values = self.held_out.image_values();
        let (height, width, colours) = (
            self.held_out.height(),
            self.held_out.width(),
            self.held_out.colours(),
        );
        let own = ImageSet::new(
            height,
            width,
            colours,
            self.held_out.pixels()[..shown * values].to_vec(),
        )?;
        let observer = &crate::base::Unobserved;
        let decoded =
            self.blae
                .decode(&self.blae.encode(&own, BATCH, observer)?, BATCH, observer)?;
        // A row of images, below it what becomes of them.
        let columns = shown.min(8);
        let mut pixels = Vec::new();
        for first in (0..shown).step_by(columns) {
            let last = shown.min(first + columns);
            let blank = vec![0; (columns - (last - first)) * values];
            for set in [&own, &decoded] {
                pixels.extend_from_slice(&set.pixels()[first * values..last * values]);
                pixels.extend_from_slice(&blank);
            }
        }
        let all = ImageSet::new(height, width, colours, pixels)?;
        // Small images are drawn larger.
        let scale = (64 / height.max(width)).max(1);
        Ok(Some(picture::grid_of_images(&all, columns, scale)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_grows_from_1_to_its_full_steepness_at_the_finish() {
        for finish in [0.0, 0.2, MAX_FINISH] {
            let recipe = BlaeRecipe {
                finish,
                ..BlaeRecipe::default()
            };
            let slopes: Vec<_> = (0..=1000)
                .map(|part| recipe.slope(f64::from(part) / 1000.0, 3000.0))
                .collect();
            assert_eq!(slopes[0], 1.0);
            assert!(slopes.windows(2).all(|pair| pair[0] <= pair[1]));
            assert_eq!(recipe.slope(1.0 - finish, 3000.0), 3000.0);
            assert_eq!(slopes[1000], 3000.0);
            // Late: halfway there it has hardly begun.
            assert!(recipe.slope((1.0 - finish) / 2.0, 3000.0) < 1.001);
        }
        let gentle = BlaeRecipe::default();
        assert_eq!(gentle.slope(0.9, 0.5), 0.5);
    }

    #[test]
    fn noise_grows_to_its_strength_and_ends_where_the_finish_begins() {
        let recipe = BlaeRecipe::default();
        assert_eq!(recipe.strength(0.0), Some(0.2));
        assert_eq!(recipe.strength(0.3), Some(1.0));
        assert_eq!(recipe.strength(0.79), Some(1.0));
        assert_eq!(recipe.strength(0.8), None);
        assert!(recipe.finishing(0.8) && !recipe.finishing(0.79));
        let whole = BlaeRecipe {
            finish: 1.0,
            ..recipe
        };
        assert!(whole.check().is_err() && recipe.check().is_ok());
    }
}
