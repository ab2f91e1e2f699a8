//! Building an index: count → fetch → sort → SST files → one ingest → manifest last.
//!
//! Everything is made in `INDEX/building/` and moved into place at the end, the manifest after all
//! else: that one rename makes it the index. A build that was killed leaves what was there before, or nothing that opens;
//! the next one goes on after the last array that was finished, or starts over when the input or the options differ.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::IndexError;
use super::array::{Latents, PartFile, Room, Sort, prefixes_of, write_directory};
use super::array_id::ArrayId;
use super::labels::Labels;
use super::manifest::{ArrayEntry, MANIFEST, Manifest, Source, WindowEntry, database_number};
use super::stage::{BUILDING, BuildPlan, FinishedArray, LATENTS, Stage, Wanted};
use super::store::{Family, SstOptions, SstWriter};
use crate::base::{Observer, memory};
use crate::latent::{Ids, LatentSet, Level, Shape};
use crate::window::{Anchor, Condition, Order, Window};

/// Memory that does not grow with the input: code, RocksDB, buffers.
const FIXED_BYTES: u64 = 24 << 20;

/// Bits of the coarsest level of a pyramid that are seen whole where no window is asked for: a layout.
const MAX_LAYOUT_BITS: usize = 256;

/// Occurrences that a thread must be able to sort at a time, at least.
const MIN_SORTED: u64 = 1 << 16;

/// What to build.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The windows that are meant where none is named, without repetition. Every smaller window of their kind is
    /// answered as well.
    pub windows: Vec<Window>,
    /// The largest window to answer, where that is larger than the largest of `windows`. With none of both,
    /// [`default_depth`].
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
    let created = check_output_folder(output, options.force)?;
    let plan = BuildPlan::of(set, options);
    let result = Stage::open(output, &plan, &wanted).and_then(|stage| {
        // Another build may have ended between the first look and the lock.
        if let Err(error) = check_output_folder(output, options.force) {
            stage.remove();
            return Err(error);
        }
        let work = Build {
            set,
            ids: &ids,
            labels: &labels,
            wanted: &wanted,
            options,
            stage: &stage,
            observer,
        };
        let result = work.run(&orders);
        if !matches!(result, Ok(_) | Err(IndexError::Stopped(_))) {
            stage.remove();
        }
        result
    });
    if result.is_err() && created {
        // Only if it is empty again: after a stop it is not.
        let _ = std::fs::remove_dir(output);
    }
    result
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

/// Returns the window to which contexts are sorted where none is asked for: the smallest square whose contexts have four times
/// as many bits as it takes to tell all occurrences apart, so that nearly all of those of larger ones would be unique; at most the whole grid.
pub fn default_depth(shape: Shape, latents: u64) -> Window {
    let level = shape.levels()[0];
    let occurrences = latents.saturating_mul(level.bits() as u64).max(2);
    let wanted = 4 * occurrences.ilog2() as usize;
    let whole = level.height().max(level.width()) - 1;
    let bits = |radius: &usize| 2 * radius * (radius + 1) * level.channels();
    match (1..=whole).find(|radius| bits(radius) >= wanted) {
        Some(radius) if radius < whole => Window::Square { radius },
        _ => Window::Global,
    }
}

/// Returns what an index of `latents` latents is to answer.
fn wanted(options: &BuildOptions, shape: Shape, latents: u64) -> Wanted {
    let mut windows = options.windows.clone();
    let mut asked: Vec<Window> = windows.iter().chain(&options.depth).copied().collect();
    let levels = shape.levels().iter().skip(1);
    for level in levels {
        let own = |window: &&Window| window.level() == level.number();
        if windows.iter().any(|window| own(&window)) {
            continue;
        }
        // A level of which no window is named has one that is meant: as deep as it is to go.
        let deepest = options.depth.as_ref().filter(own).copied();
        let window = deepest.unwrap_or_else(|| default_of_level(shape, level));
        windows.push(window);
        asked.push(window);
    }
    // Of finer levels the wider ones last, so that each finds what it holds.
    asked.sort_by_key(|window| window.of_level());
    let mut paths: Vec<Vec<Window>> = Vec::new();
    for window in asked {
        // An array ends with a whole ring.
        let whole = window.whole();
        let kind = (window.direction(), window.level());
        let fits = |path: &&mut Vec<Window>| {
            let last = path
                .last()
                .filter(|last| (last.direction(), last.level()) == kind);
            last.is_some_and(|last| window.level() == 0 || last.nests_in(whole))
        };
        match paths.iter_mut().find(fits) {
            // At the coarsest level smaller windows are prefixes anyway.
            Some(path) if window.level() == 0 => {
                if path.iter().all(|last| last.nests_in(whole)) {
                    *path = vec![whole];
                }
            }
            Some(path) if path.contains(&whole) => {}
            Some(path) => path.push(whole),
            None => paths.push(vec![whole]),
        }
    }
    if !paths.iter().flatten().any(|window| window.level() == 0) {
        let small = shape.is_pyramid() && shape.levels()[0].bits() <= MAX_LAYOUT_BITS;
        let depth = match small {
            true => Window::Global,
            false => default_depth(shape, latents),
        };
        paths.insert(0, vec![depth]);
    }
    // Where other levels have windows that are meant, the coarsest has too.
    if !windows.is_empty() && windows.iter().all(|window| window.level() > 0) {
        windows.insert(0, paths[0][0]);
    }
    Wanted { windows, paths }
}

/// Returns the window of a finer level where none is asked for: the layout two sites around the parent, and strokes.
fn default_of_level(shape: Shape, level: &Level) -> Window {
    let max = |level: &Level| level.height().max(level.width()) - 1;
    let coarser = level.number().checked_sub(1);
    let coarser = coarser.and_then(|number| shape.level(number).map(max));
    Window::Level {
        level: level.number(),
        radius: 2.min(max(level)),
        parent: coarser.map(|max| 1.min(max)),
    }
}

fn check_input(set: &LatentSet, options: &BuildOptions) -> Result<Input, IndexError> {
    if set.is_empty() {
        return Err(IndexError::Input(
            "the latent set is empty: expected at least one latent to index".to_owned(),
        ));
    }
    if set.len() as u64 > u64::from(u32::MAX) {
        return Err(IndexError::Input(format!(
            "the latent set holds {} latents, an index at most {}: split it",
            set.len(),
            u32::MAX
        )));
    }
    let sources = options.sources.iter().map(|source| source.latents);
    let sources = sources.fold(0, u64::saturating_add);
    if !options.sources.is_empty() && sources != set.len() as u64 {
        return Err(IndexError::Input(format!(
            "the sources are said to hold {sources} latents: expected the {} of the latent set",
            set.len()
        )));
    }
    let excluded = &options.excluded;
    if let Some(last) = excluded.last().filter(|last| *last >= set.len() as u64) {
        return Err(IndexError::Input(format!(
            "latent {last} is to be excluded, the set holds latents 0 to {}",
            set.len() - 1
        )));
    }
    // Ids are below 2³².
    let ids = (0..set.len() as u32).filter(|id| !excluded.contains(u64::from(*id)));
    let ids: Vec<_> = ids.collect();
    if ids.is_empty() {
        return Err(IndexError::Input(
            "every latent is excluded: expected at least one latent to index".to_owned(),
        ));
    }
    for (i, window) in options.windows.iter().enumerate() {
        if options.windows[..i].contains(window) {
            return Err(IndexError::Input(format!(
                "window {window} was given twice"
            )));
        }
    }
    let labels = match options.condition {
        Condition::None => Labels::default(),
        Condition::Label if set.labels().is_some() => Labels::of(set, &ids),
        Condition::Label => {
            return Err(IndexError::Input(
                "the latents have no labels: expected one for each with condition=label".to_owned(),
            ));
        }
    };
    let mut wanted = wanted(options, set.shape(), ids.len() as u64);
    let orders = wanted.paths.iter().map(|path| {
        Ok(Order::through(
            path,
            options.anchor,
            labels.count(),
            set.shape(),
        )?)
    });
    let orders = orders.collect::<Result<Vec<_>, IndexError>>()?;
    if wanted.windows.is_empty() {
        wanted.windows = orders.iter().flat_map(Order::windows).collect();
    }
    room(set, options.memory)?;
    Ok(Input {
        ids,
        labels,
        wanted,
        orders,
    })
}

/// Shares out the memory of a build.
fn room(set: &LatentSet, limit: u64) -> Result<Room, IndexError> {
    let occurrences = set.len() as u64 * set.shape().bits() as u64;
    // The latents, and the place of each position.
    let fixed = FIXED_BYTES + set.packed().len() as u64 + 24 * set.shape().bits() as u64;
    let room = Room::within(limit.saturating_sub(fixed), occurrences);
    let min = occurrences.min(MIN_SORTED);
    if room.sorted < min {
        return Err(IndexError::MemoryLimit {
            limit,
            needed: fixed + Room::bytes_for(min),
            reason: format!("{} latents of {} bits", set.len(), set.shape().bits()),
        });
    }
    Ok(room)
}

/// Makes sure that a build may write into `output`: it is absent (and made now, which is what is
/// returned), empty, an unfinished build, or with `force` an index. Whatever else is there belongs to
/// somebody else.
fn check_output_folder(output: &Path, force: bool) -> Result<bool, IndexError> {
    let refuse = |found: &str| {
        Err(IndexError::Output {
            path: output.to_owned(),
            found: found.to_owned(),
        })
    };
    if !output.exists() {
        fs_err::create_dir(output)?;
        return Ok(true);
    }
    if !output.is_dir() {
        return refuse("is a file: expected the name of a folder for the index");
    }
    let manifest = output.join(MANIFEST).exists();
    if manifest && !Manifest::is_one(output) {
        return refuse("holds a manifest.json that is not an index's: choose another name");
    }
    if manifest && !force {
        return refuse(
            "holds an index already: choose another name, or pass force=true to replace it",
        );
    }
    let unfinished = output.join(BUILDING).exists();
    if unfinished && !Stage::is_one(output) {
        return refuse("holds a folder `building` that is not a build's: choose another name");
    }
    let ours = |name: &std::ffi::OsStr| {
        name == BUILDING || name.to_str().and_then(database_number).is_some()
    };
    if !manifest {
        for entry in fs_err::read_dir(output)? {
            if !(unfinished && ours(&entry?.file_name())) {
                return refuse("is neither empty nor an index: choose another name");
            }
        }
    }
    Ok(false)
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
        let mut families = vec![(Family::Latents, self.write_latents()?)];
        let ids = ArrayId::of(
            self.wanted
                .paths
                .iter()
                .filter_map(|path| path.last().copied()),
        );
        for ((order, path), id) in orders.iter().zip(&self.wanted.paths).zip(ids) {
            let started = Instant::now();
            let (finished, parts, resumed) =
                match self.stage.finished(id, path, &self.windows_of(order)) {
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

    fn write_latents(&self) -> Result<Vec<PathBuf>, IndexError> {
        let options = SstOptions::new(Family::Latents);
        let mut writer = SstWriter::create(&options, self.stage.path(LATENTS));
        let mut value = Vec::new();
        for id in self.ids {
            value.clear();
            value.extend_from_slice(self.set.packed_latent(*id as usize));
            if let Some(labels) = self.set.labels() {
                value.extend_from_slice(&labels[*id as usize].to_le_bytes());
            }
            writer.put(&id.to_be_bytes(), &value)?;
        }
        Ok(writer.finish()?.into_iter().collect())
    }

    /// Returns the windows of an order whose contexts are counted, smallest first: those that it tells, and those that are
    /// named.
    fn windows_of(&self, order: &Order) -> Vec<Window> {
        let mut windows = order.windows();
        let named = self.wanted.windows.iter();
        windows.extend(named.filter(|window| order.prefix(**window).is_some()));
        // `global` and the largest square select the same: the square comes first, as it does among the order's.
        windows.sort_by_key(|window| (order.prefix(*window), window.sees_everything()));
        windows.dedup();
        windows
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
        let windows = self.windows_of(order);
        let prefixes = prefixes_of(order, &windows);
        let sort = Sort {
            latents: &latents,
            order,
            ids: self.ids,
            prefixes: &prefixes,
            room: room(self.set, self.options.memory)?,
            observer: self.observer,
        };
        let options = SstOptions::new(Family::Array(id));
        let file = |part: usize| {
            let path = folder.join(format!("part-{part:06}.sst"));
            PartFile::create(&options, path, part as u32)
        };
        let parts = match u32::try_from(latents.occurrences()) {
            Ok(_) => sort.run::<u32, _>(file)?,
            Err(_) => sort.run::<u64, _>(file)?,
        };
        let (_, distinct) = sort.join(&parts);
        let (mut files, mut listed) = (Vec::new(), Vec::new());
        for part in parts {
            if let Some((path, blocks)) = part.sink.finish()? {
                files.push(path);
                listed.push(blocks);
            }
        }
        let occurrences = self.ids.len() as u64 * order.level().bits() as u64;
        let windows = windows.into_iter().zip(distinct.totals());
        let Some((&depth, through)) = path.split_last() else {
            return Err(IndexError::Input("an array of no window".to_owned()));
        };
        let entry = ArrayEntry {
            direction: order.direction(),
            depth,
            through: through.to_vec(),
            blocks: listed.iter().map(|blocks| blocks.len() as u64).sum(),
            bytes: 0,
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
        write_directory(&mut writer, listed)?;
        Ok(writer.finish()?.into_iter().collect())
    }
}
