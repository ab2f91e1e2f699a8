//! What every importer asks before it goes on, and how a file is named.

use std::path::Path;

use crate::base::Budget;
use crate::latent::{LatentError, MAX_BITS, Shape};

/// Returns the shape, or an error that names the file and what to do.
pub(super) fn shape_of(
    path: &Path,
    height: u64,
    width: u64,
    channels: u64,
) -> Result<Shape, LatentError> {
    let side = |side: u64| usize::try_from(side).unwrap_or(usize::MAX);
    Shape::new(side(height), side(width), side(channels)).map_err(|_| {
        LatentError::format(
            path,
            format!("sides of at least 1 and at most {MAX_BITS} bits a latent"),
            format!("{height}x{width}x{channels}"),
        )
    })
}

/// Refuses a set that `memory` cannot hold while it is read and written.
pub(super) fn check_memory(
    path: &Path,
    latents: u64,
    shape: Shape,
    memory: Budget,
) -> Result<(), LatentError> {
    // Packed rows, twice while their vector grows; writing holds a copy and the file's bytes.
    // A label takes 8 bytes, held as often.
    let row = shape.packed_bytes() as u64 + 8;
    let needed = latents.saturating_mul(row).saturating_mul(4);
    let what = format!("{}: {latents} latents of {shape}", path.display());
    Ok(memory.check(needed, what)?)
}

/// Returns the error of labels that do not belong to the latents.
pub(super) fn wrong_count(path: &Path, count: usize, found: &str) -> LatentError {
    LatentError::format(
        path,
        format!(
            "{count} labels, one for each latent: give theirs with labels=FILE, or no_labels=true"
        ),
        found,
    )
}

/// Returns the last part of a path, for `source` texts and notes.
pub(super) fn name_of(path: &Path) -> String {
    match path.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        // ".", ".." and "/" have none.
        None => fs_err::canonicalize(path)
            .ok()
            .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .unwrap_or_else(|| path.display().to_string()),
    }
}
