//! What an index holds.

use serde::Serialize;

use super::Session;
use crate::index::Source;

/// What an index holds: `schemas/info.schema.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct InfoReport {
    /// Latents that are indexed.
    pub latents: u64,
    /// Rows of a latent.
    pub height: usize,
    /// Columns of a latent.
    pub width: usize,
    /// Bits of a site.
    pub channels: usize,
    /// Whether every latent has a label.
    pub labels: bool,
    /// How the bits become an image.
    pub codec: String,
    /// Whether contexts are bound to their site.
    pub anchor: String,
    /// Whether contexts are bound to labels.
    pub condition: String,
    /// The labels that they are bound to.
    pub label_values: Vec<i64>,
    /// The program that built it.
    pub tool: String,
    /// Its windows, in the order in which they were asked for.
    pub windows: Vec<WindowInfo>,
    /// The latents files that it was built from.
    pub sources: Vec<Source>,
    /// Latents of the sources that are not indexed: ranges of ids.
    pub excluded: Vec<[u64; 2]>,
}

/// A window of an index.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WindowInfo {
    /// The window, as it is written.
    pub window: String,
    /// How contexts become keys: `exact` or `xxh3-128`.
    pub key: String,
    /// Bytes of a key.
    pub key_bytes: usize,
    /// Occurrences: latents × bits.
    pub contexts: u64,
    /// Different contexts.
    pub distinct: u64,
    /// Different contexts that both values followed.
    pub ambiguous: u64,
    /// Bytes on disk, postings included.
    pub bytes: u64,
    /// Bytes of the postings.
    pub posting_bytes: u64,
}

impl Session {
    /// Returns what the index holds, without the latents that are left out.
    pub fn info(&self) -> InfoReport {
        let manifest = self.index.manifest();
        let windows = manifest.windows.iter().map(|entry| WindowInfo {
            window: entry.window.to_string(),
            key: entry.key.to_string(),
            key_bytes: entry.key_bytes,
            contexts: entry.contexts,
            distinct: entry.distinct,
            ambiguous: entry.ambiguous,
            bytes: entry.bytes,
            posting_bytes: entry.posting_bytes,
        });
        InfoReport {
            latents: manifest.latents,
            height: manifest.height,
            width: manifest.width,
            channels: manifest.channels,
            labels: manifest.labels,
            codec: manifest.codec.to_string(),
            anchor: manifest.anchor.to_string(),
            condition: manifest.condition.to_string(),
            label_values: manifest.label_values.clone(),
            tool: manifest.tool.clone(),
            windows: windows.collect(),
            sources: manifest.sources.clone(),
            excluded: manifest.excluded.clone(),
        }
    }
}
