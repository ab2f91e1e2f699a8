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
    /// The grids of a latent: `HxWxK`, levels joined by `+`, coarse to fine.
    pub shape: String,
    /// Rows of a latent; of a pyramid, of its finest level, as are the two that follow.
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
    /// The windows that are meant where none is named, in the order in which they were asked for.
    pub named: Vec<String>,
    /// Every window that it answers, those of each array smallest first.
    pub windows: Vec<WindowInfo>,
    /// What answers.
    pub arrays: Vec<ArrayInfo>,
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
    /// Occurrences: latents × bits.
    pub contexts: u64,
    /// Different contexts.
    pub distinct: u64,
    /// Different contexts that both values followed.
    pub ambiguous: u64,
    /// Bytes on disk of the array that answers it, and every other window of its kind.
    pub bytes: u64,
}

/// An array of an index.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ArrayInfo {
    /// Which way its order goes: `rings` or `line`.
    pub direction: String,
    /// Its largest window.
    pub depth: String,
    /// Records of the database that hold its occurrences.
    pub blocks: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

impl Session {
    /// Returns what the index holds, without the latents that are left out.
    pub fn info(&self) -> InfoReport {
        let manifest = self.index.manifest();
        let windows = self.index.all_windows().filter_map(|window| {
            let entry = window.entry()?;
            Some(WindowInfo {
                window: entry.window.to_string(),
                contexts: entry.contexts,
                distinct: entry.distinct,
                ambiguous: entry.ambiguous,
                bytes: window.array().bytes,
            })
        });
        let arrays = manifest.arrays.iter().map(|array| ArrayInfo {
            direction: array.direction.to_string(),
            depth: array.depth.to_string(),
            blocks: array.blocks,
            bytes: array.bytes,
        });
        InfoReport {
            latents: manifest.latents,
            shape: self.index.shape().to_string(),
            height: manifest.height,
            width: manifest.width,
            channels: manifest.channels,
            labels: manifest.labels,
            codec: manifest.codec.to_string(),
            anchor: manifest.anchor.to_string(),
            condition: manifest.condition.to_string(),
            label_values: manifest.label_values.clone(),
            tool: manifest.tool.clone(),
            named: manifest.windows.iter().map(ToString::to_string).collect(),
            windows: windows.collect(),
            arrays: arrays.collect(),
            sources: manifest.sources.clone(),
            excluded: manifest.excluded.clone(),
        }
    }
}
