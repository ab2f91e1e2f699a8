//! The verdict: whether a sample copies, at a stated rate of false alarms; and how many of a set do.

use serde::Serialize;
use statrs::distribution::{Beta, ContinuousCDF};

use super::calibration::{Calibration, HeldOut, Ranks, scores};
use super::finder::{Copied, Evidence};

/// What may be a copy, with how unlikely that would be in honest data.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Judged {
    /// Share of held-out latents, and the sample itself, of which as much speaks for a copy of that kind: the whole of the level,
    /// or its best part.
    pub p: f64,
    /// What it is.
    #[serde(flatten)]
    pub copied: Copied,
}

impl Judged {
    /// Orders by what looks most like a copy: what is rarest in honest data, and of equals what most speaks for.
    pub fn likelier_first(&self, other: &Self) -> std::cmp::Ordering {
        let p = self.p.total_cmp(&other.p);
        let evidence = |judged: &Self| judged.copied.evidence();
        p.then(evidence(other).total_cmp(&evidence(self)))
    }
}

/// One level of a sample, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LevelVerdict {
    /// The level as a whole.
    pub whole: Option<Judged>,
    /// Parts of it, apart from each other, the one that is found first foremost.
    pub parts: Vec<Judged>,
}

/// Whether a sample copies.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether `p` is no more than the rate of false alarms.
    pub copy: bool,
    /// Share of held-out latents, and the sample itself, that look as much like a copy, in whatever way they most do.
    pub p: f64,
    /// Its levels, coarse to fine; one for a latent of one level.
    pub levels: Vec<LevelVerdict>,
}

impl Verdict {
    /// Returns all that was found in it: of each level the whole, and its parts.
    pub fn judged(&self) -> impl Iterator<Item = &Judged> {
        let levels = self.levels.iter();
        levels.flat_map(|level| level.whole.iter().chain(&level.parts))
    }

    /// Returns what looks most like a copy in it.
    pub fn most_likely(&self) -> Option<&Judged> {
        self.judged().min_by(|a, b| a.likelier_first(b))
    }

    /// Orders verdicts by how much samples look like copies, the worst first.
    fn worse_first(&self, other: &Self) -> std::cmp::Ordering {
        let strength = |verdict: &Self| {
            let all = verdict.judged().map(|judged| judged.copied.evidence());
            all.fold(f64::MIN, f64::max)
        };
        let p = self.p.total_cmp(&other.p);
        p.then(strength(other).total_cmp(&strength(self)))
    }
}

/// Returns the numbers of verdicts by how much their samples look like copies, the worst first.
pub fn worst_first(verdicts: &[Verdict]) -> Vec<usize> {
    let mut all: Vec<usize> = (0..verdicts.len()).collect();
    all.sort_by(|a, b| verdicts[*a].worse_first(&verdicts[*b]));
    all
}

/// Gives verdicts.
pub struct Judge<'a> {
    ranks: Ranks<'a>,
    false_alarms: f64,
}

impl<'a> Judge<'a> {
    /// Prepares verdicts of which a share `false_alarms` calls honest data copies.
    pub fn new(calibration: &'a Calibration, false_alarms: f64) -> Self {
        Self {
            ranks: calibration.ranks(),
            false_alarms,
        }
    }

    /// Returns the verdict on a sample.
    pub fn judge(&self, evidence: &[Evidence]) -> Verdict {
        let p = self.ranks.of(&scores(evidence));
        let levels = evidence.iter().enumerate().map(|(level, evidence)| {
            let of = |score: usize, copied: &Copied| Judged {
                p: self.ranks.of_score(score, copied.evidence()),
                copied: copied.clone(),
            };
            LevelVerdict {
                whole: evidence.whole.as_ref().map(|whole| of(2 * level, whole)),
                parts: evidence
                    .parts
                    .iter()
                    .map(|part| of(2 * level + 1, part))
                    .collect(),
            }
        });
        Verdict {
            copy: p <= self.false_alarms,
            p,
            levels: levels.collect(),
        }
    }
}

/// How many samples of a set are called copies, and how many honest data would have.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CopyCount {
    /// The share of honest latents that is called copies.
    pub false_alarms: f64,
    /// The held-out latents of the calibration.
    pub held_out: HeldOut,
    /// Samples that were judged.
    pub samples: u64,
    /// Those that are called copies.
    pub copies: u64,
    /// How many of as many honest latents would be.
    pub expected: f64,
    /// Where the share that is called copies of all samples that might have been drawn lies, at 95 % confidence: Clopper and Pearson
    /// (1934). It takes samples to be drawn independently.
    pub interval: [f64; 2],
}

impl CopyCount {
    /// Counts verdicts.
    pub fn new(calibration: &Calibration, false_alarms: f64, verdicts: &[Verdict]) -> Self {
        let copies = verdicts.iter().filter(|verdict| verdict.copy).count() as u64;
        Self::of(calibration, false_alarms, verdicts.len() as u64, copies)
    }

    /// Says what so many copies among so many samples come to.
    pub fn of(calibration: &Calibration, false_alarms: f64, samples: u64, copies: u64) -> Self {
        Self {
            false_alarms,
            held_out: calibration.held_out.clone(),
            samples,
            copies,
            expected: false_alarms * samples as f64,
            interval: interval(copies, samples, 0.95),
        }
    }
}

/// Returns where a share lies of which `successes` of `trials` were seen.
#[expect(
    clippy::expect_used,
    reason = "of a beta distribution both numbers must be above 0: of shares that are neither 0 nor 1 they are"
)]
fn interval(successes: u64, trials: u64, confidence: f64) -> [f64; 2] {
    let (k, n) = (successes as f64, trials as f64);
    let tail = (1.0 - confidence) / 2.0;
    let quantile = |a, b, at| {
        Beta::new(a, b)
            .expect("both are at least 1")
            .inverse_cdf(at)
    };
    let low = match successes {
        0 => 0.0,
        _ => quantile(k, n - k + 1.0, tail),
    };
    let high = match trials - successes {
        0 => 1.0,
        _ => quantile(k + 1.0, n - k, 1.0 - tail),
    };
    [low, high]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_tables() {
        // Clopper and Pearson's for 3 of 10, to 4 places; the rule of three's exact form for 0 of 10 and 10 of 10.
        let [low, high] = interval(3, 10, 0.95);
        assert!(
            (low - 0.0667).abs() < 1e-4 && (high - 0.6525).abs() < 1e-4,
            "{low} {high}"
        );
        let edge = 1.0 - 0.025f64.powf(0.1);
        let none = interval(0, 10, 0.95);
        assert!(none[0] == 0.0 && (none[1] - edge).abs() < 1e-6);
        let all = interval(10, 10, 0.95);
        assert!(all[1] == 1.0 && (all[0] - (1.0 - edge)).abs() < 1e-6);
        assert_eq!(interval(0, 0, 0.95), [0.0, 1.0]);
    }
}
