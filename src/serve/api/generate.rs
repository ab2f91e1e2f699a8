//! Generation, where it is allowed: samples as they are found.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body as Answer, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::extract::Body;
use crate::base::Stopped;
use crate::engine::{EngineError, GenerateRequest, bits_in_words};
use crate::samples::{Attempt, AttemptReport, Status};
use crate::serve::app::{App, Shared};
use crate::serve::gate::{Leave, Turn};
use crate::serve::problem::{Failure, Problem};
use crate::window::Window;

/// Samples of one request at most.
pub(super) const MAX_GENERATED: u64 = 16;
/// Dead ends of one search at most, as the command's default.
const MAX_BACKTRACKS: u64 = 20_000;
/// States of a row at most, as the command's default.
const MAX_STATES: usize = 1 << 14;
/// Sites of a side at most.
const MAX_SIDE: usize = 256;

/// A sample, or how the search for it ended.
#[derive(Serialize)]
struct Found {
    attempt: AttemptReport,
    /// The bits of each level of the sample, in scan order as 0 and 1.
    bits: Option<Vec<String>>,
}

/// Generates samples: a line of JSON for each, as they are found, between a first line with the windows and a last one that says whether
/// all were searched for.
pub(super) async fn generate(State(app): State<Shared>, body: Body) -> Result<Response, Problem> {
    if !app.explorer.generates {
        return Err(Problem::forbidden(
            "this server was started without leave to generate",
        ));
    }
    let request: GenerateRequest = body.json()?;
    check(&request)?;
    let turn = app.gate.turn().await?;
    let leave = Leave(turn.watch().clone());
    // Room for every line: who does not read keeps no turn.
    let (send, receive) = mpsc::channel(MAX_GENERATED as usize + 2);
    let worker = app.clone();
    // What is wrong with the request is known before the first line: then that is the answer.
    let (begin, begun) = tokio::sync::oneshot::channel();
    spawn_blocking(move || work(&worker, &request, &turn, begin, &send));
    match begun.await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => return Err(app.gate.told(failure, &leave.0)),
        Err(_) => {
            return Err(Problem::internal(
                "a bug of this server: the rest of it goes on",
            ));
        }
    }
    let lines = Lines {
        receive,
        _leave: leave,
    };
    Ok((
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Answer::new(lines),
    )
        .into_response())
}

/// Refuses what takes more than a visitor may ask for.
fn check(request: &GenerateRequest) -> Result<(), Problem> {
    let samples = request.samples.end.saturating_sub(request.samples.start);
    let refused = |limit: u64, what: &str, found: String| {
        Err(Problem::above(
            limit,
            format!("{what}: expected at most {limit}, found {found}"),
        ))
    };
    if samples == 0 || samples > MAX_GENERATED {
        return refused(MAX_GENERATED, "samples, at least 1", samples.to_string());
    }
    match request.max_backtracks {
        Some(0..=MAX_BACKTRACKS) => {}
        Some(more) => return refused(MAX_BACKTRACKS, "max_backtracks", more.to_string()),
        None => return refused(MAX_BACKTRACKS, "max_backtracks", "none".to_owned()),
    }
    if request.max_states > MAX_STATES {
        return refused(
            MAX_STATES as u64,
            "max_states",
            request.max_states.to_string(),
        );
    }
    match request.size {
        Some((height, width)) if height.max(width) > MAX_SIDE => {
            refused(MAX_SIDE as u64, "size", format!("{height}x{width}"))
        }
        _ => Ok(()),
    }
}

/// Searches, and sends a line for each sample.
fn work(
    app: &App,
    request: &GenerateRequest,
    turn: &Turn,
    begin: tokio::sync::oneshot::Sender<Result<(), Failure>>,
    send: &mpsc::Sender<Bytes>,
) {
    let session = &app.explorer.session;
    let (windows, shape) = match request
        .windows_asked(session)
        .and_then(|windows| Ok((windows, request.shape(session)?)))
    {
        Ok(known) => known,
        Err(error) => {
            let _ = begin.send(Err(error.into()));
            return;
        }
    };
    let mut begin = Some(begin);
    let mut say = |line: &Value| -> Result<(), EngineError> {
        if let Some(begin) = begin.take() {
            let _ = begin.send(Ok(()));
            let names: Vec<String> = windows.iter().map(Window::to_string).collect();
            sent(
                send,
                &json!({ "windows": names, "shape": shape.to_string() }),
            )?;
        }
        sent(send, line)
    };
    let mut whole = true;
    let done = session.generate_into(request, &[], &**turn.watch(), |attempt: Attempt| {
        whole &= attempt.status != Status::Stopped;
        let found = Found {
            attempt: attempt.report(&windows),
            bits: attempt
                .packed
                .as_ref()
                .map(|packed| bits_in_words(shape.levels(), packed)),
        };
        say(&json!(found))
    });
    let last = match done {
        // Nothing was found before it was stopped: then that is the answer.
        done if begin.is_some() => {
            let failure = done.map_or_else(Failure::from, |_| Failure::Stopped);
            let _ = begin.take().map(|begin| begin.send(Err(failure)));
            return;
        }
        Err(error) => {
            json!({ "done": false, "problem": app.gate.told(error.into(), turn.watch()) })
        }
        Ok(_) if whole => json!({ "done": true }),
        Ok(_) => json!({ "done": false, "problem": app.gate.told(Failure::Stopped, turn.watch()) }),
    };
    let _ = sent(send, &last);
}

/// Sends a line; an asker who left stops the search.
fn sent(send: &mpsc::Sender<Bytes>, line: &Value) -> Result<(), EngineError> {
    let line = Bytes::from(format!("{line}\n"));
    send.blocking_send(line)
        .map_err(|_| EngineError::from(Stopped))
}

/// Lines as they come. When whoever reads them leaves, the work is told.
struct Lines {
    receive: mpsc::Receiver<Bytes>,
    _leave: Leave,
}

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let line = self.receive.poll_recv(context);
        line.map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
