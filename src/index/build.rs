//! Building an index: count → fetch → sort → SST files → one ingest → manifest last.
//!
//! Everything is made in `INDEX/building/` and moved into place at the end, the manifest after all
//! else: that one rename makes it the index. A build that was killed leaves what was there before, or nothing that opens;
//! the next one goes on after the last array that was finished, or starts over when the input or the options differ.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::IndexError;
use super::array::{Joined, Latents, PartFile, PartWriter, Room, Sort, prefixes_of, write_listed};
use super::array_id::ArrayId;
use super::labels::Labels;
use super::manifest::{ArrayEntry, Manifest, Source, WindowEntry};
use super::output::staged;
use super::stage::{BuildPlan, FinishedArray, LATENTS, Stage};
use super::store::{Family, SstOptions, SstWriter};
use super::wanted::Wanted;
use crate::base::{Observer, memory};
use crate::latent::{Ids, LatentSet};
use crate::window::{Anchor, Condition, Order, Window};

/// Memory that does not grow with the input: code, RocksDB, buffers.
pub(super) const FIXED_BYTES: u64 = 24 << 20;

/// Occurrences that a thread must be able to sort at a time, at least.
pub(super) const MIN_SORTED: u64 = 1 << 16;

/// What to build.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The windows that are meant where none is named, without repetition. Every smaller window of their kind is
    /// answered as well.
    pub windows: Vec<Window>,
    /// The largest window to answer, where that is larger than the largest of `windows`. With none of both,
    /// [`default_depth`](super::default_depth).
    pub depth: Option<Window>,
    /// Whether the site is part of every context.
    pub anchor: Anchor,
    /// Whether the latent's label is part of every context.
    pub condition: Condition,
    /// Bytes of memory that the build may use, the latent set included.
    pub memory: u64,
    /// Whether to replace an index that is there. The old one stays whole until the new one is.
    pub force: bool,
    /// The latents files that the set was read from, for the manifest.
    pub sources: Vec<Source>,
    /// Latents of the set that are not indexed. The others keep their ids.
    pub excluded: Ids,
}

impl BuildOptions {
    /// Returns options for one window: no anchor, no condition, a quarter of the machine's memory.
    pub fn new(window: Window) -> Self {
        Self {
            windows: vec![window],
            ..Self::default()
        }
    }
}

impl BuildOptions {
    /// Checks that so many latents can be indexed with these options; returns how many are not excluded.
    pub(super) fn check_latents(&self, latents: u64) -> Result<u64, IndexError> {
        if latents == 0 {
            return Err(IndexError::Input(
                "the latent set is empty: expected at least one latent to index".to_owned(),
            ));
        }
        if latents > u64::from(u32::MAX) {
            return Err(IndexError::Input(format!(
                "the latent set holds {latents} latents, an index at most {}: split it",
                u32::MAX
            )));
        }
        let sources = self.sources.iter().map(|source| source.latents);
        let sources = sources.fold(0, u64::saturating_add);
        if !self.sources.is_empty() && sources != latents {
            return Err(IndexError::Input(format!(
                "the sources are said to hold {sources} latents: expected the {latents} of the latent set"
            )));
        }
        let excluded = &self.excluded;
        if let Some(last) = excluded.last().filter(|last| *last >= latents) {
            return Err(IndexError::Input(format!(
                "latent {last} is to be excluded, the set holds latents 0 to {}",
                latents - 1
            )));
        }
        if excluded.len() == latents {
            return Err(IndexError::Input(
                "every latent is excluded: expected at least one latent to index".to_owned(),
            ));
        }
        for (i, window) in self.windows.iter().enumerate() {
            if self.windows[..i].contains(window) {
                return Err(IndexError::Input(format!(
                    "window {window} was given twice"
                )));
            }
        }
        Ok(latents - excluded.len())
    }
}

impl Default for BuildOptions {
    /// Returns options without a window: no anchor, no condition, a quarter of the machine's memory.
    fn default() -> Self {
        Self {
            windows: Vec::new(),
            depth: None,
            anchor: Anchor::None,
            condition: Condition::None,
            memory: memory::total_memory() / 4,
            force: false,
            sources: Vec::new(),
            excluded: Ids::default(),
        }
    }
}

/// What a build did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BuildReport {
    /// The manifest of the finished index.
    pub manifest: Manifest,
    /// What each array took, in the order of the manifest.
    pub arrays: Vec<ArrayReport>,
}

/// What one array of a build took.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ArrayReport {
    /// Time from the first context to the last synced file.
    pub elapsed: Duration,
    /// Parts that were sorted and written each by itself.
    pub parts: u64,
    /// Whether an earlier build that was stopped had finished it.
    pub resumed: bool,
}

/// Builds an index of `set` in the folder `output`.
///
/// Time O(n log n) in the n = latents × bits occurrences; memory within `options.memory`: where they do not fit together, the
/// latents are read once more for each piece that does, and nothing is written twice. Stops at the observer's request with
/// [`IndexError::Stopped`], and then, as after a kill, the same call goes on from the last finished array. After any other
/// error nothing is left behind.
///
/// ```
/// use bitquilt::{BuildOptions, Unobserved, build};
/// # use bitquilt::{LatentSet, Shape};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// // `set` holds 101100 and 111010.
/// let options = BuildOptions {
///     windows: vec!["seq:3".parse()?, "seq:1".parse()?],
///     ..BuildOptions::new("seq:3".parse()?)
/// };
/// let report = build(&set, &path, &options, &Unobserved)?;
/// assert_eq!(report.manifest.latents, 2);
/// // Contexts of seq:1: nothing before the first bit, then 0 and 1.
/// let windows = &report.manifest.arrays[0].windows;
/// assert_eq!((windows[0].window, windows[0].distinct), ("seq:1".parse()?, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`IndexError`]: an empty set, windows that do not fit, labels that are not there, a memory limit
/// that is too small, an output that is in the way, another build at work there, a disk that is full.
pub fn build(
    set: &LatentSet,
    output: &Path,
    options: &BuildOptions,
    observer: &dyn Observer,
) -> Result<BuildReport, IndexError> {
    let Input {
        ids,
        labels,
        wanted,
        orders,
    } = check_input(set, options)?;
    let plan = BuildPlan::of(set, options);
    staged(output, options.force, (&plan, &wanted), |stage| {
        let work = Build {
            set,
            ids: &ids,
            labels: &labels,
            wanted: &wanted,
            options,
            stage,
            observer,
        };
        work.run(&orders)
    })
}

/// What of a latent set is indexed, and how.
struct Input {
    /// The latents that are not excluded, ascending.
    ids: Vec<u32>,
    labels: Labels,
    wanted: Wanted,
    /// Of each array.
    orders: Vec<Order>,
}

fn check_input(set: &LatentSet, options: &BuildOptions) -> Result<Input, IndexError> {
    let indexed = options.check_latents(set.len() as u64)?;
    // Ids are below 2³².
    let ids = (0..set.len() as u32).filter(|id| !options.excluded.contains(u64::from(*id)));
    let mut kept = Vec::with_capacity(indexed as usize);
    kept.extend(ids);
    let labels = match options.condition {
        Condition::None => Labels::default(),
        Condition::Label if set.labels().is_some() => Labels::of(set, &kept),
        Condition::Label => return Err(unlabelled()),
    };
    let (wanted, orders) = Wanted::of(options, set.shape(), indexed, labels.count())?;
    room(set, options.memory)?;
    Ok(Input {
        ids: kept,
        labels,
        wanted,
        orders,
    })
}

/// The refusal of latents without labels where contexts are to be bound to them.
pub(super) fn unlabelled() -> IndexError {
    IndexError::Input(
        "the latents have no labels: expected one for each with condition=label".to_owned(),
    )
}

/// Shares out the memory of a build.
fn room(set: &LatentSet, limit: u64) -> Result<Room, IndexError> {
    let occurrences = set.len() as u64 * set.shape().bits() as u64;
    // The latents, and the place of each position.
    let fixed = FIXED_BYTES + set.packed().len() as u64 + 24 * set.shape().bits() as u64;
    let room = Room::within(limit.saturating_sub(fixed), occurrences, 0);
    let min = occurrences.min(MIN_SORTED);
    if room.sorted < min {
        return Err(IndexError::MemoryLimit {
            limit,
            needed: fixed + Room::bytes_for(min, 0),
            reason: format!("{} latents of {} bits", set.len(), set.shape().bits()),
        });
    }
    Ok(room)
}

/// A build under work.
struct Build<'a> {
    set: &'a LatentSet,
    ids: &'a [u32],
    labels: &'a Labels,
    wanted: &'a Wanted,
    options: &'a BuildOptions,
    stage: &'a Stage,
    observer: &'a dyn Observer,
}

impl Build<'_> {
    fn run(&self, orders: &[Order]) -> Result<BuildReport, IndexError> {
        if let Some(manifest) = self.stage.ready(self.wanted) {
            let resumed = ArrayReport {
                elapsed: Duration::ZERO,
                parts: 0,
                resumed: true,
            };
            return Ok(BuildReport {
                manifest: self.stage.publish(manifest)?,
                arrays: vec![resumed; orders.len()],
            });
        }
        let mut manifest = Manifest::new(
            self.set,
            self.ids.len(),
            self.labels.as_slice(),
            self.options,
        );
        manifest.windows.clone_from(&self.wanted.windows);
        let mut reports = Vec::new();
        let latents = write_latents(self.set, self.ids, 0, &self.stage.path(LATENTS))?;
        let mut families = vec![(Family::Latents, latents.into_iter().collect())];
        let ids = ArrayId::of(
            self.wanted
                .paths
                .iter()
                .filter_map(|path| path.last().copied()),
        );
        for ((order, path), id) in orders.iter().zip(&self.wanted.paths).zip(ids) {
            let started = Instant::now();
            let (finished, parts, resumed) =
                match self
                    .stage
                    .finished(id, path, &self.wanted.windows_of(order))
                {
                    Some(finished) => (finished, 0, true),
                    None => {
                        let (finished, parts) = self.array(order, path, id)?;
                        (finished, parts, false)
                    }
                };
            families.extend(self.stage.families(id, &finished));
            manifest.arrays.push(finished.entry);
            reports.push(ArrayReport {
                elapsed: started.elapsed(),
                parts,
                resumed,
            });
        }
        self.observer.check()?;
        Ok(BuildReport {
            manifest: self
                .stage
                .finish_index(manifest, &families, self.observer)?,
            arrays: reports,
        })
    }

    /// Sorts and writes the array of an order. Returns what was written and the number of its parts.
    fn array(
        &self,
        order: &Order,
        path: &[Window],
        id: ArrayId,
    ) -> Result<(FinishedArray, u64), IndexError> {
        let folder = self.stage.start(id)?;
        let numbers = self.labels.numbers(self.set);
        let latents = Latents::new(self.set.packed(), numbers, self.set.shape(), order.level());
        let windows = self.wanted.windows_of(order);
        let prefixes = prefixes_of(order, &windows);
        let sort = Sort {
            latents: &latents,
            order,
            ids: self.ids,
            room: room(self.set, self.options.memory)?,
            observer: self.observer,
        };
        let options = SstOptions::new(Family::Array(id));
        let file = |part: usize| {
            let path = folder.join(format!("part-{part:06}.sst"));
            PartFile::create(&options, path, part as u32)
        };
        let readers = order.word_readers();
        let writer =
            |part, first| PartWriter::new(&latents, &readers, &prefixes, first, file(part));
        let mut parts = Vec::new();
        let done = |part| {
            parts.push(part);
            Ok(())
        };
        match u32::try_from(latents.occurrences()) {
            Ok(_) => sort.run::<u32, _>(writer, done)?,
            Err(_) => sort.run::<u64, _>(writer, done)?,
        }
        let joined = Joined::of(&parts, &latents, &readers, &prefixes);
        let (mut files, mut listed) = (Vec::new(), Vec::new());
        for part in parts {
            if let Some((path, blocks)) = part.sink.finish()? {
                files.push(path);
                listed.push(blocks);
            }
        }
        let occurrences = self.ids.len() as u64 * order.level().bits() as u64;
        let windows = windows.into_iter().zip(joined.distinct.totals());
        let Some((&depth, through)) = path.split_last() else {
            return Err(IndexError::Input("an array of no window".to_owned()));
        };
        let entry = ArrayEntry {
            direction: order.direction(),
            depth,
            through: through.to_vec(),
            blocks: listed.iter().map(|blocks| blocks.len() as u64).sum(),
            bytes: 0,
            content: Some(joined.content),
            windows: windows
                .map(|(window, counted)| WindowEntry::new(window, occurrences, counted))
                .collect(),
        };
        let parts = files.len() as u64;
        let directory = self.directory(id, &folder, &listed)?;
        Ok((self.stage.finish(id, entry, files, directory)?, parts))
    }

    fn directory<B: AsRef<[super::array::Listed]>>(
        &self,
        id: ArrayId,
        folder: &Path,
        listed: &[B],
    ) -> Result<Vec<PathBuf>, IndexError> {
        let options = SstOptions::new(Family::Directory(id));
        let mut writer = SstWriter::create(&options, folder.join("directory.sst"));
        for (part, listed) in (0..).zip(listed) {
            write_listed(&mut writer, part, listed.as_ref())?;
        }
        Ok(writer.finish()?.into_iter().collect())
    }
}

/// Writes the latents of some rows of a set, whose ids go on from `first`; `None` for no row.
pub(super) fn write_latents(
    set: &LatentSet,
    rows: &[u32],
    first: u64,
    path: &Path,
) -> Result<Option<PathBuf>, IndexError> {
    let options = SstOptions::new(Family::Latents);
    let mut writer = SstWriter::create(&options, path.to_owned());
    let mut value = Vec::new();
    for row in rows {
        value.clear();
        value.extend_from_slice(set.packed_latent(*row as usize));
        if let Some(labels) = set.labels() {
            value.extend_from_slice(&labels[*row as usize].to_le_bytes());
        }
        // Ids are below 2³².
        writer.put(&(first as u32 + row).to_be_bytes(), &value)?;
    }
    writer.finish()
}
