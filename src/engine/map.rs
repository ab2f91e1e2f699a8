//! Maps of traces: each sample, its quilt coloured by source, the sources beside it with what was copied outlined, and
//! the nearest training latent with what differs.
//!
//! Translates traces into the plain data that a [`Map`] is drawn from.

use std::collections::HashMap;

use super::{EngineError, TracedSample, Tracing};
use crate::latent::{Bits, Shape};
use crate::picture::{Heading, Map, Marks, Panel, Picture, QuiltMarks};
use crate::trace::{Region, Tracer};

/// Regions that tell less, in bits, are background: what nearly every training latent has.
const BACKGROUND: f64 = 1.0;

impl Tracing<'_> {
    /// Draws a map of samples of this tracing, a row for each. `image` draws one latent of a shape: a picture whose
    /// sides stand to each other as the grid's do. At most `sources` training latents are drawn beside each sample.
    ///
    /// # Errors
    /// [`EngineError::Picture`] when the map would have more than [`MAX_PIXELS`](crate::picture::MAX_PIXELS) pixels,
    /// which is asked before any is drawn; [`EngineError::Index`], [`EngineError::NoSuchLatent`]; whatever `image`
    /// returns.
    pub fn draw_map<E: From<EngineError>>(
        &self,
        samples: &[TracedSample<'_>],
        sources: usize,
        image: impl Fn(Shape, &[u8]) -> Result<Picture, E>,
    ) -> Result<Picture, E> {
        let tracer = self.tracer()?;
        let shapes = [tracer.shape(), tracer.training().shape()];
        // The sample, its quilt, its sources and the nearest.
        let panels = (samples.len(), sources.saturating_add(3));
        let map = Map::new(&heading(&tracer), &shapes, panels).map_err(EngineError::from)?;
        let mut drawing = Drawing {
            tracer,
            map,
            max_sources: sources,
            image,
        };
        for (row, sample) in samples.iter().enumerate() {
            drawing.sample(row, sample)?;
        }
        Ok(drawing.map.into_picture())
    }
}

fn heading(tracer: &Tracer<'_>) -> Heading {
    let windows = tracer.quilt_windows().iter();
    let windows: Vec<_> = windows.map(ToString::to_string).collect();
    let yardstick = tracer.yardstick().map(|window| window.to_string());
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
    map: Map,
    /// Sources to draw beside each sample.
    max_sources: usize,
    image: F,
}

impl<E: From<EngineError>, F: Fn(Shape, &[u8]) -> Result<Picture, E>> Drawing<'_, F> {
    /// Draws the row of a sample.
    fn sample(&mut self, row: usize, sample: &TracedSample<'_>) -> Result<(), E> {
        let shape = self.tracer.shape();
        let regions = &sample.trace.quilt.regions;
        let sources = sources_of(regions);
        let picture = (self.image)(shape, sample.packed)?;

        let label = sample.label.map(|label| format!(", label {label}"));
        let supported = 100.0 * sample.summary.supported as f64 / shape.bits() as f64;
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

        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let panel = Panel {
            caption: [
                count(regions.len(), "region"),
                format!("of {}", count(sources.len(), "latent")),
            ],
            marks: Marks::Quilt(quilt_marks(sample, shape, &sources)),
            ..panel
        };
        self.map.draw((row, 1), &panel);

        for (rank, source) in sources.iter().take(self.max_sources).enumerate() {
            self.source((row, 2 + rank), sample, rank, source)?;
        }
        self.nearest((row, 2 + self.max_sources), sample)
    }

    /// Draws a source with what was copied from it.
    fn source(
        &mut self,
        place: (usize, usize),
        sample: &TracedSample<'_>,
        rank: usize,
        source: &MapSource,
    ) -> Result<(), E> {
        let (own, shape) = (self.tracer.shape(), self.tracer.training().shape());
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
                sites: copied_sites(sample, own, shape, source),
            },
        };
        self.map.draw(place, &panel);
        Ok(())
    }

    /// Draws the nearest training latent with what differs; nothing on another grid than the training latents'.
    fn nearest(&mut self, place: (usize, usize), sample: &TracedSample<'_>) -> Result<(), E> {
        let near = sample.trace.near.as_ref();
        let Some(first) = near.and_then(|near| near.nearest.first()) else {
            return Ok(());
        };
        let shape = self.tracer.shape();
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
            marks: Marks::Differing(differing_sites(sample.packed, &packed, shape)),
        };
        self.map.draw(place, &panel);
        Ok(())
    }

    /// Reads a training latent, packed.
    fn training(&self, latent: u32) -> Result<Vec<u8>, EngineError> {
        let index = self.tracer.index();
        let held = index.latent(latent.into())?;
        let held = held.ok_or_else(|| EngineError::NoSuchLatent {
            path: index.path().to_owned(),
            latent: latent.into(),
        })?;
        Ok(held.packed().to_vec())
    }
}

/// A training latent that a sample was copied from.
struct MapSource {
    latent: u32,
    /// Numbers of its regions: most informative first.
    regions: Vec<usize>,
}

/// Returns the sources of a quilt, by their most informative region.
fn sources_of(regions: &[Region]) -> Vec<MapSource> {
    let mut sources: Vec<MapSource> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    for (number, region) in regions.iter().enumerate() {
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

fn quilt_marks(sample: &TracedSample<'_>, shape: Shape, sources: &[MapSource]) -> QuiltMarks {
    let regions = &sample.trace.quilt.regions;
    let mut ranks = vec![None; regions.len()];
    for (rank, source) in sources.iter().enumerate() {
        for number in &source.regions {
            if regions[*number].information.in_bits() >= BACKGROUND {
                ranks[*number] = Some(rank);
            }
        }
    }
    let supported = sample.trace.support.at.chunks(shape.channels());
    let interpolated = sample.interpolated.chunks(shape.channels());
    QuiltMarks {
        region_of: site_regions(sample, shape),
        ranks,
        unsupported: supported.map(|site| site.contains(&None)).collect(),
        interpolated: interpolated.map(|site| site.contains(&true)).collect(),
    }
}

/// Returns for each site the region of its first bit that is in one.
fn site_regions(sample: &TracedSample<'_>, shape: Shape) -> Vec<Option<usize>> {
    let sites = sample.trace.quilt.region_of.chunks(shape.channels());
    sites
        .map(|site| site.iter().flatten().next().map(|number| *number as usize))
        .collect()
}

/// Returns for each site of a source, on the grid `shape`, whether it was copied into a sample on the grid `own`.
fn copied_sites(
    sample: &TracedSample<'_>,
    own: Shape,
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
