//! The interface, version 1: what each address answers. It is described in `openapi.json`.

mod ask;
mod extract;
mod files;
mod generate;
mod latents;
mod openapi;
mod pictures;
mod router;
mod sets;

pub(super) use router::router;
