//! Maps of traces: each sample, its quilt coloured by source, the sources beside it with what was copied outlined, and
//! the nearest training latent with what differs.
//!
//! Translates traces into the plain data that a [`Map`] is drawn from.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{EngineError, Session, TraceRequest, TracedSample, Tracing};
use crate::base::Observer;
use crate::copies::{Judged, Verdict};
use crate::latent::{Bits, Level, Shape};
use crate::picture::{Heading, Map, Marks, Panel, Picture, QuiltMarks};
use crate::samples::SampleSet;
use crate::trace::{Region, Tracer};
use crate::window::Window;

/// Regions that tell less, in bits, are background: what nearly every training latent has.
pub const BACKGROUND: f64 = 1.0;

/// What a map shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MapRequest {
    /// The level of a pyramid, 0 the coarsest; the finest where none is named.
    pub level: Option<usize>,
    /// Training latents to draw beside each sample, at most.
    pub sources: usize,
}

impl Default for MapRequest {
    fn default() -> Self {
        Self {
            level: None,
            sources: 5,
        }
    }
}

impl Session {
    /// Traces samples and draws their map, with their verdicts where they were judged; as [`Tracing::draw_map`].
    ///
    /// # Errors
    /// As [`Session::tracing`] and [`Tracing::draw_map`].
    pub fn map<E: From<EngineError>>(
        &self,
        samples: &SampleSet,
        trace: &TraceRequest,
        judged: Option<&super::Judged>,
        request: &MapRequest,
        observer: &dyn Observer,
        image: impl Fn(Shape, &[u8]) -> Result<Picture, E>,
    ) -> Result<Picture, E> {
        let tracing = self.tracing(samples, trace, observer)?;
        let mut traced = Vec::new();
        tracing.trace(observer, |mut sample| {
            sample.verdict = judged.and_then(|judged| judged.of(sample.sample).cloned());
            traced.push(sample);
            Ok(())
        })?;
        observer.check().map_err(EngineError::from)?;
        tracing.draw_map(&traced, request.sources, request.level, image)
    }
}

impl Tracing<'_> {
    /// Draws a map of one level of samples of this tracing, the finest without any, a row for each. `image` draws one latent of a
    /// level: a picture whose sides stand to each other as the grid's do. At most `sources` training latents are drawn beside
    /// each sample.
    ///
    /// # Errors
    /// [`EngineError::Request`] for a level that there is not;
    /// [`EngineError::Picture`] when the map would have more than [`MAX_PIXELS`](crate::picture::MAX_PIXELS) pixels,
    /// which is asked before any is drawn; [`EngineError::Index`], [`EngineError::NoSuchLatent`]; whatever `image`
    /// returns.
    pub fn draw_map<E: From<EngineError>>(
        &self,
        samples: &[TracedSample<'_>],
        sources: usize,
        level: Option<usize>,
        image: impl Fn(Shape, &[u8]) -> Result<Picture, E>,
    ) -> Result<Picture, E> {
        let tracer = self.tracer()?;
        let shape = tracer.shape();
        let number = level.unwrap_or(shape.levels().len() - 1);
        let level_of = |shape: Shape| {
            let why = || {
                format!(
                    "{shape} latents have levels 0 to {}",
                    shape.levels().len() - 1
                )
            };
            shape
                .level(number)
                .copied()
                .ok_or_else(|| EngineError::Request {
                    part: "the level to draw",
                    why: why(),
                })
        };
        let level = level_of(shape)?;
        let source = level_of(tracer.training().shape())?;
        let shapes = [level.shape(), source.shape()];
        // The sample, its quilt, its sources and the nearest; and what it is most likely a copy of.
        let judged = samples.iter().any(|sample| sample.verdict.is_some());
        let panels = (
            samples.len(),
            sources.saturating_add(3 + usize::from(judged)),
        );
        let map =
            Map::new(&heading(&tracer, &level), &shapes, panels).map_err(EngineError::from)?;
        let mut drawing = Drawing {
            tracer,
            level,
            under: source,
            map,
            max_sources: sources,
            judged,
            image,
        };
        for (row, sample) in samples.iter().enumerate() {
            drawing.sample(row, sample)?;
        }
        Ok(drawing.map.into_picture())
    }
}

fn heading(tracer: &Tracer<'_>, level: &Level) -> Heading {
    let own = |window: &&Window| window.level() == level.number();
    let windows = tracer.quilt_windows().iter().filter(own);
    let windows: Vec<_> = windows.map(ToString::to_string).collect();
    let yardsticks = tracer.yardsticks();
    let yardstick = yardsticks.iter().find(own).map(Window::to_string);
    Heading {
        title: format!(
            "Traced to {} training latents at {}",
            tracer.training().latents(),
            windows.join(", ")
        ),
        lines: [
            format!(
                "Information is measured at {}. Regions of more than {:.1} bits are no chance, and no verdict: \
                 unseen data has them too.",
                yardstick.unwrap_or_default(),
                tracer.copy_line()
            ),
            "A colour: copied bit for bit from one training latent. Gray: background, regions of less than 1 bit. \
             Red stripes: in no training latent. White stripes: by a network."
                .to_owned(),
        ],
    }
}

/// A map under work.
struct Drawing<'a, F> {
    tracer: Tracer<'a>,
    /// The level that is drawn, of the samples.
    level: Level,
    /// The same of the training latents.
    under: Level,
    map: Map,
    /// Sources to draw beside each sample.
    max_sources: usize,
    /// Whether there are verdicts to draw.
    judged: bool,
    image: F,
}

impl<E: From<EngineError>, F: Fn(Shape, &[u8]) -> Result<Picture, E>> Drawing<'_, F> {
    /// Draws the row of a sample.
    fn sample(&mut self, row: usize, sample: &TracedSample<'_>) -> Result<(), E> {
        let level = self.level;
        let shape = level.shape();
        let packed = level.bits_of(sample.packed);
        let regions = &sample.trace.quilt.regions;
        let sources = sources_of(regions, &level);
        let picture = (self.image)(shape, &packed)?;

        let label = sample.label.map(|label| format!(", label {label}"));
        let at = sample.trace.support.at[level.positions()].iter();
        let supported = 100.0 * at.flatten().count() as f64 / level.bits() as f64;
        let own = regions
            .iter()
            .filter(|region| region.level as usize == level.number());
        let panel = Panel {
            shape,
            caption: [
                format!("sample {}{}", sample.sample, label.unwrap_or_default()),
                format!("{supported:.1} % supported"),
            ],
            picture: &picture,
            marks: Marks::None,
        };
        self.map.draw((row, 0), &panel);
        let next = 1 + usize::from(self.judged);
        if let Some(verdict) = &sample.verdict {
            self.copied((row, 1), verdict)?;
        }

        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let panel = Panel {
            caption: [
                count(own.count(), "region"),
                format!("of {}", count(sources.len(), "latent")),
            ],
            marks: Marks::Quilt(quilt_marks(sample, &level, &sources)),
            ..panel
        };
        self.map.draw((row, next), &panel);

        for (rank, source) in sources.iter().take(self.max_sources).enumerate() {
            self.source((row, next + 1 + rank), sample, rank, source)?;
        }
        self.nearest((row, next + 1 + self.max_sources), sample)
    }

    /// Draws what the level is most likely a copy of, errors and all, with what was copied outlined where the sample is called a copy.
    fn copied(&mut self, place: (usize, usize), verdict: &Verdict) -> Result<(), E> {
        let of_level = |judged: &&Judged| judged.copied.level == self.level.number();
        let likeliest = verdict.judged().filter(of_level);
        let Some(judged) = likeliest.min_by(|a, b| a.likelier_first(b)) else {
            return Ok(());
        };
        let copied = &judged.copied;
        // It may be another level that the sample is called a copy for.
        let is_copy = verdict.copy && judged.p <= verdict.p;
        let shape = self.under.shape();
        let packed = self.training(copied.latent)?;
        let (rows, columns) = copied.source_sites();
        let sites = 0..shape.height() * shape.width();
        let is_copied = |site| {
            rows.contains(&(site / shape.width())) && columns.contains(&(site % shape.width()))
        };
        let panel = Panel {
            shape,
            caption: [
                match is_copy {
                    true => format!("copy: latent {}", copied.latent),
                    false => "no copy".to_owned(),
                },
                format!(
                    "p {:.4}, {} of {} differ",
                    judged.p, copied.errors, copied.bits
                ),
            ],
            picture: &(self.image)(shape, &packed)?,
            marks: match is_copy {
                true => Marks::Copied {
                    rank: 0,
                    sites: sites.map(is_copied).collect(),
                },
                false => Marks::None,
            },
        };
        self.map.draw(place, &panel);
        Ok(())
    }

    /// Draws a source with what was copied from it.
    fn source(
        &mut self,
        place: (usize, usize),
        sample: &TracedSample<'_>,
        rank: usize,
        source: &MapSource,
    ) -> Result<(), E> {
        let shape = self.under.shape();
        let regions = &sample.trace.quilt.regions;
        let total = |of: fn(&Region) -> f64| -> f64 {
            let numbers = source.regions.iter();
            numbers.map(|number| of(&regions[*number])).sum()
        };
        let packed = self.training(source.latent)?;
        let panel = Panel {
            shape,
            caption: [
                format!("latent {}", source.latent),
                format!(
                    "{:.0} sites, {:.1} bits",
                    total(|region| region.sites.into()),
                    total(|region| region.information.in_bits())
                ),
            ],
            picture: &(self.image)(shape, &packed)?,
            marks: Marks::Copied {
                rank,
                sites: copied_sites(sample, &self.level, shape, source),
            },
        };
        self.map.draw(place, &panel);
        Ok(())
    }

    /// Draws the nearest training latent with what differs; nothing on another grid than the training latents'.
    fn nearest(&mut self, place: (usize, usize), sample: &TracedSample<'_>) -> Result<(), E> {
        let near = sample.trace.near_levels.get(self.level.number());
        let near = near.or(sample.trace.near.as_ref());
        let Some(first) = near.and_then(|near| near.nearest.first()) else {
            return Ok(());
        };
        let shape = self.level.shape();
        let own = self.level.bits_of(sample.packed);
        let packed = self.training(first.latent)?;
        let panel = Panel {
            shape,
            caption: [
                format!("nearest: latent {}", first.latent),
                match first.distance {
                    0 => "no bit differs".to_owned(),
                    1 => "1 bit differs".to_owned(),
                    bits => format!("{bits} bits differ"),
                },
            ],
            picture: &(self.image)(shape, &packed)?,
            marks: Marks::Differing(differing_sites(&own, &packed, shape)),
        };
        self.map.draw(place, &panel);
        Ok(())
    }

    /// Reads the level of a training latent, packed.
    fn training(&self, latent: u32) -> Result<Vec<u8>, EngineError> {
        let index = self.tracer.index();
        let held = index.latent(latent.into())?;
        let held = held.ok_or_else(|| EngineError::NoSuchLatent {
            path: index.path().to_owned(),
            latent: latent.into(),
        })?;
        Ok(self.under.bits_of(held.packed()))
    }
}

/// A training latent that a sample was copied from.
struct MapSource {
    latent: u32,
    /// Numbers of its regions: most informative first.
    regions: Vec<usize>,
}

/// Returns the sources of a level of a quilt, by their most informative region.
fn sources_of(regions: &[Region], level: &Level) -> Vec<MapSource> {
    let mut sources: Vec<MapSource> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    let own = |region: &Region| region.level as usize == level.number();
    for (number, region) in regions.iter().enumerate().filter(|(_, region)| own(region)) {
        let place = *places.entry(region.latent).or_insert_with(|| {
            sources.push(MapSource {
                latent: region.latent,
                regions: Vec::new(),
            });
            sources.len() - 1
        });
        sources[place].regions.push(number);
    }
    sources
}

fn quilt_marks(sample: &TracedSample<'_>, level: &Level, sources: &[MapSource]) -> QuiltMarks {
    let regions = &sample.trace.quilt.regions;
    let mut ranks = vec![None; regions.len()];
    for (rank, source) in sources.iter().enumerate() {
        for number in &source.regions {
            if regions[*number].information.in_bits() >= BACKGROUND {
                ranks[*number] = Some(rank);
            }
        }
    }
    let supported = sample.trace.support.at[level.positions()].chunks(level.channels());
    let interpolated = sample
        .interpolated
        .get(level.positions())
        .unwrap_or_default();
    let interpolated = interpolated.chunks(level.channels());
    QuiltMarks {
        region_of: site_regions(sample, level),
        ranks,
        unsupported: supported.map(|site| site.contains(&None)).collect(),
        interpolated: interpolated.map(|site| site.contains(&true)).collect(),
    }
}

/// Returns for each site the region of its first bit that is in one.
fn site_regions(sample: &TracedSample<'_>, level: &Level) -> Vec<Option<usize>> {
    let sites = sample.trace.quilt.region_of[level.positions()].chunks(level.channels());
    sites
        .map(|site| site.iter().flatten().next().map(|number| *number as usize))
        .collect()
}

/// Returns for each site of a source, on the grid `shape`, whether it was copied into the level `own` of a sample.
fn copied_sites(
    sample: &TracedSample<'_>,
    own: &Level,
    shape: Shape,
    source: &MapSource,
) -> Vec<bool> {
    let regions = &sample.trace.quilt.regions;
    let mut copied = vec![false; shape.height() * shape.width()];
    for (site, region) in site_regions(sample, own).into_iter().enumerate() {
        let Some(number) = region.filter(|number| source.regions.contains(number)) else {
            continue;
        };
        let Region { down, right, .. } = regions[number];
        // A region lies on the grid of its source as a whole.
        let place = |at: usize, by: i32| (at as i64 + i64::from(by)) as usize;
        let row = place(site / own.width(), down);
        let col = place(site % own.width(), right);
        if row < shape.height() && col < shape.width() {
            copied[row * shape.width() + col] = true;
        }
    }
    copied
}

/// Returns for each site whether two latents differ in any of its bits.
fn differing_sites(one: &[u8], other: &[u8], shape: Shape) -> Vec<bool> {
    let (one, other) = (Bits::from_slice(one), Bits::from_slice(other));
    let one = one[..shape.bits()].chunks(shape.channels());
    let other = other[..shape.bits()].chunks(shape.channels());
    one.zip(other).map(|(one, other)| one != other).collect()
}

#[cfg(test)]
mod tests;
