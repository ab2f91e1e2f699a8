//! A map task: the contexts of some latents, sorted and written for every part.

use std::io::{BufWriter, Write};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use super::note::{MapNote, Note, Run, SegmentNote, Task};
use super::plan::{PartPlan, PlannedArray};
use super::work::{Ended, WorkFolder};
use crate::base::Observer;
use crate::index::array::{Latents, Piece, Room, Sort, SpillRule, Spiller};
use crate::index::array_id::ArrayId;
use crate::index::build::{FIXED_BYTES, MIN_SORTED, write_latents};
use crate::index::{IndexError, Source};
use crate::latent::LatentSet;
use crate::window::Order;

/// Sorts the contexts of the latents of map task `number` within `memory` bytes, their source files included. What was done
/// before is not done again, unless `again`.
///
/// # Errors
/// [`IndexError::Input`] for a task that there is not, [`IndexError::Damaged`] for a source that is not what was planned
/// with, [`IndexError::MemoryLimit`], [`IndexError::Stopped`]; nothing is left of the task then.
pub fn map(
    work: &WorkFolder,
    number: u64,
    memory: u64,
    again: bool,
    observer: &dyn Observer,
) -> Result<Ended, IndexError> {
    let (plan, task) = (work.plan(), Task::Map(number));
    let Some([start, end]) = plan.maps.get(number as usize).copied() else {
        return Err(IndexError::Input(format!(
            "{task}: the plan has map tasks 0 to {}",
            plan.maps.len() - 1
        )));
    };
    if let Some(note) = work.ended::<MapNote>(task).filter(|_| !again) {
        return Ok(ended(&note, true));
    }
    check_reading(plan, start, end, memory)?;
    let set = read(plan, start, end, observer)?;
    let excluded = plan.index.excluded();
    // Ids are below 2³².
    let ids = (0..set.len() as u32).filter(|id| !excluded.contains(start + u64::from(*id)));
    let own = Own {
        work,
        task,
        set: &set,
        ids: &ids.collect::<Vec<_>>(),
        start,
        memory,
        observer,
    };
    let place = work.place(task)?;
    let latents = match write_latents(&set, own.ids, start, &place.path().join("latents"))? {
        Some(_) => Some(work.keep(task, place.path(), "latents", "latents")?),
        None => None,
    };
    let names = ArrayId::of(
        plan.arrays
            .iter()
            .filter_map(|array| array.path.last().copied()),
    );
    let arrays = plan.arrays.iter().zip(names);
    let runs = arrays.map(|(array, name)| own.run(array, &name.to_string(), place.path()));
    let note = MapNote {
        plan: work.plan_id().to_owned(),
        latents,
        runs: runs.collect::<Result<_, _>>()?,
    };
    work.end(task, &note)?;
    Ok(ended(&note, false))
}

fn ended(note: &MapNote, reused: bool) -> Ended {
    let segments = note.runs.iter().flat_map(|run| &run.segments);
    Ended {
        reused,
        bytes: note.files().iter().map(|file| file.bytes).sum(),
        occurrences: segments.map(|segment| segment.occurrences).sum(),
    }
}

/// Returns the sources that hold some of these ids, and the first id of each.
fn sources_of(
    plan: &PartPlan,
    start: u64,
    end: u64,
) -> impl Iterator<Item = (u64, &Path, &Source)> {
    let mut first = 0;
    let sources = plan.paths.iter().zip(&plan.index.sources);
    let placed = sources.map(move |(path, source)| {
        let own = first;
        first += source.latents;
        (own, path.as_path(), source)
    });
    placed.filter(move |(first, _, source)| first + source.latents > start && *first < end)
}

/// Refuses to read files that do not fit the memory: each takes twice its length while it is read, beside what is kept.
fn check_reading(plan: &PartPlan, start: u64, end: u64, memory: u64) -> Result<(), IndexError> {
    let row = plan.shape()?.packed_bytes() as u64;
    let largest = sources_of(plan, start, end).max_by_key(|(_, _, source)| source.latents);
    let Some((_, path, source)) = largest else {
        return Ok(());
    };
    let needed = FIXED_BYTES + (end - start + 2 * source.latents).saturating_mul(row);
    match needed > memory {
        true => Err(IndexError::MemoryLimit {
            limit: memory,
            needed,
            reason: format!("reading {} whole", path.display()),
        }),
        false => Ok(()),
    }
}

/// Reads the latents of some ids.
fn read(
    plan: &PartPlan,
    start: u64,
    end: u64,
    observer: &dyn Observer,
) -> Result<LatentSet, IndexError> {
    let shape = plan.shape()?;
    let (mut packed, mut labels) = (Vec::new(), Vec::new());
    for (first, path, source) in sources_of(plan, start, end) {
        let own = first..first + source.latents;
        observer.check()?;
        let set = LatentSet::read(path)?;
        let found = Source::of_file(&set, path);
        if found != *source {
            return Err(IndexError::Planned {
                path: path.to_owned(),
                expected: format!("{} latents with hash {}", source.latents, source.xxh3_128),
                found: format!("{} with hash {}", found.latents, found.xxh3_128),
            });
        }
        let rows =
            (start.max(own.start) - own.start) as usize..(end.min(own.end) - own.start) as usize;
        let row = shape.packed_bytes();
        packed.extend_from_slice(&set.packed()[rows.start * row..rows.end * row]);
        labels.extend(set.labels().map(|labels| &labels[rows]).unwrap_or_default());
    }
    let set = LatentSet::from_packed(shape, packed)?;
    match plan.index.labels {
        true => Ok(set.with_labels(labels)?),
        false => Ok(set),
    }
}

/// A map task under work.
struct Own<'a> {
    work: &'a WorkFolder,
    task: Task,
    set: &'a LatentSet,
    /// Rows of the set that are indexed.
    ids: &'a [u32],
    /// The id of the first row.
    start: u64,
    memory: u64,
    observer: &'a dyn Observer,
}

impl Own<'_> {
    /// Sorts and writes the contexts of an array.
    fn run(&self, array: &PlannedArray, name: &str, place: &Path) -> Result<Run, IndexError> {
        let plan = self.work.plan();
        let order = plan.order(array)?;
        let numbers = plan.labels().numbers(self.set);
        let latents = Latents::new(
            self.set.packed(),
            &*numbers,
            self.set.shape(),
            order.level(),
        );
        let first = self.start * order.level().bits() as u64;
        let rule = SpillRule::new(&latents, &order, first, &array.splitters);
        let sort = Sort {
            latents: &latents,
            order: &order,
            ids: self.ids,
            room: self.room(&order)?,
            observer: self.observer,
        };
        let mut file = RunFile::create(&place.join(name), array.parts())?;
        let writer = |_, _| Spiller::new(&rule);
        match u32::try_from(latents.occurrences()) {
            Ok(_) => sort.run::<u32, _>(writer, |pieces| file.write(pieces))?,
            Err(_) => sort.run::<u64, _>(writer, |pieces| file.write(pieces))?,
        }
        let segments = file.finish()?;
        let file = self.work.keep(self.task, place, name, name)?;
        Ok(Run { file, segments })
    }

    fn room(&self, order: &Order) -> Result<Room, IndexError> {
        let occurrences = self.set.len() as u64 * order.level().bits() as u64;
        let places = 24 * self.set.shape().bits() as u64;
        let fixed = FIXED_BYTES + self.set.packed().len() as u64 + places;
        let beside = SpillRule::bytes_of_entry(order);
        let room = Room::within(self.memory.saturating_sub(fixed), occurrences, beside);
        let min = occurrences.min(MIN_SORTED);
        match room.sorted < min || room.fetched < min {
            true => Err(IndexError::MemoryLimit {
                limit: self.memory,
                needed: fixed + Room::bytes_for(min, beside),
                reason: format!(
                    "{} latents of {} bits",
                    self.set.len(),
                    self.set.shape().bits()
                ),
            }),
            false => Ok(room),
        }
    }
}

/// The file of a run under work.
struct RunFile {
    file: BufWriter<fs_err::File>,
    segments: Vec<SegmentNote>,
    /// The part under work, and the checksum of what was written for it.
    part: usize,
    hash: Xxh3,
}

impl RunFile {
    fn create(path: &Path, parts: usize) -> Result<Self, IndexError> {
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, fs_err::File::create(path)?),
            segments: vec![SegmentNote::default(); parts],
            part: 0,
            hash: Xxh3::new(),
        })
    }

    fn write(&mut self, pieces: Vec<Piece>) -> Result<(), IndexError> {
        for piece in pieces {
            while self.part < piece.part {
                self.end_part();
            }
            self.file.write_all(&piece.bytes)?;
            self.hash.update(&piece.bytes);
            let own = &mut self.segments[piece.part];
            own.bytes += piece.bytes.len() as u64;
            own.contexts += piece.contexts;
            own.occurrences += piece.occurrences;
        }
        Ok(())
    }

    fn end_part(&mut self) {
        let hash = std::mem::take(&mut self.hash);
        self.segments[self.part].xxh3_128 = format!("{:032x}", hash.digest128());
        self.part += 1;
    }

    fn finish(mut self) -> Result<Vec<SegmentNote>, IndexError> {
        while self.part < self.segments.len() {
            self.end_part();
        }
        self.file.flush()?;
        Ok(self.segments)
    }
}
