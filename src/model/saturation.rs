//! How binary activations are before they are rounded.

/// Bins of the histogram, over |z| from 0 to 1.
const BINS: usize = 20;
/// An activation beyond this is saturated, as good as its limit: binary. The last bin begins here.
pub const SATURATED: f32 = 0.95;

/// A histogram of |z| over activations z of a bounded function, tanh for a BL-AE (Eqn 8).
///
/// ```
/// # use bitquilt::model::Saturation;
/// let mut saturation = Saturation::default();
/// saturation.add(&[0.99, -0.97, 0.1, -1.0]);
/// assert_eq!(saturation.share_saturated(), Some(0.75));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saturation {
    activations: u64,
    saturated: u64,
    not_finite: u64,
    bins: [u64; BINS],
    /// Σ |z| over the finite ones.
    sum: f64,
}

impl Saturation {
    /// Counts more activations.
    pub fn add(&mut self, activations: &[f32]) {
        for z in activations {
            let size = z.abs();
            self.activations += 1;
            if !size.is_finite() {
                self.not_finite += 1;
                continue;
            }
            self.saturated += u64::from(size > SATURATED);
            self.sum += f64::from(size);
            let bin = (size * BINS as f32) as usize;
            self.bins[bin.min(BINS - 1)] += 1;
        }
    }

    /// Returns the number of activations counted.
    pub fn activations(&self) -> u64 {
        self.activations
    }

    /// Returns the number of activations that are not finite; they are in no bin.
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }

    /// Counts of 20 bins of equal width over |z|; the last has what lies beyond 1 too.
    pub fn bins(&self) -> &[u64] {
        &self.bins
    }

    /// Returns the share with |z| > 0.95; none before anything was counted.
    pub fn share_saturated(&self) -> Option<f64> {
        (self.activations > 0).then(|| self.saturated as f64 / self.activations as f64)
    }

    /// Returns the mean of |z|; none without a finite activation.
    pub fn mean_size(&self) -> Option<f64> {
        let finite = self.activations - self.not_finite;
        (finite > 0).then(|| self.sum / finite as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn bins_and_shares_are_counts(values in prop::collection::vec(-1.1..1.1f32, 1..200), cut in 0..200usize) {
            let cut = cut.min(values.len());
            let mut all = Saturation::default();
            all.add(&values[..cut]);
            all.add(&values[cut..]);
            for (bin, count) in all.bins.iter().enumerate() {
                let inside = |z: &&f32| {
                    let at = z.abs() * 20.0;
                    at >= bin as f32 && (bin == 19 || at < (bin + 1) as f32)
                };
                prop_assert_eq!(*count, values.iter().filter(inside).count() as u64);
            }
            let saturated = values.iter().filter(|z| z.abs() > 0.95).count();
            let share = saturated as f64 / values.len() as f64;
            prop_assert_eq!(all.share_saturated(), Some(share));
            let mean = values.iter().map(|z| f64::from(z.abs())).sum::<f64>() / values.len() as f64;
            prop_assert!((all.mean_size().unwrap() - mean).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_no_number_is_counted_apart() {
        let mut saturation = Saturation::default();
        assert_eq!(
            (saturation.share_saturated(), saturation.mean_size()),
            (None, None)
        );
        saturation.add(&[f32::NAN, f32::INFINITY, 0.5]);
        assert_eq!((saturation.activations, saturation.not_finite), (3, 2));
        assert_eq!(saturation.bins.iter().sum::<u64>(), 1);
        assert_eq!(saturation.mean_size(), Some(0.5));
    }
}
