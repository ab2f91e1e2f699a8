//! Builds in tasks.

use std::path::{Path, PathBuf};

use bitquilt::index::parts::{Cut, PartPlan, Task, WorkFolder, map, reduce};
use bitquilt::{BuildOptions, Ids, IndexError, LatentSet, Unobserved, Window};

pub const MEMORY: u64 = 64 << 20;

/// Writes a set as some files, and returns their paths.
pub fn shards(folder: &Path, set: &LatentSet, cuts: &[usize]) -> Vec<PathBuf> {
    let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % set.len()).collect();
    bounds.extend([0, set.len()]);
    bounds.sort_unstable();
    bounds.dedup();
    let shards = bounds.windows(2).enumerate().map(|(number, bound)| {
        let ids = Ids::new(std::iter::once(bound[0] as u64..bound[1] as u64));
        let path = folder.join(format!("shard-{number}.safetensors"));
        set.only(&ids).write(&path).unwrap();
        path
    });
    shards.collect()
}

/// Plans a build of some files in a folder.
pub fn planned(
    folder: &Path,
    paths: &[PathBuf],
    options: &BuildOptions,
    maps: u64,
    parts: u64,
) -> WorkFolder {
    let cut = Cut {
        maps: Some(maps),
        parts: Some(parts),
    };
    let plan = PartPlan::new(paths, options, cut, &Unobserved).unwrap();
    WorkFolder::create(&folder.join("work"), plan, false).unwrap()
}

/// Runs a task; whether it had ended before.
pub fn run_task(
    work: &WorkFolder,
    task: Task,
    memory: u64,
    again: bool,
) -> Result<bool, IndexError> {
    let ended = match task {
        Task::Map(number) => map(work, number, memory, again, &Unobserved)?,
        Task::Reduce(number) => reduce(work, number, again, &Unobserved)?,
    };
    Ok(ended.reused)
}

/// Runs every task.
pub fn run_all(work: &WorkFolder) {
    for task in work.plan().tasks() {
        assert!(!run_task(work, task, MEMORY, false).unwrap(), "{task}");
    }
}

/// Options of a build of these windows, in that memory.
pub fn options(windows: &[Window]) -> BuildOptions {
    BuildOptions {
        windows: windows.to_vec(),
        memory: MEMORY,
        ..BuildOptions::default()
    }
}
