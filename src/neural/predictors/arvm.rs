//! The autoregressive variational model (ARVM): a context → the histogram of its next bit (Eqns 11–14).

use tch::{Kind, Tensor};

use super::config::PredictorConfig;
use crate::neural::kit::layers::Linear;
use crate::neural::kit::parameters::{Builder, Start};
use crate::neural::{Device, NeuralError};
use crate::window::{Contexts, Geometry};

/// One linear layer over all bits of the window, residual blocks of the site alone, one number.
///
/// That is a masked C×C convolution followed by 1×1 convolutions, written for one site: nothing but the
/// window is ever read. A site's channels are chained, each one's context ending with those before it.
#[derive(Debug)]
pub(in crate::neural) struct Arvm {
    pub(in crate::neural) window: Linear,
    /// [places, units]: channels, or positions where they are part of the key.
    pub(in crate::neural) places: Tensor,
    /// [labels, units], where contexts are bound to labels.
    pub(in crate::neural) labels: Option<Tensor>,
    pub(in crate::neural) blocks: Vec<[Linear; 2]>,
    pub(in crate::neural) out: Linear,
    symbols: i64,
}

impl Arvm {
    pub(in crate::neural) fn new(
        b: &mut Builder,
        config: &PredictorConfig,
        geometry: &Geometry,
    ) -> Result<Self, NeuralError> {
        let (units, symbols) = (config.units as i64, geometry.symbols() as i64);
        let mut table = |name: &str, rows: i64| {
            b.parameter(name.to_owned(), &[rows, units], Start::Normal(0.1))
        };
        let places = table("places", geometry.places() as i64)?;
        let labels = match config.labels.len() {
            0 => None,
            labels => Some(table("labels", labels as i64)?),
        };
        let window = Linear::new(b, "window", (symbols, units), 1.0)?;
        let blocks = (0..config.depth).map(|block| {
            Ok([
                Linear::new(b, &format!("block{block}.0"), (units, units), 2f64.sqrt())?,
                Linear::new(b, &format!("block{block}.1"), (units, units), 0.0)?,
            ])
        });
        let blocks = blocks.collect::<Result<_, NeuralError>>()?;
        let out = Linear::new(b, "out", (units, 1), 1.0)?;
        Ok(Self {
            window,
            places,
            labels,
            blocks,
            out,
            symbols,
        })
    }

    /// Returns the logits of a 1 for contexts.
    pub(in crate::neural) fn forward(&self, contexts: &Contexts, device: Device) -> Tensor {
        let count = contexts.len() as i64;
        let symbols = Tensor::from_slice(&contexts.symbols)
            .view([count, self.symbols])
            .to_device(device.0);
        let rows = |table: &Tensor, numbers: &[u32]| {
            let numbers: Vec<i64> = numbers.iter().map(|number| i64::from(*number)).collect();
            table.index_select(0, &Tensor::from_slice(&numbers).to_device(device.0))
        };
        let mut x = self.window.forward(&symbols) + rows(&self.places, &contexts.places);
        if let Some(labels) = &self.labels {
            x += rows(labels, &contexts.labels);
        }
        for [first, second] in &self.blocks {
            x = &x + second.forward(&first.forward(&x.relu()).relu());
        }
        self.out
            .forward(&x.relu())
            .squeeze_dim(1)
            .to_kind(Kind::Float)
    }
}
