//! Builds in tasks.

use std::path::PathBuf;

use bitquilt::index::parts::{Cut, Ended, PartPlan, WorkFolder, map, publish, reduce};
use bitquilt::{Budget, BuildOptions, Window, samples};
use pyo3::prelude::*;

use crate::build::{anchor_of, condition_of};
use crate::errors::{Failure, ids, json};
use crate::session::window_of;
use crate::watched::watched;

/// Whether a task had ended before, its occurrences, and the bytes of its files.
type Done = (bool, u64, u64);

/// The folder of a build in tasks.
#[pyclass(frozen, module = "bitquilt._bitquilt")]
pub(crate) struct Work(WorkFolder);

#[pymethods]
impl Work {
    /// Plans a build, or goes on with the same one.
    #[staticmethod]
    #[pyo3(signature = (paths, work, windows, depth, anchor, condition, exclude, maps, parts, force, progress))]
    #[expect(
        clippy::too_many_arguments,
        reason = "one call of the typed layer, which names them"
    )]
    fn plan(
        py: Python<'_>,
        paths: Vec<PathBuf>,
        work: PathBuf,
        windows: Vec<String>,
        depth: Option<&str>,
        anchor: &str,
        condition: &str,
        exclude: &str,
        maps: Option<u64>,
        parts: Option<u64>,
        force: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let windows = windows.iter().map(|window| window.parse::<Window>());
        let options = BuildOptions {
            windows: windows.collect::<Result<_, _>>().map_err(Failure::from)?,
            depth: window_of(depth)?,
            anchor: anchor_of(anchor)?,
            condition: condition_of(condition)?,
            excluded: ids(exclude)?,
            ..BuildOptions::default()
        };
        watched(py, progress, |observer| -> Result<Self, Failure> {
            let plan = PartPlan::new(&paths, &options, Cut { maps, parts }, observer)?;
            Ok(Self(WorkFolder::create(&work, plan, force)?))
        })
    }

    /// Opens the folder of a build that was planned.
    #[staticmethod]
    fn open(path: PathBuf) -> PyResult<Self> {
        Ok(Self(WorkFolder::open(&path).map_err(Failure::from)?))
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    #[getter]
    fn id(&self) -> &str {
        self.0.plan_id()
    }

    #[getter]
    fn latents(&self) -> u64 {
        self.0.plan().index.latents
    }

    /// How far the build is, as JSON.
    fn status(&self, py: Python<'_>) -> PyResult<String> {
        json(&py.detach(|| self.0.progress()))
    }

    /// Runs a map task.
    fn map(
        &self,
        py: Python<'_>,
        number: u64,
        memory: Option<u64>,
        again: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Done> {
        let memory = memory.unwrap_or_else(|| BuildOptions::default().memory);
        watched(py, progress, |observer| -> Result<Done, Failure> {
            Ok(done(map(&self.0, number, memory, again, observer)?))
        })
    }

    /// Runs a reduce task.
    fn reduce(
        &self,
        py: Python<'_>,
        number: u64,
        again: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Done> {
        watched(py, progress, |observer| -> Result<Done, Failure> {
            Ok(done(reduce(&self.0, number, again, observer)?))
        })
    }

    /// Puts the parts together.
    fn publish(
        &self,
        py: Python<'_>,
        index: PathBuf,
        force: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        watched(py, progress, |observer| -> Result<(), Failure> {
            publish(&self.0, &index, force, observer)?;
            Ok(())
        })
    }
}

fn done(ended: Ended) -> Done {
    (ended.reused, ended.occurrences, ended.bytes)
}

/// Puts samples files of one run together; returns how many samples and searches.
#[pyfunction]
pub(crate) fn join(
    py: Python<'_>,
    parts: Vec<PathBuf>,
    output: PathBuf,
) -> PyResult<(usize, usize)> {
    let joined = py.detach(|| samples::join(&parts, &output, Budget::of_machine()));
    Ok(joined.map_err(Failure::from)?)
}
