//! Reports as web pages: one file each, with its pictures and its style in it, that needs no network and no script.

mod audit;
mod chart;
mod folder;
mod frame;
mod image;

pub use audit::audit_page;
pub use folder::{check_folder, page_in, write_audit};
