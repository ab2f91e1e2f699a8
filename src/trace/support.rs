//! What the index says of each bit of a latent: how often it is supported at every window, and where it
//! occurred at the largest one that supports it.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::TraceError;
use crate::index::{
    Counts, Found, Histogram, IndexError, Posting, Question, Resident, WindowIndex,
};
use crate::latent::{Level, Shape};
use crate::provenance::Information;
use crate::window::{ContextKey, Frame, Geometry, Given};

/// Occurrences from which on a context is remembered: a few thousand contexts of blank background are
/// most of what is asked.
const COMMON: u64 = 256;
/// Most contexts that are remembered for each window, and most postings of each.
const MAX_REMEMBERED: usize = 1 << 13;
const MAX_LISTED: usize = 64;
/// Most postings of one sample: 64 MiB.
const MAX_POSTINGS: u64 = 1 << 22;

/// The occurrences of a bit with its context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occurrences {
    /// The number of occurrences.
    pub count: u64,
    /// The first of them, in order of latent and position.
    pub postings: Arc<[Posting]>,
}

/// Support of the bits of one latent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Support {
    /// For each window of the index, in its order: how often each bit of its level followed its context.
    pub counts: Vec<Vec<u64>>,
    /// For each bit, the number of the largest quilt window that supports it; `None` when none does.
    pub at: Vec<Option<u8>>,
    /// For each bit, its occurrences at that window.
    pub occurrences: Vec<Occurrences>,
    /// For each bit, its information at the smallest window of its level.
    pub information: Vec<Information>,
    /// For each bit, how many earlier bits of its own site that window sees, at most.
    pub(super) own_site: Vec<usize>,
}

/// One window of the index, as it is asked.
pub(super) struct Asked<'a> {
    pub(super) window: WindowIndex<'a>,
    /// On the grid of the samples.
    pub(super) geometry: Geometry,
    /// Its histograms in memory, where they are.
    pub(super) table: Option<&'a Resident>,
    /// Its place among the quilt windows, largest first.
    pub(super) rung: Option<u8>,
}

/// Contexts that occur often, and what is known of them.
pub(super) type Common = FxHashMap<ContextKey, Known>;

/// What is remembered of a context.
pub(super) struct Known {
    histogram: Histogram,
    /// First postings of 0 and of 1.
    lists: [Arc<[Posting]>; 2],
}

/// One window and what is known of its contexts: those of the sample under work, and the common ones.
struct Memory<'a> {
    keys: Vec<ContextKey>,
    /// Contexts read for this sample; `None` for one that never occurred.
    read: FxHashMap<ContextKey, Option<Found<'a>>>,
    common: Common,
    histograms: Vec<Option<Histogram>>,
}

/// Asks the index, remembering what is asked often: one for each thread.
pub(super) struct Asker<'a, 'w> {
    windows: &'w [Asked<'a>],
    memories: Vec<Memory<'a>>,
    /// Numbers of the quilt windows, largest first.
    rungs: Vec<usize>,
    /// Numbers of the smallest window of each level.
    yardsticks: Vec<usize>,
    /// Postings of each bit to read.
    max: usize,
    frame: Frame,
}

impl<'a, 'w> Asker<'a, 'w> {
    /// Prepares to ask; `windows` are those of the index, at least one, on the grid `shape`; `max` postings of each bit
    /// are read. `common` is what another one remembers of each window, if anything.
    pub(super) fn new(
        windows: &'w [Asked<'a>],
        shape: Shape,
        max: usize,
        mut common: Vec<Common>,
    ) -> Self {
        common.resize_with(windows.len(), Common::default);
        let geometries: Vec<_> = windows.iter().map(|asked| &asked.geometry).collect();
        let mut rungs: Vec<_> = (0..windows.len())
            .filter(|n| windows[*n].rung.is_some())
            .collect();
        rungs.sort_by_key(|number| windows[*number].rung);
        let memory = |common| Memory {
            keys: Vec::new(),
            read: FxHashMap::default(),
            common,
            histograms: Vec::new(),
        };
        Self {
            windows,
            memories: common.into_iter().map(memory).collect(),
            rungs,
            yardsticks: smallest(&geometries, shape),
            max,
            frame: Frame::new(shape, &geometries),
        }
    }

    /// Returns what it remembers of each window.
    pub(super) fn take_common(&mut self) -> Vec<Common> {
        let memories = self.memories.iter_mut();
        memories
            .map(|memory| std::mem::take(&mut memory.common))
            .collect()
    }

    /// Returns what the index says of sample number `sample`, packed; with `None` given, contexts of its label never
    /// occurred.
    ///
    /// # Errors
    /// [`TraceError::Postings`]; whatever the index reports.
    pub(super) fn ask(
        &mut self,
        sample: usize,
        packed: &[u8],
        given: Option<Given>,
    ) -> Result<Support, TraceError> {
        self.frame.load(packed, given.unwrap_or_default());
        let bits = self.frame.shape().bits();
        let mut support = Support {
            counts: self
                .windows
                .iter()
                .map(|asked| vec![0; asked.geometry.positions().len()])
                .collect(),
            at: vec![None; bits],
            occurrences: vec![Occurrences::default(); bits],
            information: vec![Information::of_bit(Histogram::default(), false); bits],
            own_site: vec![0; bits],
        };
        if given.is_none() {
            return Ok(support);
        }
        for number in 0..self.windows.len() {
            self.count(number, &mut support)?;
        }
        let mut postings = 0;
        for position in 0..bits {
            let count = |number: usize| {
                let own = self.windows[number].geometry.positions();
                let own = own.contains(&position).then(|| position - own.start);
                own.map_or(0, |own| support.counts[number][own])
            };
            let Some(number) = self.rungs.iter().find(|number| count(**number) > 0) else {
                continue;
            };
            let count = count(*number);
            support.at[position] = self.windows[*number].rung;
            support.occurrences[position].count = count;
            postings += count.min(self.max as u64);
        }
        if postings > MAX_POSTINGS {
            return Err(TraceError::Postings {
                sample,
                postings,
                max: MAX_POSTINGS,
            });
        }
        for rung in 0..self.rungs.len() {
            self.list(rung, &mut support)?;
        }
        Ok(support)
    }

    /// Counts every bit at a window.
    fn count(&mut self, number: usize, support: &mut Support) -> Result<(), IndexError> {
        let Asked {
            geometry, table, ..
        } = &self.windows[number];
        let memory = &mut self.memories[number];
        memory.read.clear();
        memory.keys.clear();
        let positions = geometry.positions();
        let keys = positions.map(|position| geometry.key(&mut self.frame, position));
        memory.keys.extend(keys);
        if let Some(table) = table {
            let questions: Vec<_> = memory.keys.iter().copied().map(Question::Key).collect();
            table.histograms(&questions, &mut memory.histograms)?;
        } else {
            let all: Vec<_> = (0..memory.keys.len()).collect();
            self.read(number, &all)?;
        }
        let memory = &self.memories[number];
        for (own, (position, key)) in geometry.positions().zip(&memory.keys).enumerate() {
            let histogram = match table {
                Some(_) => memory.histograms[own],
                None => memory.histogram(key),
            };
            let histogram = histogram.unwrap_or_default();
            let bit = self.frame.get(position);
            support.counts[number][own] = histogram.count(bit);
            if self.yardsticks.contains(&number) {
                support.information[position] = Information::of_bit(histogram, bit);
            }
        }
        Ok(())
    }

    /// Reads the postings of the bits that a quilt window is the largest to support.
    fn list(&mut self, rung: usize, support: &mut Support) -> Result<(), IndexError> {
        let number = self.rungs[rung];
        let Asked { geometry, rung, .. } = &self.windows[number];
        let (shape, window) = (geometry.shape(), geometry.window());
        let start = geometry.positions().start;
        let own: Vec<_> = (0..geometry.positions().len())
            .filter(|own| support.at[start + own] == *rung)
            .collect();
        self.read(number, &own)?;
        let memory = &self.memories[number];
        for own in own {
            let position = start + own;
            let (key, bit) = (&memory.keys[own], self.frame.get(position));
            let (_, _, channel) = shape.place(position);
            let reach = window.line_length(shape).unwrap_or(channel);
            support.own_site[position] = reach.min(channel);
            let listed = match memory.common.get(key) {
                Some(known) => known.lists[usize::from(bit)].clone(),
                None => match memory.read.get(key) {
                    Some(Some(found)) => first(found, bit, self.max)?,
                    // Its count is not 0, so it is there.
                    _ => Arc::default(),
                },
            };
            support.occurrences[position].postings = listed;
        }
        Ok(())
    }

    /// Reads the contexts at some positions of a window's level, counted from its first, that are not known yet.
    fn read(&mut self, number: usize, positions: &[usize]) -> Result<(), IndexError> {
        let Asked {
            window,
            geometry,
            rung,
            ..
        } = &self.windows[number];
        let memory = &mut self.memories[number];
        let mut new = Vec::new();
        for position in positions {
            let key = memory.keys[*position];
            if memory.common.contains_key(&key) {
                continue;
            }
            if let Entry::Vacant(place) = memory.read.entry(key) {
                place.insert(None);
                new.push((key, geometry.positions().start + position));
            }
        }
        for (key, position) in new {
            let found = window.find(&geometry.lay_out(&self.frame, position))?;
            let histogram = found.map(|found| found.histogram()).unwrap_or_default();
            let room = memory.common.len() < MAX_REMEMBERED && self.max <= MAX_LISTED;
            match &found {
                Some(found) if histogram.total() >= COMMON && room => {
                    let list = |bit| match rung {
                        Some(_) => first(found, bit, self.max),
                        None => Ok(Arc::default()),
                    };
                    let lists = [list(false)?, list(true)?];
                    memory.common.insert(key, Known { histogram, lists });
                }
                _ => {
                    memory.read.insert(key, found);
                }
            }
        }
        Ok(())
    }
}

/// Returns the numbers of the smallest window of each level, by the length of their contexts; of a level without any none.
pub(super) fn smallest(geometries: &[&Geometry], shape: Shape) -> Vec<usize> {
    let of = |level: &Level| {
        let own = |number: &usize| geometries[*number].window().level() == level.number();
        let numbers = (0..geometries.len()).filter(own);
        numbers.min_by_key(|number| geometries[*number].context_bits())
    };
    shape.levels().iter().filter_map(of).collect()
}

impl Memory<'_> {
    fn histogram(&self, key: &ContextKey) -> Option<Histogram> {
        match self.common.get(key) {
            Some(known) => Some(known.histogram),
            None => Some((*self.read.get(key)?)?.histogram()),
        }
    }
}

/// The first postings of a bit in the index's order, ascending by latent and position.
fn first(found: &Found<'_>, bit: bool, max: usize) -> Result<Arc<[Posting]>, IndexError> {
    let postings = found.postings(bit).take(max);
    let mut postings = postings.collect::<Result<Vec<_>, _>>()?;
    postings.sort_unstable();
    Ok(postings.into())
}
