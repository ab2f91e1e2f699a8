//! Training latents, and who reuses them.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::extract::{Params, Place};
use super::sets::set_of;
use crate::serve::app::Shared;
use crate::serve::listing::listed;
use crate::serve::problem::Problem;
use crate::serve::set::Use;

/// Answers what a training latent is.
pub(super) async fn latent(
    State(app): State<Shared>,
    Place(id): Place<u64>,
) -> Result<Response, Problem> {
    let session = app.explorer.session.clone();
    let answer = app.gate.run(move |watch| Ok(session.latent(id, watch)?));
    Ok(Json(answer.await?).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UsesParams {
    set: String,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

/// What a sample took of a training latent.
#[derive(Serialize)]
struct Taken {
    sample: usize,
    /// Over its levels, in bits.
    information: f64,
    levels: Vec<Use>,
    /// Whether it is called a copy, of this latent.
    copy: bool,
}

/// Answers which samples of a set reuse a training latent, those first that took most.
pub(super) async fn uses(
    State(app): State<Shared>,
    Place(id): Place<u64>,
    Params(params): Params<UsesParams>,
) -> Result<Response, Problem> {
    let asked = app.clone();
    let answer = app.gate.run(move |_| {
        let set = set_of(&asked, &params.set)?;
        let limit = listed(params.limit)?;
        let held = set.session.index().held_latent(id);
        held.map_err(crate::engine::EngineError::from)?;
        let is_copy = |sample: usize| {
            let verdict = set.judged.as_ref().and_then(|judged| judged.of(sample));
            let judged = verdict.filter(|verdict| verdict.copy).and_then(|verdict| verdict.most_likely());
            judged.is_some_and(|judged| u64::from(judged.copied.latent) == id)
        };
        let (mut taken, traced) = set.with_figures(|figures| {
            let of = figures.iter().enumerate().filter_map(|(sample, figures)| {
                let levels: Vec<Use> = figures.uses.iter().copied().filter(|own| u64::from(own.latent) == id).collect();
                let copy = is_copy(sample);
                (!levels.is_empty() || copy).then(|| Taken {
                    sample,
                    information: levels.iter().map(|own| own.information).sum(),
                    levels,
                    copy,
                })
            });
            (of.collect::<Vec<_>>(), figures.len())
        });
        taken.sort_by(|a, b| b.information.total_cmp(&a.information).then(a.sample.cmp(&b.sample)));
        let total = taken.len();
        let samples: Vec<_> = taken.into_iter().skip(params.offset).take(limit).collect();
        Ok(json!({ "latent": id, "total": total, "traced": traced, "offset": params.offset, "samples": samples }))
    });
    Ok(Json(answer.await?).into_response())
}
