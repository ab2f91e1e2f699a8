//! The folder in which tasks of one build leave what they made.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::TempDir;

use super::note::{Note, Task};
use super::plan::PartPlan;
use crate::base::files;
use crate::index::{FileEntry, IndexError};

const PLAN: &str = "plan.json";

/// The folder of a build in tasks: the plan, and below it a folder of that plan's own with what tasks made.
#[derive(Clone, Debug)]
pub struct WorkFolder {
    path: PathBuf,
    plan: PartPlan,
    id: String,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Ended {
    /// Whether it had been done before: then nothing was done now.
    pub reused: bool,
    /// Bytes of the files that it made.
    pub bytes: u64,
    /// Occurrences that it took.
    pub occurrences: u64,
}

/// How far a build is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// The plan.
    pub plan: String,
    /// All map tasks, and those that have not ended.
    pub maps: u64,
    /// Numbers.
    pub maps_left: Vec<u64>,
    /// All reduce tasks.
    pub reduces: u64,
    /// Numbers of those that have not ended.
    pub reduces_left: Vec<u64>,
}

impl WorkFolder {
    /// Begins a build in folder `path`, which is made where it is not there; with the same plan as before, goes on with it.
    ///
    /// # Errors
    /// [`IndexError::Output`] where another plan is there, unless `replace`; what that had made stays beside.
    pub fn create(path: &Path, plan: PartPlan, replace: bool) -> Result<Self, IndexError> {
        let id = plan.id()?;
        let file = path.join(PLAN);
        if file.exists() {
            let there = Self::open(path);
            match there {
                Ok(there) if there.id == id => return Ok(there),
                Err(error) if !replace => return Err(error),
                Ok(_) if !replace => {
                    return Err(IndexError::Output {
                        path: path.to_owned(),
                        found: "holds the plan of another build: choose another folder, or pass force=true to begin this one"
                            .to_owned(),
                    });
                }
                Ok(_) | Err(_) => {}
            }
        } else if path.exists() && !is_one(path)? {
            return Err(IndexError::Output {
                path: path.to_owned(),
                found: "is neither empty nor a build's: choose another name".to_owned(),
            });
        }
        fs_err::create_dir_all(path.join(&id))?;
        files::write_whole(&file, |out| {
            serde_json::to_writer_pretty(&mut *out, &plan).map_err(std::io::Error::other)?;
            Ok::<_, IndexError>(out.write_all(b"\n")?)
        })?;
        Ok(Self {
            path: path.to_owned(),
            plan,
            id,
        })
    }

    /// Opens the folder of a build that was planned.
    ///
    /// # Errors
    /// [`IndexError::Output`] for a folder without a plan, [`IndexError::Damaged`] for one that is none.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        let file = path.join(PLAN);
        if !file.is_file() {
            return Err(IndexError::Output {
                path: path.to_owned(),
                found: "expected the folder of a planned build (with plan.json), found none: plan it first".to_owned(),
            });
        }
        let text = fs_err::read(&file)?;
        let plan: PartPlan =
            serde_json::from_slice(&text).map_err(|error| IndexError::Damaged {
                path: file.clone(),
                expected: "a plan".to_owned(),
                found: error.to_string(),
            })?;
        plan.check(&file)?;
        let id = plan.id()?;
        Ok(Self {
            path: path.to_owned(),
            plan,
            id,
        })
    }

    /// Returns the plan.
    pub fn plan(&self) -> &PartPlan {
        &self.plan
    }

    /// Returns what tells the plan from every other one.
    pub fn plan_id(&self) -> &str {
        &self.id
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder of this plan.
    pub(super) fn folder(&self) -> PathBuf {
        self.path.join(&self.id)
    }

    fn note_path(&self, task: Task) -> PathBuf {
        self.folder().join(format!("{}.json", task.name()))
    }

    /// Returns a folder for the files of a task until they are whole. It is removed when it is dropped.
    pub(super) fn place(&self, task: Task) -> Result<TempDir, IndexError> {
        let folder = self.folder();
        fs_err::create_dir_all(&folder)?;
        let prefix = format!("{}{}-", files::TEMPORARY_PREFIX, task.name());
        let place = tempfile::Builder::new().prefix(&prefix).tempdir_in(&folder);
        Ok(place.map_err(files::naming(&folder))?)
    }

    /// Moves a whole file of a task into the folder, under a name that says what it holds.
    pub(super) fn keep(
        &self,
        task: Task,
        place: &Path,
        name: &str,
        kind: &str,
    ) -> Result<FileEntry, IndexError> {
        let mut entry = FileEntry::of(place, name.to_owned())?;
        let made = place.join(name);
        fs_err::File::open(&made)?.sync_all()?;
        entry.name = format!("{}-{kind}-{}", task.name(), entry.xxh3_128);
        // Another run of the same task may have made the same file: then this is no other.
        fs_err::rename(made, self.folder().join(&entry.name))?;
        Ok(entry)
    }

    /// Notes what a task did: from then on it has ended.
    pub(super) fn end(&self, task: Task, note: &impl Note) -> Result<(), IndexError> {
        files::sync_folder(&self.folder())?;
        files::write_whole(&self.note_path(task), |out| {
            Ok(serde_json::to_writer(out, note).map_err(std::io::Error::other)?)
        })
    }

    /// Returns the note of a task that has ended, whose files are all there.
    pub(super) fn ended<N: Note>(&self, task: Task) -> Option<N> {
        let note: N = serde_json::from_slice(&std::fs::read(self.note_path(task)).ok()?).ok()?;
        let folder = self.folder();
        let files = note.files();
        let mut checked = files.iter().map(|file| file.check_length(&folder));
        (note.plan() == self.id && checked.all(|checked| checked.is_ok())).then_some(note)
    }

    /// Returns the notes of tasks, all of which must have ended.
    pub(super) fn all_ended<N: Note>(
        &self,
        tasks: impl Iterator<Item = Task>,
    ) -> Result<Vec<N>, IndexError> {
        let (mut notes, mut left) = (Vec::new(), Vec::new());
        for task in tasks {
            match self.ended(task) {
                Some(note) => notes.push(note),
                None => left.push(task),
            }
        }
        match left.is_empty() {
            true => Ok(notes),
            false => Err(IndexError::Unfinished {
                path: self.path.clone(),
                tasks: left,
            }),
        }
    }

    /// Returns which tasks have ended.
    pub fn progress(&self) -> Progress {
        let (mut maps, mut reduces) = (0, 0);
        let (mut maps_left, mut reduces_left) = (Vec::new(), Vec::new());
        for task in self.plan.tasks() {
            match task {
                Task::Map(number) => {
                    maps += 1;
                    if self.ended::<super::note::MapNote>(task).is_none() {
                        maps_left.push(number);
                    }
                }
                Task::Reduce(number) => {
                    reduces += 1;
                    if self.ended::<super::note::ReduceNote>(task).is_none() {
                        reduces_left.push(number);
                    }
                }
            }
        }
        Progress {
            plan: self.id.clone(),
            maps,
            maps_left,
            reduces,
            reduces_left,
        }
    }
}

/// Returns whether a folder without a plan holds nothing but what a kill can leave of one.
fn is_one(path: &Path) -> Result<bool, IndexError> {
    if !path.is_dir() {
        return Ok(false);
    }
    for entry in fs_err::read_dir(path)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let is_id = name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !(is_id || name.starts_with(files::TEMPORARY_PREFIX)) {
            return Ok(false);
        }
    }
    Ok(true)
}
