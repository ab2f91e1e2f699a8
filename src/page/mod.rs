//! Reports as web pages: one file each, with its pictures, its style and its script, if it has one, in it; nothing is fetched.

mod audit;
mod chart;
mod folder;
mod frame;
mod image;
mod trace;

pub use audit::audit_page;
pub use folder::{check_folder, page_in, write_audit};
#[cfg(feature = "serve")]
pub(crate) use frame::STYLE;
pub use trace::{MAX_PAGE_SAMPLES, trace_page};
#[cfg(feature = "serve")]
pub(crate) use trace::{SCRIPTS, STYLE as SAMPLES_STYLE};
