//! How held-out latents look to the measure of copies, and how unlikely a sample looks beside them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{CopiesError, Evidence};
use crate::base::files;

/// The version that this program writes.
pub const CALIBRATION_VERSION: u32 = 2;
const FORMAT: &str = "bitquilt.calibration";
/// Longest file that is read: 1,000,000 latents of four levels are 150 MB.
const MAX_BYTES: u64 = 1 << 30;
/// What speaks for a copy where there is nothing that could be one: less than for anything that there is.
const NOTHING: f64 = -1e6;

/// What samples and held-out latents are measured against: both must be the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Shape of the latents.
    pub shape: String,
    /// Training latents.
    pub latents: u64,
    /// XXH3-128 of their bits and ids, in hexadecimal.
    pub training: String,
    /// What contexts are bound to, beside bits: anchor and condition of the index.
    pub bound_to: [String; 2],
    /// Windows of the model of honest data.
    pub model: Vec<String>,
    /// The deepest window of each level, by which candidates are found.
    pub deepest: Vec<String>,
}

/// The held-out latents of a calibration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOut {
    /// Where they were.
    pub name: String,
    /// How many were measured.
    pub latents: u64,
    /// XXH3-128 of their shape and packed bits, in hexadecimal.
    pub xxh3_128: String,
    /// How many of them equal a training latent: duplicates make copies look honest.
    pub duplicates: u64,
}

/// What speaks for a copy in each of some held-out latents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    format: String,
    version: u32,
    /// What they were measured against.
    pub measure: Measure,
    /// What they are.
    pub held_out: HeldOut,
    /// For each level, coarse to fine, what speaks for a copy of the whole of it, and of its best part; of each latent.
    scores: Vec<Vec<f64>>,
    /// What each latent carries most of any one training latent, in bits; for each level, coarse to fine.
    // A file of version 1 has none: it is refused for its version.
    #[serde(default)]
    carried: Vec<Vec<f64>>,
}

/// Returns what speaks for a copy, in bits: for each level as a whole, and in part.
pub fn scores(evidence: &[Evidence]) -> Vec<f64> {
    let of = |evidence: &Evidence| {
        let best = evidence.parts.iter().map(|part| part.evidence());
        let whole = evidence.whole.as_ref().map(|whole| whole.evidence());
        [whole, best.reduce(f64::max)].map(|score| score.unwrap_or(NOTHING))
    };
    evidence.iter().flat_map(of).collect()
}

impl Calibration {
    /// Calibrates by the scores of held-out latents, and by what they carry.
    pub fn new(
        measure: Measure,
        held_out: HeldOut,
        scores: Vec<Vec<f64>>,
        carried: Vec<Vec<f64>>,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: CALIBRATION_VERSION,
            measure,
            held_out,
            scores,
            carried,
        }
    }

    /// Returns for each level, coarse to fine, how many bits at most a share `rate` of latents drawn as the held-out ones were carries more
    /// than of one training latent; `None` where there are too few of them to tell. As for a verdict, the latent itself counts
    /// as one of them.
    pub fn carried_at(&self, rate: f64) -> Option<Vec<f64>> {
        let held_out = self.carried.len();
        // Of n + 1 latents that might come in any order, so many may carry more.
        let more = (rate * (held_out as f64 + 1.0)).floor() as usize;
        let place = held_out.checked_sub(more)?;
        let level = |level: usize| {
            let mut all: Vec<f64> = self.carried.iter().map(|row| row[level]).collect();
            all.sort_by(f64::total_cmp);
            all.get(place).copied()
        };
        let levels = self.carried.first().map_or(0, Vec::len);
        (0..levels).map(level).collect()
    }

    /// Returns the least false-alarm rate at which anything can be called a copy: one in as many latents as there are and one more,
    /// for each score.
    pub fn least_rate(&self) -> f64 {
        let scores = self.scores.first().map_or(1, Vec::len);
        scores as f64 / (self.scores.len() as f64 + 1.0)
    }

    /// Reads a calibration.
    ///
    /// # Errors
    /// [`CopiesError::Io`]; [`CopiesError::NotACalibration`] for a file that is none, or one of another version.
    pub fn read(path: &Path) -> Result<Self, CopiesError> {
        let refuse = |found: String| CopiesError::NotACalibration {
            path: path.to_owned(),
            found,
        };
        let file = fs_err::File::open(path)?;
        let bytes = file.metadata()?.len();
        if bytes > MAX_BYTES {
            return Err(refuse(format!("{bytes} bytes")));
        }
        let read: Self = serde_json::from_reader(std::io::BufReader::new(file))
            .map_err(|error| refuse(error.to_string()))?;
        if read.format != FORMAT || read.version != CALIBRATION_VERSION {
            return Err(refuse(format!("{} version {}", read.format, read.version)));
        }
        let levels = read.carried.first().map_or(0, Vec::len);
        let all_of = |rows: &[Vec<f64>], numbers: usize| {
            let fits = |row: &Vec<f64>| row.len() == numbers && row.iter().all(|n| n.is_finite());
            rows.len() as u64 == read.held_out.latents && rows.iter().all(fits)
        };
        if levels == 0 || !all_of(&read.scores, 2 * levels) || !all_of(&read.carried, levels) {
            return Err(refuse("scores that do not belong together".to_owned()));
        }
        Ok(read)
    }

    /// Writes it as JSON, whole or not at all.
    ///
    /// # Errors
    /// [`CopiesError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), CopiesError> {
        files::write_whole(path, |out| {
            serde_json::to_writer(out, self).map_err(std::io::Error::from)
        })?;
        Ok(())
    }

    /// Makes ready to tell how unlikely scores are.
    pub fn ranks(&self) -> Ranks<'_> {
        let scores = self.scores.first().map_or(0, Vec::len);
        let sorted: Vec<Vec<f64>> = (0..scores)
            .map(|score| {
                let mut all: Vec<f64> = self.scores.iter().map(|row| row[score]).collect();
                all.sort_by(f64::total_cmp);
                all
            })
            .collect();
        let rank = |row: &Vec<f64>| {
            let of = |(sorted, score): (&Vec<f64>, &f64)| as_high(sorted, *score);
            sorted.iter().zip(row).map(of).collect()
        };
        Ranks {
            scores: &self.scores,
            own: self.scores.iter().map(rank).collect(),
            sorted,
        }
    }
}

/// Returns how many of some ascending numbers are as high as one or higher.
fn as_high(sorted: &[f64], score: f64) -> usize {
    sorted.len() - sorted.partition_point(|other| *other < score)
}

/// Tells how unlikely scores are.
pub struct Ranks<'a> {
    scores: &'a [Vec<f64>],
    /// How many held-out latents score as high in each score, of each of them.
    own: Vec<Vec<usize>>,
    sorted: Vec<Vec<f64>>,
}

impl Ranks<'_> {
    /// Returns how many held-out latents, and the sample itself, are as high in a score.
    fn rank(&self, score: usize, value: f64) -> usize {
        as_high(&self.sorted[score], value) + 1
    }

    fn share(&self, rank: usize) -> f64 {
        rank as f64 / (self.scores.len() as f64 + 1.0)
    }

    /// Returns how unlikely one score is by itself: the share of held-out latents, and the sample itself, that score as high. Panics
    /// for a score that there is not, as indexing does.
    pub fn of_score(&self, score: usize, value: f64) -> f64 {
        self.share(self.rank(score, value))
    }

    /// Returns how unlikely all scores are: a conformal p-value (Vovk, Gammerman & Shafer 2005), the share of held-out latents, and the
    /// sample itself, whose least share by one score is as low. If the sample is drawn as they were, that is at most α with a
    /// chance of at most α, whatever the scores are. O(latents · scores).
    pub fn of(&self, scores: &[f64]) -> f64 {
        let ranks = scores.iter().enumerate();
        let least = ranks.map(|(score, value)| self.rank(score, *value)).min();
        let least = least.unwrap_or(self.scores.len() + 1);
        // With the sample among them, held-out latents that it is as high as rank one further down.
        let as_low = self.own.iter().zip(self.scores).filter(|(own, held_out)| {
            let each = own.iter().zip(*held_out).zip(scores);
            let each = each.map(|((rank, held_out), score)| rank + usize::from(score >= held_out));
            each.min().is_some_and(|rank| rank <= least)
        });
        self.share(as_low.count() + 1)
    }
}

/// Refuses a calibration that was made by other latents than those of a digest.
///
/// # Errors
/// [`CopiesError::OtherMeasure`].
pub fn check_held_out(calibration: &Calibration, xxh3_128: &str) -> Result<(), CopiesError> {
    let found = &calibration.held_out.xxh3_128;
    if found == xxh3_128 {
        return Ok(());
    }
    Err(CopiesError::OtherMeasure {
        path: None,
        what: "held-out latents",
        expected: format!("those of digest {xxh3_128}"),
        found: format!("{} of digest {found}", calibration.held_out.name),
    })
}

/// Refuses a calibration that was made against something else.
///
/// # Errors
/// [`CopiesError::OtherMeasure`].
pub fn check_measure(
    calibration: &Calibration,
    measure: &Measure,
    path: Option<PathBuf>,
) -> Result<(), CopiesError> {
    let held = &calibration.measure;
    let differing = [
        ("shape", held.shape.clone(), measure.shape.clone()),
        (
            "training latents",
            format!("{} of digest {}", held.latents, held.training),
            format!("{} of digest {}", measure.latents, measure.training),
        ),
        (
            "bindings of contexts",
            held.bound_to.join(", "),
            measure.bound_to.join(", "),
        ),
        (
            "model windows",
            held.model.join(", "),
            measure.model.join(", "),
        ),
        (
            "deepest windows",
            held.deepest.join(", "),
            measure.deepest.join(", "),
        ),
    ];
    match differing.into_iter().find(|(_, held, own)| held != own) {
        None => Ok(()),
        Some((what, held, own)) => Err(CopiesError::OtherMeasure {
            path,
            what,
            expected: own,
            found: held,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn calibration(scores: Vec<Vec<f64>>) -> Calibration {
        let measure = Measure {
            shape: "1x1x1".to_owned(),
            latents: 1,
            training: String::new(),
            bound_to: [String::new(), String::new()],
            model: Vec::new(),
            deepest: Vec::new(),
        };
        let held_out = HeldOut {
            name: String::new(),
            latents: scores.len() as u64,
            xxh3_128: String::new(),
            duplicates: 0,
        };
        Calibration::new(measure, held_out, scores, Vec::new())
    }

    proptest! {
        #[test]
        fn p9_of_exchangeable_latents_no_more_than_the_stated_share_carries_more(
            carried in prop::collection::vec(0..9i32, 2..12),
            tenths in 0..11usize,
        ) {
            let rate = tenths as f64 / 10.0;
            let carried: Vec<Vec<f64>> = carried.iter().map(|bits| vec![f64::from(*bits)]).collect();
            // Each of them in turn as the sample.
            let more = (0..carried.len()).filter(|number| {
                let mut held_out = carried.clone();
                let sample = held_out.remove(*number);
                let calibration = Calibration { carried: held_out, ..calibration(Vec::new()) };
                calibration.carried_at(rate).is_some_and(|most| sample[0] > most[0])
            });
            prop_assert!(more.count() as f64 <= rate * carried.len() as f64 + 1e-9);
        }
    }

    /// The definition, plainly: the ranks of all latents among all, the sample one of them.
    fn plain(held_out: &[Vec<f64>], scores: &[f64]) -> f64 {
        let all: Vec<&[f64]> = held_out.iter().map(Vec::as_slice).chain([scores]).collect();
        let least = |of: &[f64]| {
            let ranks = (0..scores.len())
                .map(|score| all.iter().filter(|other| other[score] >= of[score]).count());
            ranks.min().unwrap()
        };
        let own = least(scores);
        let as_low = all.iter().filter(|other| least(other) <= own).count();
        as_low as f64 / all.len() as f64
    }

    proptest! {
        #[test]
        fn p9_the_share_of_held_out_latents_that_are_as_unlikely_is_what_the_definition_says(
            rows in prop::collection::vec(prop::collection::vec(0..6i32, 3), 2..12),
        ) {
            let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(|score| f64::from(*score)).collect()).collect();
            let (sample, held_out) = rows.split_last().unwrap();
            let calibration = calibration(held_out.to_vec());
            let ranks = calibration.ranks();
            prop_assert_eq!(ranks.of(sample), plain(held_out, sample));
            for score in 0..sample.len() {
                let each = ranks.of_score(score, sample[score]);
                let as_high = rows.iter().filter(|row| row[score] >= sample[score]).count();
                prop_assert_eq!(each, as_high as f64 / rows.len() as f64);
            }
        }

        #[test]
        fn p9_of_exchangeable_latents_no_more_than_the_stated_share_is_called_copies(
            rows in prop::collection::vec(prop::collection::vec(0..9i32, 2), 2..12),
            tenths in 0..11usize,
        ) {
            let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(|score| f64::from(*score)).collect()).collect();
            let rate = tenths as f64 / 10.0;
            // Each of them in turn as the sample: every order is as likely as any other.
            let called = (0..rows.len()).filter(|number| {
                let mut held_out = rows.clone();
                let sample = held_out.remove(*number);
                calibration(held_out).ranks().of(&sample) <= rate
            });
            prop_assert!(called.count() as f64 <= rate * rows.len() as f64 + 1e-9);
        }
    }
}
