//! The parts of the format that are no public API, for the fuzzers in `fuzz/`; compiled for them alone.

use std::path::Path;

use super::manifest::{MANIFEST, checksum};
use super::postings::{RunReader, RunWriter};
use super::record::{ContextRecord, MAX_RECORD_BYTES};
use super::{Histogram, IndexError, Manifest};

/// Decodes a context record: what it counts, and its bytes as this program writes them.
pub fn record(bytes: &[u8]) -> Option<(Histogram, Vec<u8>)> {
    let record = ContextRecord::decode(bytes)?;
    let mut buffer = [0; MAX_RECORD_BYTES];
    let again = record.encode(&mut buffer).to_vec();
    Some((record.histogram(), again))
}

/// Returns the occurrences in a posting run from `offset` on, up to its end or to where it is damaged.
pub fn read_run(bytes: &[u8], offset: usize) -> Vec<u64> {
    let mut reader = RunReader::new(bytes, offset);
    std::iter::from_fn(|| reader.read()).collect()
}

/// Writes a list of ascending occurrences into runs.
pub fn write_runs(list: &[u64]) -> Vec<Vec<u8>> {
    let mut runs = Vec::new();
    let mut writer = RunWriter::new(0, |_, bytes: &[u8]| {
        runs.push(bytes.to_vec());
        Ok::<(), std::convert::Infallible>(())
    });
    let written = list.iter().try_for_each(|number| writer.push(*number));
    writer.end_list();
    match written.and_then(|()| writer.finish()) {
        Ok(()) => runs,
        Err(never) => match never {},
    }
}

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
