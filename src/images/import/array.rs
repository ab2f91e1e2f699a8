//! An array in a file, whatever the format: its elements' type, its sides, their order.

use std::io::Read;
use std::path::Path;

use super::checks::wrong_count;
use super::element::Element;
use super::input::read_error;
use crate::latent::LatentError;

/// What a header says of an array.
#[derive(Clone, Debug)]
pub(super) struct Array {
    pub(super) element: Element,
    /// Sides, as numpy shows them.
    pub(super) sides: Vec<u64>,
    /// Whether the first axis is the fastest in the file, not the last.
    pub(super) fortran: bool,
}

impl Array {
    /// Returns the number of bytes of all elements; `None` where that overflows.
    pub(super) fn bytes(&self) -> Option<u64> {
        let elements = self
            .sides
            .iter()
            .try_fold(1u64, |product, side| product.checked_mul(*side));
        elements?.checked_mul(self.element.bytes as u64)
    }

    /// Returns whether the array can hold labels: one axis of integers.
    pub(super) fn may_be_labels(&self) -> bool {
        self.sides.len() == 1 && self.element.is_integer()
    }

    /// Returns the elements of an array of one axis, which should be `count` integers.
    pub(super) fn integers(
        &self,
        reader: &mut impl Read,
        path: &Path,
        count: usize,
    ) -> Result<Vec<i64>, LatentError> {
        if !self.may_be_labels() {
            return Err(LatentError::format(
                path,
                "labels: an array of integers with one axis",
                format!("{} {:?}", self.element.name(), self.sides),
            ));
        }
        if self.sides[0] != count as u64 {
            let found = format!("{} labels", self.sides[0]);
            return Err(wrong_count(path, count, &found));
        }
        let mut labels = Vec::new();
        let mut bytes = [0; 8];
        for index in 0..count {
            let bytes = &mut bytes[..self.element.bytes];
            reader
                .read_exact(bytes)
                .map_err(|error| read_error(path, error))?;
            let label = self.element.integer(bytes);
            labels.push(i64::try_from(label).map_err(|_| {
                let found = format!("{label} at [{index}]");
                LatentError::format(path, "labels that fit a signed 64-bit integer", found)
            })?);
        }
        Ok(labels)
    }
}
