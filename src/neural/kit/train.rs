//! The one training loop: whatever is trained, it is resumed exactly, stopped safely and logged alike.

use std::time::Instant;

use serde_json::{Value, json};
use tch::{Kind, Tensor};

use super::checkpoint::{self, Checkpoint, State, Training};
use super::optimiser::{self, AdamW};
use super::parameters::Parameters;
use super::random::{Purpose, Stream};
use crate::base::Observer;
use crate::neural::{NeuralError, RunFolder, TrainOptions};
use crate::picture::Picture;

/// A point of a training. All its random numbers are a function of the seed and the step.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Updates done before this one.
    pub step: u64,
    /// Updates in all.
    pub steps: u64,
    seed: u64,
}

impl Moment {
    /// Returns how much of the training is done, 0 to below 1.
    pub fn part(&self) -> f64 {
        self.step as f64 / self.steps as f64
    }

    /// Returns the random numbers of this step.
    pub(crate) fn noise(&self) -> Stream {
        Stream::new(self.seed, Purpose::Noise, self.step)
    }
}

/// What held-out data says of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// Larger is better; decides which checkpoint is the best.
    pub score: f64,
    /// Named figures, the most telling first; the names are those of the log.
    pub figures: Vec<(&'static str, f64)>,
}

/// Something that can be trained: a network with its data.
pub trait Trainee {
    /// Returns the kind that checkpoints name: "blae".
    fn kind(&self) -> &'static str;

    /// Returns all that is needed to build the network again.
    fn config(&self) -> Value;

    /// Returns what of the training is not in [`TrainOptions`]: batch, schedules.
    fn recipe(&self) -> Value;

    /// Returns a digest of the data: a training is resumed only with the same.
    fn data(&self) -> String;

    /// Returns the parameters that are trained.
    fn parameters(&self) -> &Parameters;

    /// Computes the loss of one batch, a tensor of one number with its graph.
    ///
    /// # Errors
    /// Whatever the network or its data report.
    fn loss(&mut self, moment: &Moment) -> Result<Tensor, NeuralError>;

    /// Figures on held-out data.
    ///
    /// # Errors
    /// Whatever the network or its data report.
    fn validate(&self) -> Result<Validation, NeuralError>;

    /// Draws a picture of what the network can do, if it has one.
    ///
    /// # Errors
    /// Whatever the network or its data report.
    fn picture(&self) -> Result<Option<Picture>, NeuralError>;
}

/// The order in which a set of `count` is gone through in batches: every epoch its own permutation. What
/// is left over at its end waits for the next.
#[derive(Clone, Debug)]
pub(crate) struct Batches {
    seed: u64,
    count: usize,
    size: usize,
    epoch: u64,
    order: Vec<usize>,
}

impl Batches {
    /// Batches of `size` out of `count`, both at least 1; a set smaller than a batch is one batch.
    pub(crate) fn new(seed: u64, count: usize, size: usize) -> Self {
        Self {
            seed,
            count,
            size: size.min(count).max(1),
            epoch: u64::MAX,
            order: Vec::new(),
        }
    }

    /// Batches of one epoch.
    pub(crate) fn per_epoch(&self) -> u64 {
        (self.count / self.size).max(1) as u64
    }

    /// Returns the members of the batch of this step.
    pub(crate) fn at(&mut self, step: u64) -> &[usize] {
        let epoch = step / self.per_epoch();
        if epoch != self.epoch {
            self.order = Stream::new(self.seed, Purpose::Order, epoch).order(self.count);
            self.epoch = epoch;
        }
        let first = (step % self.per_epoch()) as usize * self.size;
        &self.order[first..first + self.size]
    }
}

/// How a training ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// Updates done in all.
    pub step: u64,
    /// Whether it was stopped before the last of them.
    pub stopped: bool,
    /// The last validation, if there was one.
    pub validation: Option<Validation>,
    /// The best score of all validations.
    pub best: Option<f64>,
}

/// Where a training goes on.
pub(crate) struct Resumed {
    optimiser: AdamW,
    state: State,
}

impl Resumed {
    /// Takes optimiser and state out of `last.safetensors`, for a network that was loaded from it.
    pub(crate) fn from_checkpoint(
        checkpoint: &mut Checkpoint,
        trainee: &dyn Trainee,
        options: &TrainOptions,
    ) -> Result<Self, NeuralError> {
        let path = checkpoint.path().to_owned();
        let Some(state) = checkpoint.state() else {
            return Err(NeuralError::checkpoint(
                &path,
                "a checkpoint with the state of its optimiser: last.safetensors of a run",
                "one without",
            ));
        };
        let own = training(trainee, options);
        if checkpoint.training().is_none_or(|its| its.data != own.data) {
            let found = "other images (their digests differ)";
            return Err(NeuralError::checkpoint(
                &path,
                "the data that the run began with",
                found,
            ));
        }
        Ok(Self {
            optimiser: checkpoint.take_optimiser(trainee.parameters())?,
            state,
        })
    }
}

fn training(trainee: &dyn Trainee, options: &TrainOptions) -> Training {
    Training {
        options: *options,
        recipe: trainee.recipe(),
        data: trainee.data(),
    }
}

/// Trains to the last step, or until `observer` asks to stop; either way everything is saved. A run that
/// was stopped or killed and resumed is, on the same processor and as many threads, bit for bit the run
/// that was not.
///
/// # Errors
/// [`NeuralError::Diverged`] when a loss or gradient is no number; no update is made of it, and
/// `last.safetensors` is that of the last validation. [`NeuralError::Latent`] and [`NeuralError::Io`]
/// when a file cannot be written.
pub(crate) fn train(
    trainee: &mut dyn Trainee,
    folder: &RunFolder,
    options: &TrainOptions,
    resumed: Option<Resumed>,
    observer: &dyn Observer,
) -> Result<Outcome, NeuralError> {
    let mut parameters = trainee.parameters().tensors();
    let (optimiser, state) = match resumed {
        Some(resumed) => {
            folder.truncate_log(resumed.state.step)?;
            (resumed.optimiser, resumed.state)
        }
        None => (AdamW::new(&parameters), State::default()),
    };
    let device = parameters.first().map(Tensor::device);
    folder.append(&json!({
        "event": if state.step == 0 { "start" } else { "resume" },
        "step": state.step,
        "kind": trainee.kind(),
        "config": trainee.config(),
        "recipe": trainee.recipe(),
        "options": options,
        "parameters": trainee.parameters().count(),
        "device": device.map(|device| format!("{device:?}").to_lowercase()),
    }))?;
    observer.stage("train", options.steps, "steps");
    observer.advance(state.step);
    let mut course = Course {
        training: training(trainee, options),
        trainee,
        folder,
        options,
        optimiser,
        state,
        started: Instant::now(),
    };
    let mut validation = None;
    let mut stopped = false;
    while course.state.step < options.steps {
        if observer.stop_requested() {
            stopped = true;
            break;
        }
        let gradient = course.update(&mut parameters)?;
        observer.advance(1);
        let step = course.state.step;
        if step.is_multiple_of(options.every) || step == options.steps {
            validation = Some(course.validate(gradient, observer)?);
        }
    }
    if stopped {
        course.save()?;
    }
    Ok(Outcome {
        step: course.state.step,
        stopped,
        validation,
        best: course.state.best.map(f64::from_bits),
    })
}

/// A training under way.
struct Course<'a> {
    trainee: &'a mut dyn Trainee,
    folder: &'a RunFolder,
    options: &'a TrainOptions,
    training: Training,
    optimiser: AdamW,
    state: State,
    started: Instant,
}

impl Course<'_> {
    /// Makes one update; returns the length of its gradient.
    fn update(&mut self, parameters: &mut [Tensor]) -> Result<f64, NeuralError> {
        let (options, step) = (self.options, self.state.step);
        let loss = self.trainee.loss(&Moment {
            step,
            steps: options.steps,
            seed: options.seed,
        })?;
        let value = loss.to_kind(Kind::Double).double_value(&[]);
        if !value.is_finite() {
            return Err(self.diverged("the loss", value));
        }
        let mut gradients = Tensor::f_run_backward(&[loss], &*parameters, false, false)?;
        let norm = optimiser::clip(&mut gradients, options.clip);
        if !norm.is_finite() {
            return Err(self.diverged("the length of its gradient", norm));
        }
        self.optimiser.update(parameters, &gradients, options, step);
        let state = &mut self.state;
        state.step += 1;
        state.losses.0 = (f64::from_bits(state.losses.0) + value).to_bits();
        state.losses.1 += 1;
        Ok(norm)
    }

    fn diverged(&self, what: &'static str, value: f64) -> NeuralError {
        let last = self.folder.last();
        NeuralError::Diverged {
            step: self.state.step + 1,
            what,
            value,
            kept: if last.exists() {
                format!(
                    "{} is that of the last validation and still good",
                    last.display()
                )
            } else {
                "no checkpoint was written yet".to_owned()
            },
        }
    }

    /// Measures the network, writes what is found into the log, and keeps it where it is the best so far.
    fn validate(
        &mut self,
        gradient: f64,
        observer: &dyn Observer,
    ) -> Result<Validation, NeuralError> {
        let found = self.trainee.validate()?;
        let state = &mut self.state;
        let loss = f64::from_bits(state.losses.0) / state.losses.1 as f64;
        state.losses = (0, 0);
        observer.detail(&words(loss, &found));
        let mut line = json!({
            "event": "validation",
            "step": state.step,
            "loss": loss,
            "lr": self.options.rate(state.step - 1),
            "gradient": gradient,
            "seconds": self.started.elapsed().as_secs_f64(),
        });
        for (name, figure) in &found.figures {
            line[*name] = json!(figure);
        }
        self.folder.append(&line)?;
        let better = |best: u64| found.score > f64::from_bits(best);
        if state.best.is_none_or(better) {
            state.best = Some(found.score.to_bits());
            let config = self.trainee.config();
            let identity = (self.trainee.kind(), &config);
            let parameters = self.trainee.parameters();
            checkpoint::write(
                &self.folder.best(),
                identity,
                &self.training,
                parameters,
                None,
            )?;
            if let Some(picture) = self.trainee.picture()? {
                picture.write_png(&self.folder.pictures())?;
            }
        }
        self.save()?;
        Ok(found)
    }

    fn save(&self) -> Result<(), NeuralError> {
        save(
            &*self.trainee,
            self.folder,
            &self.training,
            &self.optimiser,
            self.state,
        )
    }
}

fn save(
    trainee: &dyn Trainee,
    folder: &RunFolder,
    training: &Training,
    optimiser: &AdamW,
    state: State,
) -> Result<(), NeuralError> {
    let config = trainee.config();
    let identity = (trainee.kind(), &config);
    let resumable = Some((optimiser, state));
    checkpoint::write(
        &folder.last(),
        identity,
        training,
        trainee.parameters(),
        resumable,
    )
}

/// Returns "loss 0.0123, psnr 21.3, saturated 0.987": the loss and the first figures.
fn words(loss: f64, validation: &Validation) -> String {
    let figures = validation.figures.iter().take(3);
    let figures: Vec<_> = figures
        .map(|(name, value)| format!(", {name} {value:.4}"))
        .collect();
    format!("loss {loss:.5}{}", figures.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_takes_every_member_once_and_each_epoch_in_another_order() {
        let mut batches = Batches::new(1, 12, 4);
        assert_eq!(batches.per_epoch(), 3);
        let mut epoch = |first| -> Vec<usize> {
            (first..first + 3)
                .flat_map(|s| batches.at(s).to_vec())
                .collect()
        };
        let (first, second) = (epoch(0), epoch(3));
        assert_ne!(first, second);
        assert_eq!(first, epoch(0));
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..12).collect::<Vec<_>>());
        assert_eq!(Batches::new(1, 3, 8).at(5).len(), 3);
    }
}
