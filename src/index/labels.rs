//! The labels that contexts are bound to: each of those that occur in the latent set, numbered in
//! ascending order.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::manifest::{MANIFEST, Manifest};
use super::{Index, IndexError};
use crate::latent::LatentSet;
use crate::window::{Condition, Frame, Given};

/// The labels that contexts are bound to, ascending; none where contexts are of any label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    /// A label's number is its place here.
    numbered: Vec<i64>,
    /// Those of latents that are not left out.
    held: Vec<i64>,
}

impl Labels {
    /// Takes every label that contexts are bound to, ascending.
    pub(super) fn of_values(ascending: Vec<i64>) -> Self {
        Self {
            held: ascending.clone(),
            numbered: ascending,
        }
    }

    /// Collects every label of some latents of a set.
    pub(super) fn of(set: &LatentSet, ids: &[u32]) -> Self {
        let labels = set.labels().unwrap_or_default();
        let own = ids.iter().filter_map(|id| labels.get(*id as usize));
        let distinct: BTreeSet<_> = own.copied().collect();
        Self::of_values(distinct.into_iter().collect())
    }

    /// Drops the labels that are not in `left` (ascending), which no latent has any more. The others keep their numbers.
    pub(super) fn retain(&mut self, left: &[i64]) {
        self.held.retain(|label| left.binary_search(label).is_ok());
    }

    /// Returns the labels of the index in `folder`, as its manifest has them.
    pub(super) fn written(manifest: &Manifest, folder: &Path) -> Result<Self, IndexError> {
        let condition = manifest.condition;
        let bound = condition == Condition::Label && manifest.labels;
        let values = &manifest.label_values;
        if values.is_sorted_by(|a, b| a < b) && bound != values.is_empty() {
            return Ok(Self::of_values(values.clone()));
        }
        Err(IndexError::Damaged {
            path: folder.join(MANIFEST),
            expected: "label_values that ascend, with condition label only".to_owned(),
            found: format!(
                "{} of them with condition {condition}, labels {}",
                values.len(),
                manifest.labels
            ),
        })
    }

    pub(super) fn as_slice(&self) -> &[i64] {
        &self.held
    }

    /// Returns how many numbers there are.
    pub(super) fn count(&self) -> u64 {
        self.numbered.len() as u64
    }

    /// Returns the number of a label; `None` for one that does not occur.
    pub(super) fn number(&self, label: i64) -> Option<u64> {
        self.held.binary_search(&label).ok()?;
        let place = self.numbered.binary_search(&label).ok()?;
        Some(place as u64)
    }

    /// Returns the number of a label, of a latent that is left out as well.
    pub(super) fn written_number(&self, label: i64) -> Option<u64> {
        let place = self.numbered.binary_search(&label).ok()?;
        Some(place as u64)
    }

    /// Returns the number of each latent's label, where contexts are bound to labels; 0 for that of a latent that is not
    /// indexed and whose label no other has.
    pub(super) fn numbers(&self, set: &LatentSet) -> Vec<u64> {
        let labels = set
            .labels()
            .filter(|_| self.count() > 0)
            .unwrap_or_default();
        let number = |label: &i64| self.numbered.binary_search(label).unwrap_or(0) as u64;
        labels.iter().map(number).collect()
    }

    /// Loads a latent of the set, with the number of its label where contexts are bound to one.
    ///
    /// # Panics
    /// When its label is none of these: its contexts would be counted under another's.
    #[expect(
        clippy::expect_used,
        reason = "the labels are those of the latents that are loaded"
    )]
    pub(super) fn load(&self, frame: &mut Frame, set: &LatentSet, id: usize) {
        let given = match set.labels().filter(|_| self.count() > 0) {
            Some(labels) => {
                let number = self.number(labels[id]);
                Given::label(number.expect("a label that some latent has"))
            }
            None => Given::NOTHING,
        };
        frame.load(set.packed_latent(id), given);
    }
}

impl Index {
    /// Returns whether the latent's label is part of every context.
    pub fn condition(&self) -> Condition {
        match self.labels() {
            [] => Condition::None,
            _ => Condition::Label,
        }
    }

    /// Returns the labels that contexts are bound to, ascending; none without condition `label`.
    pub fn labels(&self) -> &[i64] {
        self.held_labels().as_slice()
    }

    /// Returns the labels that contexts are bound to, for messages: the first ten, and how many more there are.
    pub fn labels_in_words(&self) -> String {
        self.held_labels().to_string()
    }

    /// Returns what contexts of a latent of that label depend on beside its bits. Where contexts are of any label, it does
    /// not matter what the label is, or whether there is one.
    ///
    /// # Errors
    /// As [`Index::label_number`]; [`IndexError::Unlabelled`] for no label where contexts are bound to labels.
    pub fn given(&self, label: Option<i64>) -> Result<Given, IndexError> {
        match (self.condition(), label) {
            (Condition::None, _) => Ok(Given::NOTHING),
            (Condition::Label, Some(label)) => Ok(Given::label(self.label_number(label)?)),
            (Condition::Label, None) => Err(IndexError::Unlabelled {
                path: self.path().to_owned(),
            }),
        }
    }

    /// Does what [`Index::given`] does, but returns `None` for a label that no latent of the index has: its
    /// contexts never occurred.
    ///
    /// # Errors
    /// [`IndexError::Unlabelled`].
    pub fn given_if_seen(&self, label: Option<i64>) -> Result<Option<Given>, IndexError> {
        match self.given(label) {
            Err(IndexError::NoSuchLabel { .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// As [`Index::given_if_seen`]; of an index that knows no labels, nothing whatever the label.
    pub(crate) fn given_of(&self, label: Option<i64>) -> Result<Option<Given>, IndexError> {
        match self.labels().is_empty() {
            true => Ok(Some(Given::NOTHING)),
            false => self.given_if_seen(label),
        }
    }

    /// Returns the number of a label, by which a [`Frame`] is given it.
    ///
    /// # Errors
    /// [`IndexError::NoSuchLabel`], naming those that the index holds; [`IndexError::NotLabelled`]
    /// without condition `label`.
    pub fn label_number(&self, label: i64) -> Result<u64, IndexError> {
        let path = || self.path().to_owned();
        match self.held_labels().number(label) {
            Some(number) => Ok(number),
            None if self.labels().is_empty() => Err(IndexError::NotLabelled {
                path: path(),
                asked: label,
            }),
            None => Err(IndexError::NoSuchLabel {
                path: path(),
                asked: label,
                held: self.held_labels().to_string(),
            }),
        }
    }
}

/// For messages: no more than ten of them.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.held[..self.held.len().min(10)];
        let shown: Vec<_> = shown.iter().map(i64::to_string).collect();
        f.write_str(&shown.join(", "))?;
        match self.held.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::Shape;

    #[test]
    fn labels_are_numbered_in_ascending_order() {
        let shape = Shape::new(1, 1, 1).unwrap();
        let set = LatentSet::from_packed(shape, vec![0; 5]).unwrap();
        let set = set.with_labels(vec![7, -3, 7, i64::MAX, i64::MIN]).unwrap();
        let labels = Labels::of(&set, &[0, 1, 2, 3, 4]);
        assert_eq!(labels.as_slice(), [i64::MIN, -3, 7, i64::MAX]);
        assert_eq!(labels.number(7), Some(2));
        assert_eq!(labels.number(0), None);
    }
}
