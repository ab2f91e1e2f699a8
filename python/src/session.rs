//! An opened index.

use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex};

use bitquilt::engine::{
    self, CountsRequest, GenerateRequest, Network, QueryRequest, SessionOptions, VerifyRequest,
};
use bitquilt::{Budget, Observer, Window};
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use serde::de::DeserializeOwned;

use crate::errors::{self, Failure};
use crate::fallback::Asked;
use crate::latents::LatentSet;
use crate::pool::of_process;
use crate::samples::Samples;
use crate::watched::{watched, watched_kept};

/// An index, opened once in each process that asks it.
#[pyclass(frozen, module = "bitquilt._bitquilt")]
pub(crate) struct Session {
    path: PathBuf,
    options: SessionOptions,
    /// What the index was when it was opened first.
    identity: String,
    held: Mutex<Option<(u32, Arc<engine::Session>)>>,
}

impl Session {
    /// Returns the session of this process.
    fn session(&self) -> Result<Arc<engine::Session>, Failure> {
        of_process(&self.held, || {
            opened(&self.path, &self.options, Some(&self.identity))
        })
    }

    /// Returns the folder, for people.
    pub(crate) fn path_in_words(&self) -> String {
        self.path.display().to_string()
    }

    /// Returns the session, to be kept.
    pub(crate) fn shared(&self, py: Python<'_>) -> PyResult<Arc<engine::Session>> {
        Ok(py.detach(|| self.session())?)
    }

    /// Does `work` with the session, out of the interpreter's way.
    pub(crate) fn with<T: Send>(
        &self,
        py: Python<'_>,
        progress: Option<Py<PyAny>>,
        work: impl FnOnce(&engine::Session, &dyn Observer) -> Result<T, Failure> + Send,
    ) -> PyResult<T> {
        watched(py, progress, |observer| work(&*self.session()?, observer))
    }

    /// Does the same for work that ends early when it is asked to, with what it has by then: what interrupted it comes back too.
    fn with_kept<T: Send>(
        &self,
        py: Python<'_>,
        progress: Option<Py<PyAny>>,
        work: impl FnOnce(&engine::Session, &dyn Observer) -> Result<T, Failure> + Send,
    ) -> PyResult<(T, Option<PyErr>)> {
        watched_kept(py, progress, |observer| work(&*self.session()?, observer))
    }
}

/// Opens an index; with `identity`, only one of that content.
fn opened(
    path: &Path,
    options: &SessionOptions,
    identity: Option<&str>,
) -> Result<engine::Session, Failure> {
    let session = engine::Session::open(path, options)?;
    let found = session.index().identity();
    match identity.filter(|expected| *expected != found) {
        None => Ok(session),
        Some(expected) => Err(Changed {
            path: path.to_owned(),
            expected: expected.to_owned(),
            found,
        }
        .into()),
    }
}

/// Another index where one was opened.
#[derive(Debug)]
struct Changed {
    path: PathBuf,
    expected: String,
    found: String,
}

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        write!(
            f,
            "{path}: expected the index of content {}, found {}: it was replaced since: open it anew",
            self.expected, self.found
        )
    }
}

impl std::error::Error for Changed {}

/// Reads a request.
pub(crate) fn read<T: DeserializeOwned>(request: &str) -> PyResult<T> {
    serde_json::from_str(request).map_err(|error| errors::request(&error))
}

pub(crate) fn window_of(window: Option<&str>) -> PyResult<Option<Window>> {
    let window = window.map(str::parse::<Window>).transpose();
    Ok(window.map_err(Failure::from)?)
}

#[pymethods]
impl Session {
    /// Opens an index; with `identity`, only one of that content.
    #[new]
    #[pyo3(signature = (path, without = "", memory = None, identity = None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        without: &str,
        memory: Option<u64>,
        identity: Option<String>,
    ) -> PyResult<Self> {
        let ids = errors::ids(without)?;
        let budget = memory.map_or_else(Budget::of_machine, Budget::bytes);
        let options = SessionOptions::default().without(ids).memory(budget);
        let session = watched(py, None, |_| opened(&path, &options, identity.as_deref()))?;
        Ok(Self {
            path,
            options,
            identity: session.index().identity(),
            held: Mutex::new(Some((process::id(), Arc::new(session)))),
        })
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    #[getter]
    fn identity(&self) -> &str {
        &self.identity
    }

    /// Returns what the index holds, as JSON.
    fn info(&self) -> PyResult<String> {
        errors::json(&self.session()?.info())
    }

    /// Returns the training latents.
    fn training(&self, py: Python<'_>, progress: Option<Py<PyAny>>) -> PyResult<LatentSet> {
        let set = self.with(py, progress, |session, observer| {
            Ok(session.training(observer)?)
        })?;
        Ok(LatentSet(Arc::new(set)))
    }

    /// Returns how often 0 and 1 followed the context of each bit, uint64 [latents × bits of the window's level, 2].
    fn lookup<'py>(
        &self,
        py: Python<'py>,
        latents: &LatentSet,
        window: Option<&str>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyArray2<u64>>> {
        let window = window_of(window)?;
        let counts = self.with(py, progress, |session, observer| {
            let found = session.lookup(&latents.0, window, observer)?;
            Ok(found
                .iter()
                .flat_map(|found| [found.n0, found.n1])
                .collect::<Vec<u64>>())
        })?;
        let rows = counts.len() / 2;
        PyArray1::from_vec(py, counts).reshape([rows, 2])
    }

    /// Answers a question about one context; request and report are JSON.
    fn query(&self, py: Python<'_>, request: &str, of: Option<&LatentSet>) -> PyResult<String> {
        let request: QueryRequest = read(request)?;
        let of = of.map(|set| set.0.clone());
        let report = self.with(py, None, |session, _| {
            Ok(session.query(&request, of.as_deref())?)
        })?;
        errors::json(&report)
    }

    /// Generates samples; the request is JSON. Functions, each with its window and a name, answer where the index has no match. What
    /// interrupted it comes back beside what was found by then.
    fn generate(
        &self,
        py: Python<'_>,
        request: &str,
        fallbacks: Vec<(String, Py<PyAny>, String)>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(Samples, Option<PyErr>)> {
        let request: GenerateRequest = read(request)?;
        let asked = fallbacks
            .into_iter()
            .map(|(window, function, name)| Asked::new(&window, function, name));
        let asked = asked.collect::<PyResult<Vec<_>>>()?;
        let samples = self.with_kept(py, progress, |session, observer| {
            let networks = asked.iter().map(|asked| Network {
                name: asked.name(),
                network: asked,
            });
            let networks: Vec<_> = networks.collect();
            Samples::of_run(session.generate(&request, &networks, observer)?)
        });
        match asked.iter().find_map(Asked::take_raised) {
            Some(raised) => Err(raised),
            None => samples,
        }
    }

    /// Returns every context of a window's level of some latents as numbers, float32 [n, numbers of a context], with their places
    /// and labels, uint32 [n].
    #[expect(clippy::type_complexity, reason = "three arrays")]
    fn contexts<'py>(
        &self,
        py: Python<'py>,
        latents: &LatentSet,
        window: Option<&str>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(
        Bound<'py, PyArray2<f32>>,
        Bound<'py, PyArray1<u32>>,
        Bound<'py, PyArray1<u32>>,
    )> {
        let window = window_of(window)?;
        let set = &latents.0;
        let contexts = self.with(py, progress, |session, observer| {
            Ok(session.contexts(set, window, observer)?)
        })?;
        let count = contexts.len();
        let numbers = contexts.symbols.len() / count.max(1);
        Ok((
            PyArray1::from_vec(py, contexts.symbols).reshape([count, numbers])?,
            PyArray1::from_vec(py, contexts.places),
            PyArray1::from_vec(py, contexts.labels),
        ))
    }

    /// Finds every sample that there is, at most so many. What interrupted it comes back beside what was found by then.
    fn enumerate(
        &self,
        py: Python<'_>,
        request: &str,
        max_samples: Option<u64>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(Samples, Option<PyErr>)> {
        let request: GenerateRequest = read(request)?;
        self.with_kept(py, progress, |session, observer| {
            Samples::of_run(session.enumerate(&request, max_samples, observer)?)
        })
    }

    /// Counts the samples that there are; the report is JSON.
    fn count(
        &self,
        py: Python<'_>,
        request: &str,
        max_states: Option<u64>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let request: GenerateRequest = read(request)?;
        let report = self.with(py, progress, |session, observer| {
            Ok(session.count(&request, max_states, observer)?)
        })?;
        errors::json(&report)
    }

    /// Proves samples; request and report are JSON.
    fn verify(
        &self,
        py: Python<'_>,
        samples: &Samples,
        request: &str,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let request: VerifyRequest = read(request)?;
        let report = self.with(py, progress, |session, observer| {
            Ok(session.verify(&samples.set, &request, observer)?)
        })?;
        errors::json(&report)
    }

    /// Proves the index; what is wrong with it, in words.
    fn verify_index(
        &self,
        py: Python<'_>,
        brute_force: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Option<String>> {
        self.with(py, progress, |session, observer| {
            Ok(session.verify_index(brute_force, observer)?)
        })
    }

    /// Measures the counts as a model of latents; request and report are JSON.
    fn measure_counts(
        &self,
        py: Python<'_>,
        request: &str,
        held_out: Option<&LatentSet>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let request: CountsRequest = read(request)?;
        let held_out = held_out.map(|set| set.0.clone());
        let report = self.with(py, progress, |session, observer| {
            Ok(session.measure_counts(&request, held_out.as_deref(), observer)?)
        })?;
        errors::json(&report)
    }
}
