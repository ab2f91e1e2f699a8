//! No sample that has too much of one training latent.

use std::ops::Range;

use super::SearchError;
use super::constraint::{Constraint, Watch};
use crate::copies::{CopyLimit, CopyWatch};
use crate::latent::Shape;
use crate::window::Frame;

impl Constraint for CopyLimit<'_> {
    fn watch(&self, given: &dyn Fn(usize) -> bool) -> Option<Box<dyn Watch + '_>> {
        Some(Box::new(CopyWatch::new(self, given)))
    }

    fn check(&self, shape: Shape) -> Result<(), SearchError> {
        if shape == self.shape() {
            return Ok(());
        }
        Err(SearchError::Task {
            why: format!(
                "a limit on copying takes samples of the training latents' shape: expected {}, found {shape}",
                self.shape()
            ),
        })
    }
}

impl Watch for CopyWatch<'_> {
    fn refuted(
        &mut self,
        frame: &Frame,
        decided: usize,
    ) -> Result<Option<Vec<Range<usize>>>, SearchError> {
        let found = self.look(frame, decided)?;
        Ok(found.map(|found| found.depends_on))
    }
}
