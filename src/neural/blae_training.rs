//! How a BL-AE is trained: batches, noise that grows, hard bits at the end, and what is watched.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Kind, Tensor, no_grad_guard};
use xxhash_rust::xxh3::Xxh3;

use super::blae::{Blae, KIND};
use super::checkpoint::Checkpoint;
use super::quantizer::OSCILLATION;
use super::train::{self, Batches, Moment, Outcome, Resumed, Trainee, Validation};
use super::{
    BlaeConfig, Device, NeuralError, Parameters, Quantizer, RunFolder, TrainOptions, noise,
};
use crate::eval::Triangular;
use crate::latent::images::ImageSet;
use crate::latent::{Picture, picture};
use crate::progress::Observer;

/// An activation beyond this is as good as its limit: binary.
pub const SATURATED: f32 = 0.95;
/// Held-out images that are looked at in one go.
const BATCH: usize = 250;
/// Held-out images in the picture.
const SHOWN: usize = 24;

/// How a BL-AE is trained, beside [`TrainOptions`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlaeRecipe {
    /// Images of one update.
    pub batch: usize,
    /// Share of the steps in which σ grows from a fifth to its full strength: the decoder learns what a bit
    /// means before it is hidden (blae).
    pub ramp: f64,
    /// Share of the steps, the last ones, in which the decoder sees rounded bits in place of noise: that
    /// is what it will see (blae).
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
    /// σ as a share of its full strength, or `None` where bits are rounded.
    pub(crate) fn strength(&self, part: f64) -> Option<f64> {
        if part >= 1.0 - self.finish {
            return None;
        }
        let grown = if self.ramp > 0.0 {
            (part / self.ramp).min(1.0)
        } else {
            1.0
        };
        Some(0.2 + 0.8 * grown)
    }

    /// The slope of the activation: from 1 to its full steepness, by equal factors.
    pub(crate) fn slope(&self, part: f64, full: f64) -> f64 {
        let end = 1.0 - self.finish;
        full.powf(if end > 0.0 {
            (part / end).min(1.0)
        } else {
            1.0
        })
    }

    fn check(&self) -> Result<(), NeuralError> {
        if self.batch == 0 {
            return Err(NeuralError::setting("a batch of at least 1 image", 0));
        }
        let shares = [("ramp", self.ramp), ("finish", self.finish)];
        for (name, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(NeuralError::setting(format!("a {name} of 0 to 1"), share));
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

/// How the training in a folder was started: to be compared with what is asked for now.
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
        // A struct of numbers is always JSON.
        serde_json::to_value(self.recipe).unwrap_or_default()
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
        let slope = self.recipe.slope(moment.part(), self.blae.config().slope);
        let numbers = self.blae.numbers(&images);
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
        let psnr = |error: f64| -10.0 * error.max(1e-10).log10();
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
        let observer = &crate::progress::Unobserved;
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
