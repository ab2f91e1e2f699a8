//! An index opened for questions. Immutable and read-only: any number of threads and processes.

use std::path::{Path, PathBuf};

use bitvec::order::Lsb0;
use bitvec::view::BitView;

use super::labels::Labels;
use super::lists::Postings;
use super::manifest::{MANIFEST, Manifest, WindowEntry};
use super::record::{ContextRecord, List};
use super::stage::BUILDING;
use super::store::{Family, KeyRange, Store};
use super::without::{LeftOut, Rest};
use super::{Counts, Histogram, IndexError};
use crate::latent::{Bits, Shape};
use crate::window::{Anchor, ContextKey, Geometry, UpperKey, Window};

/// Memory for recently read blocks, unless asked otherwise.
pub const DEFAULT_CACHE_BYTES: usize = 256 << 20;

/// Fewest contexts that one batched read finds sooner than a read for each (`docs/notes/index.md`).
const MIN_BATCH: usize = 8;

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
/// let key = window.geometry().key(&mut frame, 3);
/// let histogram = window.lookup(&key)?.unwrap_or_default();
/// assert_eq!((histogram.n0, histogram.n1), (1, 1));
/// let places: Vec<_> = window.postings(&key, false)?.collect::<Result<_, _>>()?;
/// assert_eq!(places, [Posting { latent: 1, position: 5 }]);
///
/// // Without latent 1:
/// let index = index.without(&"1".parse()?, Budget::of_machine())?;
/// let histogram = index.window("seq:3".parse()?)?.lookup(&key)?.unwrap_or_default();
/// assert_eq!((histogram.n0, histogram.n1), (0, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Index {
    path: PathBuf,
    pub(super) manifest: Manifest,
    shape: Shape,
    pub(super) labels: Labels,
    geometries: Vec<Geometry>,
    store: Store,
    /// Latents that answers leave out.
    pub(super) left_out: Option<LeftOut>,
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
        let windows = manifest.windows();
        let labels = Labels::written(&manifest, path)?;
        let geometries = windows.iter().map(|window| {
            let geometry = Geometry::new(*window, manifest.anchor, shape)?;
            Ok(geometry.with_labels(labels.count())?)
        });
        let geometries = geometries.collect::<Result<_, IndexError>>()?;
        let store = Store::open(&path.join(&manifest.database), &windows, cache_bytes)?;
        Ok(Self {
            path: path.to_owned(),
            manifest,
            shape,
            labels,
            geometries,
            store,
            left_out: None,
        })
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

    /// Returns the windows, in the order in which they were built.
    pub fn windows(&self) -> impl Iterator<Item = WindowIndex<'_>> {
        let entries = self.geometries.iter().zip(&self.manifest.windows);
        entries.map(|(geometry, entry)| WindowIndex {
            index: self,
            geometry,
            entry,
            rest: self.rest(geometry),
        })
    }

    /// Returns one window of the index.
    ///
    /// # Errors
    /// [`IndexError::NoSuchWindow`], naming those that it holds.
    pub fn window(&self, window: Window) -> Result<WindowIndex<'_>, IndexError> {
        self.windows()
            .find(|held| held.geometry.window() == window)
            .ok_or_else(|| IndexError::NoSuchWindow {
                path: self.path.clone(),
                asked: window.to_string(),
                held: self
                    .manifest
                    .windows
                    .iter()
                    .map(|entry| entry.window.to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
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

    fn rest(&self, geometry: &Geometry) -> Option<&Rest> {
        self.left_out.as_ref()?.rest(geometry.window())
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

/// One window of an index.
#[derive(Clone, Copy)]
pub struct WindowIndex<'a> {
    index: &'a Index,
    geometry: &'a Geometry,
    entry: &'a WindowEntry,
    /// What remains of contexts of latents that are left out.
    rest: Option<&'a Rest>,
}

impl<'a> WindowIndex<'a> {
    /// Returns the window on the index's grid.
    pub fn geometry(&self) -> &'a Geometry {
        self.geometry
    }

    /// Returns the window on another grid, of the same number of channels: its contexts are the same wherever they
    /// lie.
    ///
    /// # Errors
    /// [`IndexError::Grid`] when they are not, because the place is part of the key;
    /// [`IndexError::Window`] when the window is larger than the grid.
    pub fn geometry_on(&self, shape: Shape) -> Result<Geometry, IndexError> {
        let own = self.geometry.shape();
        if shape == own {
            return Ok(self.geometry.clone());
        }
        let placed = if self.geometry.window().sees_everything() {
            Some("global sees all of a latent")
        } else if self.geometry.is_placed() {
            Some("with anchor site the place is part of every context")
        } else if shape.channels() != own.channels() {
            Some("a site keeps its channels")
        } else {
            None
        };
        if let Some(why) = placed {
            return Err(IndexError::Grid {
                path: self.index.path.clone(),
                asked: shape,
                held: own,
                why,
            });
        }
        let geometry = Geometry::new(self.geometry.window(), Anchor::None, shape)?;
        Ok(geometry.with_labels(self.geometry.labels())?)
    }

    /// Returns its counts and sizes.
    pub fn entry(&self) -> &'a WindowEntry {
        self.entry
    }

    /// Returns the index it belongs to.
    pub fn index(&self) -> &'a Index {
        self.index
    }

    fn context_family(&self) -> Family {
        Family::Context(self.geometry.window())
    }

    fn decode(&self, value: &[u8]) -> Result<ContextRecord, IndexError> {
        ContextRecord::decode(value).ok_or_else(|| {
            self.index
                .damaged("a context record", format!("{value:02x?}"))
        })
    }

    /// Returns the histogram that a context on disk answers with; `None` when all its latents are left out.
    pub(super) fn answer(&self, key: &ContextKey, record: &ContextRecord) -> Option<Histogram> {
        match self.rest.and_then(|rest| rest.get(key)) {
            None => Some(record.histogram()),
            Some(left) => (left.total() > 0).then_some(*left),
        }
    }

    /// Returns the histogram of a context, `None` when it never occurred. One point read: some microseconds when it
    /// is there, a tenth of that when it is not.
    ///
    /// # Errors
    /// [`IndexError::Store`], [`IndexError::Damaged`].
    pub fn lookup(&self, key: &ContextKey) -> Result<Option<Histogram>, IndexError> {
        let value = self
            .index
            .store
            .get(self.context_family(), key.as_bytes())?;
        let Some(value) = value else {
            return Ok(None);
        };
        Ok(self.answer(key, &self.decode(&value)?))
    }

    /// Returns the histograms of many contexts, in the order given. Read in one batch, sorted: contexts that
    /// share a block share its reading.
    ///
    /// # Errors
    /// As [`WindowIndex::lookup`].
    pub fn lookup_batch(&self, keys: &[ContextKey]) -> Result<Vec<Option<Histogram>>, IndexError> {
        let records = self.read_batch(keys)?;
        let answers = keys.iter().zip(records);
        Ok(answers
            .map(|(key, record)| self.answer(key, &record?))
            .collect())
    }

    /// Returns the records of many contexts, in the order given.
    pub(super) fn read_batch(
        &self,
        keys: &[ContextKey],
    ) -> Result<Vec<Option<ContextRecord>>, IndexError> {
        let mut order: Vec<_> = (0..keys.len()).collect();
        order.sort_unstable_by_key(|i| keys[*i]);
        let sorted = order.iter().map(|i| keys[*i].as_bytes());
        let values = self.index.store.get_sorted(self.context_family(), sorted)?;
        let mut found = vec![None; keys.len()];
        for (i, value) in order.into_iter().zip(values) {
            found[i] = value.map(|value| self.decode(&value)).transpose()?;
        }
        Ok(found)
    }

    /// Returns the occurrences of (context, bit), in ascending order of latent and position. Decoded as they
    /// are asked for: the first few of millions cost as much as the first few of ten.
    ///
    /// # Errors
    /// As [`WindowIndex::lookup`]; the iterator's items fail the same way.
    pub fn postings(&self, key: &ContextKey, bit: bool) -> Result<Postings<'a>, IndexError> {
        let value = self
            .index
            .store
            .get(self.context_family(), key.as_bytes())?;
        let (list, count) = match value {
            Some(value) => {
                let record = self.decode(&value)?;
                let answer = self.answer(key, &record).unwrap_or_default();
                (*record.list(bit), answer.count(bit))
            }
            None => (List::Empty, 0),
        };
        Ok(self.read_list(list, count))
    }

    /// Returns the `count` postings of a list that are not left out.
    pub(super) fn read_list(&self, list: List, count: u64) -> Postings<'a> {
        let bits = self.geometry.shape().bits() as u64;
        Postings::new(self.index, self.geometry.window(), bits, list, count)
    }

    /// Returns whether nothing remains of a context.
    fn is_gone(&self, key: &[u8]) -> bool {
        let left = self.rest.and_then(|rest| rest.get(&ContextKey::new(key)?));
        left.is_some_and(|left| left.total() == 0)
    }

    /// Reads every context on disk with its record, in ascending order of key.
    pub(super) fn scan(
        &self,
    ) -> Result<
        impl Iterator<Item = Result<(ContextKey, ContextRecord), IndexError>> + 'a,
        IndexError,
    > {
        let this = *self;
        let entries = self.index.store.scan(self.context_family())?;
        Ok(entries.map(move |entry| {
            let (key, value) = entry?;
            this.decode_entry(&key, &value)
        }))
    }

    fn decode_entry(
        &self,
        key: &[u8],
        value: &[u8],
    ) -> Result<(ContextKey, ContextRecord), IndexError> {
        let key = ContextKey::new(key)
            .filter(|key| key.as_bytes().len() == self.geometry.key_bytes())
            .ok_or_else(|| self.index.damaged("a context key", format!("{key:02x?}")))?;
        Ok((key, self.decode(value)?))
    }

    /// Returns ranges of keys that together hold every context.
    pub(super) fn ranges(&self) -> Result<Vec<KeyRange>, IndexError> {
        self.index.store.ranges(self.context_family())
    }

    /// Hands every context of a range to `take`, in ascending order of key.
    pub(super) fn visit(
        &self,
        range: &KeyRange,
        mut take: impl FnMut(&ContextKey, Histogram) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let family = self.context_family();
        self.index.store.visit(family, range, |key, value| {
            let (key, record) = self.decode_entry(key, value)?;
            match self.answer(&key, &record) {
                Some(histogram) => take(&key, histogram),
                None => Ok(()),
            }
        })
    }

    /// Reads every context with its histogram, in ascending order of key.
    ///
    /// # Errors
    /// As [`WindowIndex::lookup`], for each.
    pub fn contexts(
        &self,
    ) -> Result<impl Iterator<Item = Result<(ContextKey, Histogram), IndexError>> + 'a, IndexError>
    {
        let this = *self;
        Ok(self.scan()?.filter_map(move |entry| match entry {
            Ok((key, record)) => Some(Ok((key, this.answer(&key, &record)?))),
            Err(error) => Some(Err(error)),
        }))
    }
}

impl Counts for WindowIndex<'_> {
    fn histogram(&self, key: &ContextKey) -> Result<Option<Histogram>, IndexError> {
        self.lookup(key)
    }

    fn histograms(
        &self,
        keys: &[ContextKey],
        found: &mut Vec<Option<Histogram>>,
    ) -> Result<(), IndexError> {
        found.clear();
        if keys.len() < MIN_BATCH {
            for key in keys {
                found.push(self.lookup(key)?);
            }
        } else {
            found.append(&mut self.lookup_batch(keys)?);
        }
        Ok(())
    }

    fn has_upper(&self, upper: &UpperKey) -> Result<bool, IndexError> {
        let store = &self.index.store;
        store.any_key(self.context_family(), upper.prefix(), |key| {
            upper.matches(key) && !self.is_gone(key)
        })
    }
}
