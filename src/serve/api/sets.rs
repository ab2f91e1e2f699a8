//! The index, and sets of samples.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::extract::{MAX_BODY, Params, Place};
use super::generate::MAX_GENERATED;
use crate::base::Observer;
use crate::copies::CopyCount;
use crate::engine::{Session, TraceRequest};
use crate::latent::Ids;
use crate::serve::app::{App, Shared};
use crate::serve::listing::{self, HistogramRequest, List, ListRequest, MAX_LISTED};
use crate::serve::problem::{Failure, Problem};
use crate::serve::set::Set;
use crate::trace::Header;

/// A set, in a list of sets.
#[derive(Serialize)]
struct SetEntry<'a> {
    name: &'a str,
    file: &'a str,
    samples: usize,
    /// Samples that are traced by now.
    traced: usize,
    /// Whether there are verdicts.
    judged: bool,
}

impl<'a> SetEntry<'a> {
    fn of(set: &'a Set) -> Self {
        Self {
            name: &set.name,
            file: &set.names.samples,
            samples: set.len(),
            traced: set.traced(),
            judged: set.judged.is_some(),
        }
    }
}

/// Answers what the index holds, and what can be asked here.
pub(super) async fn index(State(app): State<Shared>) -> Result<Response, Problem> {
    let asked = app.clone();
    let answer = app.gate.run(move |watch| index_of(&asked, watch));
    Ok(Json(answer.await?).into_response())
}

fn index_of(app: &App, watch: &dyn Observer) -> Result<Value, Failure> {
    let explorer = &app.explorer;
    let index = explorer.session.index();
    let levels = index.shape();
    let levels = levels.levels().iter();
    let levels: Vec<[usize; 3]> = levels
        .map(|level| [level.height(), level.width(), level.channels()])
        .collect();
    Ok(json!({
        "name": explorer.name,
        "first": explorer.session.first_latent(watch)?,
        "identity": index.identity(),
        "digest": app.digest,
        "info": explorer.session.info(),
        "levels": levels,
        "without": index.left_out().to_string(),
        "generates": explorer.generates,
        "decodes": explorer.decodes,
        "photos": explorer.photos.any(),
        "background": crate::engine::BACKGROUND,
        "limits": {
            "body_bytes": MAX_BODY,
            "seconds": app.gate.seconds(),
            "listed": MAX_LISTED,
            "generated": MAX_GENERATED,
        },
    }))
}

/// Answers which sets there are.
pub(super) async fn sets(State(app): State<Shared>) -> Response {
    let sets: Vec<_> = app.explorer.sets.iter().map(SetEntry::of).collect();
    Json(json!({ "sets": sets, "failed": app.explorer.failure() })).into_response()
}

/// Returns a set by its name.
pub(super) fn set_of<'a>(app: &'a App, name: &str) -> Result<&'a Set, Problem> {
    app.explorer.set(name).ok_or_else(|| {
        let held: Vec<_> = app
            .explorer
            .sets
            .iter()
            .map(|set| set.name.as_str())
            .collect();
        Problem::not_found(format!("set '{name}': expected one of {}", held.join(", ")))
    })
}

/// Refuses a sample that a set does not have.
pub(super) fn check_sample(set: &Set, sample: usize) -> Result<(), Problem> {
    match sample < set.len() {
        true => Ok(()),
        false => Err(Problem::not_found(format!(
            "sample {sample}: {} holds samples 0 to {}",
            set.name,
            set.len() - 1
        ))),
    }
}

#[derive(Serialize)]
struct SetReport<'a> {
    #[serde(flatten)]
    entry: SetEntry<'a>,
    /// What its traces say of how they are made.
    header: Header,
    /// How many samples are called copies.
    copies: Option<&'a CopyCount>,
    labels: Vec<i64>,
}

/// Answers what a set is.
pub(super) async fn set(
    State(app): State<Shared>,
    Place(name): Place<String>,
) -> Result<Response, Problem> {
    let asked = app.clone();
    let answer = app.gate.run(move |watch| {
        let set = set_of(&asked, &name)?;
        let tracing = set
            .session
            .tracing(&set.samples, &set.request(0..0), watch)?;
        let labels = set.samples.latents.labels().unwrap_or_default();
        let labels: std::collections::BTreeSet<i64> = labels.iter().copied().collect();
        let report = SetReport {
            entry: SetEntry::of(set),
            header: Header {
                index: set.names.index.clone(),
                samples_file: set.names.samples.clone(),
                ..tracing.header()?
            },
            copies: set.judged.as_ref().map(|judged| &judged.count),
            labels: labels.into_iter().collect(),
        };
        Ok(Json(report).into_response())
    });
    answer.await
}

/// Lists samples.
pub(super) async fn samples(
    State(app): State<Shared>,
    Place(name): Place<String>,
    Params(request): Params<ListRequest>,
) -> Result<Json<List>, Problem> {
    let asked = app.clone();
    let answer = app
        .gate
        .run(move |_| Ok(listing::list(set_of(&asked, &name)?, &request)?));
    Ok(Json(answer.await?))
}

/// Counts how a figure is spread.
pub(super) async fn histogram(
    State(app): State<Shared>,
    Place(name): Place<String>,
    Params(request): Params<HistogramRequest>,
) -> Result<Response, Problem> {
    let asked = app.clone();
    let answer = app.gate.run(move |_| {
        let set = set_of(&asked, &name)?;
        let beside = request
            .beside
            .as_ref()
            .map(|name| set_of(&asked, name))
            .transpose()?;
        Ok(listing::histogram(set, beside, &request)?)
    });
    Ok(Json(answer.await?).into_response())
}

/// How a sample is traced.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SampleParams {
    /// Training latents to trace without, as if they had never been indexed.
    without: Option<String>,
    /// Postings to list for each bit.
    #[serde(default)]
    top: usize,
}

/// Reads ids of training latents; none of an empty text.
pub(super) fn ids_of(text: &str) -> Result<Ids, Problem> {
    match text {
        "" => Ok(Ids::default()),
        text => text
            .parse()
            .map_err(|error| Problem::bad(format!("without: {error}"))),
    }
}

/// Postings of one answer at most, for each bit.
const MAX_TOP: usize = 100;

/// Answers where a sample comes from: a trace file of that sample alone.
pub(super) async fn sample(
    State(app): State<Shared>,
    Place((name, sample)): Place<(String, usize)>,
    Params(params): Params<SampleParams>,
) -> Result<Response, Problem> {
    let asked = app.clone();
    let answer = app.gate.run(move |watch| {
        let set = set_of(&asked, &name)?;
        check_sample(set, sample)?;
        if params.top > MAX_TOP {
            return Err(Problem::above(
                MAX_TOP as u64,
                format!("top: expected at most {MAX_TOP}, found {}", params.top),
            )
            .into());
        }
        let request = TraceRequest {
            top: params.top,
            ..set.request(sample..sample + 1)
        };
        let ids = ids_of(params.without.as_deref().unwrap_or_default())?;
        if ids.is_empty() {
            return traced(set, &set.session, &request, watch);
        }
        let session = asked.explorer.without(set, &ids)?;
        traced(set, &session, &request, watch)
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], answer.await?).into_response())
}

/// Traces some samples of a set into a trace file; those of the set's own session have their verdicts.
fn traced(
    set: &Set,
    session: &Session,
    request: &TraceRequest,
    watch: &dyn Observer,
) -> Result<Vec<u8>, Failure> {
    let own = std::ptr::eq(session, &*set.session);
    let mut tracing = session.tracing(&set.samples, request, watch)?;
    if own {
        tracing = tracing.remembering(&set.remembered);
    }
    // A verdict is about the index as it is, not without some latents.
    let judged = set.judged.as_ref().filter(|_| own);
    let one = judged.map(|judged| judged.only(request.samples.clone()));
    let (mut file, top) = (Vec::new(), Some(request.top));
    tracing.write(&mut file, &set.names, top, one.as_ref(), watch, |_| Ok(()))?;
    Ok(file)
}
