//! The folder in which a build makes everything: locked, kept by a build that was stopped, and moved
//! into place by one that was not.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::array_id::ArrayId;
use super::manifest::{
    ArrayEntry, FORMAT_VERSION, FileEntry, MANIFEST, Manifest, Source, database_name,
    database_number,
};
use super::store::{self, Family};
use super::wanted::Wanted;
use super::{BuildOptions, IndexError};
use crate::base::{Observer, files};
use crate::latent::{Codec, LatentSet};
use crate::window::Window;

/// The stage below an index folder.
pub(super) const BUILDING: &str = "building";

/// The SST file of the latents, below a stage.
pub(super) const LATENTS: &str = "latents.sst";

/// The folder of latents that were made elsewhere.
pub(super) const ADOPTED_LATENTS: &str = "latents";

const LOCK: &str = "lock";
const PLAN: &str = "plan.json";
const FINISHED: &str = "finished.json";

/// What makes one build the same as another: an unfinished one is gone on with only then. The depth of an array is kept with
/// it, since each is finished on its own.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BuildPlan {
    version: u32,
    tool: String,
    content: Source,
    sources: Vec<Source>,
    codec: String,
    anchor: String,
    condition: String,
    /// Latents that are not indexed.
    excluded: String,
    /// XXH3-128 of the labels, little endian.
    labels: Option<String>,
}

impl BuildPlan {
    /// The plan of putting parts together, which a plan of that id says how to make.
    pub(super) fn of_parts(index: &Manifest, id: &str) -> Self {
        let codecs: Vec<_> = index.codecs().iter().map(Codec::to_string).collect();
        Self {
            version: FORMAT_VERSION,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            content: Source {
                name: "parts".to_owned(),
                latents: index.latents,
                xxh3_128: id.to_owned(),
            },
            sources: index.sources.clone(),
            codec: codecs.join(" "),
            anchor: index.anchor.to_string(),
            condition: index.condition.to_string(),
            excluded: index.excluded().to_string(),
            labels: None,
        }
    }

    pub(super) fn of(set: &LatentSet, options: &BuildOptions) -> Self {
        Self {
            version: FORMAT_VERSION,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            content: Source::of(set, ""),
            sources: options.sources.clone(),
            codec: {
                let codecs: Vec<_> = set.codecs().iter().map(Codec::to_string).collect();
                codecs.join(" ")
            },
            anchor: options.anchor.to_string(),
            condition: options.condition.to_string(),
            excluded: options.excluded.to_string(),
            labels: set.labels().map(|labels| {
                let bytes: Vec<u8> = labels
                    .iter()
                    .flat_map(|label| label.to_le_bytes())
                    .collect();
                format!("{:032x}", xxh3_128(&bytes))
            }),
        }
    }
}

/// A finished array of an unfinished build: what it holds, and its files with their lengths.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FinishedArray {
    pub(super) entry: ArrayEntry,
    parts: Vec<(PathBuf, u64)>,
    directory: Vec<(PathBuf, u64)>,
}

/// The folder in which a build makes everything.
pub(super) struct Stage {
    output: PathBuf,
    folder: PathBuf,
    /// Held until the build ends, however it does.
    _lock: File,
}

impl Stage {
    /// Returns whether the folder `building` of an output can be a build's: it holds nothing but what a build
    /// makes. A kill may leave any part of that, down to an empty folder.
    pub(super) fn is_one(output: &Path) -> bool {
        let Ok(mut entries) = std::fs::read_dir(output.join(BUILDING)) else {
            return false;
        };
        entries.all(|entry| entry.is_ok_and(|entry| is_ours(&entry.file_name().to_string_lossy())))
    }

    /// Takes the folder over, keeping what an unfinished build of the same plan has left there: the arrays that it had
    /// finished or, if it had finished all that is wanted, the whole index.
    pub(super) fn open(
        output: &Path,
        plan: &BuildPlan,
        wanted: &Wanted,
    ) -> Result<Self, IndexError> {
        let stage = Self::lock(output)?;
        match stage.resume(plan, wanted) {
            Ok(()) => Ok(stage),
            Err(error) => {
                stage.remove();
                Err(error)
            }
        }
    }

    /// Removes what a build that was killed after its manifest had come into place has left; of one that is at work nothing.
    pub(super) fn remove_left(output: &Path) {
        if Self::is_one(output)
            && let Ok(stage) = Self::lock(output)
        {
            stage.remove();
        }
    }

    fn lock(output: &Path) -> Result<Self, IndexError> {
        let folder = output.join(BUILDING);
        fs_err::create_dir_all(&folder)?;
        let lock = fs_err::File::create(folder.join(LOCK))?.into_parts().0;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(IndexError::Output {
                    path: output.to_owned(),
                    found: "another build is at work there: wait for it to end".to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        Ok(Self {
            output: output.to_owned(),
            folder,
            _lock: lock,
        })
    }

    /// Resumes an unfinished build: clears what is left of another plan, and of this one if its files were already
    /// being moved into a database that is not whole.
    fn resume(&self, plan: &BuildPlan, wanted: &Wanted) -> Result<(), IndexError> {
        let left: Option<BuildPlan> = read_json(&self.path(PLAN));
        let same = left.as_ref() == Some(plan);
        let begun = self.path(MANIFEST).exists() || !databases(&self.folder)?.is_empty();
        if !(same && (!begun || self.ready(wanted).is_some())) {
            self.clear()?;
            write_json(&self.path(PLAN), plan)?;
        }
        Ok(())
    }

    /// Returns the manifest of an index of what is wanted that an earlier build had made whole, but for the renames
    /// that publish it.
    pub(super) fn ready(&self, wanted: &Wanted) -> Option<Manifest> {
        let manifest = Manifest::read(&self.folder).ok()?;
        let made = if self.path(&manifest.database).exists() {
            &self.folder
        } else {
            &self.output
        };
        let mut files = manifest.files.iter();
        let whole = files.all(|file| file.check_length(made).is_ok());
        let paths = manifest.arrays.iter().map(ArrayEntry::path);
        let same = manifest.windows == wanted.windows && paths.eq(wanted.paths.iter().cloned());
        (whole && same).then_some(manifest)
    }

    /// Removes everything but the lock.
    fn clear(&self) -> Result<(), IndexError> {
        for entry in fs_err::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.is_dir() {
                fs_err::remove_dir_all(&path)?;
            } else if !path.ends_with(LOCK) {
                fs_err::remove_file(&path)?;
            }
        }
        self.drop_strays();
        Ok(())
    }

    /// Removes databases of the output that its manifest does not name: of builds that were killed before their manifest
    /// came into place, or after it had and before the old database was gone.
    fn drop_strays(&self) {
        let named = match Manifest::read(&self.output) {
            Ok(manifest) => Some(manifest.database),
            Err(_) if !self.output.join(MANIFEST).exists() => None,
            // Which one is its own cannot be known.
            Err(_) => return,
        };
        // What cannot be removed now is in nobody's way, and the next build tries again.
        for name in databases(&self.output).unwrap_or_default() {
            if Some(&name) != named.as_ref() {
                let _ = std::fs::remove_dir_all(self.output.join(name));
            }
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Gives the build up: nothing of it is left.
    pub(super) fn remove(&self) {
        self.drop_strays();
        // After an error that error is what gets reported; after success a stage left behind is in
        // nobody's way.
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    fn array_folder(&self, id: ArrayId) -> PathBuf {
        self.path(&id.to_string())
    }

    /// Returns an empty folder for the files of an array.
    pub(super) fn start(&self, id: ArrayId) -> Result<PathBuf, IndexError> {
        let folder = self.array_folder(id);
        if folder.exists() {
            fs_err::remove_dir_all(&folder)?;
        }
        fs_err::create_dir(&folder)?;
        Ok(folder)
    }

    /// Notes that every file of an array is written and synced.
    pub(super) fn finish(
        &self,
        id: ArrayId,
        mut entry: ArrayEntry,
        parts: Vec<PathBuf>,
        directory: Vec<PathBuf>,
    ) -> Result<FinishedArray, IndexError> {
        let sized = |paths: Vec<PathBuf>| {
            let entries = paths.into_iter().map(|path| {
                let bytes = fs_err::metadata(&path)?.len();
                let name = path.file_name().map(PathBuf::from).unwrap_or_default();
                Ok((name, bytes))
            });
            entries.collect::<std::io::Result<Vec<_>>>()
        };
        let (parts, directory) = (sized(parts)?, sized(directory)?);
        entry.bytes = parts.iter().chain(&directory).map(|(_, bytes)| bytes).sum();
        let folder = self.array_folder(id);
        let finished = FinishedArray {
            entry,
            parts,
            directory,
        };
        write_json(&folder.join(FINISHED), &finished)?;
        Ok(finished)
    }

    /// Returns what an earlier build left of an array whose order goes through `path` and has these windows, if all of it is
    /// there.
    pub(super) fn finished(
        &self,
        id: ArrayId,
        path: &[Window],
        windows: &[Window],
    ) -> Option<FinishedArray> {
        let folder = self.array_folder(id);
        let finished: FinishedArray = read_json(&folder.join(FINISHED))?;
        let mut files = finished.parts.iter().chain(&finished.directory);
        let whole = files.all(|(name, bytes)| {
            std::fs::metadata(folder.join(name)).is_ok_and(|found| found.len() == *bytes)
        });
        let entry = &finished.entry;
        let counted = entry.windows.iter().map(|window| window.window);
        let same = entry.path() == path && counted.eq(windows.iter().copied());
        (whole && same).then_some(finished)
    }

    /// Returns the files of a finished array by column family.
    pub(super) fn families(
        &self,
        id: ArrayId,
        finished: &FinishedArray,
    ) -> [(Family, Vec<PathBuf>); 2] {
        let folder = self.array_folder(id);
        let paths = |files: &[(PathBuf, u64)]| {
            let paths = files.iter().map(|(name, _)| folder.join(name));
            paths.collect()
        };
        [
            (Family::Array(id), paths(&finished.parts)),
            (Family::Directory(id), paths(&finished.directory)),
        ]
    }

    /// Links files that were made elsewhere into a folder of that name, or copies them; returns where they are now.
    pub(super) fn adopt<'f>(
        &self,
        name: &str,
        from: &Path,
        files: impl Iterator<Item = &'f FileEntry>,
    ) -> Result<Vec<PathBuf>, IndexError> {
        let folder = self.path(name);
        fs_err::create_dir_all(&folder)?;
        let files = files.map(|file| {
            let (made, place) = (from.join(&file.name), folder.join(&file.name));
            if place.exists() {
                fs_err::remove_file(&place)?;
            }
            if std::fs::hard_link(&made, &place).is_err() {
                fs_err::copy(&made, &place)?;
            }
            Ok(place)
        });
        files.collect()
    }

    /// Makes the database, takes its checksums, and publishes it.
    pub(super) fn finish_index(
        &self,
        mut manifest: Manifest,
        families: &[(Family, Vec<PathBuf>)],
        observer: &dyn Observer,
    ) -> Result<Manifest, IndexError> {
        let held = databases(&self.output)?;
        let highest = held.iter().filter_map(|name| database_number(name)).max();
        // A number that is not used here stays unused until it is published: a reader of the old manifest never finds
        // files of the new index under the old name.
        manifest.database = database_name(highest.map_or(0, |highest| highest + 1));
        let database = self.path(&manifest.database);
        store::ingest(&database, families)?;
        let mut names = Vec::new();
        for entry in fs_err::read_dir(&database)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            // RocksDB's lock file is empty and made anew at need.
            if name != "LOCK" {
                names.push(format!("{}/{name}", manifest.database));
            }
        }
        names.sort();
        observer.stage("checksums", names.len() as u64, "files");
        let entries = names.into_par_iter().map(|name| {
            let entry = FileEntry::of(&self.folder, name);
            observer.advance(1);
            entry
        });
        manifest.files = entries.collect::<Result<_, _>>()?;
        manifest.write(&self.folder)?;
        self.publish(manifest)
    }

    /// Moves a whole index into place. One rename, of the manifest, makes it the index: before it an index that was there
    /// is whole, after it the new one is. Needs no room on the disk.
    pub(super) fn publish(&self, manifest: Manifest) -> Result<Manifest, IndexError> {
        let place = self.output.join(&manifest.database);
        let made = self.path(&manifest.database);
        if made.exists() {
            fs_err::rename(made, &place)?;
        }
        files::sync_folder(&place)?;
        files::sync_folder(&self.output)?;
        fs_err::rename(self.path(MANIFEST), self.output.join(MANIFEST))?;
        files::sync_folder(&self.output)?;
        self.remove();
        Ok(manifest)
    }
}

/// Returns the names of the databases in a folder.
fn databases(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if database_number(&name).is_some() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Returns whether a build makes something of that name in its stage.
fn is_ours(name: &str) -> bool {
    [LOCK, PLAN, LATENTS, ADOPTED_LATENTS, MANIFEST].contains(&name)
        || database_number(name).is_some()
        || name.starts_with(files::TEMPORARY_PREFIX)
        || ArrayId::from_str(name).is_ok()
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), IndexError> {
    files::write_whole(path, |out| {
        serde_json::to_writer(out, value).map_err(std::io::Error::other)?;
        Ok(())
    })
}
