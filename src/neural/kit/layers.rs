//! The few layers that every network here is made of.

use tch::Tensor;

use super::parameters::{Builder, Start};
use crate::neural::NeuralError;

/// A two-dimensional convolution with bias.
#[derive(Debug)]
pub(crate) struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv {
    /// Makes `side`×`side` weights from `inputs` to `outputs` channels. `gain` scales the first values: √2 behind a
    /// rectifier (He et al. 2015), 0 to start as nothing.
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
    pub(in crate::neural) weight: Tensor,
    pub(in crate::neural) bias: Tensor,
}

impl Linear {
    /// Makes weights from `inputs` to `outputs` numbers; `gain` as for [`Conv::new`].
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
    /// Normalizes over groups of an eighth of the channels, or the nearest larger share that divides them.
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

/// The share of a batch in the running statistics: those of the last 20 batches or so.
const MEMORY: f64 = 0.05;

/// Which statistics a [`Standard`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statistics {
    /// Those of the batch, remembered in the running ones.
    Batch,
    /// The running ones, as they are.
    Running,
}

/// Batch normalisation (Ioffe & Szegedy 2015) without scale or shift: each channel of mean 0 and variance 1
/// over images and sites.
#[derive(Debug)]
pub(crate) struct Standard {
    mean: Tensor,
    variance: Tensor,
}

impl Standard {
    pub(crate) fn new(
        builder: &mut Builder,
        name: &str,
        channels: i64,
    ) -> Result<Self, NeuralError> {
        Ok(Self {
            mean: builder.statistic(format!("{name}.mean"), channels, 0.0)?,
            variance: builder.statistic(format!("{name}.variance"), channels, 1.0)?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor, statistics: Statistics) -> Tensor {
        x.batch_norm(
            None::<&Tensor>,
            None::<&Tensor>,
            Some(&self.mean),
            Some(&self.variance),
            statistics == Statistics::Batch,
            MEMORY,
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

#[cfg(test)]
mod tests {
    use super::super::parameters::{Parameters, floats};
    use super::super::random::{Purpose, Stream};
    use super::*;
    use crate::neural::Device;

    const CHANNELS: usize = 3;

    /// Images [4, 3, 2, 5] of numbers that are neither centred nor of one size.
    fn numbers() -> (Vec<f32>, Tensor) {
        let mut stream = Stream::new(1, Purpose::Noise, 0);
        let values: Vec<f32> = (0..4 * CHANNELS * 10)
            .map(|at| {
                let channel = (at / 10 % CHANNELS) as f64;
                (stream.normal() * (channel + 0.5) + 2.0 * channel - 1.0) as f32
            })
            .collect();
        let tensor = Tensor::from_slice(&values).view([4, CHANNELS as i64, 2, 5]);
        (values, tensor)
    }

    /// The numbers of one channel.
    fn of_channel(values: &[f32], channel: usize) -> Vec<f64> {
        let planes = values.chunks_exact(10).skip(channel).step_by(CHANNELS);
        planes.flatten().map(|x| f64::from(*x)).collect()
    }

    /// Mean and variance, the mean square from the mean.
    fn moments(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        (mean, squares / values.len() as f64)
    }

    fn standard() -> (Standard, Parameters) {
        let mut builder = Builder::fresh(0, Device::CPU);
        let standard = Standard::new(&mut builder, "standard", CHANNELS as i64).unwrap();
        (standard, builder.finish().unwrap())
    }

    #[test]
    fn batches_are_standardised_by_their_own_statistics_and_those_are_remembered() {
        let (standard, _) = standard();
        let (values, tensor) = numbers();
        let found = floats(&standard.forward(&tensor, Statistics::Batch));
        let (means, variances) = (floats(&standard.mean), floats(&standard.variance));
        for channel in 0..CHANNELS {
            let before = of_channel(&values, channel);
            let (mean, variance) = moments(&before);
            let after = of_channel(&found, channel);
            for (x, y) in before.iter().zip(&after) {
                assert!((y - (x - mean) / (variance + 1e-5).sqrt()).abs() < 1e-5);
            }
            let (zero, one) = moments(&after);
            assert!(zero.abs() < 1e-6 && (one - 1.0).abs() < 1e-3);
            // 19 parts of what was, 0 and 1; the variance of a batch is estimated, with n - 1.
            let estimated = variance * before.len() as f64 / (before.len() - 1) as f64;
            assert!((f64::from(means[channel]) - MEMORY * mean).abs() < 1e-6);
            let expected = 1.0 - MEMORY + MEMORY * estimated;
            assert!((f64::from(variances[channel]) - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn running_statistics_are_taken_as_they_are_and_left_so() {
        let (mut standard, _) = standard();
        standard.mean = Tensor::from_slice(&[1f32, -2.0, 0.5]);
        standard.variance = Tensor::from_slice(&[4f32, 0.25, 9.0]);
        let (values, tensor) = numbers();
        let found = floats(&standard.forward(&tensor, Statistics::Running));
        for (channel, (mean, variance)) in [(1.0, 4.0), (-2.0, 0.25), (0.5, 9.0f64)]
            .into_iter()
            .enumerate()
        {
            let pairs = of_channel(&values, channel);
            for (x, y) in pairs.iter().zip(of_channel(&found, channel)) {
                assert!((y - (x - mean) / (variance + 1e-5).sqrt()).abs() < 1e-5);
            }
        }
        assert_eq!(floats(&standard.mean), [1.0, -2.0, 0.5]);
        assert_eq!(floats(&standard.variance), [4.0, 0.25, 9.0]);
    }

    #[test]
    fn statistics_are_saved_and_not_trained_and_shift_no_draw() {
        let build = |with: bool| {
            let mut builder = Builder::fresh(7, Device::CPU);
            Conv::new(&mut builder, "first", (2, 3), (1, 1), 1.0).unwrap();
            if with {
                Standard::new(&mut builder, "standard", 3).unwrap();
            }
            Conv::new(&mut builder, "last", (3, 1), (1, 1), 1.0).unwrap();
            builder.finish().unwrap()
        };
        let (with, without) = (build(true), build(false));
        assert_eq!((with.count(), without.count()), (9 + 4, 9 + 4));
        assert_eq!((with.iter().count(), without.iter().count()), (6, 4));
        let trained = |parameters: &Parameters| -> Vec<_> {
            let all = parameters.trained();
            all.map(|(name, tensor)| (name.to_owned(), floats(tensor)))
                .collect()
        };
        assert_eq!(trained(&with), trained(&without));
        assert_eq!(with.tensors().len(), 4);
    }
}
