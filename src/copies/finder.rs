//! Finds what of a sample is a copy, errors and all: as a whole, and in part.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Serialize, Serializer};

use super::CopiesError;
use super::code::ErrorCode;
use super::honest::{Honest, ModelWindow, OwnCounts};
use super::level::{Laid, Saved, information};
use super::parts::{Part, best_part};
use super::rectangle::Rectangles;
use super::seeds::{Seeded, Seeds};
use super::stroke::{Stroke, shows_pixels};
use crate::base::Observer;
use crate::index::{Counts, Index, WindowIndex};
use crate::latent::{Codec, LatentSet, Level, Shape};
use crate::provenance::{Corpus, Moved, Neighbourhood, Planes, Rectangle};
use crate::window::{Geometry, Given};

/// Overlays of parts that are looked at: those with most votes, and those of the nearest wholes.
const SEEDS: usize = 64;
const WHOLES: usize = 16;
/// Displacements at which every training latent is compared as a whole, beside none: those with most votes.
const MOVES: usize = 4;
/// Displacements at which every training latent is compared with thinner and thicker strokes.
const ALTERED_MOVES: usize = 2;
/// How many times the usual margin is taken from that of a whole, and what it takes to say that there is a part, in bits: what tells
/// most planted copies from as many honest images with the same changes, on MNIST (docs/figures/copying.md).
const WHOLE_USUAL: f64 = 2.0;
const PART: f64 = 10.0;
/// Training latents whose distances to their nearest say what is near.
const MAX_BACKGROUND: usize = 200;

/// A part of a sample, or all of it, as a copy with errors of one training latent at one displacement.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Copied {
    /// The level that it lies in, of the latent too: 0 for the coarsest.
    #[serde(skip)]
    pub level: usize,
    /// Id of the latent.
    pub latent: u32,
    /// Displacement: rows from a site of the sample down to its site of the latent.
    pub down: i32,
    /// Displacement: columns from a site of the sample right to its site of the latent.
    pub right: i32,
    /// The sites: rows from the first to behind the last.
    #[serde(serialize_with = "as_pair")]
    pub rows: Range<usize>,
    /// The sites: columns from the first to behind the last.
    #[serde(serialize_with = "as_pair")]
    pub columns: Range<usize>,
    /// Bits of them.
    pub bits: usize,
    /// Bits that differ from the latent's.
    pub errors: u32,
    /// Bits that telling them as a copy saves: their information, by counts without the source and its duplicates, less the code
    /// of the errors.
    pub gain: f64,
    /// Bits that it saves beyond what the next best training latent does, duplicates of the source aside; `None` where there is no
    /// other.
    pub margin: Option<f64>,
    /// What the lead of the best of such latents would usually be, by how far apart the next ones are; `None` for too few.
    pub usual: Option<f64>,
    /// Id of that one.
    pub rival: Option<u32>,
    /// Whether it is all of a level: all that has a site of the source under it.
    #[serde(skip)]
    pub is_whole: bool,
    /// How its strokes differ from the source's; `None` where they do not.
    pub stroke: Option<Stroke>,
    /// Duplicates of the source, ascending.
    #[serde(serialize_with = "as_list")]
    pub duplicates: Arc<[u32]>,
}

fn as_pair<S: Serializer>(range: &Range<usize>, serializer: S) -> Result<S::Ok, S::Error> {
    [range.start, range.end].serialize(serializer)
}

fn as_list<S: Serializer>(ids: &Arc<[u32]>, serializer: S) -> Result<S::Ok, S::Error> {
    ids[..].serialize(serializer)
}

impl Copied {
    /// Returns what speaks for a copy of this source and no other, in bits: the margin less what it would usually be, twice that
    /// for a whole; of a part no more than its gain less what it takes to say that there is one. Without a margin, the gain.
    pub fn evidence(&self) -> f64 {
        let usual = self.usual.unwrap_or(0.0);
        match (self.margin, self.is_whole) {
            (Some(margin), true) => margin - WHOLE_USUAL * usual,
            (Some(margin), false) => (margin - usual).min(self.gain - PART),
            (None, true) => self.gain,
            (None, false) => self.gain - PART,
        }
    }

    /// Says what of a latent it is: all, or which rows and columns; and of which level, where there are several.
    pub fn what(&self, levels: usize) -> String {
        let of_level = match levels {
            1 => String::new(),
            _ => format!(" of level {}", self.level),
        };
        let (rows, columns) = (&self.rows, &self.columns);
        match self.is_whole {
            true => format!("all{of_level}"),
            false => format!(
                "rows {}..{}, columns {}..{}{of_level}",
                rows.start, rows.end, columns.start, columns.end
            ),
        }
    }

    /// Says how far it was moved.
    pub fn moved(&self) -> String {
        match (self.down, self.right) {
            (0, 0) => "in place".to_owned(),
            (down, right) => format!("moved by {down}, {right}"),
        }
    }

    /// Returns the sites of the source: rows and columns.
    pub fn source_sites(&self) -> (Range<usize>, Range<usize>) {
        let at = |at: usize, by: i32| at.saturating_add_signed(by as isize);
        let moved = |range: &Range<usize>, by| at(range.start, by)..at(range.end, by);
        (
            moved(&self.rows, self.down),
            moved(&self.columns, self.right),
        )
    }

    fn rectangle(&self) -> Rectangle {
        Rectangle {
            rows: self.rows.clone(),
            columns: self.columns.clone(),
        }
    }
}

/// What of one level of a sample may be a copy.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Evidence {
    /// The level as a whole: those sites that have one of the source under them.
    pub whole: Option<Copied>,
    /// Its parts, apart from each other, the one that is found first foremost.
    pub parts: Vec<Copied>,
}

/// One level, and how it is looked at.
pub(super) struct LevelTask<'a> {
    pub(super) level: Level,
    deepest: WindowIndex<'a>,
    /// How far a whole may be moved, down and right.
    reach: (u32, u32),
    /// Latents that differ in no more bits are duplicates.
    near: u32,
}

impl LevelTask<'_> {
    /// Returns whether a whole may be moved so far.
    fn reaches(&self, (down, right): (i32, i32)) -> bool {
        down.unsigned_abs() <= self.reach.0 && right.unsigned_abs() <= self.reach.1
    }

    /// Returns whether the place is part of every context, so that nothing is copied but in place.
    pub(super) fn is_placed(&self) -> bool {
        self.deepest.geometry().is_placed()
    }
}

/// Finds copies in samples of one shape. Threads can share it.
pub struct CopyFinder<'a> {
    index: &'a Index,
    corpus: &'a Corpus,
    windows: Vec<ModelWindow<'a>>,
    shape: Shape,
    codecs: Vec<Codec>,
    levels: Vec<LevelTask<'a>>,
    code: ErrorCode,
}

impl<'a> CopyFinder<'a> {
    /// Prepares to find copies in samples of the index's shape. `model` are the windows of the model of honest data, of each level
    /// largest first; `deepest` is the deepest window of each level.
    ///
    /// # Errors
    /// [`CopiesError::Stopped`].
    pub fn new(
        index: &'a Index,
        corpus: &'a Corpus,
        model: &[(&'a Geometry, &'a dyn Counts)],
        deepest: &[WindowIndex<'a>],
        observer: &dyn Observer,
    ) -> Result<Self, CopiesError> {
        let shape = index.shape();
        let mut levels = Vec::new();
        for (level, window) in shape.levels().iter().zip(deepest) {
            levels.push(LevelTask {
                level: *level,
                deepest: *window,
                reach: match window.geometry().is_placed() {
                    true => (0, 0),
                    false => reach(level),
                },
                near: near(corpus, level, observer)?,
            });
        }
        let windows = model.iter().map(|(geometry, counts)| ModelWindow {
            geometry,
            counts: *counts,
        });
        Ok(Self {
            index,
            corpus,
            windows: windows.collect(),
            shape,
            codecs: index.manifest().codecs(),
            levels,
            code: ErrorCode::new(shape.bits()),
        })
    }

    /// Returns what `find` finds of samples, in their order, on all threads. The same whatever their number.
    ///
    /// # Errors
    /// [`CopiesError::Stopped`]; whatever `find` reports.
    pub fn find_all<T: Send>(
        &self,
        range: Range<usize>,
        observer: &dyn Observer,
        find: impl Fn(&mut CopyWorker<'a, '_>, usize) -> Result<T, CopiesError> + Sync,
    ) -> Result<Vec<T>, CopiesError> {
        observer.stage("copies", range.len() as u64, "samples");
        let each = range.into_par_iter().map_init(
            || self.worker(),
            |worker, sample| {
                observer.check()?;
                let found = find(worker, sample);
                observer.advance(1);
                found
            },
        );
        each.collect()
    }

    /// Lays a level of a sample on the training latents.
    fn laid<'s>(&'s self, level: usize, planes: &'s Planes, told: &'s [f32]) -> Laid<'s> {
        Laid {
            corpus: self.corpus,
            code: &self.code,
            task: &self.levels[level],
            planes,
            told,
        }
    }

    /// Finds copies in one sample after the other.
    pub fn worker(&self) -> CopyWorker<'a, '_> {
        let seeds = self
            .levels
            .iter()
            .map(|task| Seeds::new(task.deepest, self.shape, task.level));
        CopyWorker {
            finder: self,
            honest: Honest::new(&self.windows, self.shape),
            seeds: seeds.collect(),
            duplicates: FxHashMap::default(),
            own: OwnCounts::default(),
            rectangles: Rectangles::default(),
        }
    }
}

/// Returns how far a whole may be moved: by an eighth of a side each way.
fn reach(level: &Level) -> (u32, u32) {
    // Sides are at most 2²⁰.
    let reach = |side: usize| (side / 8) as u32;
    (reach(level.height()), reach(level.width()))
}

/// Returns in how many bits duplicates may differ: a quarter of what training latents usually differ in from the nearest that is
/// not the same.
fn near(corpus: &Corpus, level: &Level, observer: &dyn Observer) -> Result<u32, CopiesError> {
    let mut around = Neighbourhood::new(corpus, Some(level));
    let mut distances = Vec::new();
    for id in corpus.spaced(MAX_BACKGROUND) {
        observer.check()?;
        distances.extend(around.of_training(id));
    }
    distances.sort_unstable();
    Ok(distances
        .get(distances.len() / 2)
        .map_or(0, |median| median / 4))
}

/// Finds copies on one thread.
pub struct CopyWorker<'a, 'f> {
    finder: &'f CopyFinder<'a>,
    honest: Honest<'f>,
    seeds: Vec<Seeds<'a>>,
    /// Of each level and latent.
    duplicates: FxHashMap<(usize, u32), Arc<[u32]>>,
    own: OwnCounts,
    rectangles: Rectangles,
}

/// Displacements of wholes.
type Moves = Vec<(i32, i32)>;

/// A sample that is looked at.
struct Sample<'s> {
    packed: &'s [u8],
    given: Option<Given>,
    planes: Planes,
}

impl CopyWorker<'_, '_> {
    /// Returns what may be copied of one sample of a set, level by level. Panics when there is none of that number, as indexing
    /// does.
    ///
    /// # Errors
    /// Whatever the index reports.
    pub fn find(
        &mut self,
        samples: &LatentSet,
        sample: usize,
        max_parts: usize,
    ) -> Result<Vec<Evidence>, CopiesError> {
        let finder = self.finder;
        let label = samples.labels().map(|labels| labels[sample]);
        let packed = samples.packed_latent(sample);
        let given = finder.index.given_of(label)?;
        self.honest.load(packed, given)?;
        let sample = Sample {
            packed,
            given,
            planes: Planes::of(finder.shape, packed),
        };
        let levels = 0..finder.levels.len();
        let found = levels.map(|level| self.find_in(level, &sample, max_parts));
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        if finder.codecs.iter().any(shows_pixels) {
            for stroke in Stroke::ALL {
                self.find_altered(stroke, &sample, &mut found)?;
            }
        }
        Ok(found.into_iter().map(|(evidence, _)| evidence).collect())
    }

    /// Looks for copies of whole levels whose strokes are thicker or thinner than their source's.
    fn find_altered(
        &mut self,
        stroke: Stroke,
        sample: &Sample<'_>,
        found: &mut [(Evidence, Moves)],
    ) -> Result<(), CopiesError> {
        let finder = self.finder;
        let undone = stroke.undone(finder.shape, &finder.codecs, sample.packed);
        let planes = Planes::of(finder.shape, &undone);
        self.honest.load(&undone, sample.given)?;
        for (level, (evidence, moves)) in found.iter_mut().enumerate() {
            if !shows_pixels(&finder.codecs[level]) {
                continue;
            }
            let mut told = Vec::new();
            self.honest.without_one(level, &mut told);
            let laid = finder.laid(level, &planes, &told);
            let near = laid.nearest_wholes(&moves[..moves.len().min(ALTERED_MOVES)]);
            let Some(mut whole) = self.whole(&finder.levels[level], &near)? else {
                continue;
            };
            whole.stroke = Some(stroke);
            let best = evidence.whole.as_ref().map_or(f64::MIN, Copied::evidence);
            if whole.evidence() > best {
                evidence.whole = Some(whole);
            }
        }
        Ok(())
    }

    /// Tells a whole level as a copy of the nearest of those that are near.
    fn whole(
        &mut self,
        task: &LevelTask<'_>,
        near: &[Saved],
    ) -> Result<Option<Copied>, CopiesError> {
        let Some((first, others)) = near.split_first() else {
            return Ok(None);
        };
        let same = self.duplicates_of(task, first.overlay.latent)?;
        let others = others.iter().copied();
        let others = others.filter(|other| same.binary_search(&other.overlay.latent).is_err());
        let by = (first.overlay.down, first.overlay.right);
        let part = Part {
            saved: *first,
            rectangle: Rectangle::whole(&task.level).over(&task.level, by),
            rivals: others.collect(),
            is_whole: true,
        };
        self.copied(task, part).map(Some)
    }

    fn find_in(
        &mut self,
        level: usize,
        sample: &Sample<'_>,
        max_parts: usize,
    ) -> Result<(Evidence, Moves), CopiesError> {
        let finder = self.finder;
        let task = &finder.levels[level];
        let mut told = Vec::new();
        self.honest.without_one(level, &mut told);
        let laid = finder.laid(level, &sample.planes, &told);
        let seeded = match sample.given {
            Some(given) => self.seeds[level].of(sample.packed, given, SEEDS)?,
            None => Seeded::default(),
        };
        let likely = seeded.moves.iter().copied();
        let likely = likely.filter(|by| *by != (0, 0) && task.reaches(*by));
        let moves: Vec<_> = [(0, 0)].into_iter().chain(likely.take(MOVES)).collect();
        let near = laid.nearest_wholes(&moves);
        let mut evidence = Evidence {
            whole: self.whole(task, &near)?,
            parts: Vec::new(),
        };
        let wholes = near.iter().take(WHOLES);
        let mut candidates: Vec<_> = wholes.map(|near| near.overlay).collect();
        for overlay in seeded.overlays {
            if !candidates.contains(&overlay) {
                candidates.push(overlay);
            }
        }
        let mut rectangles = std::mem::take(&mut self.rectangles);
        while evidence.parts.len() < max_parts {
            let taken: Vec<_> = evidence.parts.iter().map(Copied::rectangle).collect();
            let part = best_part(&laid, &mut rectangles, &candidates, &taken, &mut |latent| {
                self.duplicates_of(task, latent)
            })?;
            let Some(part) = part else { break };
            let copied = self.copied(task, part)?;
            evidence.parts.push(copied);
        }
        self.rectangles = rectangles;
        Ok((evidence, moves))
    }

    /// Tells a part by the counts without its source and that one's duplicates.
    fn copied(&mut self, task: &LevelTask<'_>, part: Part) -> Result<Copied, CopiesError> {
        let Part {
            saved,
            rectangle,
            rivals,
            ..
        } = &part;
        let overlay = saved.overlay;
        let duplicates = self.duplicates_of(task, overlay.latent)?;
        let level = task.level.number();
        self.own.clear();
        for id in duplicates.iter().copied().chain([overlay.latent]) {
            let latent = self.finder.index.held_latent(id.into())?;
            let given = self.finder.index.given_of(latent.label())?;
            self.honest
                .own_of(level, latent.packed(), given, &mut self.own);
        }
        let mut told = Vec::new();
        self.honest.without(level, &self.own, &mut told);
        let by = (overlay.down, overlay.right);
        let over = rectangle.over(&task.level, by);
        let code = self.finder.code.length(saved.bits, saved.errors);
        Ok(Copied {
            level,
            latent: overlay.latent,
            down: overlay.down,
            right: overlay.right,
            rows: over.rows.clone(),
            columns: over.columns.clone(),
            bits: saved.bits,
            errors: saved.errors,
            gain: information(&told, task, &over) - code,
            margin: rivals.first().map(|rival| saved.gain - rival.gain),
            usual: usual_lead(rivals),
            rival: rivals.first().map(|rival| rival.overlay.latent),
            is_whole: part.is_whole,
            stroke: None,
            duplicates,
        })
    }

    /// Returns the training latents that are nearly the same as one, ascending.
    fn duplicates_of(
        &mut self,
        task: &LevelTask<'_>,
        latent: u32,
    ) -> Result<Arc<[u32]>, CopiesError> {
        let key = (task.level.number(), latent);
        if let Some(known) = self.duplicates.get(&key) {
            return Ok(known.clone());
        }
        let CopyFinder { corpus, index, .. } = self.finder;
        let stored = index.held_latent(latent.into())?;
        let planes = Planes::of(corpus.shape(), stored.packed());
        let whole = Rectangle::whole(&task.level);
        let moved = Moved::new(corpus, &planes, &task.level, &whole, (0, 0));
        let mut same = Vec::new();
        corpus.scan(&moved, task.near, |id, _| {
            if id != latent && same.len() < MAX_DUPLICATES {
                same.push(id);
            }
            task.near
        });
        let same: Arc<[u32]> = same.into();
        self.duplicates.insert(key, same.clone());
        Ok(same)
    }
}

/// Returns how far the best of many latents usually leads, by those behind it: the mean excess of what they save over the last one of
/// them, the scale of an exponential tail (Hill 1975). Leads of honest data are about as long, whether their surroundings are
/// crowded or not and however noisy they are.
fn usual_lead(rivals: &[Saved]) -> Option<f64> {
    let (last, others) = rivals.split_last()?;
    let excess: f64 = others.iter().map(|other| other.gain - last.gain).sum();
    (others.len() >= MIN_RIVALS).then(|| excess / others.len() as f64)
}

/// Rivals from which on their distances say something.
const MIN_RIVALS: usize = 4;

/// Duplicates of one latent that are told apart from its rivals: of more, what is copied is no one's.
const MAX_DUPLICATES: usize = 1000;
