//! An index opened for questions. Immutable and read-only: any number of threads and processes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bitvec::order::Lsb0;
use bitvec::view::BitView;

use super::array::{Array, Latents};
use super::array_id::ArrayId;
use super::labels::Labels;
use super::manifest::{MANIFEST, Manifest, WindowEntry};
use super::stage::BUILDING;
use super::store::{Family, Store};
use super::without::LeftOut;
use super::{IndexError, WindowIndex};
use crate::base::Budget;
use crate::latent::{Bits, Shape};
use crate::window::{Direction, Geometry, Window};

/// Memory of the database's own for the latents that are read one by one.
const STORE_CACHE_BYTES: usize = 8 << 20;

/// Memory for recently read blocks, unless asked otherwise.
pub const DEFAULT_CACHE_BYTES: usize = 256 << 20;

/// Nearest sites that a window may have without being named: a grid of 180 by 180.
const MAX_SITES: usize = 1 << 16;

/// An opened index.
///
/// ```
/// use bitquilt::{Budget, Index, Posting};
/// # use bitquilt::{BuildOptions, Frame, Given, LatentSet, Shape, Unobserved, build};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
/// // `path` is an index of 101100 and 111010 with window seq:3.
/// let index = Index::open(&path)?;
/// let window = index.window("seq:3".parse()?)?;
///
/// // 101, which is before bit 3 of latent 0 and before bit 5 of latent 1:
/// let mut frame = Frame::new(index.shape(), &[window.geometry()]);
/// frame.load(set.packed_latent(0), Given::NOTHING);
/// let context = window.geometry().lay_out(&frame, 3);
/// let histogram = window.lookup(&context)?.unwrap_or_default();
/// assert_eq!((histogram.n0, histogram.n1), (1, 1));
/// let places: Vec<_> = window.postings(&context, false)?.collect::<Result<_, _>>()?;
/// assert_eq!(places, [Posting { latent: 1, position: 5 }]);
///
/// // Without latent 1:
/// let index = index.without(&"1".parse()?, Budget::of_machine())?;
/// let histogram = index.window("seq:3".parse()?)?.lookup(&context)?.unwrap_or_default();
/// assert_eq!((histogram.n0, histogram.n1), (0, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Index {
    path: PathBuf,
    pub(super) manifest: Manifest,
    shape: Shape,
    pub(super) labels: Labels,
    pub(super) arrays: Vec<Array>,
    /// Every window of every array that is counted.
    pub(super) held: Vec<HeldWindow>,
    /// Of each array, the window of each number of nearest sites, made when it is first asked for.
    by_sites: Vec<Box<[OnceLock<Box<HeldWindow>>]>>,
    /// Read when the first question is asked.
    packed: OnceLock<Vec<Latents<'static>>>,
    store: Store,
    /// Memory for the latents, whose contexts are read there.
    memory: Budget,
    /// Latents that answers leave out.
    pub(super) left_out: Option<LeftOut>,
}

/// A window that an index answers.
pub(super) struct HeldWindow {
    pub(super) geometry: Geometry,
    /// Nothing for nearest sites that were not named when the index was built.
    pub(super) entry: Option<WindowEntry>,
    /// The number of its array.
    pub(super) array: usize,
    /// Bits of its contexts there.
    pub(super) bits: usize,
}

impl Index {
    /// Opens the index in folder `path`: reads the manifest, checks that every file is there in full and
    /// that those by which RocksDB finds the others are what was written, and opens the database.
    /// Checksums of all files are [`Index::verify`]'s work; RocksDB checks those of the blocks it reads.
    ///
    /// # Errors
    /// [`IndexError::NotAnIndex`], [`IndexError::Version`], [`IndexError::Damaged`],
    /// [`IndexError::Store`].
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        Self::open_with_cache(path, DEFAULT_CACHE_BYTES)
    }

    /// Opens an index as [`Index::open`] does, with another amount of memory for recently read blocks.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn open_with_cache(path: &Path, cache_bytes: usize) -> Result<Self, IndexError> {
        let manifest = || std::fs::read(path.join(MANIFEST)).ok();
        loop {
            let before = manifest();
            let opened = Self::open_as_it_is(path, cache_bytes);
            // A rebuild that ends meanwhile takes the old database away from under its manifest. Each further turn needs
            // one more rebuild, so this ends.
            if opened.is_ok() || manifest() == before {
                return opened;
            }
        }
    }

    fn open_as_it_is(path: &Path, cache_bytes: usize) -> Result<Self, IndexError> {
        if !path.join(MANIFEST).is_file() {
            let found = if !path.exists() {
                "nothing of that name"
            } else if !path.is_dir() {
                "a file"
            } else if path.join(BUILDING).is_dir() {
                "an unfinished build: run the same `bitquilt build` again to go on with it"
            } else {
                "a folder without one: make an index with `bitquilt build`"
            };
            return Err(IndexError::NotAnIndex {
                path: path.to_owned(),
                found: found.to_owned(),
            });
        }
        let manifest = Manifest::read(path)?;
        for file in &manifest.files {
            file.check_length(path)?;
            // A few kilobytes. RocksDB can loop for ever on a damaged one.
            if !file.name.ends_with(".sst") {
                file.check(path)?;
            }
        }
        let shape = manifest.shape()?;
        let labels = Labels::written(&manifest, path)?;
        let ids = ArrayId::of(manifest.arrays.iter().map(|array| array.depth));
        let store = Store::open(&path.join(&manifest.database), &ids, STORE_CACHE_BYTES)?;
        let (mut arrays, mut held, mut by_sites) = (Vec::new(), Vec::new(), Vec::new());
        for (number, entry) in manifest.arrays.iter().enumerate() {
            let order = manifest.order(entry)?;
            for window in &entry.windows {
                let geometry = Geometry::new(window.window, manifest.anchor, shape)?;
                // Every window that is listed is one of the order's, as the manifest was checked for.
                let bits = order.prefix(window.window).unwrap_or(0);
                held.push(HeldWindow {
                    geometry: geometry.with_labels(labels.count())?.along(&entry.path()),
                    entry: Some(window.clone()),
                    array: number,
                    bits,
                });
            }
            let sites = match order.direction() {
                Direction::Rings if order.level().number() == 0 => order.sites().min(MAX_SITES) + 1,
                _ => 0,
            };
            by_sites.push((0..sites).map(|_| OnceLock::new()).collect());
            let occurrences = manifest.latents * order.level().bits() as u64;
            let cache_bytes = cache_bytes as u64 / manifest.arrays.len() as u64;
            // A context to the depth is a group for each bit that follows it, and one more where a block ends within it.
            let deepest = entry.windows.last().map_or(occurrences, |window| {
                window.distinct.saturating_add(window.ambiguous)
            });
            let groups = deepest.saturating_add(entry.blocks);
            arrays.push(Array::open(
                &store,
                ids[number],
                order,
                occurrences,
                [groups, entry.bytes],
                cache_bytes,
            )?);
        }
        Ok(Self {
            path: path.to_owned(),
            manifest,
            shape,
            labels,
            arrays,
            held,
            by_sites,
            packed: OnceLock::new(),
            store,
            memory: Budget::of_machine(),
            left_out: None,
        })
    }

    /// Returns the same index with another budget for the latents, which it reads into memory at the first question.
    #[must_use]
    pub fn within(mut self, memory: Budget) -> Self {
        self.memory = memory;
        self
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the manifest. Its counts are without latents that [`Index::without`] left out; its file checksums
    /// and sources are not.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the shape of every latent.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the number of latents.
    pub fn latents(&self) -> u64 {
        self.manifest.latents
    }

    /// Returns the windows that are meant where none is named, in the order in which they were asked for.
    pub fn windows(&self) -> impl Iterator<Item = WindowIndex<'_>> {
        let asked = self.manifest.windows.iter();
        asked.filter_map(|window| self.find_window(*window))
    }

    /// Returns every window that is answered and counted, those of each array smallest first.
    pub fn all_windows(&self) -> impl Iterator<Item = WindowIndex<'_>> {
        self.held.iter().map(|held| WindowIndex::new(self, held))
    }

    fn find_window(&self, window: Window) -> Option<WindowIndex<'_>> {
        self.all_windows()
            .find(|held| held.geometry().window() == window)
            .or_else(|| self.nearest_sites(window))
    }

    /// Returns the window of some nearest sites that were not named when the index was built.
    fn nearest_sites(&self, window: Window) -> Option<WindowIndex<'_>> {
        let Window::Sites { count } = window else {
            return None;
        };
        let of_array = |array: usize| {
            let place = self.by_sites[array].get(count)?;
            if let Some(held) = place.get() {
                return Some(WindowIndex::new(self, held));
            }
            let geometry = Geometry::new(window, self.manifest.anchor, self.shape).ok()?;
            let held = HeldWindow {
                geometry: geometry.with_labels(self.labels.count()).ok()?,
                entry: None,
                array,
                bits: self.arrays[array].order.prefix(window)?,
            };
            Some(WindowIndex::new(self, place.get_or_init(|| held.into())))
        };
        (0..self.arrays.len()).find_map(of_array)
    }

    /// Returns one window of the index.
    ///
    /// # Errors
    /// [`IndexError::NoSuchWindow`], naming those that it holds.
    pub fn window(&self, window: Window) -> Result<WindowIndex<'_>, IndexError> {
        self.find_window(window)
            .ok_or_else(|| IndexError::NoSuchWindow {
                path: self.path.clone(),
                asked: window.to_string(),
                held: self
                    .held
                    .iter()
                    .map(|held| held.geometry.window().to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// Returns the latents in memory, where contexts of the occurrences of an array are read; reads them at the first call.
    pub(super) fn packed(&self, array: usize) -> Result<&Latents<'static>, IndexError> {
        let level = self.arrays[array].order.level().number();
        if let Some(held) = self.packed.get() {
            return Ok(&held[level]);
        }
        let end = self.ids_end();
        let row = self.shape.packed_bytes();
        let what = format!("{}: {end} latents", self.path.display());
        self.memory
            .check(end.saturating_mul(row as u64 + 8), what)?;
        let mut packed = vec![0; end as usize * row];
        let mut numbers = vec![
            0;
            if self.labels.count() > 0 {
                end as usize
            } else {
                0
            }
        ];
        for entry in self.stored_latents()? {
            let (id, latent) = entry?;
            let Some(place) = packed.get_mut(id as usize * row..(id as usize + 1) * row) else {
                return Err(self.damaged(&format!("latents below {end}"), id));
            };
            place.copy_from_slice(latent.packed());
            if let Some(number) = numbers.get_mut(id as usize) {
                *number = latent
                    .label()
                    .and_then(|label| self.labels.written_number(label))
                    .unwrap_or(0);
            }
        }
        let (packed, numbers): (Arc<[u8]>, Arc<[u64]>) = (packed.into(), numbers.into());
        let levels = self.shape.levels().iter();
        let of = |level| Latents::new(packed.clone(), numbers.clone(), self.shape, level);
        let held = self.packed.get_or_init(|| levels.map(of).collect());
        Ok(&held[level])
    }

    /// Returns a latent of the training set; `None` when there is none of that id.
    ///
    /// # Errors
    /// [`IndexError::Store`], [`IndexError::Damaged`].
    pub fn latent(&self, id: u64) -> Result<Option<StoredLatent>, IndexError> {
        let Ok(key) = u32::try_from(id) else {
            return Ok(None);
        };
        if self.is_left_out(id) {
            return Ok(None);
        }
        let value = self.store.get(Family::Latents, &key.to_be_bytes())?;
        value.map(|value| self.decode_latent(&value)).transpose()
    }

    /// Returns a latent of the training set that is expected to be there.
    ///
    /// # Errors
    /// [`IndexError::NoSuchLatent`], naming the ids that it holds; as [`Index::latent`] has.
    pub fn held_latent(&self, id: u64) -> Result<StoredLatent, IndexError> {
        self.latent(id)?.ok_or_else(|| self.no_such_latent(id))
    }

    fn decode_latent(&self, value: &[u8]) -> Result<StoredLatent, IndexError> {
        let row = self.shape.packed_bytes();
        let label = value
            .get(row..)
            .and_then(|rest| <[u8; 8]>::try_from(rest).ok());
        let expected = row + if self.manifest.labels { 8 } else { 0 };
        if value.len() != expected {
            return Err(self.damaged("a latent", format!("{} bytes", value.len())));
        }
        Ok(StoredLatent {
            shape: self.shape,
            packed: value[..row].to_vec(),
            label: label.map(i64::from_le_bytes),
        })
    }

    /// Reads every latent, in id order.
    ///
    /// # Errors
    /// As [`Index::latent`], for each.
    pub fn scan_latents(
        &self,
    ) -> Result<impl Iterator<Item = Result<(u64, StoredLatent), IndexError>> + '_, IndexError>
    {
        let entries = self.stored_latents()?;
        Ok(entries.filter(|entry| {
            let id = entry.as_ref().map(|(id, _)| *id);
            !id.is_ok_and(|id| self.is_left_out(id))
        }))
    }

    pub(super) fn is_left_out(&self, id: u64) -> bool {
        let left_out = self.left_out.as_ref();
        left_out.is_some_and(|left_out| left_out.ids.contains(id))
    }

    /// Reads every latent on disk, in id order.
    pub(super) fn stored_latents(
        &self,
    ) -> Result<impl Iterator<Item = Result<(u64, StoredLatent), IndexError>> + '_, IndexError>
    {
        let entries = self.store.scan(Family::Latents)?;
        Ok(entries.map(|entry| {
            let (key, value) = entry?;
            let id = <[u8; 4]>::try_from(&*key)
                .map_err(|_| self.damaged("a latent id of 4 bytes", key.len()))?;
            Ok((u32::from_be_bytes(id).into(), self.decode_latent(&value)?))
        }))
    }

    pub(super) fn held_labels(&self) -> &Labels {
        &self.labels
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn damaged(&self, expected: &str, found: impl ToString) -> IndexError {
        IndexError::Damaged {
            path: self.store.path().to_owned(),
            expected: expected.to_owned(),
            found: found.to_string(),
        }
    }
}

/// A latent read from an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLatent {
    shape: Shape,
    packed: Vec<u8>,
    label: Option<i64>,
}

impl StoredLatent {
    /// Returns its bits.
    pub fn bits(&self) -> &Bits {
        &self.packed.view_bits::<Lsb0>()[..self.shape.bits()]
    }

    /// Returns its packed bytes.
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// Returns its label, where the source had labels.
    pub fn label(&self) -> Option<i64> {
        self.label
    }
}
