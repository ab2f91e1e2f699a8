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

mod arvm;
mod blae;
mod blae_codes;
mod blae_config;
mod blae_training;
mod chain;
mod checkpoint;
mod device;
mod error;
mod layers;
mod memory;
mod noise;
mod optimiser;
mod parameters;
mod pixelcnn;
mod plain;
mod predictor;
mod predictor_config;
mod predictor_training;
mod quantizer;
mod random;
mod run;
mod train;
mod transformer;

pub use blae::Blae;
pub use blae_config::BlaeConfig;
pub use blae_training::{BlaeRecipe, SATURATED, blae_run, resume_blae, train_blae};
pub use device::{Device, DeviceChoice, set_threads};
pub use error::NeuralError;
pub use optimiser::TrainOptions;
pub use parameters::Parameters;
pub use plain::PlainArvm;
pub use predictor::Predictor;
pub use predictor_config::{NetworkKind, PredictorConfig};
pub use predictor_training::{
    Numbered, PredictorData, PredictorRecipe, Weighting, check_predictor, predictor_run,
    resume_predictor, train_predictor,
};
pub use quantizer::Quantizer;
pub use run::RunFolder;
pub use train::{Moment, Outcome, Trainee, Validation};
