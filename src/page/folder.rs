//! Reports as folders: the page, and what programs read beside it.

use std::io;
use std::path::{Path, PathBuf};

use super::audit_page;
use crate::base::files;
use crate::engine::{Audit, EngineError};
use crate::latent::Level;
use crate::picture::Picture;

/// The page of a report.
const PAGE: &str = "index.html";
const REPORT: &str = "report.json";
const CALIBRATION: &str = "calibration.json";

/// Returns the page of a report in a folder.
pub fn page_in(folder: &Path) -> PathBuf {
    folder.join(PAGE)
}

/// Refuses a place for a report that holds anything else, before anything is measured.
///
/// # Errors
/// [`EngineError::Request`] for a file, and for a folder with a file that is none of a report; [`EngineError::Io`].
pub fn check_folder(path: &Path) -> Result<(), EngineError> {
    let refused = |found: String| {
        Err(EngineError::Request {
            part: "the report",
            why: format!(
                "{}: expected a report to replace, found {found}: choose another name",
                path.display()
            ),
        })
    };
    if !path.try_exists()? {
        return Ok(());
    }
    if !path.is_dir() {
        return refused("a file".to_owned());
    }
    for entry in fs_err::read_dir(path)? {
        let name = entry?.file_name();
        if ![PAGE, REPORT, CALIBRATION].iter().any(|file| name == *file) {
            return refused(format!("{} in it", name.to_string_lossy()));
        }
    }
    Ok(())
}

/// Writes an audit as a folder, whole or not at all: the page, with pictures by `image` as [`audit_page`] takes it; the report as JSON; and the
/// calibration. A report that is there is replaced.
///
/// # Errors
/// As [`check_folder`]; whatever `image` returns.
pub fn write_audit<E>(
    path: &Path,
    audit: &Audit,
    image: impl Fn(&Level, &[u8]) -> Result<Picture, E>,
) -> Result<(), E>
where
    E: From<EngineError> + From<crate::latent::LatentError> + From<io::Error>,
{
    check_folder(path)?;
    let page = audit_page(audit, image)?;
    files::write_folder_whole(path, |folder| {
        fs_err::write(page_in(folder), &page)?;
        let report = serde_json::to_vec_pretty(&audit.report).map_err(io::Error::from)?;
        fs_err::write(folder.join(REPORT), report)?;
        let calibration = audit.calibration.write(&folder.join(CALIBRATION));
        Ok::<_, E>(calibration.map_err(EngineError::from)?)
    })
}
