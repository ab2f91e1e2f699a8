//! The parts of the format that are no public API, for the fuzzers in `fuzz/`; compiled for them alone.

use std::path::Path;

pub use super::array::{read_block, read_listed, write_block};
use super::manifest::{MANIFEST, checksum};
use super::{IndexError, Manifest};

/// Returns a JSON object with the checksum that a manifest of its fields has; `None` for other bytes.
pub fn sealed(document: &[u8]) -> Option<Vec<u8>> {
    let mut document = serde_json::from_slice::<super::manifest::Document>(document).ok()?;
    document.remove("checksum");
    let checksum = checksum(&document);
    document.insert("checksum".to_owned(), checksum.into());
    serde_json::to_vec(&document).ok()
}

/// Reads the manifest of an index folder.
///
/// # Errors
/// As opening the index has.
pub fn read_manifest(folder: &Path) -> Result<Manifest, IndexError> {
    Manifest::read(folder)
}

/// Writes a manifest into a folder, and reads it from there.
///
/// # Errors
/// Whatever keeps it from being written or read.
pub fn rewritten(manifest: &Manifest, folder: &Path) -> Result<Manifest, IndexError> {
    manifest.write(folder)?;
    Manifest::read(folder)
}

/// Name of the manifest in an index folder.
pub const MANIFEST_NAME: &str = MANIFEST;
