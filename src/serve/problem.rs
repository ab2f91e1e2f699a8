//! Errors as answers: RFC 9457.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::base::{OutOfMemory, Stopped};
use crate::engine::EngineError;
use crate::index::IndexError;

/// What went wrong, as the body of an answer: `application/problem+json`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Problem {
    /// A word that stays the same.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// What was expected, what was found, and what to do.
    detail: String,
    /// The limit that was hit, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            limit: None,
            retry_after: None,
        }
    }

    /// The request is none that can be answered.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "This request cannot be answered",
            detail,
        )
    }

    /// It asks for more than a limit allows.
    pub(super) fn above(limit: u64, detail: impl Into<String>) -> Self {
        Self {
            limit: Some(limit),
            ..Self::bad(detail)
        }
    }

    /// It is larger than a limit allows.
    pub(super) fn too_large(limit: u64) -> Self {
        let detail = format!("expected a body of at most {limit} bytes, found more");
        Self {
            limit: Some(limit),
            ..Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "This request is too large",
                detail,
            )
        }
    }

    /// It is not sent to its end.
    pub(super) fn too_slow_to_send(seconds: u64) -> Self {
        let detail = format!("expected the whole request within {seconds} s");
        Self {
            limit: Some(seconds),
            ..Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "request-timeout",
                "This request did not arrive",
                detail,
            )
        }
    }

    /// There is nothing of that name.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such thing here",
            detail,
        )
    }

    /// There is, but it is asked otherwise.
    pub(super) fn method() -> Self {
        let detail = "expected the method that the description of this interface names";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "This is asked otherwise",
            detail,
        )
    }

    /// Whoever asks may not.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "This is not allowed",
            detail,
        )
    }

    /// Whoever asks must bring a token.
    pub(super) fn unauthorized() -> Self {
        let detail = "expected the token that the server printed when it started: in the address that it printed, or as a bearer token";
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "This needs a token",
            detail,
        )
    }

    /// Whether a token is all that is missing.
    pub(super) fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED.as_u16()
    }

    /// The server is asked as one that it is not.
    pub(super) fn misdirected(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown-host",
            "This server has another name",
            detail,
        )
    }

    /// It was asked of what is not here any more.
    pub(super) fn another_index(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "another-index",
            "Another index is served here now",
            detail,
        )
    }

    /// Too much is asked at once.
    pub(super) fn busy() -> Self {
        Self {
            retry_after: Some(1),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many requests wait",
                "as many requests wait as may: ask again a little later",
            )
        }
    }

    /// It takes longer than a request may.
    pub(super) fn too_slow(seconds: u64) -> Self {
        let detail = format!(
            "this took longer than {seconds} s and was stopped: ask for less, or use the command, which has no limit"
        );
        Self {
            limit: Some(seconds),
            retry_after: Some(1),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-slow",
                "This took too long",
                detail,
            )
        }
    }

    /// The server ends.
    pub(super) fn stopping() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            "The server stops",
            "the server was told to stop",
        )
    }

    /// Something here is broken.
    pub(super) fn internal(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something is broken here",
            detail,
        )
    }
}

/// What went wrong with work: a problem, or that it was told to stop, of which whoever told it knows why.
#[derive(Debug)]
pub(super) enum Failure {
    Problem(Problem),
    Stopped,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        if Stopped::caused(&error) {
            return Self::Stopped;
        }
        let detail = error.to_string();
        let problem = match &error {
            EngineError::Index(IndexError::NoSuchLatent { .. }) => Problem::not_found(detail),
            EngineError::Index(
                IndexError::Damaged { .. }
                | IndexError::Store { .. }
                | IndexError::Io(_)
                | IndexError::OpenFiles { .. },
            )
            | EngineError::NoSuchLatent { .. }
            | EngineError::Io(_) => Problem::internal(detail),
            error if is_memory(error) => Problem {
                retry_after: Some(1),
                ..Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "too-little-memory",
                    "There is too little memory for this",
                    detail,
                )
            },
            _ => Problem::bad(detail),
        };
        Self::Problem(problem)
    }
}

/// Whether an error says that memory is short.
fn is_memory(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<OutOfMemory>() {
            return true;
        }
        cause = error.source();
    }
    matches!(
        error.downcast_ref(),
        Some(EngineError::Memory(_) | EngineError::Index(IndexError::Memory(_)))
    )
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (retry_after, is_unauthorized) = (self.retry_after, status == StatusCode::UNAUTHORIZED);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if is_unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
