//! The noise of Eqn 8, as a tensor.

use tch::{Kind, Tensor};

use crate::model::Triangular;
use crate::neural::Device;
use crate::neural::kit::random::Stream;

/// Draws independent values of the distribution, f32, on the processor: the same on every device.
pub(crate) fn sample(
    noise: &Triangular,
    size: &[i64],
    stream: &mut Stream,
    device: Device,
) -> Tensor {
    let count: i64 = size.iter().product();
    let uniform: Vec<f32> = (0..count).map(|_| stream.symmetric()).collect();
    let uniform = Tensor::from_slice(&uniform).view(size).to_device(device.0);
    let size = uniform.abs().pow_tensor_scalar(1.0 / noise.exponent());
    ((size - 1.0) * -noise.sigma() * uniform.sign()).to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NoiseForm;
    use crate::neural::kit::random::Purpose;

    #[test]
    fn moments_support_and_tail_are_those_of_the_closed_forms() {
        const N: i64 = 400_000;
        for form in [NoiseForm::Peaked, NoiseForm::Printed] {
            for (sigma, kappa) in [(1.0, 2.0), (0.5, 1.0), (1.25, 4.0)] {
                let noise = Triangular::new(sigma, kappa, form).unwrap();
                let mut stream = Stream::new(11, Purpose::Noise, 0);
                let drawn = sample(&noise, &[N], &mut stream, Device::CPU);
                let drawn: Vec<f32> = (&drawn).try_into().unwrap();
                let mean = |f: &dyn Fn(f64) -> f64| {
                    drawn.iter().map(|x| f(f64::from(*x))).sum::<f64>() / N as f64
                };
                assert!(drawn.iter().all(|x| f64::from(x.abs()) <= sigma));
                // Six standard errors at most: 6·σ/√400,000 is below 0.01·σ.
                assert!(mean(&|x| x).abs() < 0.01 * sigma);
                assert!((mean(&|x| x * x) - noise.variance()).abs() < 0.01 * sigma * sigma);
                for t in [-0.7, 0.2, 0.9] {
                    let tail = mean(&|x| f64::from(x > t * sigma));
                    assert!((tail - noise.tail(t * sigma)).abs() < 0.005);
                }
            }
        }
    }

    #[test]
    fn each_value_is_eqn_10_of_its_uniform_number() {
        let noise = Triangular::new(1.5, 2.0, NoiseForm::Printed).unwrap();
        let mut stream = Stream::new(2, Purpose::Noise, 3);
        let drawn = sample(&noise, &[64], &mut stream.clone(), Device::CPU);
        let drawn: Vec<f32> = (&drawn).try_into().unwrap();
        for value in drawn {
            let expected = noise.value(stream.symmetric().into());
            assert!((f64::from(value) - expected).abs() < 1e-6);
        }
    }
}
