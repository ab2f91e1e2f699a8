//! Where samples come from, and pictures of that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bitquilt::copies::Calibration;
use bitquilt::engine::{
    self, CopyRequest, EngineError, JudgeBy, Judged, MapRequest, TraceNames, TraceRequest,
};
use bitquilt::trace::TracePart;
use bitquilt::{Observer, SampleSet, page};
use pyo3::prelude::*;

use crate::errors;
use crate::latents::LatentSet;
use crate::picture::{Drawing, Levels, Picture};
use crate::samples::Samples;
use crate::session::{Session, read};

/// A traced set of samples: the trace file, and what a map of them is drawn from.
#[pyclass(frozen, module = "bitquilt._bitquilt")]
pub(crate) struct Traced {
    text: String,
    request: TraceRequest,
    names: TraceNames,
    judged: Option<Judged>,
    session: Py<Session>,
    samples: Py<Samples>,
}

#[pymethods]
impl Traced {
    /// The trace file.
    #[getter]
    fn text(&self) -> &str {
        &self.text
    }

    /// Returns the page of the first samples; `decode` draws latents of the finest level.
    #[pyo3(signature = (decode, progress))]
    fn page(
        &self,
        py: Python<'_>,
        decode: Option<Py<PyAny>>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let set = self.samples.get().set.clone();
        self.session.get().with(py, progress, |session, observer| {
            let codecs = session.index().manifest().codecs();
            let levels = Levels::new(decode, &codecs);
            page::trace_page(
                session,
                &set,
                &self.request,
                &self.names,
                self.judged.as_ref(),
                observer,
                |level, packed| levels.one(level, packed),
            )
        })
    }

    /// Draws the map of samples `first` to `end`; the request is JSON, `decode` draws a latent of the level.
    #[pyo3(signature = (first, end, request, decode, progress))]
    fn map(
        &self,
        py: Python<'_>,
        first: usize,
        end: usize,
        request: &str,
        decode: Option<Py<PyAny>>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Picture> {
        let request: MapRequest = read(request)?;
        let trace = TraceRequest {
            samples: first..end,
            ..self.request.clone()
        };
        let set = self.samples.get().set.clone();
        self.session.get().with(py, progress, |session, observer| {
            let drawing = Drawing(decode);
            let codecs = session.index().manifest().codecs();
            let level = request.level.unwrap_or(codecs.len() - 1);
            let judged = self.judged.as_ref();
            let map = session.map(&set, &trace, judged, &request, observer, |shape, packed| {
                // A level that there is not was refused before anything is drawn.
                drawing.one(shape, packed, &codecs[level])
            });
            map.map(Picture)
        })
    }
}

/// How samples are traced and judged.
struct Asked {
    trace: TraceRequest,
    copies: CopyRequest,
}

impl Asked {
    fn read(trace: &str, copies: &str) -> PyResult<Self> {
        Ok(Self {
            trace: read(trace)?,
            copies: read(copies)?,
        })
    }
}

/// Judges samples, by whatever they are judged.
fn judge(
    session: &engine::Session,
    samples: &SampleSet,
    asked: &Asked,
    by: Option<JudgeBy<'_>>,
    observer: &dyn Observer,
) -> Result<Option<Judged>, EngineError> {
    let judged = by.map(|by| session.judge(samples, &asked.trace, by, &asked.copies, observer));
    judged.transpose()
}

/// Traces samples. With held-out latents or a calibration, they are judged too; the calibration is written to a file where one is
/// named.
#[pyfunction]
#[pyo3(signature = (session, samples, request, top, name, held_out, held_out_name, calibration, save_calibration, copies, progress))]
#[expect(
    clippy::too_many_arguments,
    reason = "one call of the typed layer, which names them"
)]
pub(crate) fn trace(
    py: Python<'_>,
    session: Py<Session>,
    samples: Py<Samples>,
    request: &str,
    top: Option<usize>,
    name: String,
    held_out: Option<&LatentSet>,
    held_out_name: PathBuf,
    calibration: Option<PathBuf>,
    save_calibration: Option<PathBuf>,
    copies: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<Traced> {
    let asked = Asked::read(request, copies)?;
    let held_out = held_out.map(|set| set.0.clone());
    let opened = session.get();
    let names = TraceNames {
        index: opened.path_in_words(),
        samples: name,
    };
    let set: Arc<_> = samples.get().set.clone();
    let (text, judged) = opened.with(py, progress, |session, observer| {
        let by = match (&held_out, &calibration) {
            (Some(latents), _) => Some(JudgeBy::HeldOut {
                latents,
                name: &held_out_name,
                keep: save_calibration.as_deref(),
            }),
            (None, path) => path.as_deref().map(JudgeBy::Calibration),
        };
        let judged = judge(session, &set, &asked, by, observer)?;
        let tracing = session.tracing(&set, &asked.trace, observer)?;
        let mut file = Vec::new();
        tracing.write(
            &mut file,
            &names,
            top,
            judged.as_ref(),
            observer,
            |_| Ok(()),
        )?;
        Ok((String::from_utf8(file)?, judged))
    })?;
    Ok(Traced {
        text,
        request: asked.trace,
        names,
        judged,
        session,
        samples,
    })
}

/// Returns how much at most a share of honest latents carries of one training latent, at each level, as limits are written.
#[pyfunction]
pub(crate) fn carried_at(
    py: Python<'_>,
    session: &Session,
    calibration: PathBuf,
    rate: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<String>> {
    session.with(py, progress, |session, observer| {
        let path: &Path = &calibration;
        let held_out = bitquilt::copies::Calibration::read(path)?;
        let limits = session.carried_at(&held_out, path, rate, observer)?;
        Ok(limits.iter().map(ToString::to_string).collect())
    })
}

/// Traces the samples that the request names, by themselves, as a part of a trace file.
#[pyfunction]
#[pyo3(signature = (session, samples, request, top, calibration, copies, progress))]
#[expect(
    clippy::too_many_arguments,
    reason = "one call of the typed layer, which names them"
)]
pub(crate) fn trace_part(
    py: Python<'_>,
    session: &Session,
    samples: &Samples,
    request: &str,
    top: Option<usize>,
    calibration: Option<PathBuf>,
    copies: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let asked = Asked::read(request, copies)?;
    let set = samples.set.clone();
    let part = session.with(py, progress, |session, observer| {
        let by = calibration.as_deref().map(JudgeBy::Calibration);
        let judged = judge(session, &set, &asked, by, observer)?;
        let tracing = session.tracing(&set, &asked.trace, observer)?;
        Ok(tracing.part(top, judged.as_ref(), observer)?)
    })?;
    errors::json(&part)
}

/// Puts all parts of a trace file together; the calibration is the one by which their samples were judged.
#[pyfunction]
#[pyo3(signature = (session, samples, request, name, parts, calibration, copies, progress))]
#[expect(
    clippy::too_many_arguments,
    reason = "one call of the typed layer, which names them"
)]
pub(crate) fn join_traces(
    py: Python<'_>,
    session: &Session,
    samples: &Samples,
    request: &str,
    name: String,
    parts: Vec<String>,
    calibration: Option<PathBuf>,
    copies: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let asked = Asked::read(request, copies)?;
    let names = TraceNames {
        index: session.path_in_words(),
        samples: name,
    };
    let set = samples.set.clone();
    let parts = parts.iter().map(|part| {
        TracePart::read(part)
            .ok_or_else(|| errors::input("expected parts of a trace, found another text"))
    });
    let parts = parts.collect::<PyResult<Vec<_>>>()?;
    session.with(py, progress, |session, observer| {
        let line = calibration.as_deref().map(Calibration::read).transpose()?;
        let line = line.as_ref().map(|line| (line, asked.copies.false_alarms));
        let tracing = session.tracing(&set, &asked.trace, observer)?;
        let mut file = Vec::new();
        tracing.join(&mut file, &names, parts, line)?;
        Ok(String::from_utf8(file)?)
    })
}
