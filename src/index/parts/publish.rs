//! Putting the parts together: checked against each other, then one rename makes them an index.

use std::path::Path;

use rayon::prelude::*;

use super::note::{MapNote, ReduceNote, Task};
use super::plan::PlannedArray;
use super::work::WorkFolder;
use crate::base::Observer;
use crate::index::array::{ContentSum, Distinct, common_of, context_words, prefixes_of};
use crate::index::array_id::ArrayId;
use crate::index::manifest::ArrayEntry;
use crate::index::output::staged;
use crate::index::stage::{ADOPTED_LATENTS, BuildPlan, Stage};
use crate::index::store::Family;
use crate::index::{FileEntry, IndexError, Manifest, WindowEntry};

/// Puts the parts of a build together, once all of its tasks have ended, as the index `output`. Files are linked where the file
/// system can, copied elsewhere; the folder of the work is left as it is. Where it was published there before, nothing is done.
///
/// # Errors
/// [`IndexError::Unfinished`], naming tasks that have not ended; [`IndexError::Task`] for one whose files are damaged or do not
/// fit the others: that one has to be run again; [`IndexError::Output`] for an output that is in the way; [`IndexError::Stopped`].
/// What was in the output's place is whole then.
pub fn publish(
    work: &WorkFolder,
    output: &Path,
    force: bool,
    observer: &dyn Observer,
) -> Result<Manifest, IndexError> {
    let plan = work.plan();
    let (maps, reduces): (Vec<_>, Vec<_>) =
        plan.tasks().partition(|task| matches!(task, Task::Map(_)));
    let maps: Vec<MapNote> = work.all_ended(maps.into_iter())?;
    let reduces: Vec<ReduceNote> = work.all_ended(reduces.into_iter())?;
    let own = Own { work, observer };
    let manifest = own.joined(&reduces)?;
    if let Some(published) = Manifest::read(output)
        .ok()
        .filter(|held| held.says(&manifest))
    {
        Stage::remove_left(output);
        return Ok(published);
    }
    let build = BuildPlan::of_parts(&plan.index, work.plan_id());
    staged(output, force, (&build, &plan.wanted()), |stage| {
        own.run(stage, manifest, &maps, &reduces)
    })
}

/// The parts under work.
struct Own<'a> {
    work: &'a WorkFolder,
    observer: &'a dyn Observer,
}

impl Own<'_> {
    /// Returns the parts of each array, and the number of the first of them.
    fn parts<'n>(
        &self,
        reduces: &'n [ReduceNote],
    ) -> impl Iterator<Item = (&PlannedArray, u64, &'n [ReduceNote])> {
        let mut first = 0;
        self.work.plan().arrays.iter().map(move |array| {
            let start = first;
            first += array.parts();
            (array, start as u64, &reduces[start..first])
        })
    }

    /// Returns what the index will be, but for its files.
    fn joined(&self, reduces: &[ReduceNote]) -> Result<Manifest, IndexError> {
        let mut manifest = self.work.plan().index.clone();
        for (array, first, parts) in self.parts(reduces) {
            manifest.arrays.push(self.join(array, parts, first)?);
        }
        Ok(manifest)
    }

    fn run(
        &self,
        stage: &Stage,
        manifest: Manifest,
        maps: &[MapNote],
        reduces: &[ReduceNote],
    ) -> Result<Manifest, IndexError> {
        let plan = self.work.plan();
        if let Some(manifest) = stage.ready(&plan.wanted()) {
            return stage.publish(manifest);
        }
        self.check_files(maps, reduces)?;
        let folder = self.work.folder();
        let latents = maps.iter().filter_map(|note| note.latents.as_ref());
        let latents = stage.adopt(ADOPTED_LATENTS, &folder, latents)?;
        let mut families = vec![(Family::Latents, latents)];
        let ids = ArrayId::of(
            plan.arrays
                .iter()
                .filter_map(|array| array.path.last().copied()),
        );
        for ((_, _, parts), id) in self.parts(reduces).zip(ids) {
            let name = id.to_string();
            let files = parts.iter().map(|part| &part.array);
            families.push((Family::Array(id), stage.adopt(&name, &folder, files)?));
            let lists = parts.iter().map(|part| &part.directory);
            families.push((Family::Directory(id), stage.adopt(&name, &folder, lists)?));
        }
        self.observer.check()?;
        stage.finish_index(manifest, &families, self.observer)
    }

    /// Checks that every file is what its task wrote.
    fn check_files(&self, maps: &[MapNote], reduces: &[ReduceNote]) -> Result<(), IndexError> {
        let latents = (0..).map(Task::Map).zip(maps);
        let latents = latents.filter_map(|(task, note)| Some((task, note.latents.as_ref()?)));
        let parts = (0..).map(Task::Reduce).zip(reduces);
        let parts = parts.flat_map(|(task, note)| [(task, &note.array), (task, &note.directory)]);
        let files: Vec<(Task, &FileEntry)> = latents.chain(parts).collect();
        self.observer
            .stage("check parts", files.len() as u64, "files");
        let folder = self.work.folder();
        files.into_par_iter().try_for_each(|(task, file)| {
            self.observer.check()?;
            let checked = file.check(&folder);
            self.observer.advance(1);
            checked.map_err(|error| match error {
                IndexError::Damaged {
                    path,
                    expected,
                    found,
                } => IndexError::Task {
                    path,
                    task,
                    expected,
                    found,
                },
                other => other,
            })
        })
    }

    /// Puts the parts of an array together, the first of which reduce task `first` made.
    fn join(
        &self,
        array: &PlannedArray,
        parts: &[ReduceNote],
        first: u64,
    ) -> Result<ArrayEntry, IndexError> {
        let plan = self.work.plan();
        let order = plan.order(array)?;
        let words = order.word_readers().len();
        let prefixes = prefixes_of(&order, &array.windows);
        let mut distinct = Distinct::new(&prefixes);
        let mut content = ContentSum::default();
        let mut occurrences = 0;
        let mut last: Option<Vec<u64>> = None;
        for (number, part) in parts.iter().enumerate() {
            let [own_first, own_last] = part.ends.each_ref().map(|end| context_words(end, words));
            let splitter = number.checked_sub(1).map(|before| &array.splitters[before]);
            let starts = splitter.is_none_or(|start| context_words(start, words) <= own_first);
            let end = array.splitters.get(number);
            let ends = end.is_none_or(|end| own_last < context_words(end, words));
            let behind = last.as_ref().is_none_or(|last| *last < own_first);
            if !(starts && ends && behind && part.distinct.counts(&prefixes)) {
                return Err(IndexError::Task {
                    path: self.work.path().to_owned(),
                    task: Task::Reduce(first + number as u64),
                    expected: "contexts of its part, behind those before it".to_owned(),
                    found: "others".to_owned(),
                });
            }
            let common = last.map_or(0, |last| common_of(&last, &own_first));
            distinct.append(&part.distinct, common);
            content.append(&part.content);
            occurrences += part.occurrences;
            last = Some(own_last);
        }
        let expected = plan.index.latents * order.level().bits() as u64;
        let Some((&depth, through)) = array.path.split_last().filter(|_| occurrences == expected)
        else {
            return Err(IndexError::Planned {
                path: self.work.path().to_owned(),
                expected: format!("{expected} occurrences in the parts of an array"),
                found: occurrences.to_string(),
            });
        };
        let windows = array.windows.iter().zip(distinct.totals());
        let files = parts.iter().flat_map(|part| [&part.array, &part.directory]);
        Ok(ArrayEntry {
            direction: order.direction(),
            depth,
            through: through.to_vec(),
            blocks: parts.iter().map(|part| part.blocks).sum(),
            bytes: files.map(|file| file.bytes).sum(),
            content: Some(content),
            windows: windows
                .map(|(window, counted)| WindowEntry::new(*window, occurrences, counted))
                .collect(),
        })
    }
}
