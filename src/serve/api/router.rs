//! Every address, who may ask there, and what an asker knows already.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use xxhash_rust::xxh3::xxh3_64;

use super::{ask, files, generate, latents, openapi, pictures, sets};
use crate::serve::app::{App, Shared};
use crate::serve::problem::Problem;

/// What a page may do: load what this server has, and nothing else.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns every address and what answers there.
pub(in crate::serve) fn router(app: Shared) -> Router {
    let sample = "/api/v1/sets/{set}/samples/{sample}";
    Router::new()
        .route("/", get(files::page))
        .route("/page/{file}", get(files::file))
        .route("/healthz", get(|| async { StatusCode::NO_CONTENT }))
        .route("/openapi.json", get(openapi::answer))
        .route("/api/v1/index", get(sets::index))
        .route("/api/v1/sets", get(sets::sets))
        .route("/api/v1/sets/{set}", get(sets::set))
        .route("/api/v1/sets/{set}/samples", get(sets::samples))
        .route("/api/v1/sets/{set}/histogram", get(sets::histogram))
        .route(
            "/api/v1/sets/{set}/sheet.png",
            get(pictures::sheet_of_samples),
        )
        .route(sample, get(sets::sample))
        .route(&format!("{sample}/bits/{{position}}"), get(ask::bit))
        .route(&format!("{sample}/picture.png"), get(pictures::of_sample))
        .route(&format!("{sample}/map.png"), get(pictures::map))
        .route("/api/v1/latents/{latent}", get(latents::latent))
        .route("/api/v1/latents/{latent}/uses", get(latents::uses))
        .route(
            "/api/v1/latents/{latent}/picture.png",
            get(pictures::of_latent),
        )
        .route("/api/v1/latents/{latent}/photo", get(pictures::photo))
        .route("/api/v1/sheet.png", get(pictures::sheet_of_latents))
        .route("/api/v1/query", post(ask::query))
        .route("/api/v1/trace", post(ask::trace))
        .route("/api/v1/generate", post(generate::generate))
        .fallback(|| async {
            Problem::not_found("nothing is at this address: /openapi.json tells what is")
        })
        .method_not_allowed_fallback(|| async { Problem::method() })
        .layer(from_fn_with_state(app.clone(), remembered))
        .layer(from_fn_with_state(app.clone(), guarded))
        .with_state(app)
}

/// Refuses who may not ask, and says what browsers may do with the answer.
async fn guarded(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let origin = app
        .guard
        .allowed_origin(request.headers())
        .map(str::to_owned);
    let entering = (uri.path() == "/")
        .then(|| entered(&app, uri.query()))
        .flatten();
    let mut response = match app.guard.check(&method, &uri, request.headers()) {
        // Whoever has the right name and the token in the address, but not yet the cookie.
        Err(problem) if problem.is_unauthorized() && entering.is_some() => {
            entering.unwrap_or_else(|| problem.into_response())
        }
        Err(problem) => problem.into_response(),
        Ok(()) => match (entering, &origin) {
            (Some(entering), _) => entering,
            (None, Some(_)) if method == Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
            _ => next.run(request).await,
        },
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(&origin).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.remove("cross-origin-resource-policy");
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type",
            ),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, "etag, retry-after"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// Returns the way to the page for whoever brings the token in the address: it is not to stay there.
fn entered(app: &App, query: Option<&str>) -> Option<Response> {
    let given = query?
        .split('&')
        .find_map(|part| part.strip_prefix("token="))?;
    let cookie = HeaderValue::from_str(&app.guard.cookie(given)?).ok()?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
        .headers_mut()
        .insert(header::LOCATION, HeaderValue::from_static("/"));
    Some(response)
}

/// Answers that are known already are not made again. What an answer is of is in its tag: the index, the sets, how many of their samples are
/// traced, and what was asked.
async fn remembered(State(app): State<Shared>, request: Request, next: Next) -> Response {
    if request.method() != Method::GET || !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let query = request.uri().query().unwrap_or_default();
    let of = query
        .split('&')
        .find_map(|part| part.strip_prefix("digest="))
        .map(str::to_owned);
    if of.as_ref().is_some_and(|of| *of != app.digest) {
        return Problem::another_index("what was asked for is of an index or of samples that are not served here now: load the page again").into_response();
    }
    let about = format!("{} {} {}", app.digest, app.explorer.traced(), request.uri());
    let tag = format!("\"{:016x}\"", xxh3_64(about.as_bytes()));
    let known = request.headers().get_all(header::IF_NONE_MATCH).iter();
    let mut known = known.filter_map(|value| value.to_str().ok());
    let is_known = known.any(|known| {
        known
            .split(',')
            .any(|known| known.trim().trim_start_matches("W/") == tag)
    });
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => next.run(request).await,
    };
    if response.status().is_success() || is_known {
        // With the word for what it is of in its address it is the same for ever.
        let how = match of {
            Some(_) => "private, max-age=31536000, immutable",
            None => "no-cache",
        };
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static(how));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
    }
    response
}
