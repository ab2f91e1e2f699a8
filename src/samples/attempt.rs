//! How the search for one sample went, as a samples file has it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::base::choice;
use crate::window::Window;

/// In [`Attempt::answered`], a bit that the network answered.
pub const INTERPOLATED: u8 = u8::MAX - 1;

/// How the search for one sample went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number in the run, j.
    pub index: u64,
    /// How it ended.
    pub status: Status,
    /// What the search did.
    pub counters: Counters,
    /// The time it took: the one field that differs from run to run.
    pub elapsed: Duration,
    /// The sample, packed as a row of a latent set, when the status is [`Status::Sample`].
    pub packed: Option<Vec<u8>>,
    /// For each of its bits, the number of the window that answered, or [`INTERPOLATED`];
    /// `None` for a forced one. Empty without a sample.
    pub answered: Vec<Option<u8>>,
}

choice! {
    "lowercase",
    /// How a search ended. A samples file has the number of each.
    #[non_exhaustive]
    pub enum Status {
        /// With a sample.
        Sample = 0,
        /// With a proof that there is none (or no further one).
        #[serde(rename = "none exists")]
        #[strum(serialize = "none exists")]
        NoneExists = 1,
        /// With its budget of backtracks or time spent.
        #[serde(rename = "budget spent")]
        #[strum(serialize = "budget spent")]
        BudgetSpent = 2,
        /// Because it was told to stop.
        Stopped = 3,
        /// With more bits to be answered by the network than it may.
        #[serde(rename = "cap reached")]
        #[strum(serialize = "cap reached")]
        CapReached = 4,
    }
}

impl Status {
    /// Returns the number of the status in a samples file.
    pub fn number(self) -> u64 {
        self as u64
    }
}

/// What a search did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Contexts looked up.
    pub lookups: u64,
    /// Dead ends from which it returned to an earlier bit.
    pub backtracks: u64,
    /// Of these returns, those from a level of a pyramid to a coarser one.
    pub returns: u64,
    /// Most free bits that one return went back over.
    pub longest_jump: u64,
    /// Most bits that were decided at any one time: HWK for a sample.
    pub deepest: u64,
}

/// Adds up the counters of the attempts of a run.
pub fn totals(attempts: &[Attempt]) -> Counters {
    attempts
        .iter()
        .fold(Counters::default(), |sum, attempt| Counters {
            lookups: sum.lookups + attempt.counters.lookups,
            backtracks: sum.backtracks + attempt.counters.backtracks,
            returns: sum.returns + attempt.counters.returns,
            longest_jump: sum.longest_jump.max(attempt.counters.longest_jump),
            deepest: sum.deepest.max(attempt.counters.deepest),
        })
}

/// An attempt as reports have it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AttemptReport {
    /// Its number in the run, j.
    pub index: u64,
    /// How it ended.
    pub status: Status,
    /// What the search did.
    #[serde(flatten)]
    pub counters: Counters,
    /// The time it took.
    pub seconds: f64,
    /// How many bits of the sample each window answered, by its name; the network (`interpolated`); and how many were `fixed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<BTreeMap<String, usize>>,
}

impl Attempt {
    /// Returns the attempt of a run at these windows, for a report.
    pub fn report(&self, windows: &[Window]) -> AttemptReport {
        let by = || answered_by(std::slice::from_ref(self), windows);
        AttemptReport {
            index: self.index,
            status: self.status,
            counters: self.counters,
            seconds: self.elapsed.as_secs_f64(),
            bits: self.packed.as_ref().map(|_| by().into_iter().collect()),
        }
    }
}

/// Returns how many bits of the samples of some attempts each window answered, in turn; how many the network (`interpolated`), where it
/// did; and last, how many were `fixed`.
pub fn answered_by(attempts: &[Attempt], windows: &[Window]) -> Vec<(String, usize)> {
    let answered = || attempts.iter().flat_map(|attempt| &attempt.answered);
    let by = windows.iter().enumerate().map(|(number, window)| {
        let own = Some(number as u8);
        let bits = answered().filter(|rung| **rung == own).count();
        (window.to_string(), bits)
    });
    let interpolated = answered().filter(|rung| **rung == Some(INTERPOLATED));
    let interpolated = interpolated.count();
    let network = (interpolated > 0).then(|| ("interpolated".to_owned(), interpolated));
    let fixed = answered().filter(|rung| rung.is_none()).count();
    by.chain(network)
        .chain([("fixed".to_owned(), fixed)])
        .collect()
}

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::Status;

    #[test]
    fn a_status_has_its_place_as_its_number() {
        for (place, status) in Status::VARIANTS.iter().enumerate() {
            assert_eq!(status.number(), place as u64);
        }
    }
}
