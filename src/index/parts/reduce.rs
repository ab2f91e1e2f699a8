//! A reduce task: what every map task spilled for one part, merged into its blocks.

use std::io::{Read, Seek, SeekFrom, Take};
use std::path::PathBuf;

use super::note::{MapNote, Note, ReduceNote, SegmentNote, Task};
use super::plan::PlannedArray;
use super::work::{Ended, WorkFolder};
use crate::base::Observer;
use crate::base::files::naming;
use crate::index::IndexError;
use crate::index::array::{
    Listed, Merge, MergeError, Merged, PartFile, Segment, SegmentError, context_words, prefixes_of,
    write_listed,
};
use crate::index::array_id::ArrayId;
use crate::index::manifest::digest;
use crate::index::store::{Family, SstOptions, SstWriter};
use crate::window::Order;

/// What a map task spilled for the part.
struct Spilled<'a> {
    /// The number of the map task.
    map: u64,
    path: PathBuf,
    /// Where in the file it begins.
    at: u64,
    note: &'a SegmentNote,
}

impl Spilled<'_> {
    /// Opens it.
    fn open(&self) -> Result<Take<fs_err::File>, IndexError> {
        let mut file = fs_err::File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.at))?;
        Ok(file.take(self.note.bytes))
    }

    /// Refuses it if `found` is not its checksum.
    fn check(&self, found: &str) -> Result<(), IndexError> {
        match self.note.xxh3_128 == found {
            true => Ok(()),
            false => Err(self.damaged(&format!("checksum {}", self.note.xxh3_128), found)),
        }
    }

    fn damaged(&self, expected: &str, found: &str) -> IndexError {
        IndexError::Task {
            path: self.path.clone(),
            task: Task::Map(self.map),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }
}

/// What was spilled for a part, in the order of the map tasks.
type Segments = Vec<Segment<Take<fs_err::File>>>;

/// Merges the part of reduce task `number`, once all map tasks have ended. Memory does not grow with the part: a quarter of a
/// megabyte for each map task, and the list of the part's blocks. What was done before is not done again, unless `again`; a task for a part
/// that was asked for and is none has nothing to do.
///
/// # Errors
/// [`IndexError::Input`] for a task that there is not, [`IndexError::Unfinished`] before all map tasks have ended,
/// [`IndexError::Task`] where what one of them wrote is damaged: that one has to be run again; [`IndexError::Stopped`]. Nothing
/// is left of the task then.
pub fn reduce(
    work: &WorkFolder,
    number: u64,
    again: bool,
    observer: &dyn Observer,
) -> Result<Ended, IndexError> {
    let (plan, task) = (work.plan(), Task::Reduce(number));
    let Some((at, part)) = plan.part_of(number) else {
        let asked = plan.parts.saturating_mul(plan.arrays.len() as u64);
        if number < asked {
            return Ok(Ended {
                reused: false,
                bytes: 0,
                occurrences: 0,
            });
        }
        return Err(IndexError::Input(format!(
            "{task}: the plan has reduce tasks 0 to {}",
            asked.saturating_sub(1)
        )));
    };
    if let Some(note) = work.ended::<ReduceNote>(task).filter(|_| !again) {
        return Ok(ended(&note, true));
    }
    let maps = (0..plan.maps.len() as u64).map(Task::Map);
    let notes: Vec<MapNote> = work.all_ended(maps)?;
    let array = &plan.arrays[at];
    let ids = ArrayId::of(
        plan.arrays
            .iter()
            .filter_map(|array| array.path.last().copied()),
    );
    let own = Own {
        work,
        task,
        array,
        id: ids[at],
        order: plan.order(array)?,
        part,
        observer,
    };
    let note = own.run(&notes, at)?;
    work.end(task, &note)?;
    Ok(ended(&note, false))
}

fn ended(note: &ReduceNote, reused: bool) -> Ended {
    Ended {
        reused,
        bytes: note.files().iter().map(|file| file.bytes).sum(),
        occurrences: note.occurrences,
    }
}

/// A reduce task under work.
struct Own<'a> {
    work: &'a WorkFolder,
    task: Task,
    array: &'a PlannedArray,
    id: ArrayId,
    order: Order,
    part: usize,
    observer: &'a dyn Observer,
}

impl Own<'_> {
    fn run(&self, notes: &[MapNote], at: usize) -> Result<ReduceNote, IndexError> {
        let occurrences = notes
            .iter()
            .filter_map(|note| note.runs.get(at)?.segments.get(self.part));
        let occurrences: u64 = occurrences.map(|segment| segment.occurrences).sum();
        let name = format!("{}: merge part {}", self.id, self.part);
        self.observer.stage(&name, occurrences, "contexts");
        let (spilled, mut segments) = self.open(notes, at)?;
        let place = self.work.place(self.task)?;
        let options = SstOptions::new(Family::Array(self.id));
        let file = PartFile::create(&options, place.path().join("array"), self.part as u32);
        let windows = &self.array.windows;
        let words = self.order.word_readers().len();
        let end = self.array.splitters.get(self.part);
        let end = end.map(|end| context_words(end, words));
        let merge = Merge {
            total: self.work.plan().occurrences(&self.order),
            prefixes: &prefixes_of(&self.order, windows),
            first: self.first(),
            end: end.as_deref(),
            observer: self.observer,
        };
        let merged = merge.run(&mut segments, file);
        let merged = merged.map_err(|error| self.unmerged(error, &spilled))?;
        self.check(&merged, &spilled, occurrences)?;
        let Merged {
            sink,
            distinct,
            content,
            entries,
            ones,
            ends: Some(ends),
            ..
        } = merged
        else {
            return Err(self.damaged("a part that holds something", "none".to_owned()));
        };
        let Some((_, listed)) = sink.finish()? else {
            return Err(self.damaged("a part that holds something", "none".to_owned()));
        };
        self.list(&listed, &place.path().join("directory"))?;
        let spell = |words: Vec<u64>| words.iter().flat_map(|word| word.to_be_bytes()).collect();
        Ok(ReduceNote {
            plan: self.work.plan_id().to_owned(),
            array: self.work.keep(self.task, place.path(), "array", "array")?,
            directory: self
                .work
                .keep(self.task, place.path(), "directory", "directory")?,
            blocks: listed.len() as u64,
            occurrences: entries,
            ones,
            content,
            distinct,
            ends: ends.map(spell),
        })
    }

    /// Returns what separates the part from those before it: nothing, for the first one.
    fn first(&self) -> &[u8] {
        let before = self.part.checked_sub(1);
        let splitter = before.and_then(|before| self.array.splitters.get(before));
        splitter.map_or(&[], Vec::as_slice)
    }

    /// Opens what was spilled for the part.
    fn open<'n>(
        &self,
        notes: &'n [MapNote],
        at: usize,
    ) -> Result<(Vec<Spilled<'n>>, Segments), IndexError> {
        let total = self.work.plan().occurrences(&self.order);
        let (mut spilled, mut segments) = (Vec::new(), Vec::new());
        for (map, note) in (0..).zip(notes) {
            let run = note.runs.get(at);
            let Some((run, own)) = run.and_then(|run| Some((run, run.segments.get(self.part)?)))
            else {
                return Err(IndexError::Task {
                    path: self.work.folder(),
                    task: Task::Map(map),
                    expected: "a run with every part".to_owned(),
                    found: "another".to_owned(),
                });
            };
            if own.contexts == 0 {
                continue;
            }
            let before = run.segments[..self.part].iter();
            let own = Spilled {
                map,
                path: self.work.folder().join(&run.file.name),
                at: before.map(|segment| segment.bytes).sum(),
                note: own,
            };
            let contexts = own.note.contexts;
            segments.push(Segment::new(own.open()?, contexts, &self.order, total));
            spilled.push(own);
        }
        Ok((spilled, segments))
    }

    fn unmerged(&self, error: MergeError<IndexError>, spilled: &[Spilled<'_>]) -> IndexError {
        match error {
            MergeError::Sink(error) => error,
            MergeError::Segment(number, SegmentError::Io(error)) => {
                naming(&spilled[number].path)(error).into()
            }
            MergeError::Segment(number, SegmentError::Damaged(expected)) => {
                // What does not fit may be whole, and what it does not fit to be damaged: that one has to be named.
                let checked = spilled.iter().try_for_each(|spilled| {
                    let (_, found) = digest(spilled.open()?)?;
                    spilled.check(&found)
                });
                match checked {
                    Err(error) => error,
                    Ok(()) => spilled[number].damaged(expected, "others"),
                }
            }
        }
    }

    /// Checks that what was merged is what was spilled.
    fn check<S>(
        &self,
        merged: &Merged<S>,
        spilled: &[Spilled<'_>],
        occurrences: u64,
    ) -> Result<(), IndexError> {
        for (spilled, found) in spilled.iter().zip(&merged.checksums) {
            spilled.check(&format!("{found:032x}"))?;
        }
        match merged.entries == occurrences {
            true => Ok(()),
            false => Err(self.damaged(
                &format!("{occurrences} occurrences, as map tasks say"),
                merged.entries.to_string(),
            )),
        }
    }

    fn damaged(&self, expected: &str, found: String) -> IndexError {
        IndexError::Planned {
            path: self.work.path().to_owned(),
            expected: format!("{expected}, in {}", self.task),
            found,
        }
    }

    fn list(&self, listed: &[Listed], path: &std::path::Path) -> Result<(), IndexError> {
        let options = SstOptions::new(Family::Directory(self.id));
        let mut writer = SstWriter::create(&options, path.to_owned());
        write_listed(&mut writer, self.part as u32, listed)?;
        writer.finish()?;
        Ok(())
    }
}
