//! The content of an array as one number that does not depend on how it was cut into blocks and parts, or where it was made.
//!
//! It is of the sequence of its occurrences. With the latents that says everything: the context and the next bit of each are
//! read from them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 2⁶¹ − 1, a prime: what is left of a product of two numbers below it is a shift and a sum.
const PRIME: u64 = (1 << 61) - 1;

/// Where the two polynomials are taken. Any two numbers below the prime would do; once chosen they are part of the format.
const POINTS: [u64; 2] = [0x0a08_d313_198a_2e03, 0x15e1_5162_8aed_2a6a];

/// The content sum of a sequence of occurrences: o₁·xⁿ⁻¹ + … + oₙ modulo 2⁶¹ − 1 at two points x, of numbers from 1 on (Karp and
/// Rabin's fingerprint). Two sequences of at most n that differ have the same one for about n² of 2¹²² pairs of points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ContentSum {
    sums: [u64; 2],
    length: u64,
}

impl ContentSum {
    /// Adds an occurrence, behind all others.
    #[inline]
    pub(super) fn push(&mut self, occurrence: u64) {
        for (sum, point) in self.sums.iter_mut().zip(POINTS) {
            // From 1 on, so that those of number 0 count.
            *sum = reduced(u128::from(*sum) * u128::from(point) + u128::from(occurrence) + 1);
        }
        self.length += 1;
    }

    /// Adds a sequence behind this one. Time O(log length).
    pub(in crate::index) fn append(&mut self, behind: &Self) {
        for ((sum, own), point) in self.sums.iter_mut().zip(behind.sums).zip(POINTS) {
            let moved = reduced(u128::from(*sum) * u128::from(power(point, behind.length)));
            *sum = reduced(u128::from(moved) + u128::from(own));
        }
        self.length += behind.length;
    }
}

/// Returns a number below 2¹²² modulo 2⁶¹ − 1.
#[inline]
fn reduced(number: u128) -> u64 {
    let folded = (number as u64 & PRIME) + (number >> 61) as u64;
    match folded {
        0..PRIME => folded,
        _ => folded - PRIME,
    }
}

fn power(base: u64, mut exponent: u64) -> u64 {
    let (mut result, mut square) = (1, base);
    while exponent > 0 {
        if exponent % 2 == 1 {
            result = reduced(u128::from(result) * u128::from(square));
        }
        square = reduced(u128::from(square) * u128::from(square));
        exponent /= 2;
    }
    result
}

/// Length and both sums, in hexadecimal: 13, 16 and 16 digits.
impl fmt::Display for ContentSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = self.sums;
        write!(f, "{:013x}-{one:016x}{other:016x}", self.length)
    }
}

impl From<ContentSum> for String {
    fn from(sum: ContentSum) -> Self {
        sum.to_string()
    }
}

impl FromStr for ContentSum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a content sum (13 digits, -, 32 digits), found {text:?}");
        let parse = |part: Option<&str>| {
            let part = part.ok_or_else(wrong)?;
            u64::from_str_radix(part, 16).map_err(|_| wrong())
        };
        let sum = Self {
            length: parse(text.get(..13))?,
            sums: [parse(text.get(14..30))?, parse(text.get(30..))?],
        };
        match sum.to_string() == text && sum.sums.iter().all(|sum| *sum < PRIME) {
            true => Ok(sum),
            false => Err(wrong()),
        }
    }
}

impl TryFrom<String> for ContentSum {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(occurrences: &[u64]) -> ContentSum {
        let mut sum = ContentSum::default();
        occurrences
            .iter()
            .for_each(|occurrence| sum.push(*occurrence));
        sum
    }

    #[test]
    fn a_sum_is_the_polynomial_by_hand() {
        // At x: (2 + 1)·x + (0 + 1).
        let expected = POINTS.map(|point| ((3 * u128::from(point) + 1) % u128::from(PRIME)) as u64);
        assert_eq!((of(&[2, 0]).sums, of(&[2, 0]).length), (expected, 2));
        assert_eq!(reduced(u128::from(PRIME)), 0);
        let most = u128::from(PRIME - 1) * u128::from(PRIME - 1) + u128::from(PRIME);
        assert_eq!(reduced(most), (most % u128::from(PRIME)) as u64);
    }

    proptest! {
        #[test]
        fn cuts_do_not_show_and_every_change_does(
            all in prop::collection::vec(0..1u64 << 52, 1..40), cuts in prop::collection::vec(0..40usize, 0..5), at in any::<prop::sample::Index>(),
        ) {
            let whole = of(&all);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(all.len())).chain([0, all.len()]).collect();
            cuts.sort_unstable();
            let mut joined = ContentSum::default();
            cuts.windows(2).for_each(|cut| joined.append(&of(&all[cut[0]..cut[1]])));
            prop_assert_eq!(joined, whole);
            prop_assert_eq!(whole.to_string().parse(), Ok(whole));
            let mut other = all.clone();
            other[at.index(all.len())] ^= 1;
            prop_assert_ne!(of(&other), whole);
            prop_assert_ne!(of(&all[1..]), whole);
            other = all.clone();
            other.rotate_left(1);
            prop_assert_eq!(of(&other) == whole, other == all);
        }
    }

    #[test]
    fn what_is_no_sum_is_refused() {
        let text = of(&[7]).to_string();
        for wrong in [
            "",
            "x",
            &text[1..],
            &format!("{text}0"),
            &text.to_uppercase().replace('0', "+"),
            "0000000000000-1fffffffffffffff0000000000000000",
        ] {
            assert!(wrong.parse::<ContentSum>().is_err(), "{wrong}");
        }
    }
}
