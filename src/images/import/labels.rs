//! One integer label for each latent: from the input itself, from the file beside it, or from a
//! file that the user names.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::checks::{name_of, wrong_count};
use super::input::{Input, read_error};
use super::options::Level;
use super::{Labels, npy, sniff};
use crate::latent::LatentError;

/// The labels that an input brings along.
pub(super) enum Own<'a> {
    /// None.
    No,
    /// Those of the IDX file that is named after these IDX images.
    BesideImages(&'a Path),
    /// These.
    Read(Vec<i64>),
}

/// Returns the labels of `count` latents: the file's that the user names, or the input's own.
pub(super) fn choose(
    wanted: &Labels,
    own: Own,
    count: usize,
    notes: &mut Vec<String>,
) -> Result<Option<Vec<i64>>, LatentError> {
    match (wanted, own) {
        (Labels::Leave, _) | (Labels::Auto, Own::No) => Ok(None),
        (Labels::File(path), _) if Level::of(path).is_some() && !path.exists() => {
            Err(LatentError::format(
                path,
                "a file of labels; fine and coarse are the labels of CIFAR-100",
                "no file of that name, and another input",
            ))
        }
        (Labels::File(path), _) => read_for(path, count).map(Some),
        (Labels::Auto, Own::Read(labels)) => Ok(Some(labels)),
        (Labels::Auto, Own::BesideImages(images)) => {
            let Some(beside) = beside(images) else {
                notes.push("no labels: no labels file beside the images (labels=FILE)".into());
                return Ok(None);
            };
            notes.push(format!(
                "labels from {}, found beside the images (no_labels=true to leave them)",
                name_of(&beside)
            ));
            read_for(&beside, count).map(Some)
        }
    }
}

/// Finds the labels beside images: `train-images-idx3-ubyte.gz` → `train-labels-idx1-ubyte`, packed or not, where there
/// is such a file.
fn beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let renamed = [
        ("images-idx3", "labels-idx1"),
        ("images.idx3", "labels.idx1"),
    ]
    .iter()
    .find(|(from, _)| name.contains(from))
    .map(|(from, to)| name.replace(from, to))?;
    let other = match renamed.strip_suffix(".gz") {
        Some(bare) => bare.to_owned(),
        None => format!("{renamed}.gz"),
    };
    let paths = [renamed, other].map(|name| images.with_file_name(name));
    paths.into_iter().find(|path| path.is_file())
}

/// Reads the labels of a file, which must be as many as the latents.
fn read_for(path: &Path, count: usize) -> Result<Vec<i64>, LatentError> {
    let labels = read(path, count)?;
    if labels.len() != count {
        return Err(wrong_count(
            path,
            count,
            &format!("{} labels", labels.len()),
        ));
    }
    Ok(labels)
}

fn read(path: &Path, count: usize) -> Result<Vec<i64>, LatentError> {
    let mut input = Input::open(path)?;
    let mut magic = [0; 4];
    input.fill(&mut magic, "a labels file")?;
    if magic == *b"\x93NUM" && !input.is_gzip() {
        return npy::read_labels(path, count);
    }
    if magic != [0, 0, 8, 1] {
        return Err(LatentError::format(
            path,
            "labels: IDX of unsigned bytes and 1 axis (00 00 08 01), or .npy of integers and 1 axis",
            sniff::shown(&magic),
        ));
    }
    let mut side = [0; 4];
    input.fill(&mut side, "the number of labels")?;
    let announced = u32::from_be_bytes(side);
    let meaning = format!("a header of 8 and {announced} labels");
    input.expect_length(Some(u64::from(announced) + 8), &meaning)?;
    if announced as usize != count {
        return Err(wrong_count(path, count, &format!("{announced} labels")));
    }
    // Grows with what is really there.
    let mut bytes = Vec::new();
    (&mut input)
        .take(announced.into())
        .read_to_end(&mut bytes)
        .map_err(|error| read_error(path, error))?;
    if bytes.len() != count {
        let found = format!("{} labels: the file is truncated", bytes.len());
        return Err(wrong_count(path, count, &found));
    }
    input.end()?;
    Ok(bytes.into_iter().map(i64::from).collect())
}
