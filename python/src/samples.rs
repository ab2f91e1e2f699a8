//! Samples: latents with what answered their bits, and how the search for each went.

use std::path::PathBuf;
use std::sync::Arc;

use bitquilt::engine::Generated;
use bitquilt::latent::Ids;
use bitquilt::{SampleSet, Window};
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;

use crate::errors::{self, Failure};
use crate::latents::LatentSet;

/// Samples of a search, or other latents that are looked at like some.
#[pyclass(frozen, module = "bitquilt._bitquilt")]
pub(crate) struct Samples {
    pub(crate) set: Arc<SampleSet>,
    latents: Arc<bitquilt::LatentSet>,
    /// The run that found them; `None` of latents from elsewhere.
    run: Option<Generated>,
}

impl Samples {
    /// Makes the samples of a run.
    pub(crate) fn of_run(run: Generated) -> Result<Self, Failure> {
        Ok(Self::of(run.samples()?, Some(run)))
    }

    fn of(set: SampleSet, run: Option<Generated>) -> Self {
        Self {
            latents: Arc::new(set.latents.clone()),
            set: Arc::new(set),
            run,
        }
    }
}

#[pymethods]
impl Samples {
    /// Takes latents that no search of this kind made.
    #[staticmethod]
    fn of_latents(latents: &LatentSet) -> Self {
        let set = SampleSet {
            latents: (*latents.0).clone(),
            answered_by: None,
            windows: Vec::new(),
            min_count: 1.into(),
            without: Ids::default(),
        };
        Self::of(set, None)
    }

    /// Reads a samples file, or a latents file.
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let set = py
            .detach(|| SampleSet::read(&path))
            .map_err(Failure::from)?;
        Ok(Self::of(set, None))
    }

    /// Writes a samples file, of latents from elsewhere a latents file, whole or not at all.
    fn write(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| match &self.run {
            Some(run) => run.write(&path).map_err(Failure::from),
            None => self.latents.write(&path).map_err(Failure::from),
        })?;
        Ok(())
    }

    #[getter]
    fn latents(&self) -> LatentSet {
        LatentSet(self.latents.clone())
    }

    /// Returns whether they can be written with what answered their bits.
    #[getter]
    fn has_run(&self) -> bool {
        self.run.is_some()
    }

    /// Returns whether it is known what answered their bits.
    #[getter]
    fn searched(&self) -> bool {
        self.set.answered_by.is_some()
    }

    /// Returns for each bit 0 where it was given, 255 where a network answered, else 1 + the number of the window.
    fn answered_by<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArray2<u8>>>> {
        let bits = self.latents.shape().bits();
        let answered =
            self.set.answered_by.as_deref().map(|answered| {
                PyArray1::from_slice(py, answered).reshape([self.latents.len(), bits])
            });
        answered.transpose()
    }

    #[getter]
    fn windows(&self) -> Vec<String> {
        self.set.windows.iter().map(Window::to_string).collect()
    }

    #[getter]
    fn without(&self) -> String {
        self.set.without.to_string()
    }

    /// Returns how each search of the run went, as JSON.
    fn attempts(&self) -> PyResult<String> {
        let run = self.run.as_ref();
        errors::json(&run.map(Generated::reports).unwrap_or_default())
    }
}
