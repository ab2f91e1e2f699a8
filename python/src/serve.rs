//! The explorer, as a server of this process.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bitquilt::engine::{CopyRequest, JudgeBy, TraceRequest};
use bitquilt::latent::Codec;
use bitquilt::serve::{Draw, Explorer, Photos, ServeOptions, Server as Running, SetSource};
use pyo3::prelude::*;
use serde::Deserialize;

use crate::errors::Failure;
use crate::latents::LatentSet;
use crate::picture::Levels;
use crate::samples::Samples;
use crate::session::{Session, read};

/// How it listens, and what it allows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    listen: IpAddr,
    port: u16,
    token: Option<String>,
    host_names: Vec<String>,
    cors: Option<String>,
    generate: Option<bool>,
    pictures: Option<PathBuf>,
}

/// A server that runs until it is stopped.
#[pyclass(frozen, module = "bitquilt._bitquilt")]
pub(crate) struct Server {
    running: Mutex<Option<Running>>,
    url: String,
}

#[pymethods]
impl Server {
    /// The address of its page.
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    /// Returns how many samples are traced, and of how many; nothing once it has stopped.
    fn traced(&self) -> Option<(usize, usize)> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(Running::traced)
    }

    /// Stops it; once it has, nothing.
    fn stop(&self, py: Python<'_>) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // Its threads may be waiting to draw by a function of the user's.
        py.detach(|| drop(running));
    }
}

/// Serves an index and sets of samples, each with its name and where it is from.
#[pyfunction]
#[pyo3(signature = (session, sets, request, held_out, held_out_name, calibration, copies, options, decode, progress))]
#[expect(
    clippy::too_many_arguments,
    reason = "one call of the typed layer, which names them"
)]
pub(crate) fn serve(
    py: Python<'_>,
    session: &Session,
    sets: Vec<(String, String, Py<Samples>)>,
    request: &str,
    held_out: Option<&LatentSet>,
    held_out_name: PathBuf,
    calibration: Option<PathBuf>,
    copies: &str,
    options: &str,
    decode: Option<Py<PyAny>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Server> {
    let request: TraceRequest = read(request)?;
    let copies: CopyRequest = read(copies)?;
    let options: Options = read(options)?;
    let held_out = held_out.map(|set| set.0.clone());
    let name = session.path_in_words();
    let shared = session.shared(py)?;
    let sets: Vec<_> = sets
        .into_iter()
        .map(|(name, file, samples)| (name, file, samples.get().set.clone()))
        .collect();
    let running = session.with(py, progress, |_, observer| {
        let mut explorer = Explorer::new(shared.clone(), name);
        explorer = explorer.generating(options.generate.unwrap_or(options.listen.is_loopback()));
        if let Some(decode) = decode {
            explorer = explorer.drawn_by(drawn_by(decode, shared.index().manifest().codecs()));
        }
        if let Some(folder) = &options.pictures {
            explorer = explorer.with_photos(Photos::of(folder)?);
        }
        for (name, file, samples) in sets {
            let by = match (&held_out, &calibration) {
                (Some(latents), _) => Some(JudgeBy::HeldOut {
                    latents,
                    name: &held_out_name,
                    keep: None,
                }),
                (None, path) => path.as_deref().map(JudgeBy::Calibration),
            };
            let source = SetSource {
                name,
                file,
                samples: (*samples).clone(),
                request: request.clone(),
            };
            explorer.add(source, by.map(|by| (by, &copies)), observer)?;
        }
        if let Some(latents) = &held_out {
            let file = held_out_name.display().to_string();
            explorer.add_held_out((**latents).clone(), file, request.clone(), observer)?;
        }
        let listen = SocketAddr::new(options.listen, options.port);
        let mut how = ServeOptions::at(listen, options.token)?;
        how.host_names = options.host_names;
        how.cors = options.cors;
        Ok(Running::start(explorer, how)?)
    })?;
    Ok(Server {
        url: running.url(),
        running: Mutex::new(Some(running)),
    })
}

/// Returns what draws latents by a function of the user's.
fn drawn_by(decode: Py<PyAny>, codecs: Vec<Codec>) -> Draw {
    let decode = Arc::new(decode);
    Box::new(move |level, packed| {
        let own = Python::attach(|py| decode.clone_ref(py));
        let drawn = Levels::new(Some(own), &codecs).one(level, packed);
        drawn.map_err(|error: Failure| PyErr::from(error).to_string())
    })
}
