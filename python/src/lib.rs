//! `bitquilt._bitquilt`: the engine's requests and reports for Python, arrays in and out. No logic: what a call means is said
//! in the library, how it looks to a user in the Python files beside this.

mod errors;
mod fallback;
mod latents;
mod pool;
mod samples;
mod session;
mod watched;

use pyo3::prelude::*;

/// The private module.
#[pymodule]
mod _bitquilt {
    #[pymodule_export]
    use crate::latents::LatentSet;
    #[pymodule_export]
    use crate::samples::Samples;
    #[pymodule_export]
    use crate::session::{Session, build};
    #[pymodule_export]
    use crate::watched::panics;
}
