//! What requests bring, read strictly: what is wrong with it is a [`Problem`].

use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::serve::problem::Problem;

/// Bytes of a body at most.
pub(in crate::serve) const MAX_BODY: usize = 4 << 20;
/// Seconds until a body must be there.
pub(in crate::serve) const BODY_SECONDS: u64 = 10;

/// What stands behind the question mark.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => Err(Problem::bad(rejection.body_text())),
        }
    }
}

/// What stands in the path.
pub(super) struct Place<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Place<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(place)) => Ok(Self(place)),
            Err(PathRejection::FailedToDeserializePathParams(rejection)) => {
                Err(Problem::bad(rejection.body_text()))
            }
            Err(rejection) => Err(Problem::bad(rejection.body_text())),
        }
    }
}

/// A body and what it says that it is.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) media_type: String,
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let value = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    value.trim().to_ascii_lowercase()
}

impl<S: Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let media_type = media_type(request.headers());
        let whole = to_bytes(request.into_body(), MAX_BODY);
        match timeout(Duration::from_secs(BODY_SECONDS), whole).await {
            Ok(Ok(bytes)) => Ok(Self { bytes, media_type }),
            Ok(Err(_)) => Err(Problem::too_large(MAX_BODY as u64)),
            Err(_) => Err(Problem::too_slow_to_send(BODY_SECONDS)),
        }
    }
}

impl Body {
    /// Reads JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.media_type != "application/json" {
            return Err(Problem::bad(format!(
                "expected a body of application/json, found '{}'",
                self.media_type
            )));
        }
        serde_json::from_slice(&self.bytes).map_err(|error| Problem::bad(error.to_string()))
    }
}
