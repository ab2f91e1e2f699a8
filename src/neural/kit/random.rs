//! Random numbers that are a function of (seed, what for, when) and of nothing else: training can be
//! resumed at any step, and libtorch's global generator is never asked.

use std::f64::consts::TAU;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::base::random::uniform;

/// What random numbers are for: no two purposes share a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// First values of the parameter of this number.
    Parameter,
    /// The order of the images in this epoch.
    Order,
    /// Noise of this step.
    Noise,
    /// Bits at this position of samples.
    Sample,
}

/// SplitMix64 (Steele, Lea & Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Stream(u64);

impl Stream {
    /// Returns the stream of a purpose at a step, epoch or number.
    pub(crate) fn new(seed: u64, purpose: Purpose, when: u64) -> Self {
        let mut name = [0; 9];
        name[0] = purpose as u8;
        name[1..].copy_from_slice(&when.to_le_bytes());
        Self(xxh3_64_with_seed(&name, seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws uniformly from [0, 1), 53 bits.
    pub(crate) fn uniform(&mut self) -> f64 {
        uniform(self.next())
    }

    /// Draws uniformly from (−1, 1): never an end, never 0, all odd multiples of 2⁻²⁴, which an f32 holds exactly.
    pub(crate) fn symmetric(&mut self) -> f32 {
        let odd = (self.next() >> 40) as i64 * 2 + 1 - (1 << 24);
        odd as f32 / (1 << 24) as f32
    }

    /// Draws from the standard normal distribution (Box & Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        // 1 − u is never 0.
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (TAU * self.uniform()).cos()
    }

    /// Returns the numbers 0..n in random order (Fisher & Yates). n is below 2³², so the bias of a product's upper half
    /// is below 2⁻³².
    pub(crate) fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<_> = (0..n).collect();
        for last in (1..n).rev() {
            let pick = (u128::from(self.next()) * (last as u128 + 1)) >> 64;
            order.swap(last, pick as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_function_of_its_name() {
        let draw = |seed, purpose, when| Stream::new(seed, purpose, when).next();
        assert_eq!(draw(1, Purpose::Noise, 7), draw(1, Purpose::Noise, 7));
        assert_ne!(draw(1, Purpose::Noise, 7), draw(1, Purpose::Noise, 8));
        assert_ne!(draw(1, Purpose::Noise, 7), draw(1, Purpose::Order, 7));
        assert_ne!(draw(1, Purpose::Noise, 7), draw(2, Purpose::Noise, 7));
    }

    #[test]
    fn an_order_holds_every_number_once() {
        let mut order = Stream::new(3, Purpose::Order, 0).order(1000);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn the_moments_are_those_of_the_distributions() {
        const N: usize = 200_000;
        let mut stream = Stream::new(5, Purpose::Noise, 0);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / N as f64;
        let flat: Vec<f64> = (0..N).map(|_| stream.symmetric().into()).collect();
        assert!(flat.iter().all(|u| u.abs() < 1.0 && *u != 0.0));
        // Standard errors: 0.0013 of the mean, 0.0007 of the mean square 1/3.
        assert!(mean(&flat).abs() < 0.006);
        assert!((mean(&flat.iter().map(|u| u * u).collect::<Vec<_>>()) - 1.0 / 3.0).abs() < 0.003);
        let bell: Vec<f64> = (0..N).map(|_| stream.normal()).collect();
        assert!(mean(&bell).abs() < 0.01);
        assert!((mean(&bell.iter().map(|x| x * x).collect::<Vec<_>>()) - 1.0).abs() < 0.015);
    }
}
