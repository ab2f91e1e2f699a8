//! The page of a trace: a wall of samples, and for each its quilt beside the training latents that it comes from.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use serde::Serialize;

use super::frame::{Script, scripted};
use super::image::data_uri;
use crate::base::Observer;
use crate::copies::Verdict;
use crate::engine::{
    BACKGROUND, EngineError, Judged, Session, TraceNames, TraceRequest, TracedSample, Tracing,
};
use crate::latent::{LatentError, Level};
use crate::picture::Picture;
use crate::samples::SampleSet;

/// Samples of one page, at most: more than a browser should hold at once, with their sources.
pub const MAX_PAGE_SAMPLES: usize = 200;

/// Scripts that every page with samples has, in this order.
pub(crate) const SCRIPTS: [(&str, &str); 4] = [
    ("address.js", include_str!("script/address.js")),
    ("elements.js", include_str!("script/elements.js")),
    ("sheet.js", include_str!("script/sheet.js")),
    ("sample.js", include_str!("script/sample.js")),
];
/// What is this page's own.
const SCRIPT: &str = include_str!("script/trace.js");
/// How samples are laid out.
pub(crate) const STYLE: &str = include_str!("trace.css");

/// Pictures by what they are of, as the script has them: of each level a `data:` address.
#[derive(Default, Serialize)]
struct Pictures {
    samples: Vec<Vec<String>>,
    latents: BTreeMap<u32, Vec<String>>,
    /// Height, width and channels of each level of the training latents.
    under: Vec<[usize; 3]>,
    /// Regions that tell less, in bits, are background.
    background: f64,
}

/// Traces the first samples of a request, [`MAX_PAGE_SAMPLES`] at most, and returns their page, with their verdicts where they were judged. `image`
/// draws a level of a latent: its grid and its packed bits.
///
/// # Errors
/// As [`Session::tracing`] and [`Tracing::write`]; whatever `image` returns.
pub fn trace_page<E: From<EngineError> + From<LatentError>>(
    session: &Session,
    samples: &SampleSet,
    request: &TraceRequest,
    names: &TraceNames,
    judged: Option<&Judged>,
    observer: &dyn Observer,
    image: impl Fn(&Level, &[u8]) -> Result<Picture, E>,
) -> Result<String, E> {
    let start = request.samples.start;
    let end = request.samples.end;
    let request = TraceRequest {
        samples: start..end.min(start.saturating_add(MAX_PAGE_SAMPLES)),
        top: 0,
        ..request.clone()
    };
    let tracing = session.tracing(samples, &request, observer)?;
    let (mut file, mut traced) = (Vec::new(), Vec::new());
    let take = |sample| {
        traced.push(sample);
        Ok(())
    };
    tracing.write(&mut file, names, Some(0), judged, observer, take)?;
    let pictures = pictures(&tracing, &traced, observer, image)?;
    let told = |what: Result<String, serde_json::Error>| {
        what.map_err(|error| E::from(EngineError::Io(error.into())))
    };
    let pictures = told(serde_json::to_string(&pictures))?;
    // What the trace file is, the script reads; its names and labels are strangers', and no text ends the element that it is in.
    let data = format!(
        "{{\"trace\":{},{}",
        String::from_utf8_lossy(&file),
        &pictures[1..]
    )
    .replace('<', "\\u003c");
    let title = match names.samples.as_str() {
        "" => "Where samples come from".to_owned(),
        name => format!("Where samples come from: {name}"),
    };
    let body = body(&title, &tracing, samples.latents.len(), traced.len(), names);
    let scripts = SCRIPTS.iter().map(|(_, code)| *code);
    let code: Vec<&str> = scripts.chain([SCRIPT]).collect();
    Ok(scripted(
        &title,
        STYLE,
        &Script {
            code: &code.join("\n"),
            data: &data,
        },
        body,
    ))
}

fn body(
    title: &str,
    tracing: &Tracing<'_>,
    all: usize,
    shown: usize,
    names: &TraceNames,
) -> Markup {
    html! {
        h1 { (title) }
        p.soft {
            @if shown < all { "The first " (shown) " of " (all) " samples " } @else { (shown) " samples " }
            (tracing.shape()) ", traced to the training latents of " (names.index) ". "
            "A colour: copied bit for bit from one training latent. Gray: background, or less than is asked for. "
            "Red stripes: in no training latent. White stripes: by a network, or a source beyond the eighth colour."
        }
        main id="app" { noscript { p { "This page draws its pictures with a script of its own; nothing is fetched." } } }
    }
}

/// Draws the samples, and the training latents that the page shows beside them.
fn pictures<E: From<EngineError> + From<LatentError>>(
    tracing: &Tracing<'_>,
    traced: &[TracedSample<'_>],
    observer: &dyn Observer,
    image: impl Fn(&Level, &[u8]) -> Result<Picture, E>,
) -> Result<Pictures, E> {
    let tracer = tracing.tracer()?;
    let shape = tracing.shape();
    let under = tracer.training().shape();
    let draw = |levels: &[Level], packed: &[u8]| {
        let levels = levels.iter();
        let drawn = levels.map(|level| {
            let picture = image(level, &level.bits_of(packed))?;
            Ok(data_uri(&picture)?)
        });
        drawn.collect::<Result<Vec<String>, E>>()
    };
    let wanted: BTreeSet<u32> = traced.iter().flat_map(latents_beside).collect();
    let all = traced.len() + wanted.len();
    observer.stage("draw", all as u64, "latents");
    let mut pictures = Pictures {
        under: under
            .levels()
            .iter()
            .map(|level| [level.height(), level.width(), level.channels()])
            .collect(),
        background: BACKGROUND,
        ..Pictures::default()
    };
    for sample in traced {
        observer.check().map_err(EngineError::from)?;
        pictures.samples.push(draw(shape.levels(), sample.packed)?);
        observer.advance(1);
    }
    for latent in wanted {
        observer.check().map_err(EngineError::from)?;
        let held = tracer.index().held_latent(latent.into());
        let held = held.map_err(EngineError::from)?;
        pictures
            .latents
            .insert(latent, draw(under.levels(), held.packed())?);
        observer.advance(1);
    }
    Ok(pictures)
}

/// Returns the training latents that are shown beside a sample: what it comes from, what it may be a copy of, and the nearest.
fn latents_beside(sample: &TracedSample<'_>) -> Vec<u32> {
    let regions = sample.trace.quilt.regions.iter();
    let telling = regions.filter(|region| region.information.in_bits() >= BACKGROUND);
    let judged = sample.verdict.iter().flat_map(Verdict::judged);
    let near = sample.trace.near_levels.iter().chain(&sample.trace.near);
    let nearest = near.filter_map(|near| near.nearest.first());
    telling
        .map(|region| region.latent)
        .chain(judged.map(|judged| judged.copied.latent))
        .chain(nearest.map(|nearest| nearest.latent))
        .collect()
}
