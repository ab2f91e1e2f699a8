//! The plan of a build in tasks: everything that they must agree on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_with::{hex::Hex, serde_as};

use super::note::Task;
use super::sample::splitters;
use crate::base::Observer;
use crate::index::build::unlabelled;
use crate::index::labels::Labels;
use crate::index::manifest::{Document, checksum};
use crate::index::wanted::Wanted;
use crate::index::{BuildOptions, IndexError, Manifest, Source};
use crate::latent::{LatentError, LatentSet, Shape};
use crate::window::{Condition, Order, Window};

const FORMAT: &str = "bitquilt.plan";

/// The version of plans, notes and spilled contexts that this program writes and reads.
const VERSION: u32 = 1;

/// Occurrences that a task is given where nothing else is asked for: a few seconds of work, half a gigabyte of memory.
const TASK_OCCURRENCES: u64 = 1 << 24;

/// Tasks of one kind, at most: their numbers take six digits in the names of files.
const MAX_TASKS: u64 = 1_000_000;

/// Into how many tasks a build is cut; by its size where none is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Map tasks, each of some latents.
    pub maps: Option<u64>,
    /// Parts of each array, at most: contexts that are equal stay together.
    pub parts: Option<u64>,
}

/// An array that is to be made.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedArray {
    /// The windows that its order goes through, smallest first; the last one is its depth.
    pub path: Vec<Window>,
    /// The windows whose contexts are counted, smallest first.
    pub windows: Vec<Window>,
    /// The context that each part but the first one begins with, in hexadecimal, ascending; zeros behind it.
    #[serde_as(as = "Vec<Hex>")]
    pub splitters: Vec<Vec<u8>>,
}

/// What all tasks of a build agree on. Its JSON Schema is `schemas/plan.schema.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartPlan {
    /// Always `bitquilt.plan`.
    pub format: String,
    /// Version.
    pub version: u32,
    /// What the index will be; it has no array and no file yet.
    pub index: Manifest,
    /// Where the latents of each source are read.
    pub paths: Vec<PathBuf>,
    /// The arrays, in the order of the index.
    pub arrays: Vec<PlannedArray>,
    /// The latents of each map task: ids, from the first to behind the last.
    pub maps: Vec<[u64; 2]>,
    /// Parts of each array that were asked for. Those that there are not, since equal contexts stay together, are reduce tasks without
    /// work, behind the others: who runs as many as were asked for need not know.
    pub parts: u64,
    /// Parts begin where a sample of the latents says: of so many one.
    pub sampled: u64,
}

/// What was learned of the sources by reading each once.
#[derive(Default)]
struct Sources {
    /// Shape, codecs, whether there are labels: a set that holds nothing else.
    heading: Option<LatentSet>,
    all: Vec<Source>,
    latents: u64,
    labels: BTreeSet<i64>,
}

impl PartPlan {
    /// Plans the build of an index of latents files, all of one shape, whose ids go on from one to the next. Reads each
    /// twice, one at a time. `options.sources` and `options.memory` are not used.
    ///
    /// # Errors
    /// As [`build`](crate::index::build()); [`IndexError::Input`] for a cut that cannot be.
    pub fn new(
        paths: &[PathBuf],
        options: &BuildOptions,
        cut: Cut,
        observer: &dyn Observer,
    ) -> Result<Self, IndexError> {
        observer.stage("read latents", paths.len() as u64, "files");
        let paths = paths.iter().map(fs_err::canonicalize);
        let paths = paths.collect::<Result<Vec<_>, _>>()?;
        let mut sources = Sources::default();
        for path in &paths {
            observer.check()?;
            sources.read(path, options)?;
            observer.advance(1);
        }
        let Some(heading) = &sources.heading else {
            return Err(IndexError::Input("no latents file was given".to_owned()));
        };
        let shape = heading.shape();
        let options = BuildOptions {
            sources: sources.all.clone(),
            ..options.clone()
        };
        let indexed = options.check_latents(sources.latents)?;
        let values = match options.condition {
            Condition::None => Vec::new(),
            Condition::Label if heading.labels().is_some() => {
                sources.labels.iter().copied().collect()
            }
            Condition::Label => return Err(unlabelled()),
        };
        let labels = Labels::of_values(values.clone());
        let (wanted, orders) = Wanted::of(&options, shape, indexed, labels.count())?;
        let mut index = Manifest::new(heading, indexed as usize, &values, &options);
        index.windows.clone_from(&wanted.windows);
        let occurrences = sources.latents * shape.bits() as u64;
        let by_size = occurrences.div_ceil(TASK_OCCURRENCES);
        let (maps, parts) = (cut.maps.unwrap_or(by_size), cut.parts.unwrap_or(by_size));
        for (asked, what) in [(maps, "map tasks"), (parts, "parts")] {
            if !(1..=MAX_TASKS).contains(&asked) {
                let expected = format!("{what}: expected 1 to {MAX_TASKS}, found {asked}");
                return Err(IndexError::Input(expected));
            }
        }
        let mut plan = Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            index,
            paths,
            arrays: Vec::new(),
            maps: ranges(sources.latents, maps),
            parts,
            sampled: 0,
        };
        let (sampled, found) = splitters(&plan, &orders, &labels, parts, observer)?;
        plan.sampled = sampled;
        let planned = wanted.paths.iter().zip(&orders).zip(found);
        plan.arrays = planned
            .map(|((path, order), splitters)| PlannedArray {
                path: path.clone(),
                windows: wanted.windows_of(order),
                splitters,
            })
            .collect();
        Ok(plan)
    }

    /// Returns what tells this plan from every other one: a checksum, in hexadecimal.
    ///
    /// # Errors
    /// [`IndexError::Io`] for a path that is no text.
    pub fn id(&self) -> Result<String, IndexError> {
        let document: Result<Document, _> =
            serde_json::to_value(self).and_then(serde_json::from_value);
        Ok(checksum(&document.map_err(std::io::Error::other)?))
    }

    /// Checks what a file says to be a plan.
    pub(super) fn check(&self, path: &Path) -> Result<(), IndexError> {
        let damaged = |expected: &str, found: String| IndexError::Damaged {
            path: path.to_owned(),
            expected: expected.to_owned(),
            found,
        };
        if self.format != FORMAT || self.version != VERSION {
            let found = format!("{} version {}", self.format, self.version);
            let expected = format!("{FORMAT} version {VERSION}");
            return Err(damaged(&expected, found));
        }
        let latents: u64 = self.index.sources.iter().map(|source| source.latents).sum();
        let first = self.maps.first().map(|[start, _]| *start);
        let meet = self.maps.windows(2).all(|pair| pair[0][1] == pair[1][0]);
        let last = self.maps.last().map(|[_, end]| *end);
        let ascend = self.maps.iter().all(|[start, end]| start < end);
        if (first, last) != (Some(0), Some(latents)) || !meet || !ascend {
            let expected = format!("map tasks of latents 0 to {latents}");
            return Err(damaged(&expected, format!("{:?}", self.maps)));
        }
        if self.paths.len() != self.index.sources.len() || self.arrays.is_empty() {
            let found = format!("{} and {}", self.paths.len(), self.arrays.len());
            return Err(damaged("a path for each source, and arrays", found));
        }
        let ascend = |array: &PlannedArray| array.splitters.is_sorted_by(|a, b| a < b);
        match self.arrays.iter().all(ascend) {
            true => Ok(()),
            false => Err(damaged("parts that ascend", "others".to_owned())),
        }
    }

    /// Returns the shape of every latent.
    pub(super) fn shape(&self) -> Result<Shape, IndexError> {
        self.index.shape()
    }

    /// Returns what the index is to answer.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            windows: self.index.windows.clone(),
            paths: self.arrays.iter().map(|array| array.path.clone()).collect(),
        }
    }

    /// Returns the labels that contexts are bound to.
    pub(super) fn labels(&self) -> Labels {
        Labels::of_values(self.index.label_values.clone())
    }

    /// Returns the order of an array.
    pub(super) fn order(&self, array: &PlannedArray) -> Result<Order, IndexError> {
        let labels = self.index.label_values.len() as u64;
        let (anchor, shape) = (self.index.anchor, self.shape()?);
        Ok(Order::through(&array.path, anchor, labels, shape)?)
    }

    /// Returns how many occurrences of an order are numbered: of latents that are not indexed as well.
    pub(super) fn occurrences(&self, order: &Order) -> u64 {
        let latents: u64 = self.index.sources.iter().map(|source| source.latents).sum();
        latents * order.level().bits() as u64
    }

    /// Returns every task that has work: all maps, then all reduces.
    pub fn tasks(&self) -> impl Iterator<Item = Task> {
        let reduces: usize = self.arrays.iter().map(PlannedArray::parts).sum();
        let maps = (0..self.maps.len() as u64).map(Task::Map);
        maps.chain((0..reduces as u64).map(Task::Reduce))
    }

    /// Returns the number of the array and the part in it of a reduce task.
    pub(super) fn part_of(&self, reduce: u64) -> Option<(usize, usize)> {
        let mut left = reduce as usize;
        for (number, array) in self.arrays.iter().enumerate() {
            if left < array.parts() {
                return Some((number, left));
            }
            left -= array.parts();
        }
        None
    }
}

impl PlannedArray {
    /// Returns how many parts it has.
    pub fn parts(&self) -> usize {
        self.splitters.len() + 1
    }
}

impl Sources {
    /// Reads a file.
    fn read(&mut self, path: &Path, options: &BuildOptions) -> Result<(), IndexError> {
        let set = LatentSet::read(path)?;
        if set.is_empty() {
            return Err(LatentError::Empty {
                path: path.to_owned(),
            }
            .into());
        }
        let first = self.latents;
        self.latents += set.len() as u64;
        self.all.push(Source::of_file(&set, path));
        for (id, label) in (first..).zip(set.labels().unwrap_or_default()) {
            if !options.excluded.contains(id) {
                self.labels.insert(*label);
            }
        }
        let heading = set.first(0);
        match &mut self.heading {
            None => self.heading = Some(heading),
            Some(own) => own.append(&heading).map_err(|error| {
                let path = path.display();
                IndexError::Input(format!("{path}: differs from the files before it: {error}"))
            })?,
        }
        Ok(())
    }
}

/// Cuts ids into ranges of the same length, or nearly.
fn ranges(latents: u64, count: u64) -> Vec<[u64; 2]> {
    let count = count.clamp(1, latents.max(1));
    let bound = |number: u64| (u128::from(latents) * u128::from(number) / u128::from(count)) as u64;
    (0..count)
        .map(|number| [bound(number), bound(number + 1)])
        .collect()
}
