//! Verbs and options of the networks in a program that was built without them: they say how to get them, where a plain
//! parser would guess at another verb.

use std::convert::Infallible;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use bitquilt::engine::{GenerateRequest, Network, Session};
use bitquilt::latent::Shape;

/// Whatever follows the verb
#[derive(Args)]
pub(super) struct AnyArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

/// The options of a network that may answer
#[derive(Args)]
pub(super) struct FallbackArgs {
    #[arg(long = "fallback", hide = true, value_parser = refused)]
    fallbacks: Option<Infallible>,

    #[arg(long, hide = true, value_parser = refused)]
    policy: Option<Infallible>,

    #[arg(long, hide = true, value_parser = refused)]
    max_interpolated: Option<Infallible>,
}

impl FallbackArgs {
    /// Loads no network: an option that names one is refused when it is read.
    pub(super) fn load(&self, _: &Session, _: Shape) -> anyhow::Result<Option<Loaded>> {
        Ok(None)
    }
}

/// A network ready to answer: there is none.
pub(super) enum Loaded {}

impl Loaded {
    pub(super) fn put_into(&self, _: &mut GenerateRequest) {
        match *self {}
    }

    pub(super) fn networks(&self) -> Vec<Network<'_>> {
        match *self {}
    }
}

/// How to get a program with the networks.
const HOW: &str = "this program was built without the networks: build it with them, by tools/build-neural, or by \
                   `cargo build --release --features neural` with LIBTORCH set";

/// Refuses any value of an option that takes a network.
pub(super) fn refused(_value: &str) -> Result<Infallible, &'static str> {
    Err(HOW)
}

/// Refuses a verb that takes a network.
pub(super) fn refuse(verb: &str) -> anyhow::Result<ExitCode> {
    anyhow::bail!("{verb}: {HOW}")
}
