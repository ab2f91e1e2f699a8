//! Reports as web pages: one file each, with its pictures and its style in it, that needs no network and no script.

mod audit;
mod chart;
mod frame;
mod image;

pub use audit::audit_page;
