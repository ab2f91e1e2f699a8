//! `bitquilt eval counts`: the index as a model.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::ids::WithoutArgs;
use super::ui::Ui;
use super::{grouped, print, print_json};
use bitquilt::engine::{CountsReport, CountsRequest, SessionOptions};
use bitquilt::latent::LatentSet;
use bitquilt::model::BitsReport;
use bitquilt::window::Window;

/// Bits per latent of an index as a model: its counts and no network
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt eval counts codes.index --held-out test-codes.safetensors\n  \
    bitquilt eval counts codes.index --window 7x7 --window 3x3 --limit 10000 --json\n\n\
    Negative log2 likelihoods, exact, under two rules by which counts become a probability: back-off takes the largest\n\
    window whose context occurred, blended mixes all of them. Training latents are among the counts that predict them:\n\
    only held-out ones tell how well the index generalises.")]
pub(super) struct CountsArgs {
    /// The index
    index: PathBuf,

    /// A window; again for each smaller one that it backs off to [default: the largest of each level and all that nest in it]
    #[arg(short, long = "window", value_name = "WINDOW")]
    windows: Vec<Window>,

    /// Latents that were not indexed
    #[arg(long, value_name = "LATENTS")]
    held_out: Option<PathBuf>,

    /// Latents of each set to look at
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = super::limit::at_least_1)]
    limit: usize,

    #[command(flatten)]
    without: WithoutArgs,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl CountsArgs {
    pub(super) fn run(&self, ui: &Ui) -> anyhow::Result<ExitCode> {
        let held_out = self.held_out.as_ref();
        let held_out = held_out.map(|path| LatentSet::read(path)).transpose()?;
        let session = self.without.open(&self.index, SessionOptions::default())?;
        let request = CountsRequest {
            windows: self.windows.clone(),
            limit: self.limit,
        };
        let report = session.measure_counts(&request, held_out.as_ref(), ui);
        let report = match &self.held_out {
            Some(path) => report.with_context(|| path.display().to_string())?,
            None => report?,
        };
        ui.finish();
        if self.json {
            print_json(&report)?;
        } else {
            show(&report)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(report: &CountsReport) -> anyhow::Result<()> {
    let held_out = match report.latents_held_out {
        Some(latents) => format!(", {} held out", grouped(latents as u64)),
        None => String::new(),
    };
    print(format!(
        "counts at {}: {} training latents{held_out}, {} bits each",
        report.windows.join(", "),
        grouped(report.latents_train as u64),
        grouped(report.bits as u64)
    ))?;
    print(format!(
        "{:<16}{:>10}{:>12}{:>11}",
        "bits per latent", "train", "held out", "gap"
    ))?;
    for model in &report.models {
        row(&model.model, model)?;
    }
    for (number, level) in report.levels.iter().enumerate() {
        print(format!(
            "level {number}: {}, {} bits",
            level.shape,
            grouped(level.bits as u64)
        ))?;
        for model in &level.models {
            row(&format!("  {}", model.model), model)?;
        }
    }
    Ok(())
}

fn row(name: &str, model: &BitsReport) -> anyhow::Result<()> {
    let cell = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
    print(format!(
        "{name:<16}{:>10.2}{:>12}{:>11}",
        model.train,
        cell(model.held_out),
        cell(model.gap)
    ))
}
