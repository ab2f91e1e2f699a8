//! The audit of a set of samples, and its report.

use std::path::PathBuf;

use bitquilt::copies::Calibration;
use bitquilt::engine::{self, AuditRequest};
use bitquilt::latent::Codec;
use bitquilt::page;
use pyo3::prelude::*;

use crate::errors;
use crate::latents::LatentSet;
use crate::picture::Levels;
use crate::samples::Samples;
use crate::session::{Session, read};
use crate::watched::watched;

/// An audit: who copies, how much, from where.
#[pyclass(frozen, module = "bitquilt._bitquilt")]
pub(crate) struct Audit {
    audit: engine::Audit,
    codecs: Vec<Codec>,
}

#[pymethods]
impl Audit {
    /// Returns the report as JSON.
    fn report(&self) -> PyResult<String> {
        errors::json(&self.audit.report)
    }

    /// Returns the report as a page.
    fn page(&self, py: Python<'_>, decode: Option<Py<PyAny>>) -> PyResult<String> {
        watched(py, None, |_| {
            let levels = Levels::new(decode, &self.codecs);
            page::audit_page(&self.audit, |level, packed| levels.one(level, packed))
        })
    }

    /// Writes the report as a folder; one that is there is replaced.
    fn write(&self, py: Python<'_>, path: PathBuf, decode: Option<Py<PyAny>>) -> PyResult<()> {
        watched(py, None, |_| {
            let levels = Levels::new(decode, &self.codecs);
            page::write_audit(&path, &self.audit, |level, packed| {
                levels.one(level, packed)
            })
        })
    }
}

/// Audits samples against held-out latents; `calibration` is how these looked, where that is known. The request is JSON.
#[pyfunction]
#[pyo3(signature = (session, samples, held_out, held_out_name, calibration, name, request, progress))]
#[expect(
    clippy::too_many_arguments,
    reason = "one call of the typed layer, which names them"
)]
pub(crate) fn audit(
    py: Python<'_>,
    session: &Session,
    samples: &Samples,
    held_out: &LatentSet,
    held_out_name: PathBuf,
    calibration: Option<PathBuf>,
    name: String,
    request: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<Audit> {
    let request: AuditRequest = read(request)?;
    let (set, held_out) = (samples.set.clone(), held_out.0.clone());
    session.with(py, progress, |session, observer| {
        let calibration = calibration.as_deref().map(Calibration::read).transpose()?;
        let held_out = (&*held_out, held_out_name.as_path());
        let mut audit = session.audit(&set, held_out, calibration, &request, observer)?;
        audit.report.samples_file = name;
        Ok(Audit {
            audit,
            codecs: session.index().manifest().codecs(),
        })
    })
}
