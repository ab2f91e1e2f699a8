//! A function of the user's that answers where the index has no match.

use std::sync::{Mutex, PoisonError};

use bitquilt::{Contexts, Interpolator, Window};
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::errors::Failure;

/// Asks a Python function: symbols float32 [n, numbers of a context], places and labels uint32 [n] → float32 [n].
pub(crate) struct Asked {
    window: Window,
    function: Py<PyAny>,
    name: String,
    raised: Mutex<Option<PyErr>>,
}

impl Asked {
    pub(crate) fn new(window: &str, function: Py<PyAny>, name: String) -> PyResult<Self> {
        Ok(Self {
            window: window.parse().map_err(Failure::from)?,
            function,
            name,
            raised: Mutex::new(None),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns what the function raised, if it did.
    pub(crate) fn take_raised(&self) -> Option<PyErr> {
        self.raised
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn answers(&self, py: Python<'_>, contexts: &Contexts) -> PyResult<Vec<f32>> {
        let count = contexts.len();
        let numbers = contexts.symbols.len() / count.max(1);
        let symbols = PyArray1::from_slice(py, &contexts.symbols).reshape([count, numbers])?;
        let places = PyArray1::from_slice(py, &contexts.places);
        let labels = PyArray1::from_slice(py, &contexts.labels);
        let found = self.function.call1(py, (symbols, places, labels))?;
        let found: PyReadonlyArray1<'_, f32> = found.bind(py).extract()?;
        Ok(found.as_array().to_vec())
    }
}

impl Interpolator for Asked {
    fn window(&self) -> Window {
        self.window
    }

    fn probabilities(&self, contexts: &Contexts, found: &mut Vec<f32>) {
        found.clear();
        if contexts.is_empty() {
            return;
        }
        match Python::attach(|py| self.answers(py, contexts)) {
            Ok(answers) => found.extend(answers),
            // No answer ends the search; whoever asked for samples then raises this.
            Err(error) => {
                let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
                raised.get_or_insert(error);
            }
        }
    }
}
