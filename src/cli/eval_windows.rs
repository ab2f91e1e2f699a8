//! `bitquilt eval windows`: which window to take.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::ids::WithoutArgs;
use super::ui::Ui;
use super::{grouped, print, print_json};
use bitquilt::engine::{SessionOptions, WindowsReport};
use bitquilt::latent::LatentSet;

/// Which windows of an index know unseen latents best: what to build, and to generate with
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt eval windows mnist.index --held-out test.safetensors\n  \
    bitquilt eval windows pyramids.index --held-out test-pyramids.safetensors --limit 2000 --json\n\n\
    For every window that the index answers, level by level: distinct contexts as a share of all (near 1, each occurs once and\n\
    can only be copied), the share of held-out bits that it supports (what it does not support it cannot generate), and the\n\
    bits that a held-out latent takes by its counts. The window with the fewest is marked: smaller ones do not know what follows,\n\
    larger ones have not seen enough. Build deep, look, and generate with what is marked.")]
pub(super) struct WindowsArgs {
    /// The index
    index: PathBuf,

    /// Latents that were not indexed
    #[arg(long, value_name = "LATENTS")]
    held_out: PathBuf,

    /// Latents to look at
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = super::limit::at_least_1)]
    limit: usize,

    #[command(flatten)]
    without: WithoutArgs,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl WindowsArgs {
    pub(super) fn run(&self, ui: &Ui) -> anyhow::Result<ExitCode> {
        let held_out = LatentSet::read(&self.held_out)?;
        let session = self.without.open(&self.index, SessionOptions::default())?;
        let report = session
            .measure_windows(&held_out, self.limit, ui)
            .with_context(|| self.held_out.display().to_string())?;
        ui.finish();
        if self.json {
            print_json(&report)?;
        } else {
            show(&report)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(report: &WindowsReport) -> anyhow::Result<()> {
    let several = report.levels.len() > 1;
    print(format!(
        "{} held-out latents",
        grouped(report.latents as u64)
    ))?;
    for (number, level) in report.levels.iter().enumerate() {
        let level_name = if several {
            format!("level {number}: ")
        } else {
            String::new()
        };
        print(format!(
            "{:<24}{:>12}{:>12}{:>12}{:>16}",
            format!("{level_name}{}", level.shape),
            "distinct",
            "known",
            "supported",
            format!("bits of {}", level.bits)
        ))?;
        for worth in &level.windows {
            let share = |share: f64| format!("{:.2} %", 100.0 * share);
            let best = level.best.as_ref() == Some(&worth.window);
            print(format!(
                "  {:<22}{:>12}{:>12}{:>12}{:>16.2}{}",
                worth.window,
                share(worth.distinct),
                share(worth.known),
                share(worth.supported),
                worth.bits,
                if best { "  fewest" } else { "" }
            ))?;
        }
    }
    Ok(())
}
