//! Which windows a verb holds in memory.

use clap::{Args, ValueEnum};

use super::build::parse_size;
use super::ui::Ui;
use bitquilt::base::Budget;
use bitquilt::index::{Resident, WindowIndex};

/// Windows held in memory
#[derive(Args)]
pub(super) struct PreloadArgs {
    /// Which windows to hold in memory. The answers are the same either way
    #[arg(long, value_enum, default_value_t = PreloadArg::Auto)]
    preload: PreloadArg,

    /// Memory for them, as 512MiB or 4GiB [default: half of what is available]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,
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
    /// Loads windows that a run of about so many lookups should have in memory; `None` for the others.
    pub(super) fn load(
        &self,
        windows: &[WindowIndex<'_>],
        lookups: u64,
        ui: &Ui,
    ) -> anyhow::Result<Vec<Option<Resident>>> {
        let mut left = self.memory.unwrap_or(Budget::share(0.5).available());
        let mut tables = Vec::new();
        for window in windows {
            let needed = Resident::bytes_needed(window.entry());
            let wanted = match self.preload {
                PreloadArg::None => false,
                // A context is loaded in about a third of the time that looking it up in the index takes.
                PreloadArg::Auto => needed <= left && window.entry().distinct / 3 <= lookups,
                PreloadArg::All if needed > left => anyhow::bail!(
                    "--preload all: window {} may take {} of memory, {} are left: raise --memory, or leave \
                     it to --preload auto",
                    window.geometry().window(),
                    indicatif::BinaryBytes(needed),
                    indicatif::BinaryBytes(left)
                ),
                PreloadArg::All => true,
            };
            let table = wanted
                .then(|| Resident::load(window, Budget::of_machine(), ui))
                .transpose()?;
            left = left.saturating_sub(table.as_ref().map_or(0, Resident::bytes));
            tables.push(table);
        }
        Ok(tables)
    }
}
