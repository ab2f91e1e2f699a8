//! A gated PixelCNN (van den Oord et al. 2016, arXiv 1606.05328) that sees exactly a window.
//!
//! Two stacks: one over the rows above, one along the row to the left, which takes in the first. A layer of
//! radius ρ reaches ρ sites further up and to both sides; the radii of all layers add up to the window's, so the
//! network sees all of it and nothing else. Kernels are cut to their causal half and not masked.

use tch::Tensor;

use super::chain::Chain;
use super::config::{PredictorConfig, radius};
use crate::neural::NeuralError;
use crate::neural::kit::parameters::{Builder, Start};
use crate::window::Geometry;

#[derive(Debug)]
pub(in crate::neural) struct PixelCnn {
    layers: Vec<Gated>,
    chain: Chain,
}

/// One layer of both stacks.
#[derive(Debug)]
struct Gated {
    radius: i64,
    /// Rows above (the first layer), or those and the own row (the others): [2·units, inputs, rows, 2ρ+1].
    above: Tensor,
    above_bias: Tensor,
    /// Sites to the left, or those and the own one.
    left: Tensor,
    left_bias: Tensor,
    /// From the stack above to the one on the left, 1×1.
    across: Tensor,
    /// Of the stack on the left, 1×1.
    out: Tensor,
}

impl PixelCnn {
    pub(in crate::neural) fn new(
        b: &mut Builder,
        config: &PredictorConfig,
        geometry: &Geometry,
    ) -> Result<Self, NeuralError> {
        let (units, channels) = (config.units as i64, config.channels as i64);
        let reach = radius(geometry.window(), geometry.shape());
        let radii = radii(reach, config.depth);
        let mut layers = Vec::new();
        for (number, radius) in radii.into_iter().enumerate() {
            let (inputs, own) = if number == 0 {
                (channels, 0)
            } else {
                (units, 1)
            };
            let mut weight = |name: &str, inputs: i64, rows: i64, cols: i64| {
                let start = Start::Normal(((inputs * rows * cols) as f64).powf(-0.5));
                let outputs = if name == "out" { units } else { 2 * units };
                b.parameter(
                    format!("layer{number}.{name}"),
                    &[outputs, inputs, rows, cols],
                    start,
                )
            };
            let (above, left) = (
                weight("above", inputs, radius + own, 2 * radius + 1)?,
                weight("left", inputs, 1, radius + own)?,
            );
            let (across, out) = (
                weight("across", 2 * units, 1, 1)?,
                weight("out", units, 1, 1)?,
            );
            let mut bias = |name: &str| {
                b.parameter(
                    format!("layer{number}.{name}"),
                    &[2 * units],
                    Start::Constant(0.0),
                )
            };
            let (above_bias, left_bias) = (bias("above_bias")?, bias("left_bias")?);
            layers.push(Gated {
                radius,
                above,
                above_bias,
                left,
                left_bias,
                across,
                out,
            });
        }
        Ok(Self {
            layers,
            chain: Chain::new(b, units, channels, config.labels.len())?,
        })
    }

    /// Returns the logits [N, K, H, W] for bits ±1 [N, K, H, W].
    pub(in crate::neural) fn forward(&self, bits: &Tensor, labels: &Tensor) -> Tensor {
        let (height, width) = (bits.size()[2], bits.size()[3]);
        let (mut above, mut left) = (bits.shallow_clone(), bits.shallow_clone());
        for (number, layer) in self.layers.iter().enumerate() {
            let radius = layer.radius;
            // What is padded at the top and on the left shifts the kernel into the past.
            let top = above.constant_pad_nd([radius, radius, radius, 0]);
            let sum = top
                .conv2d(&layer.above, Some(&layer.above_bias), 1, 0, 1, 1)
                .narrow(2, 0, height);
            let before = left.constant_pad_nd([radius, 0, 0, 0]);
            let own = before
                .conv2d(&layer.left, Some(&layer.left_bias), 1, 0, 1, 1)
                .narrow(3, 0, width);
            let own = own + sum.conv2d(&layer.across, None::<&Tensor>, 1, 0, 1, 1);
            let next = gate(&own).conv2d(&layer.out, None::<&Tensor>, 1, 0, 1, 1);
            left = if number == 0 { next } else { left + next };
            above = gate(&sum);
        }
        self.chain.forward(left.relu(), bits, labels)
    }
}

/// Returns tanh(a)·σ(b) of both halves of the channels.
fn gate(x: &Tensor) -> Tensor {
    let halves = x.chunk(2, 1);
    halves[0].tanh() * halves[1].sigmoid()
}

/// Returns `depth` parts of a radius, or fewer, each at least 1 and as equal as can be.
pub(in crate::neural) fn radii(radius: i64, depth: usize) -> Vec<i64> {
    let layers = radius.min(depth as i64).max(1);
    (0..layers)
        .map(|layer| radius / layers + i64::from(layer < radius % layers))
        .collect()
}
