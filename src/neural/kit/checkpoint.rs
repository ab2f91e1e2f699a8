//! A network in a file, with everything needed to load it and, in the file of a run, to go on training
//! it. Its byte-level page is `schemas/model.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Tensor;
use xxhash_rust::xxh3::Xxh3;

use super::optimiser::AdamW;
use super::parameters::{self, Parameters};
use crate::base::Budget;
use crate::latent::LatentError;
use crate::latent::tensors::{Tensor as FileTensor, TensorFile};
use crate::neural::{NeuralError, TrainOptions};

/// The value of the metadata key `format`.
const FORMAT: &str = "bitquilt.model";
/// The newest version that this program reads, and the one it writes.
const VERSION: u32 = 1;
const MODEL: &str = "model.";
const MEANS: &str = "optimiser.mean.";
const SQUARES: &str = "optimiser.square.";

/// How far a training has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Updates done.
    pub(crate) step: u64,
    /// The best score of a validation so far, as its bits: JSON has no infinity.
    pub(crate) best: Option<u64>,
    /// Losses since the last validation: their sum, as its bits, and how many.
    pub(crate) losses: (u64, u64),
}

/// What a training is made of, beside the network's own configuration: it can be resumed only with the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Training {
    pub(crate) options: TrainOptions,
    /// What the kind of network adds: batch, schedules.
    pub(crate) recipe: Value,
    /// Digest of the data.
    pub(crate) data: String,
}

/// A checkpoint as read, before it is a network.
pub(crate) struct Checkpoint {
    path: PathBuf,
    kind: String,
    config: Value,
    training: Option<Training>,
    state: Option<State>,
    tensors: BTreeMap<String, FileTensor>,
}

impl Checkpoint {
    /// Reads a file that must hold a network of this kind.
    pub(crate) fn read(path: &Path, kind: &str) -> Result<Self, NeuralError> {
        Self::read_any(path, &[kind])
    }

    /// Reads a file that must hold a network of one of these kinds, within what memory the machine can give: what
    /// libtorch takes to run it is bounded by nothing else either.
    pub(crate) fn read_any(path: &Path, kinds: &[&str]) -> Result<Self, NeuralError> {
        let wanted = "a checkpoint, as `bitquilt train` writes it";
        let file = TensorFile::read(path, Budget::of_machine()).map_err(|error| match error {
            LatentError::Format { found, .. } => NeuralError::checkpoint(path, wanted, found),
            other => other.into(),
        })?;
        let text = |key: &str| file.metadata.get(key).map_or("(none)", String::as_str);
        if text("format") != FORMAT {
            let found = format!("format={}", text("format"));
            return Err(NeuralError::checkpoint(path, wanted, found));
        }
        let version = text("version");
        if !version
            .parse()
            .is_ok_and(|v: u32| (1..=VERSION).contains(&v))
        {
            return Err(NeuralError::checkpoint(
                path,
                format!("version 1 to {VERSION}: a newer file needs a newer bitquilt"),
                format!("version {version}"),
            ));
        }
        if !kinds.contains(&text("kind")) {
            let found = format!("one of kind {}", text("kind"));
            return Err(NeuralError::checkpoint(
                path,
                format!("a checkpoint of kind {}", kinds.join(" or ")),
                found,
            ));
        }
        let kind = text("kind").to_owned();
        let json = |key: &str| match file.metadata.get(key) {
            None => Ok(None),
            Some(text) => serde_json::from_str::<Value>(text)
                .map(Some)
                .map_err(|error| {
                    NeuralError::checkpoint(path, format!("JSON in metadata {key}"), error)
                }),
        };
        Ok(Self {
            config: json("config")?.unwrap_or_default(),
            training: json("training")?
                .map(|value| typed(path, "training", value))
                .transpose()?,
            state: json("state")?
                .map(|value| typed(path, "state", value))
                .transpose()?,
            path: path.to_owned(),
            kind,
            tensors: file.tensors,
        })
    }

    /// Returns the kind of the network.
    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the network's configuration.
    pub(crate) fn config<T: DeserializeOwned>(&self) -> Result<T, NeuralError> {
        typed(&self.path, "config", self.config.clone())
    }

    /// Returns how the network is being trained.
    pub(crate) fn training(&self) -> Option<&Training> {
        self.training.as_ref()
    }

    /// Returns how the training was begun: the network, the recipe of its kind, the options.
    pub(crate) fn begun<C: DeserializeOwned, R: DeserializeOwned>(
        &self,
    ) -> Result<(C, R, TrainOptions), NeuralError> {
        let wrong = |found: String| {
            NeuralError::checkpoint(&self.path, "the recipe of its training", found)
        };
        let training = self.training().ok_or_else(|| wrong("none".to_owned()))?;
        let recipe = serde_json::from_value(training.recipe.clone());
        let recipe = recipe.map_err(|error| wrong(error.to_string()))?;
        Ok((self.config()?, recipe, training.options))
    }

    /// Returns how far the training has come; absent where it cannot be resumed from this file.
    pub(crate) fn state(&self) -> Option<State> {
        self.state
    }

    /// Returns the file that was read.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the network's tensors.
    pub(crate) fn take_model(&mut self) -> BTreeMap<String, FileTensor> {
        self.take(MODEL)
    }

    /// Takes the optimiser's state for these parameters.
    pub(crate) fn take_optimiser(&mut self, parameters: &Parameters) -> Result<AdamW, NeuralError> {
        let mut taken = |prefix: &str| {
            let mut tensors = self.take(prefix);
            let one = |(name, parameter): (&str, &Tensor)| {
                let size = parameter.size();
                let tensor = tensors
                    .remove(name)
                    .and_then(|t| parameters::to_torch(&t, &size));
                let tensor = tensor.ok_or_else(|| {
                    let expected = format!("tensor {prefix}{name} F32 {size:?}");
                    NeuralError::checkpoint(&self.path, expected, "none, or one of another shape")
                })?;
                Ok(tensor.f_to_device(parameter.device())?)
            };
            parameters
                .trained()
                .map(one)
                .collect::<Result<Vec<_>, NeuralError>>()
        };
        Ok(AdamW {
            means: taken(MEANS)?,
            squares: taken(SQUARES)?,
        })
    }

    fn take(&mut self, prefix: &str) -> BTreeMap<String, FileTensor> {
        let names: Vec<_> = self
            .tensors
            .keys()
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect();
        let tensors = names.into_iter().filter_map(|name| {
            let tensor = self.tensors.remove(&name)?;
            Some((name[prefix.len()..].to_owned(), tensor))
        });
        tensors.collect()
    }
}

fn typed<T: DeserializeOwned>(path: &Path, key: &str, value: Value) -> Result<T, NeuralError> {
    serde_json::from_value(value).map_err(|error| {
        let expected = format!("metadata {key} as this version writes it");
        NeuralError::checkpoint(path, expected, error)
    })
}

/// A configuration or recipe as checkpoints hold it.
#[expect(
    clippy::expect_used,
    reason = "structs of numbers and words are always JSON; a checkpoint without its configuration would not load"
)]
pub(crate) fn json_of(settings: &impl Serialize) -> Value {
    serde_json::to_value(settings).expect("settings that JSON can write")
}

/// Writes a checkpoint, whole or not at all. With an optimiser and a state, training can go on from it.
pub(crate) fn write(
    path: &Path,
    (kind, config): (&str, &Value),
    training: &Training,
    parameters: &Parameters,
    resumable: Option<(&AdamW, State)>,
) -> Result<(), NeuralError> {
    let mut file = TensorFile::default();
    let json = |value: Result<String, serde_json::Error>| {
        value.map_err(|error| {
            NeuralError::checkpoint(path, "a configuration that JSON can hold", error)
        })
    };
    let mut metadata = |key: &str, value: String| file.metadata.insert(key.to_owned(), value);
    metadata("format", FORMAT.to_owned());
    metadata("version", VERSION.to_string());
    metadata("kind", kind.to_owned());
    metadata("config", config.to_string());
    metadata("training", json(serde_json::to_string(training))?);
    if let Some((_, state)) = &resumable {
        metadata("state", json(serde_json::to_string(state))?);
    }
    for (name, tensor) in parameters.iter() {
        file.tensors
            .insert(format!("{MODEL}{name}"), parameters::to_file(tensor));
    }
    if let Some((optimiser, _)) = resumable {
        for (index, (name, _)) in parameters.trained().enumerate() {
            for (prefix, list) in [(MEANS, &optimiser.means), (SQUARES, &optimiser.squares)] {
                file.tensors
                    .insert(format!("{prefix}{name}"), parameters::to_file(&list[index]));
            }
        }
    }
    Ok(file.write(path)?)
}

/// Returns the XXH3-128 of a network: its configuration, every parameter and statistic, in hexadecimal. Two checkpoints
/// with the same digest give the same codes.
pub(crate) fn digest(config: &Value, parameters: &Parameters) -> String {
    let mut hasher = Xxh3::new();
    // In order of the keys, whatever order a `Map` keeps: that is a feature of serde_json, which any dependency
    // can turn on.
    let fields: BTreeMap<_, _> = config.as_object().into_iter().flatten().collect();
    for (key, value) in fields {
        hasher.update(format!("{key}={value};").as_bytes());
    }
    for (name, tensor) in parameters.iter() {
        hasher.update(name.as_bytes());
        hasher.update(&parameters::to_file(tensor).bytes);
    }
    format!("{:032x}", hasher.digest128())
}
