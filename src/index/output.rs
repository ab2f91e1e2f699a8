//! The folder of an index that is to be: what may be there, and work in its stage.

use std::path::Path;

use super::IndexError;
use super::manifest::{MANIFEST, Manifest, database_number};
use super::stage::{BUILDING, BuildPlan, Stage};
use super::wanted::Wanted;

/// Has `work` make the index `output` in its stage, which goes on with what an unfinished build of the same plan has left there.
/// After an error nothing of it is left; after a stop what was finished.
pub(super) fn staged<T>(
    output: &Path,
    force: bool,
    (plan, wanted): (&BuildPlan, &Wanted),
    work: impl FnOnce(&Stage) -> Result<T, IndexError>,
) -> Result<T, IndexError> {
    let created = check_output_folder(output, force)?;
    let result = Stage::open(output, plan, wanted).and_then(|stage| {
        // Another build may have ended between the first look and the lock.
        let checked = check_output_folder(output, force);
        let result = checked.and_then(|_| work(&stage));
        if !matches!(result, Ok(_) | Err(IndexError::Stopped(_))) {
            stage.remove();
        }
        result
    });
    if result.is_err() && created {
        // Only if it is empty again: after a stop it is not.
        let _ = std::fs::remove_dir(output);
    }
    result
}

/// Makes sure that a build may write into `output`: it is absent (and made now, which is what is
/// returned), empty, an unfinished build, or with `force` an index. Whatever else is there belongs to
/// somebody else.
fn check_output_folder(output: &Path, force: bool) -> Result<bool, IndexError> {
    let refuse = |found: &str| {
        Err(IndexError::Output {
            path: output.to_owned(),
            found: found.to_owned(),
        })
    };
    if !output.exists() {
        fs_err::create_dir(output)?;
        return Ok(true);
    }
    if !output.is_dir() {
        return refuse("is a file: expected the name of a folder for the index");
    }
    let manifest = output.join(MANIFEST).exists();
    if manifest && !Manifest::is_one(output) {
        return refuse("holds a manifest.json that is not an index's: choose another name");
    }
    if manifest && !force {
        return refuse(
            "holds an index already: choose another name, or pass force=true to replace it",
        );
    }
    let unfinished = output.join(BUILDING).exists();
    if unfinished && !Stage::is_one(output) {
        return refuse("holds a folder `building` that is not a build's: choose another name");
    }
    let ours = |name: &std::ffi::OsStr| {
        name == BUILDING || name.to_str().and_then(database_number).is_some()
    };
    if !manifest {
        for entry in fs_err::read_dir(output)? {
            if !(unfinished && ours(&entry?.file_name())) {
                return refuse("is neither empty nor an index: choose another name");
            }
        }
    }
    Ok(false)
}
