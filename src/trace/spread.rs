//! How values are spread.

use serde::Serialize;

/// Minimum, quantiles, maximum and mean of some values.
///
/// ```
/// use bitquilt::trace::Spread;
///
/// let spread = Spread::of((1..=100).map(f64::from).collect()).ok_or("there are no values")?;
/// assert_eq!((spread.min, spread.p10, spread.median, spread.max), (1.0, 10.0, 50.0, 100.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The smallest.
    #[serde(rename = "least")]
    pub min: f64,
    /// A tenth is at most this.
    pub p10: f64,
    /// Half is at most this.
    pub median: f64,
    /// Nine tenths are at most this.
    pub p90: f64,
    /// The largest.
    #[serde(rename = "largest")]
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

impl Spread {
    /// Summarizes some values; `None` without any. Quantile q is the value of rank ⌈q·n⌉.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let rank = |tenths: usize| values.get((tenths * n).div_ceil(10).max(1) - 1).copied();
        Some(Self {
            min: rank(0)?,
            p10: rank(1)?,
            median: rank(5)?,
            p90: rank(9)?,
            max: rank(10)?,
            mean: values.iter().sum::<f64>() / n as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_of_their_rank() {
        let spread = Spread::of((1..=20).map(f64::from).collect()).unwrap();
        let Spread {
            min,
            p10,
            median,
            p90,
            max,
            mean,
        } = spread;
        assert_eq!([min, p10, median, p90, max], [1.0, 2.0, 10.0, 18.0, 20.0]);
        assert_eq!(mean, 10.5);
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
