//! The folder of a training: checkpoints, a log, pictures.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::base::files;
use crate::neural::NeuralError;

/// The folder that one training writes into.
///
/// `last.safetensors` can be resumed; `best.safetensors` is the network of the best validation, without
/// the optimiser's state; `log.jsonl` has a line for each validation; `pictures.png` shows the best one.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// Names a folder, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the path of the checkpoint that training goes on from.
    pub fn last(&self) -> PathBuf {
        self.0.join("last.safetensors")
    }

    /// Returns the path of the network of the best validation.
    pub fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    /// Returns the path of the log, one JSON object a line.
    pub fn log(&self) -> PathBuf {
        self.0.join("log.jsonl")
    }

    /// Returns the path of the picture of what the best network makes of held-out data.
    pub fn pictures(&self) -> PathBuf {
        self.0.join("pictures.png")
    }

    /// Appends a line to the log.
    pub(crate) fn append(&self, line: &Value) -> Result<(), NeuralError> {
        let mut file = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())?;
        Ok(file.write_all(format!("{line}\n").as_bytes())?)
    }

    /// Takes away what the log tells of steps after `step`: they will be done again. A last line that was
    /// cut off goes too.
    pub(crate) fn truncate_log(&self, step: u64) -> Result<(), NeuralError> {
        if !self.log().exists() {
            return Ok(());
        }
        let text = fs_err::read_to_string(self.log())?;
        let kept = text.lines().filter(|line| {
            let value: Option<Value> = serde_json::from_str(line).ok();
            value.is_some_and(|value| value["step"].as_u64().is_none_or(|at| at <= step))
        });
        let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
        Ok(files::write_whole(&self.log(), |out| {
            out.write_all(kept.as_bytes())
        })?)
    }
}
