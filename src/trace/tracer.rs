//! Traces samples: support, quilt and neighbours of each.

use std::collections::HashMap;

use rayon::prelude::*;

use super::quilt::{Patches, Quilt, patches};
use super::remembered::Memory;
use super::support::{Asked, Asker, Support, smallest};
use super::{Remembered, TraceError};
use crate::base::Observer;
use crate::index::{Index, Resident, WindowIndex};
use crate::latent::{LatentSet, Level, Shape};
use crate::provenance::Footprints;
use crate::provenance::copy_line;
use crate::provenance::{Corpus, Neighbourhood, Neighbours, Planes};
use crate::window::Window;

/// How samples are traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceOptions {
    /// Windows of the index whose occurrences make up the quilt. With none of a level, all of it but the smallest, by which
    /// information is measured; the only one where there is one.
    pub windows: Vec<Window>,
    /// Postings to list for each bit.
    pub top: usize,
    /// Occurrences of a bit to follow: all of them where there are no more.
    pub reach: usize,
    /// Nearest training latents to list, at least 1.
    pub nearest: usize,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            windows: Vec::new(),
            top: 10,
            reach: 16,
            nearest: 5,
        }
    }
}

/// Where one sample comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trace {
    /// What the index says of each bit.
    pub support: Support,
    /// The sample cut into regions.
    pub quilt: Quilt,
    /// The training latents around it, by all of its bits; `None` on another grid than theirs.
    pub near: Option<Neighbours>,
    /// Those of each level of a pyramid, by the bits of that level alone; none of a latent of one level.
    pub near_levels: Vec<Neighbours>,
}

/// Traces samples of one shape. Threads can share it.
///
/// ```
/// use bitquilt::Budget;
/// use bitquilt::provenance::Corpus;
/// use bitquilt::trace::{Background, TraceOptions, Tracer, summarize};
/// # use bitquilt::{BuildOptions, Index, LatentSet, Shape, Unobserved, build};
/// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
/// # for bits in ["101100", "111010"] {
/// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
/// # }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("index");
/// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
/// # let index = Index::open(&path)?;
/// let corpus = Corpus::load(&index, Budget::share(0.5), &Unobserved)?;
/// let tracer = Tracer::new(&index, &corpus, Vec::new(), index.shape(), TraceOptions::default())?;
///
/// // 111011 is new; 101100 and 111010 are the training latents.
/// let sample = LatentSet::from_packed(index.shape(), vec![0b110111])?;
/// let trace = tracer.worker().trace(&sample, 0)?;
/// assert_eq!(trace.quilt.regions[0].latent, 1);
/// let background = Background::of(&corpus, 100, &Unobserved);
/// let summary = summarize(&trace, &tracer, &background);
/// assert_eq!(summary.supported, 6);
/// assert_eq!(summary.nearness.map(|near| near.nearest[0].distance), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tracer<'a> {
    index: &'a Index,
    training: &'a Corpus,
    windows: Vec<Asked<'a>>,
    quilt_windows: Vec<Window>,
    shape: Shape,
    options: TraceOptions,
    /// What earlier traces remember, and of which traces it is true.
    remembered: Option<(&'a Remembered, String)>,
}

impl<'a> Tracer<'a> {
    /// Returns the windows that a trace asks: those that the index names, and those of the options that it does not.
    ///
    /// # Errors
    /// [`TraceError::Index`] for a window that the index does not answer.
    pub fn windows_of(
        index: &'a Index,
        options: &TraceOptions,
    ) -> Result<Vec<WindowIndex<'a>>, TraceError> {
        let mut windows: Vec<_> = index.windows().collect();
        for window in &options.windows {
            let asked = index.window(*window)?;
            if !windows
                .iter()
                .any(|held| held.geometry().window() == *window)
            {
                windows.push(asked);
            }
        }
        Ok(windows)
    }

    /// Prepares to trace samples of `shape`. `tables` holds, for each of [`Tracer::windows_of`], its histograms
    /// in memory where they are; no table at all is as good as `None` for each.
    ///
    /// # Errors
    /// [`TraceError::Index`] for a window that the index does not hold or that cannot be laid on the
    /// samples' grid; [`TraceError::Grid`].
    pub fn new(
        index: &'a Index,
        training: &'a Corpus,
        tables: Vec<Option<&'a Resident>>,
        shape: Shape,
        options: TraceOptions,
    ) -> Result<Self, TraceError> {
        let mut windows = Vec::new();
        for (number, window) in Self::windows_of(index, &options)?.into_iter().enumerate() {
            windows.push(Asked {
                window,
                geometry: window.geometry_on(shape)?,
                table: tables.get(number).copied().flatten(),
                rung: None,
            });
        }
        let windows_of = |level: &Level| quilt_of(&windows, &options.windows, level);
        let quilt: Vec<usize> = shape.levels().iter().flat_map(windows_of).collect();
        for (rung, number) in quilt.iter().enumerate() {
            // A search takes no more windows than fit a byte, and neither does an index.
            windows[*number].rung = Some(rung as u8);
        }
        let quilt_windows: Vec<_> = quilt
            .iter()
            .map(|n| windows[*n].geometry.window())
            .collect();
        let on_line = |window: &&Window| window.line_length(shape).is_some();
        if let Some(window) = quilt_windows.iter().find(on_line)
            && shape != index.shape()
        {
            return Err(TraceError::Grid {
                window: *window,
                held: index.shape().into(),
                found: shape.into(),
            });
        }
        Ok(Self {
            index,
            training,
            windows,
            quilt_windows,
            shape,
            options,
            remembered: None,
        })
    }

    /// Returns the windows of the index, in its order: those of [`Support::counts`].
    pub fn windows(&self) -> impl Iterator<Item = Window> + '_ {
        self.windows.iter().map(|asked| asked.geometry.window())
    }

    /// Returns the windows of the quilt, level by level, largest first: those of [`Support::at`].
    pub fn quilt_windows(&self) -> &[Window] {
        &self.quilt_windows
    }

    /// Returns the window of each level that information is measured at: the smallest of the index.
    pub fn yardsticks(&self) -> Vec<Window> {
        let geometries: Vec<_> = self.windows.iter().map(|asked| &asked.geometry).collect();
        let smallest = smallest(&geometries, self.shape).into_iter();
        smallest.map(|number| geometries[number].window()).collect()
    }

    /// Returns the line between reuse and a copy, in bits.
    pub fn copy_line(&self) -> f64 {
        copy_line(self.training.latents() as u64, self.training.shape().bits())
    }

    /// Returns the index.
    pub fn index(&self) -> &'a Index {
        self.index
    }

    /// Returns the training latents.
    pub fn training(&self) -> &'a Corpus {
        self.training
    }

    /// Returns how samples are traced.
    pub fn options(&self) -> &TraceOptions {
        &self.options
    }

    /// Returns the shape of the samples.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Hands the traces of samples `range` of a set to `take`, in order; traces as many at a time as keep all
    /// threads busy. The same whatever the number of threads.
    ///
    /// # Errors
    /// [`TraceError::Unlabelled`], [`TraceError::Postings`], [`TraceError::Index`]; whatever `take` returns.
    pub fn trace_all<E: From<TraceError>>(
        &self,
        samples: &LatentSet,
        range: std::ops::Range<usize>,
        observer: &dyn Observer,
        mut take: impl FnMut(usize, Trace) -> Result<(), E>,
    ) -> Result<(), E> {
        observer.stage("trace", range.len() as u64, "samples");
        let threads = rayon::current_num_threads();
        let mut workers: Vec<_> = (0..threads).map(|_| self.worker()).collect();
        let mut next = range.start;
        while next < range.end {
            observer.check().map_err(TraceError::from)?;
            let many = (threads * PER_THREAD).min(range.end - next);
            let share = many.div_ceil(threads);
            let batch = workers.par_iter_mut().enumerate().map(|(number, worker)| {
                let start = next + (number * share).min(many);
                let end = next + ((number + 1) * share).min(many);
                let traces = (start..end).map(|sample| {
                    let trace = worker.trace(samples, sample);
                    observer.advance(1);
                    trace
                });
                traces.collect::<Result<Vec<_>, _>>()
            });
            let batch: Vec<Vec<Trace>> = batch.collect::<Result<_, TraceError>>()?;
            for trace in batch.into_iter().flatten() {
                take(next, trace)?;
                next += 1;
            }
        }
        Ok(())
    }

    /// Remembers what earlier traces did.
    #[must_use]
    pub fn remembering(mut self, remembered: &'a Remembered) -> Self {
        let windows = self.windows.iter();
        let windows: Vec<_> = windows
            .map(|asked| (asked.geometry.window(), asked.rung))
            .collect();
        let way = format!("{} {windows:?} {}", self.shape, self.postings_read());
        self.remembered = Some((remembered, way));
        self
    }

    /// Returns how many postings of each bit are read.
    fn postings_read(&self) -> usize {
        self.options.top.max(self.options.reach)
    }

    /// Traces one after the other.
    pub fn worker(&self) -> Worker<'a, '_> {
        let memory = self.remembered.as_ref();
        let memory = memory.map(|(remembered, way)| remembered.take(way));
        let memory = memory.unwrap_or_default();
        Worker {
            tracer: self,
            asker: Asker::new(
                &self.windows,
                self.shape,
                self.postings_read(),
                memory.common,
            ),
            neighbourhoods: Neighbourhoods::new(self.training, memory.distances),
        }
    }
}

impl Drop for Worker<'_, '_> {
    fn drop(&mut self) {
        if let Some((remembered, way)) = &self.tracer.remembered {
            let memory = Memory {
                common: self.asker.take_common(),
                distances: self.neighbourhoods.take_known(),
            };
            remembered.put(way, memory);
        }
    }
}

/// Returns the numbers of the windows of a level that make up its quilt, largest first: those that are `asked` of it, all but the
/// smallest without any.
fn quilt_of(windows: &[Asked<'_>], asked: &[Window], level: &Level) -> Vec<usize> {
    let is_asked = |number: &usize| asked.contains(&windows[*number].geometry.window());
    let own = |number: &usize| windows[*number].geometry.level().number() == level.number();
    let mut own: Vec<_> = (0..windows.len()).filter(own).collect();
    own.sort_by_key(|number| windows[*number].geometry.context_bits());
    if own.iter().any(is_asked) {
        own.retain(is_asked);
    } else if own.len() > 1 {
        own.remove(0);
    }
    own.reverse();
    own
}

/// Samples that one thread traces before the results are handed on.
const PER_THREAD: usize = 16;

/// Traces samples on one thread, remembering what is asked of the index often.
pub struct Worker<'a, 't> {
    tracer: &'t Tracer<'a>,
    asker: Asker<'a, 't>,
    neighbourhoods: Neighbourhoods<'a>,
}

/// Neighbours by all bits, and by those of each level of a pyramid.
struct Neighbourhoods<'a> {
    whole: Neighbourhood<'a>,
    levels: Vec<Neighbourhood<'a>>,
}

impl<'a> Neighbourhoods<'a> {
    fn new(training: &'a Corpus, known: Vec<HashMap<u32, Option<u32>>>) -> Self {
        let shape = training.shape();
        let levels = shape.levels().iter().filter(|_| shape.is_pyramid());
        let mut known = known.into_iter();
        let mut of = |level| {
            let known = known.next().unwrap_or_default();
            Neighbourhood::new(training, level).knowing(known)
        };
        Self {
            whole: of(None),
            levels: levels.map(|level| of(Some(level))).collect(),
        }
    }

    /// Returns what each remembers.
    fn take_known(&mut self) -> Vec<HashMap<u32, Option<u32>>> {
        let all = std::iter::once(&mut self.whole).chain(&mut self.levels);
        all.map(Neighbourhood::take_known).collect()
    }
}

impl Worker<'_, '_> {
    /// Traces one sample of a set. Panics when there is none of that number, as indexing does.
    ///
    /// # Errors
    /// As [`Tracer::trace_all`].
    pub fn trace(&mut self, samples: &LatentSet, sample: usize) -> Result<Trace, TraceError> {
        let Tracer {
            index,
            training,
            shape,
            options,
            ..
        } = self.tracer;
        let packed = samples.packed_latent(sample);
        let label = samples.labels().map(|labels| labels[sample]);
        let bound = !index.labels().is_empty();
        if bound && label.is_none() {
            return Err(TraceError::Unlabelled);
        }
        let given = index.given_if_seen(label)?;
        let support = self.asker.ask(sample, packed, given)?;
        let planes = Planes::of(*shape, packed);
        let max_near = options.nearest.max(1);
        let (mut near, mut near_levels) = (None, Vec::new());
        if *shape == training.shape() {
            near = Some(self.neighbourhoods.whole.of(&planes, max_near));
            let levels = self.neighbourhoods.levels.iter_mut();
            near_levels.extend(levels.map(|level| level.of(&planes, max_near)));
        }
        // Evidence is of the sample's own label.
        let same_label = |latent: &u32| !bound || training.label(*latent) == label;
        let mut patches_of_all = Patches::new();
        for level in shape.levels() {
            let nearest = near_levels.get(level.number()).or(near.as_ref());
            let nearest = nearest.iter().flat_map(|near| &near.nearest);
            let nearest = nearest.map(|near| near.latent).filter(same_label);
            let windows = &self.tracer.quilt_windows;
            let place = (*shape, *level);
            let footprints = Footprints::new(training, place, &planes, windows, &support.at);
            let Some(footprints) = footprints else {
                continue;
            };
            let found = patches(footprints, &support, nearest, options.reach as u64);
            patches_of_all.extend(found);
        }
        let quilt = Quilt::of(patches_of_all, *shape);
        Ok(Trace {
            support,
            quilt,
            near,
            near_levels,
        })
    }
}
