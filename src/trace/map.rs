//! The map: a picture of traces. Each sample, its quilt coloured by source, the sources beside it with what
//! was copied outlined, and the nearest training latent with what differs.

use std::collections::HashMap;

use super::{Region, SampleSummary, Trace, TraceError, Tracer};
use crate::latent::Shape;
use crate::picture::MAX_PIXELS;
use crate::picture::Picture;
use crate::picture::canvas::{Area, BLACK, Canvas, Colour, Face, INK, WHITE, mix};

/// Pixels that the longer side of a panel has at most, unless its image has more.
const SIDE: usize = 168;
const GAP: usize = 14;
const LINE: usize = 12;
/// Two lines of text above each panel.
const CAPTION: usize = 2 * LINE + 2;
const HEADER: usize = GAP + 18 + 2 * LINE + GAP;
/// Columns that the header needs at least.
const MIN_WIDTH: usize = 640;

/// Regions that tell less, in bits, are background: what nearly every training latent has.
const BACKGROUND: f64 = 1.0;

const FRAME: Colour = [196, 198, 204];
const BACKGROUND_COLOUR: Colour = [138, 140, 148];
const UNSUPPORTED: Colour = [214, 30, 48];
const INTERPOLATED: Colour = WHITE;
const DIFFERS: Colour = [255, 96, 32];
/// Of the sources that tell most, told apart by people who see few colours too (Okabe and Ito 2008).
const PALETTE: [Colour; 7] = [
    [230, 159, 0],
    [86, 180, 233],
    [0, 158, 115],
    [240, 228, 66],
    [204, 121, 167],
    [213, 94, 0],
    [60, 110, 220],
];

/// One sample of a map.
#[derive(Clone)]
pub struct MapRow {
    /// Its number.
    pub sample: usize,
    /// Its label, where there is one.
    pub label: Option<i64>,
    /// Its bits.
    pub packed: Vec<u8>,
    /// Where it comes from.
    pub trace: Trace,
    /// Its figures.
    pub summary: SampleSummary,
    /// Whether a network answered each of its bits; empty where none did.
    pub interpolated: Vec<bool>,
}

/// Draws a map. `image` draws one latent of a shape: a picture whose sides stand to each other as the
/// grid's do. At most `sources` training latents are drawn beside each sample.
///
/// # Errors
/// [`TraceError::Map`] when the picture would have more than [`MAX_PIXELS`] pixels, which is asked before
/// any is drawn; [`TraceError::Index`], [`TraceError::NoSuchLatent`]; whatever `image` returns.
pub fn draw_map<E: From<TraceError>>(
    tracer: &Tracer<'_>,
    rows: &[MapRow],
    sources: usize,
    image: impl Fn(Shape, &[u8]) -> Result<Picture, E>,
) -> Result<Picture, E> {
    let (own, other) = (tracer.shape(), tracer.training().shape());
    let longest = [own, other].map(|shape| shape.height().max(shape.width()));
    let cell = (SIDE / longest[0].max(longest[1])).max(1);
    let height = CAPTION + cell * own.height().max(other.height()) + GAP;
    let pitch = GAP + cell * own.width().max(other.width()).max(SIDE / cell);
    // The sample, its quilt, its sources and the nearest.
    let width = (GAP + (3 + sources) * pitch).max(MIN_WIDTH);
    let height = HEADER + rows.len() * height;
    if height.saturating_mul(width) > MAX_PIXELS {
        let max = MAX_PIXELS;
        return Err(TraceError::Map { height, width, max }.into());
    }
    let mut map = Map {
        tracer,
        canvas: Canvas::new(height, width),
        cell,
        pitch,
        image,
        sources,
    };
    map.header(width);
    for (number, row) in rows.iter().enumerate() {
        let height = CAPTION + cell * own.height().max(other.height()) + GAP;
        map.row(HEADER + number * height, row)?;
    }
    Ok(map.canvas.into_picture())
}

/// A map under work.
struct Map<'a, F> {
    tracer: &'a Tracer<'a>,
    canvas: Canvas,
    /// Pixels of a site, in both directions.
    cell: usize,
    /// From one panel to the next.
    pitch: usize,
    image: F,
    sources: usize,
}

/// A training latent that a sample was copied from, and its regions: most informative first.
struct MapSource {
    latent: u32,
    colour: Colour,
    regions: Vec<usize>,
}

impl MapSource {
    fn total(&self, regions: &[Region], of: impl Fn(&Region) -> f64) -> f64 {
        self.regions
            .iter()
            .map(|number| of(&regions[*number]))
            .sum()
    }
}

impl<E: From<TraceError>, F: Fn(Shape, &[u8]) -> Result<Picture, E>> Map<'_, F> {
    fn header(&mut self, width: usize) {
        let tracer = self.tracer;
        let names: Vec<_> = tracer
            .quilt_windows()
            .iter()
            .map(|w| w.to_string())
            .collect();
        let title = format!(
            "Traced to {} training latents at {}",
            tracer.training().latents(),
            names.join(", ")
        );
        let yardstick = tracer.yardstick().map(|window| window.to_string());
        let measure = format!(
            "Information is measured at {}. Regions of more than {:.1} bits are no chance, and no verdict: unseen data has them too.",
            yardstick.unwrap_or_default(),
            tracer.copy_line()
        );
        let colours = "A colour: copied bit for bit from one training latent. Gray: background, regions of \
                       less than 1 bit. Red stripes: in no training latent. White stripes: by a network.";
        let max_width = width - 2 * GAP;
        self.canvas
            .text((GAP, GAP), max_width, &title, Face::Bold, INK);
        for (number, text) in [measure.as_str(), colours].into_iter().enumerate() {
            let top = GAP + 18 + number * LINE;
            self.canvas
                .text((top, GAP), max_width, text, Face::Plain, INK);
        }
    }

    fn row(&mut self, top: usize, row: &MapRow) -> Result<(), E> {
        let regions = &row.trace.quilt.regions;
        let sources = sources_of(regions);
        let sample = (self.image)(self.tracer.shape(), &row.packed)?;
        let label = row.label.map(|label| format!(", label {label}"));
        let title = format!("sample {}{}", row.sample, label.unwrap_or_default());
        let bits = self.tracer.shape().bits() as f64;
        let supported = format!(
            "{:.1} % supported",
            100.0 * row.summary.supported as f64 / bits
        );
        let area = self.panel(top, 0, self.tracer.shape(), [&title, &supported], INK);
        self.paint_image(area, &sample, |_, colour| colour);

        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let title = count(regions.len(), "region");
        let from = format!("of {}", count(sources.len(), "latent"));
        let area = self.panel(top, 1, self.tracer.shape(), [&title, &from], INK);
        self.quilt(area, &sample, row, &sources);

        for (number, source) in sources.iter().take(self.sources).enumerate() {
            self.source(top, 2 + number, row, source)?;
        }
        self.nearest(top, row)
    }

    /// Writes the caption of a panel; where its image goes.
    fn panel(
        &mut self,
        top: usize,
        number: usize,
        shape: Shape,
        caption: [&str; 2],
        colour: Colour,
    ) -> Area {
        let left = GAP + number * self.pitch;
        let max_width = self.pitch - GAP / 2;
        let [title, below] = caption;
        self.canvas
            .text((top, left), max_width, title, Face::Plain, colour);
        self.canvas
            .text((top + LINE, left), max_width, below, Face::Plain, INK);
        let area = Area {
            top: top + CAPTION,
            left,
            height: shape.height() * self.cell,
            width: shape.width() * self.cell,
        };
        // A frame of one pixel: images may be as white as the paper.
        let frame = Area {
            top: area.top - 1,
            left: area.left - 1,
            height: area.height + 2,
            width: area.width + 2,
        };
        self.canvas.paint(frame, |_, _| FRAME);
        area
    }

    /// Lays a picture over an area; `change` has each pixel's site and colour.
    fn paint_image(
        &mut self,
        area: Area,
        picture: &Picture,
        change: impl Fn((usize, usize), Colour) -> Colour,
    ) {
        let cell = self.cell;
        self.canvas.paint(area, |row, col| {
            let colour = picture.colour(
                row * picture.height() / area.height,
                col * picture.width() / area.width,
            );
            change((row / cell, col / cell), colour)
        });
    }

    /// The quilt of a sample over its image.
    fn quilt(&mut self, area: Area, sample: &Picture, row: &MapRow, sources: &[MapSource]) {
        let shape = self.tracer.shape();
        let regions = &row.trace.quilt.regions;
        let mut colours = vec![BACKGROUND_COLOUR; regions.len()];
        for source in sources {
            for number in &source.regions {
                if !is_background(&regions[*number]) {
                    colours[*number] = source.colour;
                }
            }
        }
        let of_site = |site: (usize, usize)| site_region(row, shape, site);
        self.paint_image(area, sample, |site, colour| match of_site(site) {
            Some(region) => mix(
                mix(colours[region], WHITE, 0.92),
                BLACK,
                0.38 + 0.62 * light(colour),
            ),
            None => colour,
        });
        let unsupported = |site| has_unsupported(row, shape, site);
        self.stripes(area, shape, unsupported, (0, UNSUPPORTED));
        let interpolated = |site| is_interpolated(row, shape, site);
        self.stripes(area, shape, interpolated, (2, INTERPOLATED));
        let edge = |a: (usize, usize), b: (usize, usize)| of_site(a) != of_site(b);
        self.edges(area, shape, |_| true, edge, BLACK, 1);
    }

    /// Stripes over some sites, every other one free for those of another phase.
    fn stripes(
        &mut self,
        area: Area,
        shape: Shape,
        holds: impl Fn((usize, usize)) -> bool,
        (phase, colour): (usize, Colour),
    ) {
        for site in sites(shape).filter(|site| holds(*site)) {
            for (row, col) in self.pixels_of(area, site) {
                if (row + col + phase) % 4 < 2 {
                    self.canvas.set(row, col, colour);
                }
            }
        }
    }

    fn pixels_of(
        &self,
        area: Area,
        (row, col): (usize, usize),
    ) -> impl Iterator<Item = (usize, usize)> + use<E, F> {
        let cell = self.cell;
        let (top, left) = (area.top + row * cell, area.left + col * cell);
        (top..top + cell).flat_map(move |row| (left..left + cell).map(move |col| (row, col)))
    }

    /// Lines of `thickness` pixels inside those sites that hold, on each side behind which another site is
    /// cut off. The sides of the grid are cut off too.
    fn edges(
        &mut self,
        area: Area,
        shape: Shape,
        holds: impl Fn((usize, usize)) -> bool,
        cut: impl Fn((usize, usize), (usize, usize)) -> bool,
        colour: Colour,
        thickness: usize,
    ) {
        let cell = self.cell;
        for site in sites(shape).filter(|site| holds(*site)) {
            let (row, col) = site;
            // A side of the grid is drawn by outlines only: the quilt's lines run between sites.
            let beyond = thickness > 1;
            let beside =
                |there: bool, other: (usize, usize)| if there { cut(site, other) } else { beyond };
            let left = beside(col > 0, (row, col.wrapping_sub(1)));
            let right = beside(col + 1 < shape.width(), (row, col + 1));
            let up = beside(row > 0, (row.wrapping_sub(1), col));
            let down = beside(row + 1 < shape.height(), (row + 1, col));
            for (y, x) in self.pixels_of(area, site) {
                let (dy, dx) = ((y - area.top) % cell, (x - area.left) % cell);
                let near = |cut: bool, distance: usize| cut && distance < thickness;
                // One line between two sites of a quilt: the later one draws it.
                let drawn = near(left, dx)
                    || near(up, dy)
                    || near(right && beyond, cell - 1 - dx)
                    || near(down && beyond, cell - 1 - dy);
                if drawn {
                    self.canvas.set(y, x, colour);
                }
            }
        }
    }

    /// A source with its regions outlined.
    fn source(
        &mut self,
        top: usize,
        panel: usize,
        row: &MapRow,
        source: &MapSource,
    ) -> Result<(), E> {
        let (own, shape) = (self.tracer.shape(), self.tracer.training().shape());
        let regions = &row.trace.quilt.regions;
        let sum = |of: fn(&Region) -> f64| source.total(regions, of);
        let title = format!("latent {}", source.latent);
        let below = format!(
            "{:.0} sites, {:.1} bits",
            sum(|region| region.sites.into()),
            sum(|region| region.information.in_bits())
        );
        let caption = [title.as_str(), &below];
        let area = self.panel(top, panel, shape, caption, mix(source.colour, BLACK, 0.75));
        let picture = self.training_image(source.latent)?;
        let mut inside = vec![false; shape.height() * shape.width()];
        for site in sites(own) {
            let region =
                site_region(row, own, site).filter(|number| source.regions.contains(number));
            let Some(Region { down, right, .. }) = region.map(|number| &regions[number]) else {
                continue;
            };
            // A region lies on the grid of its source as a whole.
            let place = |at: usize, by: i32| (at as i64 + i64::from(by)) as usize;
            let (row, col) = (place(site.0, *down), place(site.1, *right));
            if row < shape.height() && col < shape.width() {
                inside[row * shape.width() + col] = true;
            }
        }
        let is_inside = |(row, col): (usize, usize)| inside[row * shape.width() + col];
        let tint = source.colour;
        self.paint_image(area, &picture, |site, colour| match is_inside(site) {
            true => mix(mix(tint, WHITE, 0.5), BLACK, 0.2 + 0.8 * light(colour)),
            false => mix(colour, [96, 96, 96], 0.4),
        });
        let thickness = (self.cell / 3).clamp(2, 3);
        self.edges(
            area,
            shape,
            is_inside,
            |_, other| !is_inside(other),
            tint,
            thickness,
        );
        Ok(())
    }

    /// The nearest training latent, and the sites in which it differs.
    fn nearest(&mut self, top: usize, row: &MapRow) -> Result<(), E> {
        let shape = self.tracer.shape();
        let Some(first) = row
            .trace
            .near
            .as_ref()
            .and_then(|near| near.nearest.first())
        else {
            return Ok(());
        };
        let title = format!("nearest: latent {}", first.latent);
        let below = match first.distance {
            0 => "no bit differs".to_owned(),
            1 => "1 bit differs".to_owned(),
            bits => format!("{bits} bits differ"),
        };
        let area = self.panel(top, 2 + self.sources, shape, [&title, &below], INK);
        let picture = self.training_image(first.latent)?;
        self.paint_image(area, &picture, |_, colour| colour);
        let other = self.training_bits(first.latent)?;
        let bit = |packed: &[u8], at: usize| packed[at / 8] >> (at % 8) & 1;
        for site in sites(shape) {
            let at = shape.position(site.0, site.1, 0);
            let differs = |at| bit(&row.packed, at) != bit(&other, at);
            if !(at..at + shape.channels()).any(differs) {
                continue;
            }
            // The middle of the site: what is there stays to be seen around it.
            let edge = self.cell / 4;
            for (y, x) in self.pixels_of(area, site) {
                let (dy, dx) = ((y - area.top) % self.cell, (x - area.left) % self.cell);
                let middle = edge..self.cell - edge;
                if middle.contains(&dy) && middle.contains(&dx) {
                    self.canvas.set(y, x, DIFFERS);
                }
            }
        }
        Ok(())
    }

    fn training_bits(&self, latent: u32) -> Result<Vec<u8>, E> {
        let index = self.tracer.index();
        let held = index.latent(latent.into()).map_err(TraceError::from)?;
        let held = held.ok_or_else(|| TraceError::NoSuchLatent {
            path: index.path().to_owned(),
            latent: latent.into(),
        })?;
        Ok(held.packed().to_vec())
    }

    fn training_image(&self, latent: u32) -> Result<Picture, E> {
        let packed = self.training_bits(latent)?;
        (self.image)(self.tracer.training().shape(), &packed)
    }
}

fn is_background(region: &Region) -> bool {
    region.information.in_bits() < BACKGROUND
}

/// The sources of a quilt, by their most informative region, each with a colour of its own.
fn sources_of(regions: &[Region]) -> Vec<MapSource> {
    let mut sources: Vec<MapSource> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    for (number, region) in regions.iter().enumerate() {
        let place = *places.entry(region.latent).or_insert_with(|| {
            sources.push(MapSource {
                latent: region.latent,
                colour: colour_of(sources.len()),
                regions: Vec::new(),
            });
            sources.len() - 1
        });
        sources[place].regions.push(number);
    }
    sources
}

/// Colours of the palette for the first sources, paler ones around the circle of hues for the others.
fn colour_of(number: usize) -> Colour {
    if let Some(colour) = PALETTE.get(number) {
        return *colour;
    }
    // Steps of the golden angle: neighbours in rank are far apart in hue, whatever their number.
    let turn = (number as f32 * 0.618_034).fract() * 6.0;
    let wave = |shift: f32| {
        let distance = ((turn + shift) % 6.0 - 3.0).abs() - 1.0;
        (distance.clamp(0.0, 1.0) * 255.0) as u8
    };
    let hue = [wave(0.0), wave(4.0), wave(2.0)];
    mix(hue, [190, 190, 195], 0.35)
}

fn light([red, green, blue]: Colour) -> f32 {
    (0.2126 * f32::from(red) + 0.7152 * f32::from(green) + 0.0722 * f32::from(blue)) / 255.0
}

fn sites(shape: Shape) -> impl Iterator<Item = (usize, usize)> {
    (0..shape.height()).flat_map(move |row| (0..shape.width()).map(move |col| (row, col)))
}

/// The region of a site: of its first bit that is in one.
fn site_region(row: &MapRow, shape: Shape, (y, x): (usize, usize)) -> Option<usize> {
    let at = shape.position(y, x, 0);
    let bits = &row.trace.quilt.region_of[at..at + shape.channels()];
    bits.iter().flatten().next().map(|number| *number as usize)
}

fn has_unsupported(row: &MapRow, shape: Shape, (y, x): (usize, usize)) -> bool {
    let at = shape.position(y, x, 0);
    let supported = &row.trace.support.at[at..at + shape.channels()];
    supported.iter().any(Option::is_none)
}

fn is_interpolated(row: &MapRow, shape: Shape, (y, x): (usize, usize)) -> bool {
    let at = shape.position(y, x, 0);
    let bits = row.interpolated.get(at..at + shape.channels());
    bits.is_some_and(|bits| bits.contains(&true))
}

#[cfg(test)]
mod tests;
