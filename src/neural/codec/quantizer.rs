//! From the numbers of an encoder to bits: the paper's bounded activation with noise, and the two
//! straight-through quantizers that everyone else uses, on the same networks.

use tch::{Kind, Tensor};

use crate::base::choice;

choice! {
    "lowercase",
    /// How an encoder's numbers become bits. The bit is always the sign.
    #[derive(Default)]
    pub enum Quantizer {
        /// ψ = tanh, noise added in training (Eqn 8), rounded at its end; one loss.
        #[default]
        #[strum(message = "Tanh, with noise in training")]
        Blae,
        /// Lookup-free quantization (Yu et al. 2024, arXiv 2310.05737): sign with a straight-through
        /// gradient, commitment and entropy terms.
        #[strum(message = "Lookup-free: the sign, with a straight-through gradient")]
        Lfq,
        /// Binary spherical quantization (Zhao et al. 2024, arXiv 2406.07548): the K numbers of a site on
        /// the unit sphere, sign / √K with a straight-through gradient, entropy terms.
        #[strum(message = "Binary spherical: the sign of numbers on the unit sphere")]
        Bsq,
    }
}

/// ‖ψ‖_ω of Eqn 9 for ψ = tanh: sup − inf.
pub(crate) const OSCILLATION: f64 = 2.0;

impl Quantizer {
    /// Returns the activation of an encoder's numbers [N, K, H, W]: what noise is added to, or what is rounded.
    pub(crate) fn activation(self, numbers: &Tensor, slope: f64) -> Tensor {
        match self {
            Self::Blae => (numbers * slope).tanh(),
            Self::Lfq => numbers.shallow_clone(),
            Self::Bsq => {
                let square = numbers.square().sum_dim_intlist(1, true, Kind::Float);
                // A site of zeros has no direction; the small number keeps it finite.
                numbers / (square + 1e-12).sqrt()
            }
        }
    }

    /// Returns the number that a 1 is to the decoder: 1, or 1/√K on the unit sphere. A 0 is its negative.
    pub(crate) fn level(self, channels: usize) -> f64 {
        match self {
            Self::Blae | Self::Lfq => 1.0,
            Self::Bsq => 1.0 / (channels as f64).sqrt(),
        }
    }

    /// Activations rounded to their levels: + where above 0, − elsewhere.
    pub(crate) fn round(self, activation: &Tensor) -> Tensor {
        let channels = activation.size()[1] as usize;
        (activation.gt(0.0).to_kind(Kind::Float) * 2.0 - 1.0) * self.level(channels)
    }

    /// Rounds in the forward pass; the backward pass goes as if nothing had been rounded.
    pub(crate) fn straight_through(self, activation: &Tensor) -> Tensor {
        activation + (self.round(activation) - activation).detach()
    }

    /// Returns what the straight-through quantizers add to the loss: `commitment` · mean (z − sign z)² (LFQ), and
    /// `entropy` · (mean H(p) − H(mean p)) in nats, bit by bit with p = sigmoid(4z): sure of each bit, and both values
    /// used alike. The mean of p is that of a channel over images and sites.
    pub(crate) fn terms(
        self,
        activation: &Tensor,
        commitment: f64,
        entropy: f64,
    ) -> Option<Tensor> {
        let level = self.level(activation.size()[1] as usize);
        let committed = match self {
            Self::Blae => return None,
            // On the sphere the distance to the nearest corner is bounded already.
            Self::Bsq => None,
            Self::Lfq => {
                let away = activation - self.round(activation).detach();
                Some(away.square().mean(Kind::Float) * commitment)
            }
        };
        // 4z = the difference of the squared distances to ±1; on the sphere in units of its level.
        let logits = activation * (4.0 / level);
        let sample = binary_entropy(&logits).mean(Kind::Float);
        let usage = logits
            .sigmoid()
            .mean_dim([0i64, 2, 3].as_slice(), false, Kind::Float);
        let usage = binary_entropy(&usage.logit(1e-6)).mean(Kind::Float);
        let entropy = (sample - usage) * entropy;
        Some(match committed {
            Some(committed) => committed + entropy,
            None => entropy,
        })
    }
}

/// Returns the entropy in nats of a bit that is 1 with probability sigmoid(logit): softplus(l) − l·sigmoid(l).
fn binary_entropy(logits: &Tensor) -> Tensor {
    logits.softplus() - logits * logits.sigmoid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(tensor: &Tensor) -> Vec<f32> {
        crate::neural::kit::parameters::floats(tensor)
    }

    /// [1, K, 1, W] from a list of sites.
    fn numbers(sites: &[&[f32]]) -> Tensor {
        let channels = sites[0].len();
        let values: Vec<f32> = (0..channels)
            .flat_map(|channel| sites.iter().map(move |site| site[channel]))
            .collect();
        Tensor::from_slice(&values).view([1, channels as i64, 1, sites.len() as i64])
    }

    #[test]
    fn activations_and_levels_are_those_of_plain_arithmetic() {
        let sites: [&[f32]; 3] = [&[3.0, -4.0], &[0.5, 0.5], &[-0.25, 2.0]];
        let raw = numbers(&sites);
        let tanh = floats(&Quantizer::Blae.activation(&raw, 1.0));
        let sphere = floats(&Quantizer::Bsq.activation(&raw, 1.0));
        let rounded = floats(&Quantizer::Bsq.round(&Quantizer::Bsq.activation(&raw, 1.0)));
        for (at, site) in sites.iter().enumerate() {
            let norm = site.iter().map(|x| x * x).sum::<f32>().sqrt();
            for (channel, x) in site.iter().enumerate() {
                let index = channel * sites.len() + at;
                assert!((tanh[index] - x.tanh()).abs() < 1e-6);
                assert!((sphere[index] - x / norm).abs() < 1e-6);
                assert!((rounded[index] - x.signum() / 2f32.sqrt()).abs() < 1e-6);
            }
        }
        assert_eq!(
            floats(&Quantizer::Lfq.round(&numbers(&[&[0.0], &[1e-9]]))),
            [-1.0, 1.0]
        );
    }

    #[test]
    fn the_gradient_passes_rounding_unchanged() {
        let raw = numbers(&[&[0.3, -0.7], &[0.1, 2.0]]).set_requires_grad(true);
        let weights = numbers(&[&[1.0, 2.0], &[3.0, 4.0]]);
        for quantizer in [Quantizer::Lfq, Quantizer::Bsq, Quantizer::Blae] {
            let activation = quantizer.activation(&raw, 1.0);
            let rounded = quantizer.straight_through(&activation);
            let level = quantizer.level(2) as f32;
            assert!(
                floats(&rounded)
                    .iter()
                    .all(|x| (x.abs() - level).abs() < 1e-6)
            );
            let through = Tensor::run_backward(
                &[(&rounded * &weights).sum(Kind::Float)],
                &[&raw],
                true,
                false,
            );
            let smooth = Tensor::run_backward(
                &[(&activation * &weights).sum(Kind::Float)],
                &[&raw],
                true,
                false,
            );
            assert_eq!(floats(&through[0]), floats(&smooth[0]));
        }
    }

    #[test]
    fn the_terms_are_commitment_and_entropies_of_plain_arithmetic() {
        let values: [[f64; 2]; 3] = [[0.3, -0.7], [0.1, 2.0], [-1.5, 0.2]];
        let sites: Vec<Vec<f32>> = values
            .iter()
            .map(|v| v.iter().map(|x| *x as f32).collect())
            .collect();
        let raw = numbers(&sites.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let h = |p: f64| -(p * p.ln() + (1.0 - p) * (1.0 - p).ln());
        let p = |z: f64| 1.0 / (1.0 + (-4.0 * z).exp());
        let all = || values.iter().flatten();
        let away = all().map(|z| (z - z.signum()).powi(2)).sum::<f64>() / 6.0;
        let sample = all().map(|z| h(p(*z))).sum::<f64>() / 6.0;
        let usage = (0..2)
            .map(|k| h(values.iter().map(|v| p(v[k])).sum::<f64>() / 3.0))
            .sum::<f64>()
            / 2.0;
        let terms = Quantizer::Lfq.terms(&raw, 0.25, 0.1).unwrap();
        let expected = 0.25 * away + 0.1 * (sample - usage);
        assert!((terms.double_value(&[]) - expected).abs() < 1e-5);
        assert!(Quantizer::Blae.terms(&raw, 0.25, 0.1).is_none());
    }
}
