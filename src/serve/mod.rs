//! The explorer: an index and samples traced to it, looked at in a browser, and asked by programs over HTTP.
//!
//! What is explored is an [`Explorer`], which knows nothing of HTTP; a [`Server`] answers for it on this machine. Requests and
//! reports are those of the [engine](crate::engine): the pages and the API have no logic of their own.

mod api;
mod error;
mod explorer;
mod gate;
mod guard;
mod listing;
mod openapi;
mod photos;
mod problem;
mod server;
mod set;

pub use error::ServeError;
pub use explorer::{Draw, Explorer};
pub use photos::Photos;
pub use server::{ServeOptions, Server};
pub use set::SetSource;
