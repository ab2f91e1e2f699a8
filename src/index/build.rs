//! Building an index: extract → sort → merge → SST files → one ingest → manifest last.
//!
//! Everything is made in `INDEX/building/` and moved into place at the end, the manifest after all
//! else: that one rename makes it the index. A build that was killed leaves what was there before, or nothing that opens;
//! the next one goes on after the last window that was finished, or starts over when the input or the options differ.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::IndexError;
use super::extract::{Memory, extract};
use super::labels::Labels;
use super::manifest::{MANIFEST, Manifest, Source, WindowEntry, database_number};
use super::occurrence::MAX_WORDS;
use super::sort::Sorted;
use super::stage::{BUILDING, BuildPlan, LATENTS, Stage};
use super::store::{Family, SstOptions, SstWriter};
use super::write::{Written, write_window};
use crate::base::{Observer, memory};
use crate::latent::Ids;
use crate::latent::LatentSet;
use crate::window::{Anchor, Condition, Geometry, Window};

/// What to build.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The windows, at least one, without repetition.
    pub windows: Vec<Window>,
    /// Whether the site is part of every key.
    pub anchor: Anchor,
    /// Whether the latent's label is part of every key.
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
    /// What each window took, in the order of the manifest.
    pub windows: Vec<WindowReport>,
}

/// What one window of a build took.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WindowReport {
    /// Time from the first context to the last synced file.
    pub elapsed: Duration,
    /// Sorted batches that were written out because they did not fit the memory limit together.
    pub spills: u64,
    /// Whether an earlier build that was stopped had finished it.
    pub resumed: bool,
}

/// Builds an index of `set` in the folder `output`.
///
/// Time O(n log n) in the n = latents × bits occurrences of each window; memory within
/// `options.memory`; temporary disk space within `output`, at most 40 bytes an occurrence of one
/// window. Stops at the observer's request with [`IndexError::Stopped`], and then, as after a kill, the
/// same call goes on from the last finished window. After any other error nothing is left behind.
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
/// assert_eq!(report.manifest.windows[1].distinct, 3);
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
        geometries,
    } = check_input(set, options)?;
    let created = check_output_folder(output, options.force)?;
    let plan = BuildPlan::of(set, options);
    let result = Stage::open(output, &plan, &options.windows).and_then(|stage| {
        // Another build may have ended between the first look and the lock.
        if let Err(error) = check_output_folder(output, options.force) {
            stage.remove();
            return Err(error);
        }
        let work = Build {
            set,
            ids: &ids,
            labels: &labels,
            options,
            stage: &stage,
            observer,
        };
        let result = work.run(&geometries);
        match &result {
            Ok(_) => {}
            Err(IndexError::Stopped(_)) => stage.drop_spills(),
            Err(_) => stage.remove(),
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
    geometries: Vec<Geometry>,
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
    if options.windows.is_empty() {
        return Err(IndexError::Input(
            "no window was given: expected at least one, as window=7x7".to_owned(),
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
    let windows = options.windows.iter();
    let geometries = windows.map(|window| {
        let geometry = Geometry::new(*window, options.anchor, set.shape())?;
        Ok(geometry.with_labels(labels.count())?)
    });
    let geometries = geometries.collect::<Result<Vec<_>, IndexError>>()?;
    for geometry in &geometries {
        Memory::plan(set, ids.len(), geometry, options.memory)?;
    }
    Ok(Input {
        ids,
        labels,
        geometries,
    })
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
    options: &'a BuildOptions,
    stage: &'a Stage,
    observer: &'a dyn Observer,
}

impl Build<'_> {
    fn run(&self, geometries: &[Geometry]) -> Result<BuildReport, IndexError> {
        if let Some(manifest) = self.stage.ready(&self.options.windows) {
            let resumed = WindowReport {
                elapsed: Duration::ZERO,
                spills: 0,
                resumed: true,
            };
            return Ok(BuildReport {
                manifest: self.stage.publish(manifest)?,
                windows: vec![resumed; geometries.len()],
            });
        }
        let mut manifest = Manifest::new(
            self.set,
            self.ids.len(),
            self.labels.as_slice(),
            self.options,
        );
        let mut reports = Vec::new();
        let mut families = vec![(Family::Latents, self.write_latents()?)];
        for geometry in geometries {
            let started = Instant::now();
            let window = geometry.window();
            let (finished, spills, resumed) = match self.stage.finished(window) {
                Some(finished) => (finished, 0, true),
                None => {
                    let (written, spills) = self.window(geometry)?;
                    (self.stage.finish(window, written)?, spills, false)
                }
            };
            manifest.windows.push(WindowEntry {
                window,
                key: geometry.key_rule(),
                key_bytes: geometry.key_bytes(),
                contexts: self.ids.len() as u64 * self.set.shape().bits() as u64,
                distinct: finished.distinct,
                ambiguous: finished.ambiguous,
                bytes: finished.context_bytes() + finished.posting_bytes(),
                posting_bytes: finished.posting_bytes(),
            });
            families.extend(self.stage.families(window, &finished));
            reports.push(WindowReport {
                elapsed: started.elapsed(),
                spills,
                resumed,
            });
        }
        self.observer.check()?;
        Ok(BuildReport {
            manifest: self
                .stage
                .finish_index(manifest, &families, self.observer)?,
            windows: reports,
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

    /// Extracts, sorts and writes one window. Returns what was written and the number of spills.
    fn window(&self, geometry: &Geometry) -> Result<(Written, u64), IndexError> {
        let folder = self.stage.start(geometry.window())?;
        let memory = Memory::plan(self.set, self.ids.len(), geometry, self.options.memory)?;
        let sort_and_write = match memory.layout.words() {
            1 => Self::sort_and_write::<1>,
            2 => Self::sort_and_write::<2>,
            3 => Self::sort_and_write::<3>,
            4 => Self::sort_and_write::<4>,
            _ => Self::sort_and_write::<MAX_WORDS>,
        };
        sort_and_write(self, geometry, &memory, &folder)
    }

    fn sort_and_write<const W: usize>(
        &self,
        geometry: &Geometry,
        memory: &Memory,
        folder: &Path,
    ) -> Result<(Written, u64), IndexError> {
        let (set, ids, labels, observer) = (self.set, self.ids, self.labels, self.observer);
        let window = geometry.window();
        let bits = set.shape().bits();
        let total = ids.len() as u64 * bits as u64;
        let mut sorted = Sorted::<W>::new(memory.layout, memory.buffers);
        let mut batch = vec![[0; W]; memory.batch * bits];
        let mut spills = 0;
        if memory.batch == ids.len() {
            extract(
                set,
                ids,
                labels,
                geometry,
                memory.layout,
                &mut batch,
                observer,
            )?;
            observer.stage(&format!("{window}: sort"), 0, "contexts");
            sorted.keep(batch, total);
        } else {
            let spill_folder = self.stage.spill_folder();
            fs_err::create_dir_all(&spill_folder)?;
            for ids in ids.chunks(memory.batch) {
                let batch = &mut batch[..ids.len() * bits];
                extract(set, ids, labels, geometry, memory.layout, batch, observer)?;
                observer.stage(&format!("{window}: sort and spill"), 0, "contexts");
                sorted.spill(batch, total, &spill_folder)?;
                spills += 1;
            }
            drop(batch);
        }
        observer.stage(&format!("{window}: write"), total, "contexts");
        let written = write_window(&sorted, memory.layout, window, folder, observer)?;
        Ok((written, spills))
    }
}
