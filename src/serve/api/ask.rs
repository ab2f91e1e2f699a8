//! Questions about one context, and traces of latents that are sent.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::extract::{Body, Params, Place};
use super::sets::{check_sample, ids_of, set_of};
use crate::engine::{QueryRequest, Session, TraceNames, TraceRequest, WindowChoice};
use crate::latent::{Codec, Ids, LatentSet, Shape};
use crate::samples::SampleSet;
use crate::serve::app::Shared;
use crate::serve::problem::{Failure, Problem};

/// Postings of one answer at most, for each next bit.
const MAX_TOP: usize = 1000;
/// Latents of one request at most.
const MAX_SENT: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BitParams {
    window: Option<String>,
    min_count: Option<u64>,
    top: Option<usize>,
}

/// Returns the number of postings to list.
fn top(asked: Option<usize>) -> Result<usize, Problem> {
    let asked = asked.unwrap_or(10);
    match asked <= MAX_TOP {
        true => Ok(asked),
        false => Err(Problem::above(
            MAX_TOP as u64,
            format!("top: expected at most {MAX_TOP}, found {asked}"),
        )),
    }
}

fn window_of(text: Option<&str>) -> Result<Option<WindowChoice>, Problem> {
    let window = text.map(str::parse).transpose();
    window.map_err(|error| Problem::bad(format!("window: {error}")))
}

/// Answers what followed the context of a bit of a sample.
pub(super) async fn bit(
    State(app): State<Shared>,
    Place((name, sample, position)): Place<(String, usize, usize)>,
    Params(params): Params<BitParams>,
) -> Result<Response, Problem> {
    let asked = app.clone();
    let answer = app.gate.run(move |_| {
        let set = set_of(&asked, &name)?;
        check_sample(set, sample)?;
        let request = QueryRequest {
            window: window_of(params.window.as_deref())?,
            latent: sample as u64,
            position,
            min_count: params.min_count.unwrap_or(1),
            top: Some(top(params.top)?),
        };
        Ok(set.session.query(&request, Some(&set.samples.latents))?)
    });
    Ok(Json(answer.await?).into_response())
}

/// A question about a context.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    window: Option<String>,
    position: usize,
    /// A training latent whose context is asked for, or
    latent: Option<u64>,
    /// the bits of a latent, in scan order as 0 and 1, a text for each level; and its label, where contexts are bound to labels.
    bits: Option<Vec<String>>,
    label: Option<i64>,
    min_count: Option<u64>,
    top: Option<usize>,
}

/// Answers what followed a context, of a training latent or of bits that are sent.
pub(super) async fn query(State(app): State<Shared>, body: Body) -> Result<Response, Problem> {
    let question: Question = body.json()?;
    let session = app.explorer.session.clone();
    let answer = app
        .gate
        .run(move |_| Ok(session.query(&question.request()?, question.of(&session)?.as_ref())?));
    Ok(Json(answer.await?).into_response())
}

impl Question {
    fn request(&self) -> Result<QueryRequest, Problem> {
        if self.latent.is_some() == self.bits.is_some() {
            return Err(Problem::bad("expected either a training latent or bits"));
        }
        Ok(QueryRequest {
            window: window_of(self.window.as_deref())?,
            latent: self.latent.unwrap_or(0),
            position: self.position,
            min_count: self.min_count.unwrap_or(1),
            top: Some(top(self.top)?),
        })
    }

    /// Returns the latent whose bits are sent.
    fn of(&self, session: &Session) -> Result<Option<LatentSet>, Problem> {
        let Some(bits) = &self.bits else {
            return Ok(None);
        };
        Ok(Some(latents_of(
            session,
            std::slice::from_ref(bits),
            self.label,
        )?))
    }
}

/// Returns latents of the index's shape whose bits are sent.
fn latents_of(
    session: &Session,
    sent: &[Vec<String>],
    label: Option<i64>,
) -> Result<LatentSet, Problem> {
    let index = session.index();
    let shape = index.shape();
    let mut set = LatentSet::new(shape).with_codecs(index.manifest().codecs());
    for levels in sent {
        let lengths: Vec<usize> = levels.iter().map(String::len).collect();
        let expected: Vec<usize> = shape.levels().iter().map(|level| level.bits()).collect();
        let digits = levels.iter().flat_map(|level| level.bytes());
        if lengths != expected || digits.clone().any(|digit| digit != b'0' && digit != b'1') {
            return Err(Problem::bad(format!(
                "bits: expected texts of {expected:?} digits 0 and 1, a text for each level of {shape}, found texts of {lengths:?}"
            )));
        }
        set.push_bits(digits.map(|digit| digit == b'1'))
            .map_err(bad)?;
    }
    match label {
        Some(label) => {
            let labels = vec![label; set.len()];
            set.with_labels(labels).map_err(bad)
        }
        None => Ok(set),
    }
}

fn bad(error: impl std::fmt::Display) -> Problem {
    Problem::bad(error.to_string())
}

/// Latents to be traced.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    /// Of each latent the bits of each level, in scan order as 0 and 1.
    latents: Vec<Vec<String>>,
    /// The label of all, where contexts are bound to labels.
    label: Option<i64>,
    /// Windows of the quilt.
    #[serde(default)]
    windows: Vec<String>,
    /// Training latents to trace without.
    #[serde(default)]
    without: String,
}

/// Traces latents that are sent: as JSON, packed, or as a picture in black and white.
pub(super) async fn trace(State(app): State<Shared>, body: Body) -> Result<Response, Problem> {
    let asked = app.clone();
    let answer = app.gate.run(move |watch| {
        let session = &asked.explorer.session;
        let (latents, windows, without) = match body.media_type.as_str() {
            "application/json" => {
                let sent: Sent = body.json()?;
                check_sent(sent.latents.len())?;
                let windows = sent.windows.iter().map(|window| window.parse());
                let windows = windows.collect::<Result<Vec<WindowChoice>, _>>().map_err(bad)?;
                let without = ids_of(&sent.without)?;
                (latents_of(session, &sent.latents, sent.label)?, windows, without)
            }
            "application/octet-stream" => (packed(session, &body)?, Vec::new(), Ids::default()),
            "image/png" => (picture(session, &body)?, Vec::new(), Ids::default()),
            other => {
                return Err(Problem::bad(format!(
                    "expected a body of application/json, application/octet-stream or image/png, found '{other}'"
                ))
                .into());
            }
        };
        let samples = SampleSet {
            without,
            ..latents.into()
        };
        let request = TraceRequest {
            windows,
            top: 0,
            ..TraceRequest::default()
        };
        let tracing = session.tracing(&samples, &request, watch)?;
        let names = TraceNames {
            index: asked.explorer.name.clone(),
            samples: String::new(),
        };
        let mut file = Vec::new();
        tracing.write(&mut file, &names, Some(0), None, watch, |_| Ok(()))?;
        Ok::<_, Failure>(file)
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], answer.await?).into_response())
}

fn check_sent(latents: usize) -> Result<(), Problem> {
    match (1..=MAX_SENT).contains(&latents) {
        true => Ok(()),
        false => Err(Problem::above(
            MAX_SENT as u64,
            format!("expected 1 to {MAX_SENT} latents, found {latents}"),
        )),
    }
}

/// Reads packed latents of the index's shape.
fn packed(session: &Session, body: &Body) -> Result<LatentSet, Problem> {
    let shape = session.index().shape();
    let each = shape.packed_bytes();
    if !body.bytes.len().is_multiple_of(each) {
        return Err(Problem::bad(format!(
            "expected {each} bytes for each {shape} latent, found {} in all",
            body.bytes.len()
        )));
    }
    check_sent(body.bytes.len() / each)?;
    let set = LatentSet::from_packed(shape, body.bytes.to_vec()).map_err(bad)?;
    Ok(set.with_codecs(session.index().manifest().codecs()))
}

/// Reads a picture, of which each pixel of at least half brightness is a 1.
fn picture(session: &Session, body: &Body) -> Result<LatentSet, Problem> {
    let index = session.index();
    let (shape, codec) = (index.shape(), &index.manifest().codec);
    if shape.is_pyramid() || shape.channels() != 1 || *codec != Codec::Threshold {
        return Err(Problem::bad(format!(
            "a picture can be traced where latents are black and white pixels: those of this index are {shape}, {codec}"
        )));
    }
    let reader = || {
        image::ImageReader::with_format(
            std::io::Cursor::new(&body.bytes[..]),
            image::ImageFormat::Png,
        )
    };
    // Before it is decoded: a small file may say that it is huge.
    let (width, height) = reader().into_dimensions().map_err(bad)?;
    check_sides(shape, (height as usize, width as usize))?;
    let picture = reader().decode().map_err(bad)?.to_luma8();
    let mut set = LatentSet::new(shape).with_codec(Codec::Threshold);
    set.push_bits(picture.pixels().map(|pixel| pixel.0[0] >= 128))
        .map_err(bad)?;
    Ok(set)
}

fn check_sides(shape: Shape, found: (usize, usize)) -> Result<(), Problem> {
    match found == (shape.height(), shape.width()) {
        true => Ok(()),
        false => Err(Problem::bad(format!(
            "expected a picture of {}x{} pixels (height x width), found {}x{}",
            shape.height(),
            shape.width(),
            found.0,
            found.1
        ))),
    }
}
