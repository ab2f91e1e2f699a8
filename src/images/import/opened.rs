//! What each format of images finds out when it is opened.

use std::path::PathBuf;

use super::pixels::Sides;
use super::{Labels, labels};
use crate::latent::LatentError;

/// An opened input; `S` is what its images are read from.
pub(super) struct Opened<S> {
    /// What is named where the whole input is refused.
    pub(super) path: PathBuf,
    pub(super) sides: Sides,
    /// Images, at least one.
    pub(super) total: usize,
    pub(super) labels: OwnLabels,
    pub(super) notes: Vec<String>,
    /// What the input is called in a set's `source`.
    pub(super) name: String,
    pub(super) source: S,
}

impl<S> Opened<S> {
    /// Returns the same, read from something else.
    pub(super) fn map<T>(self, of: impl FnOnce(S) -> T) -> Opened<T> {
        Opened {
            path: self.path,
            sides: self.sides,
            total: self.total,
            labels: self.labels,
            notes: self.notes,
            name: self.name,
            source: of(self.source),
        }
    }
}

/// Where the labels are.
pub(super) enum OwnLabels {
    /// Nowhere, or not wanted.
    None,
    /// All of them.
    Known(Vec<i64>),
    /// In the records, read along with the images: those so far.
    Growing(Vec<i64>),
}

impl From<Option<Vec<i64>>> for OwnLabels {
    fn from(labels: Option<Vec<i64>>) -> Self {
        labels.map_or(Self::None, Self::Known)
    }
}

/// Returns the labels of an input whose records carry them.
pub(super) fn labels_of_records(
    wanted: &Labels,
    count: usize,
    notes: &mut Vec<String>,
) -> Result<OwnLabels, LatentError> {
    Ok(match wanted {
        Labels::Auto => OwnLabels::Growing(Vec::new()),
        other => labels::choose(other, labels::Own::No, count, notes)?.into(),
    })
}
