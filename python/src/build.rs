//! Building an index.

use std::path::PathBuf;

use bitquilt::index::Source;
use bitquilt::latent::HeldOut;
use bitquilt::{Anchor, BuildOptions, Condition, Window};
use pyo3::prelude::*;

use crate::errors::{Failure, ids, input};
use crate::latents::LatentSet;
use crate::session::window_of;
use crate::watched::watched;

/// Builds an index of latents; `hold_out` of them are set aside first, in a file.
#[pyfunction]
#[pyo3(signature = (latents, path, windows, depth, anchor, condition, memory, force, exclude, hold_out, hold_out_to, progress))]
#[expect(
    clippy::too_many_arguments,
    reason = "one call of the typed layer, which names them"
)]
pub(crate) fn build(
    py: Python<'_>,
    latents: &LatentSet,
    path: PathBuf,
    windows: Vec<String>,
    depth: Option<&str>,
    anchor: &str,
    condition: &str,
    memory: Option<u64>,
    force: bool,
    exclude: &str,
    hold_out: Option<u64>,
    hold_out_to: Option<PathBuf>,
    progress: Option<Py<PyAny>>,
) -> PyResult<()> {
    let windows = windows.iter().map(|window| window.parse::<Window>());
    let windows = windows
        .collect::<Result<Vec<_>, _>>()
        .map_err(Failure::from)?;
    let set = latents.0.clone();
    let name = match set.source() {
        "" => "latents in memory",
        source => source,
    };
    let defaults = BuildOptions::default();
    let mut options = BuildOptions {
        windows,
        depth: window_of(depth)?,
        anchor: anchor_of(anchor)?,
        condition: condition_of(condition)?,
        memory: memory.unwrap_or(defaults.memory),
        force,
        sources: vec![Source::of(&set, name.to_owned())],
        excluded: ids(exclude)?,
    };
    watched(py, progress, |observer| -> Result<(), Failure> {
        if let Some(count) = hold_out {
            let to = hold_out_to.unwrap_or_else(|| HeldOut::beside(&path));
            let held_out = set.hold_out(count, &options.excluded, to, force)?;
            options.excluded = options.excluded.union(&held_out.ids);
        }
        bitquilt::build(&set, &path, &options, observer)?;
        Ok(())
    })
}

/// Reads what contexts are bound to of their place.
pub(crate) fn anchor_of(text: &str) -> PyResult<Anchor> {
    text.parse()
        .map_err(|_| input(format!("anchor: expected none or site, found {text}")))
}

/// Reads what contexts are bound to of their latent.
pub(crate) fn condition_of(text: &str) -> PyResult<Condition> {
    text.parse()
        .map_err(|_| input(format!("condition: expected none or label, found {text}")))
}
