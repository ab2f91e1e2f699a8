//! The generalized triangular distribution Tri(σ, κ) of Eqn 10, in closed form: what the noise of a
//! BL-AE does to codes at ±1, without sampling.

use crate::base::choice;

choice! {
    "lowercase",
    /// How Eqn 10 is read. With u uniform on (−1, 1), the equation as printed and the sentences below
    /// it ("κ = 2 is the linear triangle, higher κ is more sharply peaked") exclude each other.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum NoiseForm {
        /// |ε| = σ·(1 − |u|^(1/κ)): what the text says. κ = 1 is uniform, κ = 2 the linear triangle, larger
        /// κ more peaked at 0.
        #[default]
        #[strum(message = "As its text says, most weight in the middle")]
        Peaked,
        /// |ε| = σ·(1 − |u|^κ): what the equation says. κ = 1 is uniform; larger κ moves the weight to ±σ.
        #[strum(message = "As it stands, weight at the edges")]
        Printed,
    }
}

/// Parameters of no distribution.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoiseError {
    /// σ or κ is not a finite number above 0.
    #[error("expected {name} to be a finite number above 0, found {found}")]
    Parameter {
        /// "sigma" or "kappa".
        name: &'static str,
        /// What was given.
        found: f64,
    },
}

/// Tri(σ, κ): symmetric about 0, bounded by ±σ.
///
/// Both forms are one family: |ε| = σ·(1 − v^(1/a)) with v uniform on (0, 1), so that |ε|/σ is
/// Beta(1, a) distributed and P(|ε| > t) = (1 − t/σ)^a; a = κ for [`NoiseForm::Peaked`] and 1/κ for
/// [`NoiseForm::Printed`].
///
/// ```
/// # use bitquilt::model::{NoiseForm, Triangular};
/// let noise = Triangular::new(1.25, 2.0, NoiseForm::Peaked)?;
/// // Codes at +1 and -1: (1 - 1/1.25)^2 of the two clouds is common ground.
/// assert!((noise.overlap(2.0) - 0.04).abs() < 1e-12);
/// // Bounded by 1 they share nothing: Eqn 3 is exactly 0.
/// assert_eq!(Triangular::new(1.0, 2.0, NoiseForm::Peaked)?.overlap(2.0), 0.0);
/// # Ok::<(), bitquilt::model::NoiseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Triangular {
    sigma: f64,
    kappa: f64,
    form: NoiseForm,
}

impl Triangular {
    /// Makes the distribution of half-width σ and shape κ.
    ///
    /// # Errors
    /// [`NoiseError::Parameter`] when σ or κ is not a finite number above 0.
    pub fn new(sigma: f64, kappa: f64, form: NoiseForm) -> Result<Self, NoiseError> {
        for (name, found) in [("sigma", sigma), ("kappa", kappa)] {
            if !(found.is_finite() && found > 0.0) {
                return Err(NoiseError::Parameter { name, found });
            }
        }
        Ok(Self { sigma, kappa, form })
    }

    /// Returns the half-width σ: no value lies beyond ±σ.
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// Returns the shape κ.
    pub fn kappa(&self) -> f64 {
        self.kappa
    }

    /// Returns how Eqn 10 is read.
    pub fn form(&self) -> NoiseForm {
        self.form
    }

    /// Returns the exponent a of the family: κ, or 1/κ for the printed form. Above 1 the density falls away from 0,
    /// below 1 it
    /// rises.
    pub fn exponent(&self) -> f64 {
        match self.form {
            NoiseForm::Peaked => self.kappa,
            NoiseForm::Printed => 1.0 / self.kappa,
        }
    }

    /// Returns the density at x: (a/2σ)·(1 − |x|/σ)^(a − 1), 0 outside ±σ; infinite at ±σ where a < 1.
    pub fn density(&self, x: f64) -> f64 {
        let inside = 1.0 - x.abs() / self.sigma;
        if inside < 0.0 {
            return 0.0;
        }
        let a = self.exponent();
        a / (2.0 * self.sigma) * inside.powf(a - 1.0)
    }

    /// Returns the variance, 2σ²/((a + 1)(a + 2)); the mean is 0.
    pub fn variance(&self) -> f64 {
        let a = self.exponent();
        2.0 * self.sigma * self.sigma / ((a + 1.0) * (a + 2.0))
    }

    /// Returns P(ε > t). At t = |z| it is the chance that noise turns the sign of an activation z.
    pub fn tail(&self, t: f64) -> f64 {
        let inside = (1.0 - t.abs() / self.sigma).max(0.0);
        let half = 0.5 * inside.powf(self.exponent());
        if t < 0.0 { 1.0 - half } else { half }
    }

    /// Returns the value that u ∈ [−1, 1] becomes: the sampler of Eqn 10, in either form.
    pub fn value(&self, u: f64) -> f64 {
        let size = self.sigma * (1.0 - u.abs().powf(1.0 / self.exponent()));
        size.copysign(u)
    }

    /// Returns the overlap coefficient of two clouds of this noise (Eqn 3 for one pair, one bit): ∫ min(p(x), p(x − d))
    /// dx, where d is the distance of their centres: 2 for codes at ±1.
    ///
    /// The densities cross at d/2. A density that falls away from its centre (a ≥ 1) leaves the two
    /// tails beyond it, 2·P(ε > d/2); one that rises leaves, of each cloud, the part between the
    /// other's edge and the crossing, 2·P(d − σ < ε < d/2).
    pub fn overlap(&self, distance: f64) -> f64 {
        let d = distance.abs();
        if d >= 2.0 * self.sigma {
            0.0
        } else if self.exponent() >= 1.0 {
            2.0 * self.tail(d / 2.0)
        } else {
            2.0 * (self.tail(d - self.sigma) - self.tail(d / 2.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noises() -> impl Strategy<Value = Triangular> {
        let form = prop_oneof![Just(NoiseForm::Peaked), Just(NoiseForm::Printed)];
        (0.2..3.0f64, 0.4..4.0f64, form)
            .prop_map(|(sigma, kappa, form)| Triangular::new(sigma, kappa, form).unwrap())
    }

    /// ∫ f over [from, to], midpoints.
    fn integral(from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
        const STEPS: usize = 40_000;
        let width = (to - from) / STEPS as f64;
        let points = (0..STEPS).map(|step| from + (step as f64 + 0.5) * width);
        points.map(f).sum::<f64>() * width
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_tail_is_the_integral_of_the_density(noise in noises(), a in -0.9..0.9f64, b in -0.9..0.9f64) {
            let (a, b) = (a.min(b) * noise.sigma(), a.max(b) * noise.sigma());
            let between = integral(a, b, |x| noise.density(x));
            prop_assert!((between - (noise.tail(a) - noise.tail(b))).abs() < 1e-4);
        }

        #[test]
        fn the_variance_and_the_tail_are_those_of_sampled_values(noise in noises(), t in -1.2..1.2f64) {
            let t = t * noise.sigma();
            let variance = integral(-1.0, 1.0, |u| noise.value(u).powi(2)) / 2.0;
            prop_assert!((variance - noise.variance()).abs() < 1e-3 * noise.sigma().powi(2));
            let tail = integral(-1.0, 1.0, |u| f64::from(noise.value(u) > t)) / 2.0;
            prop_assert!((tail - noise.tail(t)).abs() < 1e-4);
        }

        #[test]
        fn the_overlap_is_the_integral_of_the_smaller_density(noise in noises(), d in 0.1..2.5f64) {
            let d = d * noise.sigma();
            let shared = |x: f64| noise.density(x).min(noise.density(x - d));
            let overlap = integral(-noise.sigma(), d + noise.sigma(), shared);
            prop_assert!((overlap - noise.overlap(d)).abs() < 2e-3, "{overlap} {}", noise.overlap(d));
        }
    }

    #[test]
    fn kappa_2_is_the_linear_triangle_and_kappa_1_is_uniform_in_both_forms() {
        let triangle = Triangular::new(2.0, 2.0, NoiseForm::Peaked).unwrap();
        for x in [-1.5, 0.0, 0.5, 1.0, 2.0] {
            // Height 1/σ at 0, falling to 0 at σ.
            assert!((triangle.density(x) - (0.5 - f64::abs(x) / 4.0)).abs() < 1e-12);
        }
        for form in [NoiseForm::Peaked, NoiseForm::Printed] {
            let uniform = Triangular::new(2.0, 1.0, form).unwrap();
            assert!((uniform.density(0.3) - 0.25).abs() < 1e-12);
            assert!((uniform.density(1.9) - 0.25).abs() < 1e-12);
        }
    }

    #[test]
    fn the_printed_form_of_kappa_2_puts_more_weight_at_the_edge_than_at_the_centre() {
        let printed = Triangular::new(1.0, 2.0, NoiseForm::Printed).unwrap();
        assert!(printed.density(0.9) > printed.density(0.0));
        // Eqn 10 word for word: u = 0.5 gives 1 - 0.25.
        assert!((printed.value(0.5) - 0.75).abs() < 1e-12);
        assert!((printed.value(-0.5) + 0.75).abs() < 1e-12);
    }

    #[test]
    fn parameters_that_are_no_distribution_are_refused() {
        for (sigma, kappa) in [
            (0.0, 2.0),
            (1.0, -1.0),
            (f64::NAN, 2.0),
            (1.0, f64::INFINITY),
        ] {
            assert!(Triangular::new(sigma, kappa, NoiseForm::Peaked).is_err());
        }
        assert!("triangle".parse::<NoiseForm>().is_err());
    }
}
