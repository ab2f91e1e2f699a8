//! Latents as pictures.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::extract::{Params, Place};
use super::sets::{check_sample, set_of};
use crate::engine::{EngineError, MapRequest};
use crate::latent::{Bits, Codec, Level, Shape};
use crate::picture::{MAX_PIXELS, Picture};
use crate::serve::app::{App, Shared};
use crate::serve::problem::{Failure, Problem};

/// Pixels of a picture for each one of a latent, at most.
const MAX_SCALE: usize = 16;
/// Latents of a sheet at most.
const MAX_SHEET: usize = 256;

/// How a latent is drawn.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PictureParams {
    /// The level; the finest, if `None`.
    level: Option<usize>,
    scale: Option<usize>,
    /// As it is decoded, `picture`, or its `bits`.
    view: View,
    /// One channel in black and white.
    channel: Option<usize>,
    /// Top, left, height and width of what is drawn, in pixels of the picture before it is scaled.
    crop: Option<String>,
    /// What it is of: the word that /api/v1/index calls its digest. With it the answer may be kept for ever.
    digest: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum View {
    #[default]
    Picture,
    Bits,
}

impl PictureParams {
    /// Returns the level that is asked for.
    fn level(&self, shape: Shape) -> Result<Level, Problem> {
        let number = self.level.unwrap_or(shape.finest().number());
        let last = shape.levels().len() - 1;
        let level = shape.level(number).copied();
        level.ok_or_else(|| Problem::bad(format!("level: expected 0 to {last}, found {number}")))
    }

    /// Draws a level of a latent.
    fn draw(&self, app: &App, level: &Level, packed: &[u8]) -> Result<Picture, Failure> {
        let own = level.bits_of(packed);
        let picture = match (self.channel, self.view) {
            (Some(channel), _) => plane(level, &own, channel)?,
            (None, View::Bits) => Picture::of_code(level.shape(), &own),
            (None, View::Picture) => (app.explorer.draw)(level, &own).map_err(Problem::internal)?,
        };
        let picture = match &self.crop {
            Some(crop) => cropped(&picture, crop)?,
            None => picture,
        };
        let scaled = picture.scaled(self.scale()?);
        Ok(scaled.ok_or_else(|| too_many("scale"))?)
    }

    fn scale(&self) -> Result<usize, Problem> {
        match self.scale.unwrap_or(1) {
            scale @ 1..=MAX_SCALE => Ok(scale),
            other => Err(Problem::above(
                MAX_SCALE as u64,
                format!("scale: expected 1 to {MAX_SCALE}, found {other}"),
            )),
        }
    }
}

fn too_many(what: &str) -> Problem {
    Problem::above(
        MAX_PIXELS as u64,
        format!("{what}: expected a picture of at most {MAX_PIXELS} pixels, found more"),
    )
}

/// Draws one channel.
fn plane(level: &Level, own: &[u8], channel: usize) -> Result<Picture, Problem> {
    let channels = level.channels();
    if channel >= channels {
        return Err(Problem::bad(format!(
            "channel: expected 0 to {}, found {channel}",
            channels - 1
        )));
    }
    let bad = |error: crate::latent::LatentError| Problem::bad(error.to_string());
    let bits = Bits::from_slice(own)[..level.bits()].iter().by_vals();
    let shape = Shape::new(level.height(), level.width(), 1).map_err(bad)?;
    let mut set = crate::latent::LatentSet::new(shape).with_codec(Codec::Threshold);
    set.push_bits(bits.skip(channel).step_by(channels))
        .map_err(bad)?;
    Ok(Picture::of_code(shape, set.packed_latent(0)))
}

fn cropped(picture: &Picture, crop: &str) -> Result<Picture, Problem> {
    let (height, width) = (picture.height(), picture.width());
    let wrong = || {
        Problem::bad(format!(
            "crop: expected TOP,LEFT,HEIGHT,WIDTH within {height}x{width} pixels (height x width), found '{crop}'"
        ))
    };
    let numbers = crop.split(',').map(str::parse::<usize>);
    let numbers: Vec<usize> = numbers.collect::<Result<_, _>>().map_err(|_| wrong())?;
    let [top, left, rows, columns] = numbers[..] else {
        return Err(wrong());
    };
    let end = |start: usize, count: usize| start.checked_add(count).ok_or_else(wrong);
    let (rows, columns) = (top..end(top, rows)?, left..end(left, columns)?);
    picture.cropped(rows, columns).ok_or_else(wrong)
}

/// A picture as an answer.
fn answer(picture: &Picture) -> Result<Vec<u8>, Failure> {
    let png = picture.to_png(std::path::Path::new("a picture"));
    Ok(png.map_err(|error| Problem::internal(error.to_string()))?)
}

fn png(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "image/png")], bytes).into_response()
}

/// Draws a sample.
pub(super) async fn of_sample(
    State(app): State<Shared>,
    Place((name, sample)): Place<(String, usize)>,
    Params(params): Params<PictureParams>,
) -> Result<Response, Problem> {
    let asked = app.clone();
    let drawn = app.gate.run(move |_| {
        let set = set_of(&asked, &name)?;
        check_sample(set, sample)?;
        let latents = &set.samples.latents;
        let level = params.level(latents.shape())?;
        answer(&params.draw(&asked, &level, latents.packed_latent(sample))?)
    });
    Ok(png(drawn.await?))
}

/// Draws a training latent.
pub(super) async fn of_latent(
    State(app): State<Shared>,
    Place(id): Place<u64>,
    Params(params): Params<PictureParams>,
) -> Result<Response, Problem> {
    let asked = app.clone();
    let drawn = app.gate.run(move |_| {
        let index = asked.explorer.session.index();
        let held = index.held_latent(id).map_err(EngineError::from)?;
        let level = params.level(index.shape())?;
        answer(&params.draw(&asked, &level, held.packed())?)
    });
    Ok(png(drawn.await?))
}

/// What is on a sheet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SheetParams {
    /// Numbers, joined by commas: their pictures stand side by side, in this order, `columns` in a row.
    ids: String,
    columns: Option<usize>,
    level: Option<usize>,
    #[expect(dead_code, reason = "looked at before this is asked")]
    digest: Option<String>,
}

impl SheetParams {
    fn ids(&self) -> Result<Vec<u64>, Problem> {
        let ids = self.ids.split(',').map(str::parse);
        let ids: Vec<u64> = ids
            .collect::<Result<_, _>>()
            .map_err(|error| Problem::bad(format!("ids: {error}")))?;
        match ids.len() <= MAX_SHEET {
            true => Ok(ids),
            false => Err(Problem::above(
                MAX_SHEET as u64,
                format!("ids: expected at most {MAX_SHEET}, found {}", ids.len()),
            )),
        }
    }

    /// Draws latents side by side.
    fn draw(
        &self,
        app: &App,
        shape: Shape,
        packed: impl Fn(u64) -> Result<Vec<u8>, Failure>,
    ) -> Result<Vec<u8>, Failure> {
        let params = PictureParams {
            level: self.level,
            ..PictureParams::default()
        };
        let level = params.level(shape)?;
        let ids = self.ids()?;
        // Before any is drawn.
        if ids.len() * level.height() * level.width() > MAX_PIXELS {
            return Err(too_many("ids").into());
        }
        let columns = self.columns.unwrap_or(16).clamp(1, MAX_SHEET);
        let pictures = ids.iter().map(|id| params.draw(app, &level, &packed(*id)?));
        let pictures = pictures.collect::<Result<Vec<Picture>, Failure>>()?;
        let sheet = Picture::sheet(&pictures, columns);
        answer(&sheet.ok_or_else(|| too_many("ids"))?)
    }
}

/// Draws samples of a set side by side.
pub(super) async fn sheet_of_samples(
    State(app): State<Shared>,
    Place(name): Place<String>,
    Params(params): Params<SheetParams>,
) -> Result<Response, Problem> {
    let asked = app.clone();
    let drawn = app.gate.run(move |_| {
        let set = set_of(&asked, &name)?;
        let latents = &set.samples.latents;
        params.draw(&asked, latents.shape(), |sample| {
            let sample = usize::try_from(sample).unwrap_or(usize::MAX);
            check_sample(set, sample)?;
            Ok(latents.packed_latent(sample).to_vec())
        })
    });
    Ok(png(drawn.await?))
}

/// Draws training latents side by side.
pub(super) async fn sheet_of_latents(
    State(app): State<Shared>,
    Params(params): Params<SheetParams>,
) -> Result<Response, Problem> {
    let asked = app.clone();
    let drawn = app.gate.run(move |_| {
        let index = asked.explorer.session.index();
        params.draw(&asked, index.shape(), |id| {
            let held = index.held_latent(id).map_err(EngineError::from)?;
            Ok(held.packed().to_vec())
        })
    });
    Ok(png(drawn.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapParams {
    level: Option<usize>,
    sources: Option<usize>,
    #[expect(dead_code, reason = "looked at before this is asked")]
    digest: Option<String>,
}

/// Sources of a map at most.
const MAX_SOURCES: usize = 20;

/// Draws the map of a sample.
pub(super) async fn map(
    State(app): State<Shared>,
    Place((name, sample)): Place<(String, usize)>,
    Params(params): Params<MapParams>,
) -> Result<Response, Problem> {
    let asked = app.clone();
    let drawn = app.gate.run(move |watch| {
        let set = set_of(&asked, &name)?;
        check_sample(set, sample)?;
        let sources = params.sources.unwrap_or(5);
        if !(1..=MAX_SOURCES).contains(&sources) {
            return Err(Problem::above(
                MAX_SOURCES as u64,
                format!("sources: expected 1 to {MAX_SOURCES}, found {sources}"),
            )
            .into());
        }
        let request = MapRequest {
            level: params.level,
            sources,
        };
        let shape = set.samples.latents.shape();
        let number = params.level.unwrap_or(shape.finest().number());
        let level = shape.level(number).copied();
        let map = set.session.map(
            &set.samples,
            &set.request(sample..sample + 1),
            set.judged.as_ref(),
            &request,
            watch,
            |own, packed| {
                // The map names a level's shape; where it lies among the others matters to whoever draws it.
                let level = level.filter(|level| level.shape() == own);
                let level = level.as_ref().unwrap_or(own.finest());
                let drawn = (asked.explorer.draw)(level, packed);
                drawn.map_err(|why| EngineError::Io(std::io::Error::other(why)))
            },
        )?;
        answer(&map)
    });
    Ok(png(drawn.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhotoParams {
    #[expect(dead_code, reason = "looked at before this is asked")]
    digest: Option<String>,
}

/// Answers the picture of a training latent that the user has.
pub(super) async fn photo(
    State(app): State<Shared>,
    Place(id): Place<u64>,
    Params(_): Params<PhotoParams>,
) -> Result<Response, Problem> {
    let asked = app.clone();
    let read = app.gate.run(move |_| {
        let photo = asked.explorer.photos.get(id);
        let (path, form) = photo
            .ok_or_else(|| Problem::not_found(format!("there is no picture of latent {id}")))?;
        let bytes = fs_err::read(path).map_err(|error| Problem::internal(error.to_string()))?;
        Ok((form, bytes))
    });
    let (form, bytes) = read.await?;
    Ok(([(header::CONTENT_TYPE, form)], bytes).into_response())
}
