//! The tensors of a network by name: drawn from a seed or read from a file, one after the other as the layers are made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use tch::{Kind, Tensor};

use super::random::{Purpose, Stream};
use crate::latent::tensors::Tensor as FileTensor;
use crate::neural::{Device, NeuralError};

/// The tensors of a network, in the order in which they were made: those that are trained, and running
/// statistics, which are not.
#[derive(Debug)]
pub struct Parameters(Vec<(String, Tensor)>);

impl Parameters {
    /// Names and tensors: all that makes the network.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Names and tensors of those that are trained.
    pub(crate) fn trained(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.iter().filter(|(_, tensor)| tensor.requires_grad())
    }

    /// Returns the trained tensors alone; they share their memory with the network.
    pub(crate) fn tensors(&self) -> Vec<Tensor> {
        self.trained()
            .map(|(_, tensor)| tensor.shallow_clone())
            .collect()
    }

    /// Returns how many trained numbers there are.
    pub fn count(&self) -> usize {
        self.trained().map(|(_, tensor)| tensor.numel()).sum()
    }
}

/// Where parameters come from.
enum Values {
    /// Drawn: a function of the seed and the parameter's number.
    Fresh { seed: u64 },
    /// Read: every tensor must be in the file, as F32 of its shape.
    File {
        path: PathBuf,
        tensors: BTreeMap<String, FileTensor>,
    },
}

/// First values of a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// All the same.
    Constant(f64),
    /// Normal with this standard deviation.
    Normal(f64),
}

/// Makes parameters for the layers of one network.
pub(crate) struct Builder {
    device: Device,
    source: Values,
    /// Parameters so far. Statistics do not count: they draw nothing, and a network with one more starts no
    /// different.
    numbered: u64,
    made: Vec<(String, Tensor)>,
}

impl Builder {
    /// Draws every parameter; statistics begin as those of standardised numbers.
    pub(crate) fn fresh(seed: u64, device: Device) -> Self {
        Self {
            device,
            source: Values::Fresh { seed },
            numbered: 0,
            made: Vec::new(),
        }
    }

    /// Takes every parameter and statistic from a file. Nothing is allocated that the file does not hold.
    pub(crate) fn from_file(
        path: &Path,
        tensors: BTreeMap<String, FileTensor>,
        device: Device,
    ) -> Self {
        let path = path.to_owned();
        Self {
            device,
            source: Values::File { path, tensors },
            numbered: 0,
            made: Vec::new(),
        }
    }

    /// Makes the parameter of this name and shape.
    pub(crate) fn parameter(
        &mut self,
        name: String,
        shape: &[i64],
        start: Start,
    ) -> Result<Tensor, NeuralError> {
        let tensor = self.tensor(&name, shape, start)?.set_requires_grad(true);
        self.numbered += 1;
        self.made.push((name, tensor.shallow_clone()));
        Ok(tensor)
    }

    /// Makes a running statistic, one number for each channel: saved with the network, not trained.
    pub(crate) fn statistic(
        &mut self,
        name: String,
        channels: i64,
        start: f64,
    ) -> Result<Tensor, NeuralError> {
        let tensor = self.tensor(&name, &[channels], Start::Constant(start))?;
        self.made.push((name, tensor.shallow_clone()));
        Ok(tensor)
    }

    fn tensor(&mut self, name: &str, shape: &[i64], start: Start) -> Result<Tensor, NeuralError> {
        let tensor = match &mut self.source {
            Values::Fresh { seed } => {
                let count = shape.iter().product::<i64>() as usize;
                let mut stream = Stream::new(*seed, Purpose::Parameter, self.numbered);
                let values: Vec<f32> = match start {
                    Start::Constant(value) => vec![value as f32; count],
                    Start::Normal(deviation) => (0..count)
                        .map(|_| (stream.normal() * deviation) as f32)
                        .collect(),
                };
                Tensor::f_from_slice(&values)?.view(shape)
            }
            Values::File { path, tensors } => {
                let expected = format!("tensor {name} F32 {shape:?}, as its configuration has it");
                match tensors.remove(name) {
                    Some(tensor) => to_torch(&tensor, shape).ok_or_else(|| {
                        let found = format!("{:?} {:?}", tensor.dtype, tensor.shape);
                        NeuralError::checkpoint(path, expected, found)
                    })?,
                    None => {
                        let error = NeuralError::checkpoint(path, expected, "no such tensor");
                        return Err(error);
                    }
                }
            }
        };
        Ok(tensor.f_to_device(self.device.0)?)
    }

    /// Returns all parameters and statistics, once every layer is made.
    ///
    /// # Errors
    /// [`NeuralError::Checkpoint`] when the file holds tensors that no layer asked for.
    pub(crate) fn finish(self) -> Result<Parameters, NeuralError> {
        if let Values::File { path, tensors } = &self.source
            && let Some(name) = tensors.keys().next()
        {
            return Err(NeuralError::checkpoint(
                path,
                "the tensors of its configuration and no others",
                format!("a tensor {name} as well"),
            ));
        }
        Ok(Parameters(self.made))
    }
}

/// Turns a tensor of a file into one of libtorch, if it is F32 of this shape.
pub(crate) fn to_torch(tensor: &FileTensor, shape: &[i64]) -> Option<Tensor> {
    let same = tensor
        .shape
        .iter()
        .map(|side| *side as i64)
        .eq(shape.iter().copied());
    let count = shape.iter().product::<i64>() as usize;
    // libtorch reads as many bytes as the shape says, whatever the slice holds.
    (same && tensor.dtype == Dtype::F32 && tensor.bytes.len() == count * 4)
        .then(|| Tensor::from_data_size(&tensor.bytes, shape, Kind::Float))
}

/// Turns an f32 tensor of libtorch into one of a file.
pub(crate) fn to_file(tensor: &Tensor) -> FileTensor {
    let values = floats(tensor);
    FileTensor {
        dtype: Dtype::F32,
        shape: tensor.size().iter().map(|side| *side as usize).collect(),
        bytes: values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    }
}

/// Returns the values of a tensor, row-major.
pub(crate) fn floats(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor
        .detach()
        .to_device(tch::Device::Cpu)
        .to_kind(Kind::Float)
        .contiguous();
    let mut values = vec![0.0; flat.numel()];
    let count = values.len();
    flat.copy_data(&mut values, count);
    values
}
