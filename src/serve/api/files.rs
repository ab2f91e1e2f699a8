//! The page, its style and its scripts: in the program.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use xxhash_rust::xxh3::xxh3_64;

use super::extract::Place;
use crate::page::{SAMPLES_STYLE, SCRIPTS, STYLE};
use crate::serve::problem::Problem;

const PAGE: &str = include_str!("../page/explorer.html");

/// Files of the page: those that it shares with the page of a trace, and its own.
const FILES: [(&str, &str); 10] = [
    ("explorer.css", include_str!("../page/explorer.css")),
    ("api.js", include_str!("../page/api.js")),
    ("histogram.js", include_str!("../page/histogram.js")),
    ("wall.js", include_str!("../page/wall.js")),
    ("context.js", include_str!("../page/context.js")),
    ("traced.js", include_str!("../page/traced.js")),
    ("latent.js", include_str!("../page/latent.js")),
    ("painter.js", include_str!("../page/painter.js")),
    ("generate.js", include_str!("../page/generate.js")),
    ("explorer.js", include_str!("../page/explorer.js")),
];

/// Answers the page.
pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}

/// Answers a file of the page.
pub(super) async fn file(
    Place(name): Place<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shared = [("style.css", STYLE), ("samples.css", SAMPLES_STYLE)];
    let mut files = FILES.iter().chain(&shared).chain(&SCRIPTS);
    let (_, text) = files
        .find(|(own, _)| *own == name)
        .ok_or_else(|| Problem::not_found(format!("'{name}' is no file of the page")))?;
    let tag = format!("\"{:016x}\"", xxh3_64(text.as_bytes()));
    let form = match name.ends_with(".css") {
        true => "text/css; charset=utf-8",
        false => "text/javascript; charset=utf-8",
    };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = match known {
        true => axum::http::StatusCode::NOT_MODIFIED.into_response(),
        false => text.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}
