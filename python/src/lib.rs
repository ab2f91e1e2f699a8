//! `bitquilt._bitquilt`: the engine's requests and reports for Python, arrays in and out. No logic: what a call means is said
//! in the library, how it looks to a user in the Python files beside this.

mod audit;
mod build;
mod errors;
mod fallback;
mod latents;
mod parts;
mod picture;
mod pool;
mod samples;
mod serve;
mod session;
mod trace;
mod watched;

use pyo3::prelude::*;

/// The private module.
#[pymodule]
mod _bitquilt {
    #[pymodule_export]
    use crate::audit::{Audit, audit};
    #[pymodule_export]
    use crate::build::build;
    #[pymodule_export]
    use crate::latents::{Gathered, LatentSet};
    #[pymodule_export]
    use crate::parts::{Work, join};
    #[pymodule_export]
    use crate::picture::Picture;
    #[pymodule_export]
    use crate::samples::Samples;
    #[pymodule_export]
    use crate::serve::{Server, serve};
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::trace::{Traced, carried_at, join_traces, trace, trace_part};
    #[pymodule_export]
    use crate::watched::panics;
}
