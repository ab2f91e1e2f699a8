//! Which of several named arrays holds the codes, and which the labels.

use std::path::Path;

use super::array::Array;
use super::{Coding, ImportOptions, Labels};
use crate::latent::LatentError;

/// Names that say what an array is, best first.
const CODES: [&str; 3] = ["codes", "bits", "latents"];
const LABELS: [&str; 3] = ["labels", "label", "y"];

/// The arrays of a file by name; one that holds no numbers has no [`Array`].
pub(super) type Named = (String, Result<Array, LatentError>);

/// Returns the array that the user names; else the only one with 3 or 4 axes; else a telling name; else the only one
/// with 2 axes.
pub(super) fn codes(
    path: &Path,
    options: &ImportOptions,
    arrays: &[Named],
    notes: &mut Vec<String>,
) -> Result<String, LatentError> {
    if let Some(wanted) = &options.array {
        return match arrays.iter().find(|(name, _)| name == wanted) {
            Some((name, _)) => Ok(name.clone()),
            None => Err(LatentError::format(
                path,
                format!("an array '{wanted}'"),
                listed(arrays),
            )),
        };
    }
    let packed = matches!(options.coding, Some(Coding::Packed { .. }));
    let with_axes = |fits: &dyn Fn(&str, usize) -> bool| -> Vec<&String> {
        let fitting = arrays.iter().filter(|(name, array)| {
            let axes = array.as_ref().map_or(0, |array| array.sides.len());
            fits(name, axes)
        });
        fitting.map(|(name, _)| name).collect()
    };
    let mut grids = with_axes(&|name, axes| match axes {
        2 => packed || CODES.contains(&name),
        3 | 4 => !packed,
        _ => false,
    });
    if grids.is_empty() {
        grids = with_axes(&|_, axes| axes == 2);
    }
    let telling = CODES
        .iter()
        .find_map(|code| grids.iter().find(|name| *name == code));
    match (&grids[..], telling) {
        ([only], _) => Ok((*only).clone()),
        (_, Some(name)) => {
            notes.push(format!(
                "codes from the array '{name}' (array=NAME for another)"
            ));
            Ok((*name).clone())
        }
        ([], None) => {
            let expected = "an array of codes with 2, 3 or 4 axes";
            Err(LatentError::format(path, expected, listed(arrays)))
        }
        _ => {
            let expected = "one array with 3 or 4 axes, or array=NAME to say which one";
            Err(LatentError::format(path, expected, listed(arrays)))
        }
    }
}

/// Returns the array that holds the labels, if any does and they are wanted.
pub(super) fn labels(
    options: &ImportOptions,
    arrays: &[Named],
    codes: &str,
    notes: &mut Vec<String>,
) -> Option<String> {
    if options.labels != Labels::Auto {
        return None;
    }
    let name = LABELS.iter().find(|wanted| {
        arrays.iter().any(|(found, array)| {
            found == *wanted && *found != codes && array.as_ref().is_ok_and(Array::may_be_labels)
        })
    })?;
    notes.push(format!(
        "labels from the array '{name}' (no_labels=true to leave them)"
    ));
    Some((*name).to_owned())
}

/// Lists "codes [2, 3, 3], names (not numbers)".
fn listed(arrays: &[Named]) -> String {
    let shown = arrays.iter().map(|(name, array)| match array {
        Ok(array) => format!("{name} {:?}", array.sides),
        Err(_) => format!("{name} (not numbers)"),
    });
    let shown: Vec<_> = shown.collect();
    if shown.is_empty() {
        "no arrays".to_owned()
    } else {
        shown.join(", ")
    }
}
