//! Which windows a verb holds in memory.

use clap::{Args, ValueEnum};

use super::build::parse_size;
use bitquilt::engine::{Preload, SessionOptions};

/// Windows held in memory
#[derive(Args)]
pub(super) struct PreloadArgs {
    /// Which windows to hold in memory. The answers are the same either way
    #[arg(long, value_enum, default_value_t = PreloadArg::Auto)]
    preload: PreloadArg,

    /// Memory for windows that are held in it, as 512MiB or 4GiB [default: half of what is available]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    preload_memory: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PreloadArg {
    /// Those that fit, where the run is long enough to win the time back
    Auto,
    /// Every one, or refuse
    All,
    /// None: each lookup reads the index
    None,
}

impl PreloadArgs {
    pub(super) fn preload(&self) -> Preload {
        match self.preload {
            PreloadArg::Auto => Preload::Auto,
            PreloadArg::All => Preload::All,
            PreloadArg::None => Preload::None,
        }
    }

    /// Returns options of a session that may take so much memory for them.
    pub(super) fn options(&self) -> SessionOptions {
        SessionOptions::default().table_bytes(self.preload_memory)
    }
}
