//! Information: what a bit tells, given its context.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

use crate::index::Histogram;

/// An amount of information, in units of 2⁻²⁰ bits: sums are exact, so that neither the order of work nor
/// the number of threads can change which of two regions carries more.
///
/// ```
/// use bitquilt::Histogram;
/// use bitquilt::provenance::Information;
///
/// let histogram = Histogram { n0: 1, n1: 3 };
/// let rare = Information::of_bit(histogram, false);
/// let common = Information::of_bit(histogram, true);
/// assert!(rare > common);
/// assert_eq!((rare + common).to_string(), "2.3 bits");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Information(u64);

/// Units of one bit.
const UNITS: f64 = (1 << 20) as f64;

impl Information {
    /// No information.
    pub const ZERO: Self = Self(0);

    /// Returns what `bit` tells behind a context with this histogram: −log₂ of (n_bit + ½) / (n + 1), the estimate of
    /// Krichevsky and Trofimov. A plain share would make an unseen bit infinitely surprising, and one that always came
    /// certain, though it came only once.
    pub fn of_bit(histogram: Histogram, bit: bool) -> Self {
        let total = histogram.total() as f64 + 1.0;
        let share = (histogram.count(bit) as f64 + 0.5) / total;
        // The share is at least 2⁻⁵⁴: 54·2²⁰ units are far below 2⁶⁴.
        Self((-share.log2() * UNITS).round() as u64)
    }

    /// Returns the amount in bits.
    pub fn in_bits(self) -> f64 {
        self.0 as f64 / UNITS
    }

    pub(crate) fn units(self) -> u64 {
        self.0
    }

    pub(crate) fn from_units(units: u64) -> Self {
        Self(units)
    }
}

/// Returns log₂ of the number of indexed contexts, N·HWK, in bits: a region that carries more would hardly be found again by
/// chance. No verdict on copying: nearly every held-out digit has such a region.
///
/// ```
/// use bitquilt::provenance::copy_line;
///
/// // 1024 latents of 32 × 32 bits: 2²⁰ contexts.
/// assert_eq!(copy_line(1024, 1024), 20.0);
/// ```
pub fn copy_line(latents: u64, bits: usize) -> f64 {
    (latents as f64 * bits as f64).log2()
}

impl Add for Information {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Information {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for Information {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Information {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} bits", self.in_bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_tells_the_more_the_rarer_it_was() {
        let of = |n0, n1, bit| Information::of_bit(Histogram { n0, n1 }, bit).in_bits();
        assert_eq!(of(0, 0, true), 1.0);
        assert!((of(0, 1, true) - (4f64 / 3.0).log2()).abs() < 1e-6);
        assert!((of(3, 0, true) - 3.0).abs() < 1e-6);
        assert!(of(1_000_000, 0, false) < 1e-6);
        assert!(of(10, 20, true) < of(10, 20, false));
        assert!(of(1 << 52, 0, true) < 54.0);
    }

    #[test]
    fn the_line_is_the_logarithm_of_all_contexts() {
        assert_eq!(copy_line(1 << 10, 1 << 6), 16.0);
        assert!((copy_line(60_000, 784) - 25.487).abs() < 1e-3);
    }
}
