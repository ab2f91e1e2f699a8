//! What can go wrong between a latent set and the answers of its index.

use std::io;
use std::path::PathBuf;

use super::parts::Task;
use crate::base::{OutOfMemory, Stopped};
use crate::latent::LatentError;
use crate::window::WindowError;

/// An error of the `index` module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// A directory that holds no index.
    #[error("{path}: expected an index (a folder with manifest.json), found {found}", path = path.display())]
    NotAnIndex {
        /// The directory.
        path: PathBuf,
        /// What is there, and what to do.
        found: String,
    },

    /// An index that this program is too old to read.
    #[error(
        "{path}: index format version {found}, this bitquilt reads version {supported}: a newer index \
         needs the newer bitquilt that built it, an older one must be built again from its latents ({sources})",
        path = path.display()
    )]
    Version {
        /// The manifest.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The version that this program reads.
        supported: u32,
        /// The latents files that it was built from, as far as the manifest names them.
        sources: String,
    },

    /// A file of the index is not what was written.
    #[error("{path}: damaged: expected {expected}, found {found}: build the index again", path = path.display())]
    Damaged {
        /// The file or directory.
        path: PathBuf,
        /// What was written.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A window that the index does not hold.
    #[error("{path}: holds no window {asked}, only {held}: build an index with window={asked}", path = path.display())]
    NoSuchWindow {
        /// The index.
        path: PathBuf,
        /// The window that was asked for.
        asked: String,
        /// The windows it holds.
        held: String,
    },

    /// A grid that contexts of an index cannot be laid on.
    #[error("{path}: samples of {asked} cannot be made of {held} latents: {why}", path = path.display())]
    Grid {
        /// The index.
        path: PathBuf,
        /// The grid that was asked for.
        asked: Box<crate::latent::Shape>,
        /// The grid of the index.
        held: Box<crate::latent::Shape>,
        /// Why not.
        why: &'static str,
    },

    /// A latent that the index does not hold.
    #[error("{path}: holds latents {held}, none of id {asked}", path = path.display())]
    NoSuchLatent {
        /// The index.
        path: PathBuf,
        /// The id that was asked for.
        asked: u64,
        /// The ids that it holds.
        held: String,
    },

    /// A label that no latent of the index has.
    #[error("{path}: holds no latent with label {asked}, only {held}: choose one of these", path = path.display())]
    NoSuchLabel {
        /// The index.
        path: PathBuf,
        /// The label that was asked for.
        asked: i64,
        /// The labels that it holds, or the first of them.
        held: String,
    },

    /// A label where contexts are not bound to any.
    #[error(
        "{path}: label {asked} was asked for, but contexts of this index are of any label: \
         build an index with condition=label",
        path = path.display()
    )]
    NotLabelled {
        /// The index.
        path: PathBuf,
        /// The label that was asked for.
        asked: i64,
    },

    /// A latent without a label where contexts are bound to labels.
    #[error("{path}: contexts of this index are bound to labels: expected the label of the latent, found none", path = path.display())]
    Unlabelled {
        /// The index.
        path: PathBuf,
    },

    /// An output directory that may not be written into.
    #[error("{path}: {found}", path = path.display())]
    Output {
        /// The directory.
        path: PathBuf,
        /// What is there, and what to do.
        found: String,
    },

    /// What a task of a build in parts wrote is not what it wrote.
    #[error("{path}: expected {expected}, found {found}: run {task} again", path = path.display())]
    Task {
        /// The file, or the folder of the work.
        path: PathBuf,
        /// The task that wrote it.
        task: Task,
        /// What it wrote.
        expected: String,
        /// What is there.
        found: String,
    },

    /// Tasks that have to end first.
    #[error("{path}: {tasks} not ended: run what is left first", path = path.display(), tasks = in_words(tasks))]
    Unfinished {
        /// The folder of the work.
        path: PathBuf,
        /// Those that have not ended.
        tasks: Vec<Task>,
    },

    /// Something that is not what a build was planned with.
    #[error("{path}: expected {expected}, found {found}: plan the build again", path = path.display())]
    Planned {
        /// The file, or the folder of the work.
        path: PathBuf,
        /// What was planned with.
        expected: String,
        /// What is there.
        found: String,
    },

    /// Input that cannot become an index.
    #[error("{0}")]
    Input(String),

    /// A memory limit that is too small for a build.
    #[error(
        "a memory limit of {limit} bytes is too small: at least {needed} are needed, for {reason}"
    )]
    MemoryLimit {
        /// The limit, bytes.
        limit: u64,
        /// The least that would do, bytes.
        needed: u64,
        /// What needs it.
        reason: String,
    },

    /// More memory than may be taken; `what` names the index and what of it.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),

    /// The work was told to stop; a build keeps its finished arrays for the next one.
    #[error("{0}")]
    Stopped(#[from] Stopped),

    /// The operating system lets the process open no more files.
    #[error(
        "{path}: this process may not open as many files as it needs: raise its limit to {needed} or more \
         (as `ulimit -n {needed}` does in a shell) and try again",
        path = path.display()
    )]
    OpenFiles {
        /// The database or file.
        path: PathBuf,
        /// Open files that are enough.
        needed: usize,
    },

    /// RocksDB refused.
    #[error("{path}: {error}", path = path.display())]
    Store {
        /// The database or file.
        path: PathBuf,
        /// RocksDB's own words.
        error: String,
    },

    /// A latents file or set that cannot be used.
    #[error(transparent)]
    Latent(#[from] LatentError),

    /// A window that does not fit.
    #[error(transparent)]
    Window(#[from] WindowError),

    /// The operating system refused; its message names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Names the first of some tasks, and says how many more there are.
fn in_words(tasks: &[Task]) -> String {
    let named: Vec<_> = tasks.iter().take(3).map(Task::to_string).collect();
    match tasks.len() {
        1 => format!("{} has", named.join("")),
        2 | 3 => format!("{} have", named.join(", ")),
        all => format!("{} and {} more have", named.join(", "), all - 3),
    }
}
