//! An opened index, and what is held in memory of it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::tables::{Room, Tables};
use super::{EngineError, Preload};
use crate::base::{Budget, Observer};
use crate::index::{DEFAULT_CACHE_BYTES, Index, Resident, WindowIndex};
use crate::latent::{Ids, LatentSet, Shape};
use crate::provenance::Corpus;
use crate::samples::SampleSet;
use crate::search::Taken;
use crate::trace::Background;
use crate::window::{Anchor, Condition, Direction, Geometry, Given, Window};

/// Training latents whose distances to their own nearest are the background, at most.
const MAX_BACKGROUND: usize = 1000;

/// How an index is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Training latents to answer without, as if they had never been indexed.
    pub without: Ids,
    /// What the session may take for windows held in memory, the training latents or their digests, the samples of a run
    /// that are kept together, and the contexts of latents that are left out; by default what the machine can give. What
    /// would take more is refused before it is taken. A number of bytes is for all of these together, except that contexts
    /// of latents that are left out are compared with it by themselves, and that two requests that load at once do not see
    /// each other.
    pub memory: Budget,
    /// Bytes of `memory` that windows held in memory may take; half of it when they are loaded, if `None`.
    pub table_bytes: Option<u64>,
    /// Bytes of memory for recently read blocks of the index, beside `memory`.
    pub cache_bytes: usize,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            without: Ids::default(),
            memory: Budget::of_machine(),
            table_bytes: None,
            cache_bytes: DEFAULT_CACHE_BYTES,
        }
    }
}

impl SessionOptions {
    /// Returns the same options without some training latents.
    #[must_use]
    pub fn without(mut self, ids: Ids) -> Self {
        self.without = ids;
        self
    }

    /// The same with another budget of memory.
    #[must_use]
    pub fn memory(mut self, memory: Budget) -> Self {
        self.memory = memory;
        self
    }

    /// The same with so many bytes of the memory for windows held in it.
    #[must_use]
    pub fn table_bytes(mut self, bytes: Option<u64>) -> Self {
        self.table_bytes = bytes;
        self
    }
}

/// An opened index with what is held in memory of it: windows, training latents, digests. Owned, immutable to its users, and
/// shared by any number of threads; what one request loads, the next ones find.
///
/// ```
/// use bitquilt::engine::{Session, SessionOptions};
/// # use bitquilt::{BuildOptions, LatentSet, Shape, Unobserved, build};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
/// // `path` is an index of 101100 and 111010 with window seq:3.
/// let session = Session::open(&path, &SessionOptions::default())?;
/// let info = session.info();
/// assert_eq!((info.latents, info.named), (2, vec!["seq:3".to_owned()]));
/// assert_eq!(session.training(&Unobserved)?, set);
///
/// // The same without latent 0, as if it had never been indexed.
/// let options = SessionOptions::default().without("0".parse()?);
/// let session = Session::open(&path, &options)?;
/// assert_eq!(session.training(&Unobserved)?.packed(), set.packed_latent(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session {
    pub(super) index: Arc<Index>,
    options: SessionOptions,
    tables: Tables,
    corpus: Mutex<Option<Arc<Corpus>>>,
    taken: Mutex<Option<Arc<Taken>>>,
    background: Mutex<Option<Arc<Background>>>,
}

impl Session {
    /// Opens the index in folder `path`.
    ///
    /// # Errors
    /// [`EngineError::Index`]: no index there, a damaged one, one of another version, ids that it does not hold, more of
    /// them than fit the memory.
    pub fn open(path: &Path, options: &SessionOptions) -> Result<Self, EngineError> {
        let index = Index::open_with_cache(path, options.cache_bytes)?.within(options.memory);
        let index = index.without(&options.without, options.memory)?;
        Ok(Self::of(index, options.clone()))
    }

    fn of(index: Index, options: SessionOptions) -> Self {
        Self {
            index: Arc::new(index),
            options,
            tables: Tables::default(),
            corpus: Mutex::default(),
            taken: Mutex::default(),
            background: Mutex::default(),
        }
    }

    /// Returns the index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What is left of the session's memory beside what it holds and `beside` bytes that a request is about to take.
    pub(super) fn memory_beside(&self, beside: u64) -> Budget {
        let corpus = held(&self.corpus).map_or(0, |corpus| corpus.bytes());
        let taken = held(&self.taken).map_or(0, |taken| taken.bytes());
        let all = [self.tables.bytes(), corpus, taken, beside];
        self.options
            .memory
            .less(all.into_iter().fold(0, u64::saturating_add))
    }

    /// A session of the same index without what `samples` were generated without as well, in the memory that is left of this
    /// one's; `None` where this one leaves all of that out already.
    ///
    /// ```
    /// use bitquilt::engine::{GenerateRequest, Session, SessionOptions};
    /// use bitquilt::SampleSet;
    /// # use bitquilt::{BuildOptions, LatentSet, Shape, Unobserved, build};
    /// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
    /// # for bits in ["101100", "111010"] {
    /// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
    /// # }
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("index");
    /// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
    /// // Samples generated without latent 1.
    /// # let file = folder.path().join("samples.safetensors");
    /// let options = SessionOptions::default().without("1".parse()?);
    /// let session = Session::open(&path, &options)?;
    /// session.generate(&GenerateRequest::default(), &[], &Unobserved)?.write(&file)?;
    ///
    /// let whole = Session::open(&path, &SessionOptions::default())?;
    /// let samples = SampleSet::read(&file)?;
    /// let as_generated = whole.as_generated(&samples)?.ok_or("nothing was left out")?;
    /// assert_eq!(as_generated.index().left_out().to_string(), "1");
    /// assert!(session.as_generated(&samples)?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Without`] for latents that the index does not hold, or more of them than fit the memory.
    pub fn as_generated(&self, samples: &SampleSet) -> Result<Option<Self>, EngineError> {
        self.without(&samples.without)
    }

    /// A session of the same index without more latents, as [`Session::as_generated`].
    ///
    /// # Errors
    /// [`EngineError::Without`].
    pub fn without(&self, ids: &Ids) -> Result<Option<Self>, EngineError> {
        let excluded = self.index.manifest().excluded();
        let left_out = self.index.left_out();
        let more = ids.difference(&excluded.union(&left_out));
        if more.is_empty() {
            return Ok(None);
        }
        let index = Index::open_with_cache(self.index.path(), self.options.cache_bytes)?;
        let index = index.within(self.options.memory);
        let without = left_out.union(&more);
        let memory = self.memory_beside(0);
        let index = index
            .without(&without, memory)
            .map_err(|error| EngineError::Without {
                without: ids.to_string(),
                error,
            })?;
        let options = self.options.clone().without(without).memory(memory);
        Ok(Some(Self::of(index, options)))
    }

    /// Returns the largest window of the array of squares, or of that of sequences where there is no other.
    ///
    /// # Errors
    /// [`EngineError::Request`] for an index of no window.
    pub fn deepest(&self) -> Result<WindowIndex<'_>, EngineError> {
        self.deepest_of(0)
    }

    /// Returns the largest window of a level, as [`Session::deepest`] does.
    pub(super) fn deepest_of(&self, level: usize) -> Result<WindowIndex<'_>, EngineError> {
        let windows = self.index.all_windows();
        let windows = windows.filter(|held| held.geometry().window().level() == level);
        let largest = windows.max_by_key(|held| {
            let window = held.geometry().window();
            (
                window.direction() == Direction::Rings,
                held.geometry().context_bits(),
            )
        });
        largest.ok_or_else(|| self.no_window())
    }

    /// Returns the whole windows within the largest one of each level, level by level, largest first.
    pub(super) fn whole_parts(&self) -> Result<Vec<Window>, EngineError> {
        let mut windows = Vec::new();
        for level in self.index.shape().levels() {
            windows.extend(self.deepest_of(level.number())?.whole_parts());
        }
        Ok(windows)
    }

    /// Returns those of some windows of the index that fit another grid, too.
    pub(super) fn fitting(&self, mut windows: Vec<Window>, shape: Shape) -> Vec<Window> {
        if shape != self.index.shape() {
            windows.retain(|window| Geometry::new(*window, Anchor::None, shape).is_ok());
        }
        windows
    }

    fn no_window(&self) -> EngineError {
        EngineError::Request {
            part: "the index",
            why: format!(
                "{}: holds no window: build it again",
                self.index.path().display()
            ),
        }
    }

    /// Returns the window that was asked for, or the only one that there is.
    ///
    /// # Errors
    /// [`EngineError::WindowNeeded`] where there are several.
    pub fn window(&self, asked: Option<Window>) -> Result<Window, EngineError> {
        self.window_of(asked, None)
    }

    /// Returns the window that was asked for, or the only one that is meant of a level.
    pub(super) fn window_of(
        &self,
        asked: Option<Window>,
        level: Option<usize>,
    ) -> Result<Window, EngineError> {
        if let Some(window) = asked {
            return Ok(window);
        }
        let windows: Vec<_> = self
            .index
            .windows()
            .map(|w| w.geometry().window())
            .filter(|window| level.is_none_or(|level| window.level() == level))
            .collect();
        match windows[..] {
            [only] => Ok(only),
            [.., last] => Err(EngineError::WindowNeeded {
                path: self.index.path().to_owned(),
                held: windows
                    .iter()
                    .map(Window::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
                last,
            }),
            [] => Err(EngineError::Request {
                part: "the index",
                why: format!(
                    "{}: holds no window: build it again",
                    self.index.path().display()
                ),
            }),
        }
    }

    /// Windows of the index, held in memory where `preload` says so and a run that asks each so often gains by it, beside so many
    /// bytes that the request is about to take.
    pub(super) fn tables(
        &self,
        windows: &[WindowIndex<'_>],
        preload: Preload,
        lookups: impl Fn(Window) -> u64,
        beside: u64,
        observer: &dyn Observer,
    ) -> Result<Vec<Option<Arc<Resident>>>, EngineError> {
        let half = || self.options.memory.part(0.5).available();
        let limit = self.options.table_bytes.unwrap_or_else(half);
        let mut tables = Vec::new();
        for window in windows {
            let room = Room {
                tables: limit,
                memory: self.memory_beside(beside),
            };
            let lookups = lookups(window.geometry().window());
            let table = self.tables.load(window, preload, lookups, &room, observer);
            tables.push(table?);
        }
        Ok(tables)
    }

    /// The training latents in memory: half of what is left at most.
    pub(super) fn corpus(&self, observer: &dyn Observer) -> Result<Arc<Corpus>, EngineError> {
        kept(&self.corpus, || {
            let memory = self.memory_beside(0).part(0.5);
            Ok(Corpus::load(&self.index, memory, observer)?)
        })
    }

    /// How near training latents are to each other.
    pub(super) fn background(
        &self,
        corpus: &Corpus,
        observer: &dyn Observer,
    ) -> Result<Arc<Background>, EngineError> {
        kept(&self.background, || {
            Ok(Background::of(corpus, MAX_BACKGROUND, observer))
        })
    }

    /// Digests of these levels of the training latents, none of which a sample may have, beside so many bytes that the request is
    /// about to take.
    pub(super) fn taken(
        &self,
        levels: &[usize],
        beside: u64,
        observer: &dyn Observer,
    ) -> Result<Arc<Taken>, EngineError> {
        let shape = self.index.shape();
        let asked = if shape.is_pyramid() { levels } else { &[] };
        let mut place = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if place.as_ref().is_some_and(|held| held.levels() != asked) {
            *place = None;
        }
        drop(place);
        kept(&self.taken, || {
            let memory = self.memory_beside(beside);
            Ok(Taken::training(&self.index, levels, memory, observer)?)
        })
    }

    /// Reads the latents that the index was built from, without those that are left out. Each is one step of progress.
    ///
    /// # Errors
    /// [`EngineError::Memory`] when they do not fit the memory; whatever the index reports.
    pub fn training(&self, observer: &dyn Observer) -> Result<LatentSet, EngineError> {
        let latents = self.index.latents();
        let row = self.index.shape().packed_bytes();
        // A label too, twice while their vector grows.
        let needed = latents.saturating_mul(row as u64 + 16);
        let what = format!("{}: its {latents} latents", self.index.path().display());
        self.memory_beside(0).check(needed, what)?;
        // That many are there, or the index says so and has fewer.
        let mut packed = Vec::with_capacity(latents as usize * row);
        let mut labels = Vec::new();
        for entry in self.index.scan_latents()? {
            let (_, latent) = entry?;
            packed.extend_from_slice(latent.packed());
            labels.extend(latent.label());
            observer.advance(1);
        }
        let set = LatentSet::from_packed(self.index.shape(), packed)?;
        Ok(if self.index.manifest().labels {
            set.with_labels(labels)?
        } else {
            set
        })
    }

    /// Returns what contexts of samples depend on: their label, which must be named where contexts are bound to labels
    /// and only there.
    pub(super) fn given(&self, asked: Option<i64>) -> Result<Given, EngineError> {
        match (asked, self.index.condition()) {
            (Some(label), _) => Ok(Given::label(self.index.label_number(label)?)),
            (None, Condition::None) => Ok(Given::NOTHING),
            (None, Condition::Label) => Err(EngineError::LabelNeeded {
                path: self.index.path().to_owned(),
                held: self.index.labels_in_words(),
            }),
        }
    }
}

/// What is there.
fn held<T>(place: &Mutex<Option<Arc<T>>>) -> Option<Arc<T>> {
    place.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// What is there, or what `load` makes. Not locked while it loads: loading works on all threads, and one that waits for another
/// request's lock could be the one that this request waits for. Of two that load at once the later is kept.
fn kept<T>(
    place: &Mutex<Option<Arc<T>>>,
    load: impl FnOnce() -> Result<T, EngineError>,
) -> Result<Arc<T>, EngineError> {
    if let Some(held) = held(place) {
        return Ok(held);
    }
    let loaded = Arc::new(load()?);
    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(loaded.clone());
    Ok(loaded)
}
