//! What a task did, in one small file that it writes last.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_with::{hex::Hex, serde_as};

use crate::index::FileEntry;
use crate::index::array::{ContentSum, Distinct};

/// A task of a build, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Sorts the contexts of some latents.
    Map(u64),
    /// Merges one part of an array.
    Reduce(u64),
}

/// `map task 3`, as it is said.
impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(number) => write!(f, "map task {number}"),
            Self::Reduce(number) => write!(f, "reduce task {number}"),
        }
    }
}

impl Task {
    /// Returns what its files are called: `map-000003`.
    pub(super) fn name(self) -> String {
        match self {
            Self::Map(number) => format!("map-{number:06}"),
            Self::Reduce(number) => format!("reduce-{number:06}"),
        }
    }
}

/// What a map task did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MapNote {
    /// The plan that it is of.
    pub(super) plan: String,
    /// The latents that it indexed, in a file of theirs; none where all of its latents are excluded.
    pub(super) latents: Option<FileEntry>,
    /// Of each array.
    pub(super) runs: Vec<Run>,
}

/// What a map task spilled for an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) file: FileEntry,
    /// What lies in it for each part, one behind the other.
    pub(super) segments: Vec<SegmentNote>,
}

/// What a map task spilled for one part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SegmentNote {
    pub(super) bytes: u64,
    pub(super) contexts: u64,
    pub(super) occurrences: u64,
    /// XXH3-128 of its bytes, in hexadecimal.
    pub(super) xxh3_128: String,
}

/// What a reduce task did.
#[serde_as]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReduceNote {
    /// The plan that it is of.
    pub(super) plan: String,
    /// Its blocks, and the list of them.
    pub(super) array: FileEntry,
    pub(super) directory: FileEntry,
    pub(super) blocks: u64,
    pub(super) occurrences: u64,
    /// Occurrences that are followed by 1.
    pub(super) ones: u64,
    pub(super) content: ContentSum,
    pub(super) distinct: Distinct,
    /// Its first and its last context, in hexadecimal.
    #[serde_as(as = "[Hex; 2]")]
    pub(super) ends: [Vec<u8>; 2],
}

/// Notes of either kind.
pub(super) trait Note: Serialize + for<'de> Deserialize<'de> {
    /// Returns the plan that it is of.
    fn plan(&self) -> &str;

    /// Returns the files that it names.
    fn files(&self) -> Vec<&FileEntry>;
}

impl Note for MapNote {
    fn plan(&self) -> &str {
        &self.plan
    }

    fn files(&self) -> Vec<&FileEntry> {
        let runs = self.runs.iter().map(|run| &run.file);
        self.latents.iter().chain(runs).collect()
    }
}

impl Note for ReduceNote {
    fn plan(&self) -> &str {
        &self.plan
    }

    fn files(&self) -> Vec<&FileEntry> {
        vec![&self.array, &self.directory]
    }
}
