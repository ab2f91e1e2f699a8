//! The overlap coefficient of two noisy codes, Eqn 3, for any number of differing bits.
//!
//! # What Eqn 3 asks
//!
//! The paper prints O(z̃ᵢ, z̃ⱼ) = Σᵢ Σⱼ ∫ min(pᵢ(z), pⱼ(z)) dz. Its left side names one pair, its right side
//! sums over all, and Eqn 2 multiplies O(z̃ᵢ, z̃ⱼ) with ‖xᵢ − xⱼ‖² and sums over the pairs once more. That
//! only makes sense with the coefficient of the pair, O(z̃ᵢ, z̃ⱼ) = ∫ min(pᵢ, pⱼ), which is what is computed
//! here: 1 − the total variation distance, 1 for equal codes and 0 for clouds that never meet.
//!
//! # Two codes that differ in d bits
//!
//! The noise of a code is independent per bit with density f, so p(z) = Π f(zₖ − aₖ) and q(z) = Π f(zₖ − bₖ).
//! Where a and b agree, both have the same factor, and it integrates to 1: only the d differing bits count,
//! each with centres δ = 2 apart. With p and q now over those d bits, min(p, q) = √(pq)·exp(−½|ln(p/q)|), and
//! ln(p/q) is a sum of d independent terms ℓ(zₖ) = ln f(zₖ) − ln f(zₖ − δ):
//!
//! O_d = Aᵈ · E exp(−½|ℓ₁ + … + ℓ_d|), A = ∫ √(f(z) f(z − δ)) dz,
//!
//! with z₁ … z_d drawn from the density √(f(z) f(z − δ))/A. A is the Bhattacharyya affinity of one bit. ℓ is
//! symmetric about 0, so its characteristic function φ(t) = E cos(tℓ) is real, and since exp(−½|s|) =
//! (1/2π) ∫ cos(ts)/(¼ + t²) dt,
//!
//! O_d = Aᵈ · (1/2π) ∫ φ(t)ᵈ / (¼ + t²) dt = Aᵈ · (2/π) ∫₀^{π/2} φ(½ tan θ)ᵈ dθ.
//!
//! One integral over an angle, whatever d is. It follows that
//!
//! O₁ᵈ ≤ O_d ≤ min(O₁, Aᵈ).
//!
//! (The product of the minima is at most the minimum of the products; dropping bits can only raise an
//! overlap; the expectation is at most 1.) So the product of the overlaps of the bits is only a lower bound.
//! It is exact where p = q all over the common ground, for uniform noise (κ = 1), where O_d = (1 − 1/σ)ᵈ. For
//! the linear triangle (κ = 2) O₂ = 4/3 · O₁²: a third more than the product.
//!
//! # The noise Tri(σ, κ)
//!
//! Let h = σ − δ/2 be half the width of the common ground; for h ≤ 0 there is none and every O_d is 0. Write
//! z = δ/2 + y with y = h tanh v. The distance of z to the nearer edge of the common ground is n =
//! 2h/(1 + e^{2v}) for v ≥ 0, and it is also the distance to the edge of the one cloud; the edge of the other
//! is m away, m = 2h − n before the other cloud's centre (y ≤ δ/2) and m = n + δ behind it. With a the
//! exponent of the distribution,
//!
//! √(f(z) f(z − δ)) dz = (a/2σ) · (nm/σ²)^{(a−1)/2} · h sech² v dv, |ℓ| = |a − 1| · ln(m/n).
//!
//! Before the centre that is proportional to sech^{a+1} v with |ℓ| = 2|a − 1|·v: smooth, and falling away as
//! e^{−(a+1)v}, also where a < 1 and the density is infinite at its edge.

use std::f64::consts::FRAC_PI_2;

use serde::Serialize;

use super::Triangular;
use crate::base::random::uniform_at;

/// Distance of the codes of a bit, −1 and +1.
const APART: f64 = 2.0;
/// Angles at which φ is tabled.
const ANGLES: usize = 1024;
/// Panels of the integral over v, each with the five points of Gauss and Legendre.
const PANELS: usize = 200;
/// Their places in −1..1 and their weights (Abramowitz & Stegun, table 25.4).
const GAUSS: [(f64, f64); 5] = [
    (-0.906_179_845_938_664, 0.236_926_885_056_189),
    (-0.538_469_310_105_683, 0.478_628_670_499_366),
    (0.0, 0.568_888_888_888_889),
    (0.538_469_310_105_683, 0.478_628_670_499_366),
    (0.906_179_845_938_664, 0.236_926_885_056_189),
];
/// Where the integrand has fallen to e^−39, 10⁻¹⁷ of what it was, it is cut off.
const FALL: f64 = 39.0;
/// Radians that cos(tℓ) may turn within a panel. Where it would turn more, φ has long vanished.
const TURN: f64 = 4.0;

/// Overlap coefficients of codes at ±1 under noise, by the number of bits in which they differ.
///
/// ```
/// # use bitquilt::model::{CodeOverlap, NoiseForm, Triangular};
/// let noise = Triangular::new(1.25, 2.0, NoiseForm::Peaked)?;
/// let overlap = CodeOverlap::new(noise);
/// assert_eq!(overlap.at(0), 1.0);
/// // (1 - 1/1.25)^2 for one bit; 4/3 of the square of that for two.
/// assert!((overlap.at(1) - 0.04).abs() < 1e-9);
/// assert!((overlap.at(2) - 4.0 / 3.0 * 0.04 * 0.04).abs() < 1e-9);
/// # Ok::<(), bitquilt::model::NoiseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CodeOverlap {
    noise: Triangular,
    /// A.
    affinity: f64,
    /// φ(½ tan θ) at the middles of [`ANGLES`] equal parts of 0..π/2.
    phi: Vec<f64>,
}

/// An estimate by drawing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean of the draws.
    pub mean: f64,
    /// Its standard error: the deviation of a draw over √draws.
    pub standard_error: f64,
    /// How many were drawn.
    pub draws: u64,
}

impl CodeOverlap {
    /// Tables φ; some milliseconds.
    pub fn new(noise: Triangular) -> Self {
        let ground = Ground::of(&noise);
        let affinity = ground.iter().map(|point| point.weight).sum::<f64>();
        let phi = if affinity > 0.0 {
            let angle = |part: usize| (part as f64 + 0.5) / ANGLES as f64 * FRAC_PI_2;
            let t = (0..ANGLES).map(|part| 0.5 * angle(part).tan());
            t.map(|t| ground_phi(&ground, t) / affinity).collect()
        } else {
            vec![0.0; ANGLES]
        };
        Self {
            noise,
            affinity,
            phi,
        }
    }

    /// Returns the noise.
    pub fn noise(&self) -> &Triangular {
        &self.noise
    }

    /// Returns A, the Bhattacharyya affinity of one differing bit: the overlap of d bits is at most Aᵈ.
    pub fn affinity(&self) -> f64 {
        self.affinity
    }

    /// Returns the overlap coefficient of two codes that differ in `bits` bits; 0 where it is too small for a number.
    ///
    /// One bit is the closed form. More are integrated numerically: for one bit, where it can be told, to
    /// twelve digits of the closed form for σ ≤ 2, and three where φ falls away slowly: for larger σ, and
    /// where the exponent lies within 0.01 of 1 without being 1.
    pub fn at(&self, bits: usize) -> f64 {
        match bits {
            0 => 1.0,
            1 => self.noise.overlap(APART),
            _ => {
                let power = bits.min(i32::MAX as usize) as i32;
                let mean = self.phi.iter().map(|phi| phi.powi(power)).sum::<f64>();
                let overlap = self.affinity.powi(power) * mean / ANGLES as f64;
                // Dropping bits can only raise it.
                overlap.clamp(0.0, self.noise.overlap(APART))
            }
        }
    }

    /// Returns [`CodeOverlap::at`] of 0, 1, … `bits` differing bits.
    pub fn table(&self, bits: usize) -> Vec<f64> {
        let mut table = vec![0.0; bits + 1];
        for (bits, overlap) in table.iter_mut().enumerate() {
            *overlap = self.at(bits);
            // Overlaps fall with every bit: the rest is 0 too.
            if *overlap == 0.0 {
                break;
            }
        }
        table
    }

    /// Estimates the overlap coefficient by [`monte_carlo_overlap`].
    pub fn monte_carlo(&self, bits: usize, draws: u64, seed: u64) -> Estimate {
        monte_carlo_overlap(&self.noise, &vec![APART; bits], draws, seed)
    }
}

/// Estimates the overlap coefficient of two clouds whose centres lie `distances[k]` apart in coordinate k, by Monte
/// Carlo: the mean of min(1, q/p) over draws from p. For codes at ±1 it checks [`CodeOverlap`], of which it knows
/// nothing; it takes activations short of ±1 as well. O(draws · coordinates).
pub fn monte_carlo_overlap(
    noise: &Triangular,
    distances: &[f64],
    draws: u64,
    seed: u64,
) -> Estimate {
    let apart: Vec<f64> = distances.iter().copied().filter(|d| *d != 0.0).collect();
    let (mut sum, mut squares) = (0.0, 0.0);
    for draw in 0..draws {
        let mut ratio = 0.0;
        for (number, distance) in (draw * apart.len() as u64..).zip(&apart) {
            // p has its centre at 0, q at `distance`.
            let x = noise.value(2.0 * uniform_at(number, seed) - 1.0);
            ratio += noise.density(x - distance).ln() - noise.density(x).ln();
        }
        // Not a number only where two densities are infinite, on a set of measure 0.
        let share = if ratio.is_nan() {
            0.0
        } else {
            ratio.min(0.0).exp()
        };
        sum += share;
        squares += share * share;
    }
    let n = draws.max(1) as f64;
    let mean = sum / n;
    let variance = (squares / n - mean * mean).max(0.0);
    Estimate {
        mean,
        standard_error: (variance / n).sqrt(),
        draws,
    }
}

/// A point of the common ground of two clouds, standing for itself and its mirror image.
struct Ground {
    /// √(f(z) f(z − δ)) dz, of both.
    weight: f64,
    /// |ℓ|.
    ratio: f64,
    /// How much |ℓ| changes over the panel.
    turn: f64,
}

impl Ground {
    /// Returns the points at which the common ground is looked at; none where there is none.
    fn of(noise: &Triangular) -> Vec<Self> {
        let (sigma, a) = (noise.sigma(), noise.exponent());
        let h = sigma - APART / 2.0;
        if h <= 0.0 {
            return Vec::new();
        }
        // sech^(a+1) has fallen to e^−FALL at arcosh e^(FALL/(a+1)).
        let fall = FALL / (a + 1.0);
        let end = fall + (1.0 + (1.0 - (-2.0 * fall).exp()).sqrt()).ln();
        // Where y passes the centre of the other cloud, if it does.
        let centre = if h > APART / 2.0 {
            (APART / 2.0 / h).atanh().min(end)
        } else {
            end
        };
        let mut points = Vec::with_capacity(2 * PANELS * GAUSS.len());
        for (from, to) in [(0.0, centre), (centre, end)] {
            let width = (to - from) / PANELS as f64;
            if width <= 0.0 {
                continue;
            }
            for panel in 0..PANELS {
                for (place, weight) in GAUSS {
                    let v = from + (panel as f64 + 0.5 + place / 2.0) * width;
                    // e^−2v, which neither overflows nor cancels.
                    let e = (-2.0 * v).exp();
                    let near = 2.0 * h * e / (1.0 + e);
                    let other = if v <= centre {
                        2.0 * h / (1.0 + e)
                    } else {
                        near + APART
                    };
                    let step = 4.0 * h * e / ((1.0 + e) * (1.0 + e));
                    let root = (near / sigma).powf((a - 1.0) / 2.0)
                        * (other / sigma).powf((a - 1.0) / 2.0);
                    points.push(Self {
                        weight: 2.0 * (a / (2.0 * sigma)) * root * step * weight * width / 2.0,
                        ratio: (a - 1.0).abs() * (other / near).ln(),
                        turn: 2.0 * (a - 1.0).abs() * width,
                    });
                }
            }
        }
        points
    }
}

/// Returns A·φ(t).
fn ground_phi(ground: &[Ground], t: f64) -> f64 {
    if ground.iter().any(|point| t * point.turn > TURN) {
        return 0.0;
    }
    let points = ground.iter();
    points
        .map(|point| point.weight * (t * point.ratio).cos())
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::NoiseForm;

    fn noise(sigma: f64, kappa: f64, form: NoiseForm) -> Triangular {
        Triangular::new(sigma, kappa, form).unwrap()
    }

    fn noises() -> impl Strategy<Value = Triangular> {
        let form = prop_oneof![Just(NoiseForm::Peaked), Just(NoiseForm::Printed)];
        (1.02..3.5f64, 0.5..4.0f64, form).prop_map(|(sigma, kappa, form)| noise(sigma, kappa, form))
    }

    /// Returns what `at` computes for two bits and more, for one bit.
    fn one_by_integral(overlap: &CodeOverlap) -> f64 {
        overlap.affinity * overlap.phi.iter().sum::<f64>() / ANGLES as f64
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn one_bit_by_the_integral_is_the_closed_form(noise in noises()) {
            let overlap = CodeOverlap::new(noise);
            let (found, exact) = (one_by_integral(&overlap), noise.overlap(2.0));
            let easy = noise.sigma() <= 2.0 && (noise.exponent() - 1.0).abs() > 0.01;
            let max = if easy { 1e-6 } else { 1e-3 };
            prop_assert!((found / exact - 1.0).abs() < max, "{found} {exact}");
        }

        #[test]
        fn overlaps_lie_between_their_bounds(noise in noises(), bits in 2..40usize) {
            let overlap = CodeOverlap::new(noise);
            let (one, found) = (overlap.at(1), overlap.at(bits));
            let power = bits as i32;
            let slack = 1.0 + 1e-3;
            prop_assert!(one.powi(power) <= found * slack + 1e-12);
            prop_assert!(found <= overlap.affinity().powi(power) * slack);
            prop_assert!(found <= overlap.at(bits - 1) * slack);
        }

        #[test]
        fn overlaps_are_what_draws_say(noise in noises(), bits in 1..5usize, seed in any::<u64>()) {
            let overlap = CodeOverlap::new(noise);
            let drawn = overlap.monte_carlo(bits, 20_000, seed);
            let apart = (drawn.mean - overlap.at(bits)).abs();
            // Six standard errors; one draw in 20,000 where none fell on common ground.
            prop_assert!(apart < 6.0 * drawn.standard_error + 3e-4, "{drawn:?} {}", overlap.at(bits));
        }
    }

    #[test]
    fn noise_that_is_nearly_uniform_overlaps_nearly_as_uniform_noise() {
        for apart in [1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-6] {
            let noise = noise(1.5, 1.0 + apart, NoiseForm::Peaked);
            let found = one_by_integral(&CodeOverlap::new(noise));
            let off = found / noise.overlap(2.0) - 1.0;
            assert!(off.abs() < 2e-4, "{apart}: {off}");
        }
    }

    /// ∫∫ min(f f, g g) over the square in which both are above 0, by midpoints.
    fn two_bits(noise: &Triangular) -> f64 {
        const STEPS: usize = 1000;
        let (from, to) = (2.0 - noise.sigma(), noise.sigma());
        let width = (to - from) / STEPS as f64;
        let x = |step: usize| from + (step as f64 + 0.5) * width;
        let f: Vec<f64> = (0..STEPS).map(|step| noise.density(x(step))).collect();
        let g: Vec<f64> = (0..STEPS)
            .map(|step| noise.density(x(step) - 2.0))
            .collect();
        let mut sum = 0.0;
        for i in 0..STEPS {
            for j in 0..STEPS {
                sum += (f[i] * f[j]).min(g[i] * g[j]);
            }
        }
        sum * width * width
    }

    #[test]
    fn two_bits_are_the_double_integral_of_the_smaller_density() {
        use NoiseForm::{Peaked, Printed};
        for noise in [
            noise(1.25, 2.0, Peaked),
            noise(1.5, 3.5, Peaked),
            noise(1.8, 1.3, Peaked),
            noise(2.7, 2.0, Peaked),
            noise(3.0, 4.0, Peaked),
            noise(1.4, 0.5, Printed),
            noise(2.4, 0.6, Printed),
        ] {
            let (found, exact) = (CodeOverlap::new(noise).at(2), two_bits(&noise));
            assert!(
                (found / exact - 1.0).abs() < 1e-3,
                "{noise:?}: {found} {exact}"
            );
        }
    }

    #[test]
    fn uniform_noise_gives_products_and_the_triangle_a_third_more_for_two_bits() {
        for sigma in [1.1, 1.5, 1.9] {
            let uniform = CodeOverlap::new(noise(sigma, 1.0, NoiseForm::Peaked));
            let triangle = CodeOverlap::new(noise(sigma, 2.0, NoiseForm::Peaked));
            let one = 1.0 - 1.0 / sigma;
            for bits in [2, 3, 10] {
                let product = one.powi(bits);
                assert!((uniform.at(bits as usize) / product - 1.0).abs() < 1e-9);
            }
            let (found, exact) = (triangle.at(2), 4.0 / 3.0 * one.powi(4));
            assert!((found / exact - 1.0).abs() < 1e-6, "{found} {exact}");
            // The affinity of the triangle: π/2 · (1 − 1/σ)².
            assert!((triangle.affinity() / (FRAC_PI_2 * one * one) - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn clouds_that_never_meet_share_nothing_and_equal_codes_everything() {
        for form in [NoiseForm::Peaked, NoiseForm::Printed] {
            let overlap = CodeOverlap::new(noise(1.0, 2.0, form));
            assert_eq!(overlap.table(3), [1.0, 0.0, 0.0, 0.0]);
            assert_eq!(overlap.monte_carlo(2, 1000, 1).mean, 0.0);
            assert_eq!(overlap.monte_carlo(0, 1000, 1).mean, 1.0);
        }
    }

    #[test]
    fn clouds_at_other_distances_are_drawn_too() {
        let noise = noise(1.2, 2.0, NoiseForm::Peaked);
        for distance in [0.0, 0.3, 1.1, -1.9] {
            let drawn = monte_carlo_overlap(&noise, &[0.0, distance, 0.0], 50_000, 4);
            let exact = noise.overlap(distance);
            assert!((drawn.mean - exact).abs() < 5.0 * drawn.standard_error + 1e-12);
        }
    }

    #[test]
    fn many_bits_fall_as_the_affinity_does() {
        // For large d, O_d ≈ Aᵈ · √(8/(π d Var ℓ)), by the central limit theorem: for the triangle ℓ = 2v with
        // v of density ∝ sech³.
        let simpson = |f: &dyn Fn(f64) -> f64| {
            let n = 2000;
            let width = 20.0 / f64::from(n);
            let sum = (0..=n).map(|i| {
                let weight = if i == 0 || i == n {
                    1.0
                } else if i % 2 == 1 {
                    4.0
                } else {
                    2.0
                };
                weight * f(-10.0 + f64::from(i) * width)
            });
            sum.sum::<f64>() * width / 3.0
        };
        let sech3 = |v: f64| v.cosh().powi(-3);
        let variance = 4.0 * simpson(&|v| v * v * sech3(v)) / simpson(&sech3);
        let overlap = CodeOverlap::new(noise(1.9, 2.0, NoiseForm::Peaked));
        for bits in [200, 400] {
            let expected = (8.0 / (std::f64::consts::PI * bits as f64 * variance)).sqrt();
            let found = overlap.at(bits) / overlap.affinity().powi(bits as i32);
            assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
        }
    }
}
