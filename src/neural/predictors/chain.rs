//! What networks over whole grids end in: a site's own channels one after the other, and its label.

use tch::{Kind, Tensor};

use crate::neural::NeuralError;
use crate::neural::kit::layers::Conv;
use crate::neural::kit::parameters::{Builder, Start};

/// Features [N, units, H, W] of sites, from bits before them, and all bits → logits [N, K, H, W]: channel k given
/// the channels before k of its own site.
#[derive(Debug)]
pub(in crate::neural) struct Chain {
    features: Conv,
    own: Tensor,
    mask: Tensor,
    out: Tensor,
    bias: Tensor,
    channels: i64,
    /// [labels, units], added to the features of every site, where contexts are bound to labels.
    labels: Option<Tensor>,
}

impl Chain {
    pub(in crate::neural) fn new(
        builder: &mut Builder,
        units: i64,
        channels: i64,
        labels: usize,
    ) -> Result<Self, NeuralError> {
        let labels = match labels as i64 {
            0 => None,
            labels => Some(builder.parameter(
                "labels".to_owned(),
                &[labels, units],
                Start::Normal(0.1),
            )?),
        };
        let features = Conv::new(
            builder,
            "chain.features",
            (units, channels * units),
            (1, 1),
            2f64.sqrt(),
        )?;
        let own = builder.parameter(
            "chain.own".to_owned(),
            &[channels * units, channels, 1, 1],
            Start::Normal(1.0),
        )?;
        let out = builder.parameter(
            "chain.out".to_owned(),
            &[channels, units, 1, 1],
            Start::Normal((units as f64).powf(-0.5)),
        )?;
        let bias = builder.parameter("chain.bias".to_owned(), &[channels], Start::Constant(0.0))?;
        let mask: Vec<f32> = (0..channels * units)
            .flat_map(|row| {
                (0..channels).map(move |earlier| if earlier < row / units { 1.0 } else { 0.0 })
            })
            .collect();
        let mask = Tensor::from_slice(&mask)
            .view([channels * units, channels, 1, 1])
            .to_device(own.device());
        Ok(Self {
            features,
            own,
            mask,
            out,
            bias,
            channels,
            labels,
        })
    }

    /// Returns the logits of a 1; `labels` gives the number of each latent's label.
    pub(in crate::neural) fn forward(
        &self,
        features: Tensor,
        bits: &Tensor,
        labels: &Tensor,
    ) -> Tensor {
        let features = match &self.labels {
            Some(table) => {
                let rows = table.index_select(0, &labels.to_kind(Kind::Int64));
                features + rows.unsqueeze(-1).unsqueeze(-1)
            }
            None => features,
        };
        let own = bits.conv2d(&(&self.own * &self.mask), None::<&Tensor>, 1, 0, 1, 1);
        let hidden = (self.features.forward(&features) + own).relu();
        hidden.conv2d(&self.out, Some(&self.bias), 1, 0, 1, self.channels)
    }
}
