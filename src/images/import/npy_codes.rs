//! `.npy` files of codes.

use std::path::Path;

use super::checks::name_of;
use super::geometry::Geometry;
use super::input::Input;
use super::labels::{self, Own};
use super::npy::Header;
use super::{ImportOptions, Imported, codes};
use crate::base::Observer;
use crate::latent::LatentError;

pub(super) fn import(
    path: &Path,
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let mut input = Input::open(path)?;
    let header = Header::read(&mut input, path)?;
    input.expect_length(header.file_bytes(), &header.describe())?;
    let geometry = Geometry::of(&header.array, path, options)?;
    let mut set = codes::read(
        &header.array,
        &geometry,
        &mut input,
        path,
        options.memory,
        observer,
    )?;
    input.end()?;
    set = set.with_source(name_of(path) + &geometry.words);
    let mut notes: Vec<_> = geometry.note.into_iter().collect();
    if let Some(labels) = labels::choose(&options.labels, Own::No, set.len(), &mut notes)? {
        set = set.with_labels(labels)?;
    }
    Ok(Imported { set, notes })
}
