//! Named parameters and the few layers that every network here is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use tch::{Kind, Tensor};

use super::random::{Purpose, Stream};
use super::{Device, NeuralError};
use crate::latent::tensors::Tensor as FileTensor;

/// The trainable tensors of a network, in the order in which they were made.
#[derive(Debug)]
pub struct Parameters(Vec<(String, Tensor)>);

impl Parameters {
    /// Names and tensors.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The tensors alone; they share their memory with the network.
    pub(crate) fn tensors(&self) -> Vec<Tensor> {
        self.0
            .iter()
            .map(|(_, tensor)| tensor.shallow_clone())
            .collect()
    }

    /// How many numbers there are to train.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(_, tensor)| tensor.numel()).sum()
    }
}

/// Where parameters come from.
enum Source {
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
    source: Source,
    made: Vec<(String, Tensor)>,
}

impl Builder {
    /// Draws every parameter.
    pub(crate) fn fresh(seed: u64, device: Device) -> Self {
        Self {
            device,
            source: Source::Fresh { seed },
            made: Vec::new(),
        }
    }

    /// Takes every parameter from a file. Nothing is allocated that the file does not hold.
    pub(crate) fn from_file(
        path: &Path,
        tensors: BTreeMap<String, FileTensor>,
        device: Device,
    ) -> Self {
        let path = path.to_owned();
        Self {
            device,
            source: Source::File { path, tensors },
            made: Vec::new(),
        }
    }

    /// The parameter of this name and shape.
    pub(crate) fn parameter(
        &mut self,
        name: String,
        shape: &[i64],
        start: Start,
    ) -> Result<Tensor, NeuralError> {
        let tensor = match &mut self.source {
            Source::Fresh { seed } => {
                let count = shape.iter().product::<i64>() as usize;
                let mut stream = Stream::new(*seed, Purpose::Parameter, self.made.len() as u64);
                let values: Vec<f32> = match start {
                    Start::Constant(value) => vec![value as f32; count],
                    Start::Normal(deviation) => (0..count)
                        .map(|_| (stream.normal() * deviation) as f32)
                        .collect(),
                };
                Tensor::f_from_slice(&values)?.view(shape)
            }
            Source::File { path, tensors } => {
                let expected = format!("tensor {name} F32 {shape:?}, as its configuration has it");
                match tensors.remove(&name) {
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
        let tensor = tensor.f_to_device(self.device.0)?.set_requires_grad(true);
        self.made.push((name, tensor.shallow_clone()));
        Ok(tensor)
    }

    /// All parameters, once every layer is made.
    ///
    /// # Errors
    /// [`NeuralError::Checkpoint`] when the file holds tensors that no layer asked for.
    pub(crate) fn finish(self) -> Result<Parameters, NeuralError> {
        if let Source::File { path, tensors } = &self.source
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

/// A tensor of a file as one of libtorch, if it is F32 of this shape.
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

/// An f32 tensor of libtorch as one of a file.
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

/// The values of a tensor, row-major.
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

/// A two-dimensional convolution with bias.
#[derive(Debug)]
pub(crate) struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv {
    /// `side`×`side` weights from `inputs` to `outputs` channels. `gain` scales the first values:
    /// √2 behind a rectifier (He et al. 2015), 0 to start as nothing.
    pub(crate) fn new(
        builder: &mut Builder,
        name: &str,
        (inputs, outputs): (i64, i64),
        (side, stride): (i64, i64),
        gain: f64,
    ) -> Result<Self, NeuralError> {
        let fan_in = (inputs * side * side) as f64;
        let start = Start::Normal(gain / fan_in.sqrt());
        let weight = builder.parameter(
            format!("{name}.weight"),
            &[outputs, inputs, side, side],
            start,
        )?;
        let bias = builder.parameter(format!("{name}.bias"), &[outputs], Start::Constant(0.0))?;
        Ok(Self {
            weight,
            bias,
            stride,
            // Sides of 3 and 1 at stride 1 keep the size, 4 at stride 2 halves it.
            padding: (side - 1) / 2,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        x.conv2d(
            &self.weight,
            Some(&self.bias),
            self.stride,
            self.padding,
            1,
            1,
        )
    }
}

/// A linear map with bias.
#[derive(Debug)]
pub(crate) struct Linear {
    /// [outputs, inputs]
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
}

impl Linear {
    /// From `inputs` to `outputs` numbers; `gain` as for [`Conv::new`].
    pub(crate) fn new(
        builder: &mut Builder,
        name: &str,
        (inputs, outputs): (i64, i64),
        gain: f64,
    ) -> Result<Self, NeuralError> {
        // The context of a 1-bit latent has no bits.
        let start = Start::Normal(gain / (inputs.max(1) as f64).sqrt());
        Ok(Self {
            weight: builder.parameter(format!("{name}.weight"), &[outputs, inputs], start)?,
            bias: builder.parameter(format!("{name}.bias"), &[outputs], Start::Constant(0.0))?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// Group normalisation (Wu & He 2018) with a scale and shift for each channel.
#[derive(Debug)]
pub(crate) struct Norm {
    groups: i64,
    weight: Tensor,
    bias: Tensor,
}

impl Norm {
    /// Over groups of an eighth of the channels, or the nearest larger share that divides them.
    pub(crate) fn new(
        builder: &mut Builder,
        name: &str,
        channels: i64,
    ) -> Result<Self, NeuralError> {
        let groups = (1..=8).rev().find(|groups| channels % groups == 0);
        Ok(Self {
            groups: groups.unwrap_or(1),
            weight: builder.parameter(
                format!("{name}.weight"),
                &[channels],
                Start::Constant(1.0),
            )?,
            bias: builder.parameter(format!("{name}.bias"), &[channels], Start::Constant(0.0))?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        x.group_norm(
            self.groups,
            Some(&self.weight),
            Some(&self.bias),
            1e-5,
            true,
        )
    }
}

/// x + conv(relu(norm(conv(relu(norm(x)))))), both 3×3; starts as x (He et al. 2016, zero last layer).
#[derive(Debug)]
pub(crate) struct Residual {
    norms: [Norm; 2],
    convs: [Conv; 2],
}

impl Residual {
    pub(crate) fn new(
        builder: &mut Builder,
        name: &str,
        channels: i64,
    ) -> Result<Self, NeuralError> {
        let same = (channels, channels);
        Ok(Self {
            norms: [
                Norm::new(builder, &format!("{name}.norm0"), channels)?,
                Norm::new(builder, &format!("{name}.norm1"), channels)?,
            ],
            convs: [
                Conv::new(builder, &format!("{name}.conv0"), same, (3, 1), 2f64.sqrt())?,
                Conv::new(builder, &format!("{name}.conv1"), same, (3, 1), 0.0)?,
            ],
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let inner = self.convs[0].forward(&self.norms[0].forward(x).relu());
        x + self.convs[1].forward(&self.norms[1].forward(&inner).relu())
    }
}
