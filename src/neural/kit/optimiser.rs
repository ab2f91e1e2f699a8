//! AdamW (Loshchilov & Hutter 2019), in Rust so that its whole state can be saved, and the learning rate
//! over time.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, no_grad_guard};

use crate::neural::NeuralError;

/// How a network is trained, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainOptions {
    /// Updates of the parameters.
    pub steps: u64,
    /// The highest learning rate: reached at the end of the warm-up, then falling as a cosine to a
    /// hundredth of it.
    pub lr: f64,
    /// Steps in which the learning rate rises from 0; at most a tenth of all.
    pub warm_up: u64,
    /// Decay of weights (not of biases or normalisation), as a share of the learning rate.
    pub weight_decay: f64,
    /// Longest gradient, as a Euclidean norm over all parameters; a longer one is scaled to it.
    pub clip: f64,
    /// What every random number is drawn from.
    pub seed: u64,
    /// Steps from one validation, log line and checkpoint to the next.
    pub every: u64,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            steps: 2000,
            lr: 2e-3,
            warm_up: 200,
            weight_decay: 1e-4,
            clip: 1.0,
            seed: 0,
            every: 200,
        }
    }
}

impl TrainOptions {
    /// Returns the default for networks over bits: twice the learning rate of the codec, which leaves them better after
    /// as many updates (`docs/notes/networks.md`).
    pub fn predictor() -> Self {
        Self {
            lr: 4e-3,
            ..Self::default()
        }
    }

    /// Refuses what is no training.
    pub(crate) fn check(&self) -> Result<(), NeuralError> {
        for (name, found) in [
            ("steps", self.steps),
            ("steps between validations", self.every),
        ] {
            if found == 0 {
                return Err(NeuralError::setting(format!("{name} of at least 1"), found));
            }
        }
        for (name, found) in [("learning rate", self.lr), ("clip", self.clip)] {
            if !(found.is_finite() && found > 0.0) {
                return Err(NeuralError::setting(
                    format!("a finite {name} above 0"),
                    found,
                ));
            }
        }
        Ok(())
    }

    /// Returns the learning rate of the update after `done` of them.
    pub(crate) fn rate(&self, done: u64) -> f64 {
        let warm_up = self.warm_up.min(self.steps / 10);
        if done < warm_up {
            return self.lr * (done + 1) as f64 / warm_up as f64;
        }
        let part = (done - warm_up) as f64 / (self.steps - warm_up).max(1) as f64;
        let lowest = self.lr / 100.0;
        lowest + (self.lr - lowest) * 0.5 * (1.0 + (PI * part.min(1.0)).cos())
    }
}

/// Decay of the mean and of the mean square of gradients, and the least divisor.
const BETAS: (f64, f64) = (0.9, 0.99);
const EPSILON: f64 = 1e-8;

/// The state of AdamW for a list of parameters.
#[derive(Debug)]
pub(crate) struct AdamW {
    /// Running means of the gradients.
    pub(crate) means: Vec<Tensor>,
    /// Running means of their squares.
    pub(crate) squares: Vec<Tensor>,
}

impl AdamW {
    pub(crate) fn new(parameters: &[Tensor]) -> Self {
        let zeros = || parameters.iter().map(|p| p.detach().zeros_like()).collect();
        Self {
            means: zeros(),
            squares: zeros(),
        }
    }

    /// Applies update number `done + 1`.
    pub(crate) fn update(
        &mut self,
        parameters: &mut [Tensor],
        gradients: &[Tensor],
        options: &TrainOptions,
        done: u64,
    ) {
        let _guard = no_grad_guard();
        let rate = options.rate(done);
        let age = (done + 1) as f64;
        let correction = (1.0 - BETAS.0.powf(age), 1.0 - BETAS.1.powf(age));
        let moments = self.means.iter_mut().zip(&mut self.squares);
        for ((parameter, gradient), (mean, square)) in
            parameters.iter_mut().zip(gradients).zip(moments)
        {
            if parameter.dim() > 1 {
                let _ = parameter.g_mul_scalar_(1.0 - rate * options.weight_decay);
            }
            let _ = mean.lerp_(gradient, 1.0 - BETAS.0);
            let _ = square.lerp_(&gradient.square(), 1.0 - BETAS.1);
            let divisor = (&*square / correction.1).sqrt() + EPSILON;
            let _ = parameter.g_sub_(&(&*mean / divisor * (rate / correction.0)));
        }
    }
}

/// Scales gradients to a Euclidean norm of at most `longest`; gives the norm they had.
pub(crate) fn clip(gradients: &mut [Tensor], longest: f64) -> f64 {
    let _guard = no_grad_guard();
    let norms: Vec<_> = gradients.iter().map(Tensor::norm).collect();
    let norm = Tensor::stack(&norms, 0)
        .to_kind(Kind::Double)
        .norm()
        .double_value(&[]);
    if norm > longest && norm.is_finite() {
        for gradient in gradients {
            let _ = gradient.g_mul_scalar_(longest / norm);
        }
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::super::parameters::floats;
    use super::*;

    #[test]
    fn updates_are_those_of_the_published_algorithm() {
        let options = TrainOptions {
            steps: 10,
            warm_up: 0,
            weight_decay: 0.1,
            lr: 0.01,
            ..TrainOptions::default()
        };
        let mut parameters = [Tensor::from_slice(&[1.0f32, -2.0]).view([1, 2])];
        let mut state = AdamW::new(&parameters);
        let mut expected = [1.0f64, -2.0];
        let (mut mean, mut square) = ([0.0; 2], [0.0; 2]);
        for done in 0..5 {
            let gradient = [0.3 + done as f64, -0.1];
            let tensor = Tensor::from_slice(&gradient.map(|g| g as f32)).view([1, 2]);
            state.update(&mut parameters, &[tensor], &options, done);
            let rate = options.rate(done);
            for i in 0..2 {
                mean[i] = 0.9 * mean[i] + 0.1 * gradient[i];
                square[i] = 0.99 * square[i] + 0.01 * gradient[i] * gradient[i];
                let corrected = mean[i] / (1.0 - 0.9f64.powi(done as i32 + 1));
                let divisor = (square[i] / (1.0 - 0.99f64.powi(done as i32 + 1))).sqrt() + 1e-8;
                expected[i] -= rate * 0.1 * expected[i] + rate * corrected / divisor;
            }
        }
        for (found, expected) in floats(&parameters[0]).iter().zip(expected) {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-5,
                "{found} {expected}"
            );
        }
    }

    #[test]
    fn the_rate_rises_then_falls_to_a_hundredth() {
        let options = TrainOptions {
            steps: 1000,
            warm_up: 50,
            lr: 1.0,
            ..TrainOptions::default()
        };
        assert!((options.rate(0) - 0.02).abs() < 1e-12);
        assert_eq!(options.rate(50), 1.0);
        assert!((options.rate(1000) - 0.01).abs() < 1e-12);
        assert!((50..1000).all(|step| options.rate(step) >= options.rate(step + 1)));
    }

    #[test]
    fn a_long_gradient_is_scaled_and_a_short_one_left() {
        let mut gradients = [
            Tensor::from_slice(&[3.0f32]),
            Tensor::from_slice(&[0.0f32, 4.0]),
        ];
        assert_eq!(clip(&mut gradients, 10.0), 5.0);
        assert_eq!(floats(&gradients[1]), [0.0, 4.0]);
        assert_eq!(clip(&mut gradients, 1.0), 5.0);
        assert_eq!(floats(&gradients[0]), [0.6]);
    }
}
