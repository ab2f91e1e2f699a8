//! How the networks over bits are trained: the index is the training set.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Kind, Tensor};
use xxhash_rust::xxh3::Xxh3;

use super::config::{NetworkKind, PredictorConfig};
use super::memory;
use super::predictor::Predictor;
use crate::base::{Budget, Observer, Unobserved, choice};
use crate::index::Counts;
use crate::latent::LatentSet;
use crate::neural::kit::checkpoint::{Checkpoint, json_of};
use crate::neural::kit::random::{Purpose, Stream};
use crate::neural::kit::train::{self, Batches, Moment, Outcome, Resumed, Trainee, Validation};
use crate::neural::{Device, NeuralError, Parameters, RunFolder, TrainOptions};
use crate::picture::Picture;
use crate::window::{Contexts, Frame, Geometry, Given};

/// Latents of each kind on which a network is watched.
const WATCHED: usize = 200;

choice! {
    "lowercase",
    /// How much each context of the index weighs (ARVM).
    #[derive(Default)]
    #[non_exhaustive]
    pub enum Weighting {
        /// As often as it occurs: the likelihood of the training latents.
        #[default]
        #[strum(message = "As often as it occurs")]
        Count,
        /// Every distinct context alike.
        #[strum(message = "Every distinct context alike")]
        Distinct,
    }
}

/// How a network over bits is trained, in addition to [`TrainOptions`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictorRecipe {
    /// Contexts of one update (ARVM), or latents (the others).
    pub batch: usize,
    /// How much a context weighs (ARVM).
    pub weighting: Weighting,
    /// Probability with which each bit of what the network sees is flipped, targets unchanged: against
    /// mistakes that add up when it samples alone.
    pub flip: f64,
}

impl PredictorRecipe {
    /// Returns the default recipe.
    pub fn new(kind: NetworkKind) -> Self {
        Self {
            batch: if kind == NetworkKind::Arvm { 1024 } else { 32 },
            weighting: Weighting::default(),
            flip: 0.0,
        }
    }

    fn check(&self) -> Result<(), NeuralError> {
        if self.batch == 0 {
            return Err(NeuralError::setting("a batch of at least 1", 0));
        }
        if !(0.0..0.5).contains(&self.flip) {
            return Err(NeuralError::setting(
                "flips with a probability of 0 to below 0.5",
                self.flip,
            ));
        }
        Ok(())
    }
}

/// Latents with the numbers of their labels, 0 where contexts are bound to none.
#[derive(Clone, Copy, Debug)]
pub struct Numbered<'a> {
    /// The latents.
    pub latents: &'a LatentSet,
    /// One number for each.
    pub labels: &'a [u64],
}

/// What a network over bits learns from, and the memory to do it in.
#[derive(Clone, Copy)]
pub struct PredictorData<'a> {
    /// The latents of the index.
    pub training: Numbered<'a>,
    /// The histograms of the network's window.
    pub counts: &'a dyn Counts,
    /// The window as it is laid out where the histograms are.
    pub geometry: &'a Geometry,
    /// Latents that are not in the index; without any, the best network is the one that knows the training
    /// latents best.
    pub held_out: Option<Numbered<'a>>,
    /// What an update may take on the processor: asked once, before the first.
    pub memory: Budget,
}

struct PredictorTraining<'a> {
    predictor: Predictor,
    recipe: PredictorRecipe,
    data: PredictorData<'a>,
    batches: Batches,
    frame: Frame,
    seed: u64,
}

/// Trains a network over bits from the start into an empty folder.
///
/// # Errors
/// [`NeuralError::Setting`] when network, recipe and data do not fit; [`NeuralError::Index`]; otherwise as
/// the training loop: [`NeuralError::Diverged`], [`NeuralError::Io`].
pub fn train_predictor(
    (kind, config): (NetworkKind, PredictorConfig),
    recipe: PredictorRecipe,
    options: &TrainOptions,
    data: PredictorData<'_>,
    folder: &RunFolder,
    device: Device,
    observer: &dyn Observer,
) -> Result<(Predictor, Outcome), NeuralError> {
    let latents = data.training.latents.len();
    check_predictor(kind, &config, &recipe, latents, device, data.memory)?;
    let predictor = Predictor::new(kind, config, options.seed, device)?;
    let mut training = PredictorTraining::new(predictor, recipe, options, data)?;
    let outcome = train::train(&mut training, folder, options, None, observer)?;
    Ok((training.predictor, outcome))
}

/// Refuses what no network can be made of, or trained by on `latents` training latents, and what takes more than
/// `memory` on the processor.
///
/// # Errors
/// [`NeuralError::Setting`], [`NeuralError::Memory`].
pub fn check_predictor(
    kind: NetworkKind,
    config: &PredictorConfig,
    recipe: &PredictorRecipe,
    latents: usize,
    device: Device,
    memory: Budget,
) -> Result<(), NeuralError> {
    config.check(kind)?;
    recipe.check()?;
    let batch = match kind {
        NetworkKind::Arvm => recipe.batch,
        NetworkKind::PixelCnn | NetworkKind::Transformer => recipe.batch.min(latents),
    };
    memory::check(kind, config, batch, device, memory)
}

/// Returns how the training in a folder was started: to be compared with what is asked for now.
///
/// # Errors
/// [`NeuralError::Checkpoint`] when `last.safetensors` is not that of such a training.
pub fn predictor_run(
    folder: &RunFolder,
    kind: NetworkKind,
) -> Result<(PredictorConfig, PredictorRecipe, TrainOptions), NeuralError> {
    Checkpoint::read(&folder.last(), kind.name())?.begun()
}

/// Goes on with the training in a folder, exactly as if it had never stopped.
///
/// # Errors
/// [`NeuralError::Checkpoint`] when `last.safetensors` cannot be resumed or was trained on other latents;
/// otherwise as [`train_predictor`].
pub fn resume_predictor(
    kind: NetworkKind,
    data: PredictorData<'_>,
    folder: &RunFolder,
    device: Device,
    observer: &dyn Observer,
) -> Result<(Predictor, Outcome), NeuralError> {
    let mut checkpoint = Checkpoint::read(&folder.last(), kind.name())?;
    let (config, recipe, options) = checkpoint.begun()?;
    let latents = data.training.latents.len();
    check_predictor(kind, &config, &recipe, latents, device, data.memory)?;
    let predictor = Predictor::from_checkpoint(&mut checkpoint, device)?;
    let mut training = PredictorTraining::new(predictor, recipe, &options, data)?;
    let resumed = Resumed::from_checkpoint(&mut checkpoint, &training, &options)?;
    let outcome = train::train(&mut training, folder, &options, Some(resumed), observer)?;
    Ok((training.predictor, outcome))
}

impl<'a> PredictorTraining<'a> {
    fn new(
        predictor: Predictor,
        recipe: PredictorRecipe,
        options: &TrainOptions,
        data: PredictorData<'a>,
    ) -> Result<Self, NeuralError> {
        recipe.check()?;
        options.check()?;
        let shape = predictor.geometry().shape();
        for set in [Some(data.training), data.held_out].into_iter().flatten() {
            if set.latents.shape() != shape {
                return Err(NeuralError::setting(
                    format!("{shape} latents, as in the index"),
                    set.latents.shape(),
                ));
            }
            if set.latents.is_empty() || set.latents.len() != set.labels.len() {
                return Err(NeuralError::setting(
                    "at least one latent, and a label number for each",
                    set.latents.len(),
                ));
            }
        }
        Ok(Self {
            batches: Batches::new(options.seed, data.training.latents.len(), recipe.batch),
            frame: Frame::new(shape, &[predictor.geometry(), data.geometry]),
            seed: options.seed,
            predictor,
            recipe,
            data,
        })
    }

    /// Returns the KL divergence from the histograms of a batch of contexts to the network's answers (Eqn 13), in bits.
    /// A context drawn as a random position of a random latent comes up as often as it occurs.
    fn loss_of_contexts(&mut self, moment: &Moment) -> Result<Tensor, NeuralError> {
        let Numbered { latents, labels } = self.data.training;
        let geometry = self.predictor.geometry();
        let own = geometry.positions();
        let mut draws = Stream::new(self.seed, Purpose::Order, moment.step);
        let mut contexts = Contexts::default();
        let mut questions = Vec::with_capacity(self.recipe.batch);
        for _ in 0..self.recipe.batch {
            let draw =
                |below: usize, uniform: f64| ((uniform * below as f64) as usize).min(below - 1);
            let (id, position) = (
                draw(latents.len(), draws.uniform()),
                own.start + draw(own.len(), draws.uniform()),
            );
            self.frame
                .load(latents.packed_latent(id), Given::label(labels[id]));
            let question = self
                .data
                .counts
                .question(self.data.geometry, &mut self.frame, position);
            questions.push(question);
            contexts.push(geometry, &self.frame, position);
        }
        let mut found = Vec::new();
        self.data.counts.histograms(&questions, &mut found)?;
        let mut targets = Vec::with_capacity(questions.len());
        let mut weights = Vec::with_capacity(questions.len());
        for histogram in found {
            let total = histogram.unwrap_or_default().total();
            if total == 0 {
                return Err(NeuralError::setting(
                    "every context of the training latents in the index",
                    "a context without a histogram: build the index again",
                ));
            }
            targets.push((histogram.unwrap_or_default().n1 as f64 / total as f64) as f32);
            weights.push(match self.recipe.weighting {
                Weighting::Count => 1.0,
                Weighting::Distinct => (1.0 / total as f64) as f32,
            });
        }
        if self.recipe.flip > 0.0 {
            let mut noise = moment.noise();
            for context in contexts.symbols.chunks_mut(geometry.symbols().max(1)) {
                for symbol in &mut context[..geometry.symbol_bits()] {
                    if noise.uniform() < self.recipe.flip {
                        *symbol = -*symbol;
                    }
                }
            }
        }
        let device = self.predictor.device().0;
        let targets = Tensor::from_slice(&targets).to_device(device);
        let weights = Tensor::from_slice(&weights).to_device(device);
        let logits = self
            .predictor
            .of_contexts(&contexts)
            .ok_or_else(wrong_kind)?;
        let others = targets.ones_like() - &targets;
        let entropy = -(targets.xlogy(&targets) + others.xlogy(&others));
        let divergence = logits.softplus() - &targets * &logits - entropy;
        let sum = weights.sum(Kind::Float);
        Ok((divergence * weights).sum(Kind::Float) / sum / std::f64::consts::LN_2)
    }

    /// Returns the mean negative log₂ likelihood of a bit of a batch of latents.
    fn loss_of_grids(&mut self, moment: &Moment) -> Result<Tensor, NeuralError> {
        let Numbered { latents, labels } = self.data.training;
        let ids = self.batches.at(moment.step).to_vec();
        let numbers: Vec<_> = ids.iter().map(|id| labels[*id] as i64).collect();
        let device = self.predictor.device().0;
        let bits = self.predictor.tensor(latents, ids.into_iter());
        let seen = if self.recipe.flip > 0.0 {
            let mut noise = moment.noise();
            let signs: Vec<f32> = (0..bits.numel())
                .map(|_| match noise.uniform() < self.recipe.flip {
                    true => -1.0,
                    false => 1.0,
                })
                .collect();
            let signs = Tensor::from_slice(&signs).view(bits.size().as_slice());
            &bits * signs.to_device(device)
        } else {
            bits.shallow_clone()
        };
        let numbers = Tensor::from_slice(&numbers).to_device(device);
        let logits = self
            .predictor
            .of_grids(&seen, &numbers)
            .ok_or_else(wrong_kind)?;
        // −ln σ(±logit) = softplus(∓logit)
        Ok((-logits * bits).softplus().mean(Kind::Float) / std::f64::consts::LN_2)
    }

    /// Returns the bits per latent of the first of a set.
    fn bits_of(&self, Numbered { latents, labels }: Numbered<'_>) -> Result<f64, NeuralError> {
        let count = latents.len().min(WATCHED);
        let bits = self
            .predictor
            .bits_of(latents, labels, 0..count, &Unobserved)?;
        Ok(bits.iter().sum::<f64>() / count as f64)
    }
}

fn wrong_kind() -> NeuralError {
    // `Predictor` answers one of the two for every kind.
    NeuralError::setting("a network that is trained in this way", "another kind")
}

impl Trainee for PredictorTraining<'_> {
    fn kind(&self) -> &'static str {
        self.predictor.kind().name()
    }

    fn config(&self) -> Value {
        json_of(self.predictor.config())
    }

    fn recipe(&self) -> Value {
        json_of(&self.recipe)
    }

    fn data(&self) -> String {
        let mut hasher = Xxh3::new();
        for set in [Some(self.data.training), self.data.held_out]
            .into_iter()
            .flatten()
        {
            hasher.update(&(set.latents.len() as u64).to_le_bytes());
            hasher.update(set.latents.packed());
            for label in set.labels {
                hasher.update(&label.to_le_bytes());
            }
        }
        format!("{:032x}", hasher.digest128())
    }

    fn parameters(&self) -> &Parameters {
        self.predictor.parameters()
    }

    fn loss(&mut self, moment: &Moment) -> Result<Tensor, NeuralError> {
        if self.predictor.kind() == NetworkKind::Arvm {
            self.loss_of_contexts(moment)
        } else {
            self.loss_of_grids(moment)
        }
    }

    fn validate(&self) -> Result<Validation, NeuralError> {
        let train = self.bits_of(self.data.training)?;
        Ok(match self.data.held_out {
            None => Validation {
                score: -train,
                figures: vec![("bits_train", train)],
            },
            Some(held_out) => {
                let held_out = self.bits_of(held_out)?;
                Validation {
                    score: -held_out,
                    figures: vec![
                        ("bits_held_out", held_out),
                        ("bits_train", train),
                        ("gap", held_out - train),
                    ],
                }
            }
        })
    }

    fn picture(&self) -> Result<Option<Picture>, NeuralError> {
        Ok(None)
    }
}
