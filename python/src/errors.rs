//! The library's errors as Python's exceptions, which `bitquilt/_errors.py` defines.

use std::error::Error;
use std::io;

use bitquilt::base::{OutOfMemory, Stopped};
use bitquilt::copies::CopiesError;
use bitquilt::engine::EngineError;
use bitquilt::index::parts::Task;
use bitquilt::latent::Ids;
use bitquilt::model::EvalError;
use bitquilt::provenance::ProvenanceError;
use bitquilt::serve::ServeError;
use bitquilt::trace::TraceError;
use bitquilt::{IndexError, LatentError, SamplesError, SearchError};
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyRuntimeError};
use pyo3::prelude::*;

/// An error of the library on its way to Python.
pub(crate) struct Failure(Box<dyn Error + Send + Sync>);

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

/// The exceptions by their names in `bitquilt._errors`.
#[derive(Clone, Copy)]
enum Class {
    Input,
    NotAnIndex,
    Damaged,
    MemoryLimit,
    Internal,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Input => "InputError",
            Self::NotAnIndex => "NotAnIndex",
            Self::Damaged => "Damaged",
            Self::MemoryLimit => "MemoryLimit",
            Self::Internal => "InternalError",
        }
    }
}

fn raise(py: Python<'_>, class: Class, message: &str) -> PyErr {
    let made = py
        .import("bitquilt._errors")
        .and_then(|module| module.getattr(class.name()))
        .and_then(|class| class.call1((message,)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// Returns the exception for files of a task that are not what it wrote: with its kind and its number.
fn task_damaged(py: Python<'_>, task: Task, message: &str) -> PyErr {
    let (kind, number) = match task {
        Task::Map(number) => ("map", number),
        Task::Reduce(number) => ("reduce", number),
    };
    let made = py
        .import("bitquilt._errors")
        .and_then(|module| module.getattr("TaskDamaged"))
        .and_then(|class| class.call1((message, kind, number)));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// Returns the exception for a panic.
pub(crate) fn internal(py: Python<'_>, message: &str) -> PyErr {
    let text = format!("a bug in bitquilt, please report it: {message}");
    raise(py, Class::Internal, &text)
}

/// Returns the exception for input that cannot be what was asked for.
pub(crate) fn input(message: impl AsRef<str>) -> PyErr {
    Python::attach(|py| raise(py, Class::Input, message.as_ref()))
}

impl From<Failure> for PyErr {
    fn from(Failure(error): Failure) -> Self {
        // What a function of the user's raised.
        let error = match error.downcast::<PyErr>() {
            Ok(raised) => return *raised,
            Err(error) => error,
        };
        let message = messages(&*error);
        let mut cause: Option<&(dyn Error + 'static)> = Some(&*error);
        let (mut class, mut kind) = (None, None);
        while let Some(error) = cause {
            let error = told_by(error);
            if error.is::<Stopped>() {
                return PyKeyboardInterrupt::new_err(());
            }
            if let Some(io) = error.downcast_ref::<io::Error>() {
                // (errno, text) makes the subclass: FileNotFoundError, PermissionError … An error that names its file has its
                // number in what it was caused by.
                if let Some(code) = io.raw_os_error() {
                    return PyOSError::new_err((code, message));
                }
                kind = Some(io.kind());
            }
            if let Some(IndexError::Task { task, .. }) = error.downcast_ref() {
                return Python::attach(|py| task_damaged(py, *task, &message));
            }
            class = class.or_else(|| class_of(error));
            cause = error.source();
        }
        match (class, kind) {
            (None, Some(kind)) => io::Error::new(kind, message).into(),
            _ => Python::attach(|py| raise(py, class.unwrap_or(Class::Input), &message)),
        }
    }
}

/// Returns the error that another one passes on as it is, which is then none of its sources.
fn told_by<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    macro_rules! passed_on {
        ($($kind:ident: $($variant:ident)*;)*) => {$(
            match error.downcast_ref() {
                $(Some($kind::$variant(inner)) => return told_by(inner),)*
                _ => {}
            }
        )*};
    }
    passed_on! {
        EngineError: Memory Index Search Samples Copies Trace Provenance Latent Io;
        IndexError: Memory Latent Io;
        LatentError: Memory Io;
        SearchError: Index Copies;
        SamplesError: Index Latent;
        ProvenanceError: Memory Index;
        TraceError: Provenance Index;
        CopiesError: Index Io;
        ServeError: Engine Io;
        EvalError: Memory Latent;
    }
    error
}

/// Returns the class of an error that has one of its own.
fn class_of(error: &(dyn Error + 'static)) -> Option<Class> {
    if error.is::<OutOfMemory>() {
        return Some(Class::MemoryLimit);
    }
    if let Some(EngineError::NoSuchLatent { .. }) = error.downcast_ref() {
        return Some(Class::Damaged);
    }
    match error.downcast_ref::<IndexError>()? {
        IndexError::NotAnIndex { .. } => Some(Class::NotAnIndex),
        IndexError::Damaged { .. } | IndexError::Store { .. } => Some(Class::Damaged),
        IndexError::MemoryLimit { .. } | IndexError::Memory(_) => Some(Class::MemoryLimit),
        _ => None,
    }
}

/// Returns what an error says, with what it says of its cause where it does not say that itself.
fn messages(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// Refuses JSON that is no request, by what is wrong with it.
pub(crate) fn request(error: &serde_json::Error) -> PyErr {
    // Where in the JSON it is says nothing to whoever wrote no JSON.
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    input(format!("the request: {what}"))
}

/// Reads ids, none of an empty text.
pub(crate) fn ids(ids: &str) -> PyResult<Ids> {
    match ids {
        "" => Ok(Ids::default()),
        ids => Ok(ids.parse().map_err(Failure::from)?),
    }
}

/// Returns a report as JSON.
pub(crate) fn json(report: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(report).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}
