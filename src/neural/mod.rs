//! The networks, by libtorch (cargo feature `neural`): the binary latent autoencoder in front of the index; the
//! ARVM, which learns the index and answers where it has no match; the networks it is compared with; and the one
//! loop that trains them all.
//!
//! A network is a function of its configuration, its data and a seed: on one processor and as many
//! threads, the same training gives the same bits, and one that was stopped goes on as if it had not
//! been. Random numbers are drawn here, not by libtorch.
//!
//! `tch` is used in this module only. Its tensors can be sent to another thread and not shared:
//! parallelism is libtorch's own, within one operation.

mod codec;
mod error;
mod kit;
mod predictors;

pub use codec::blae::Blae;
pub use codec::config::BlaeConfig;
pub use codec::quantizer::Quantizer;
pub use codec::training::{BlaeRecipe, blae_run, resume_blae, train_blae};
pub use error::NeuralError;
pub use kit::device::{Device, DeviceChoice, set_threads};
pub use kit::optimiser::TrainOptions;
pub use kit::parameters::Parameters;
pub use kit::run::RunFolder;
pub use kit::train::{Moment, Outcome, Trainee, Validation};
pub use predictors::config::{NetworkKind, PredictorConfig};
pub use predictors::plain::PlainArvm;
pub use predictors::predictor::Predictor;
pub use predictors::training::{
    Numbered, PredictorData, PredictorRecipe, Weighting, check_predictor, predictor_run,
    resume_predictor, train_predictor,
};
