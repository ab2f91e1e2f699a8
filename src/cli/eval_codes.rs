//! `bitquilt eval codes`: what single bits are worth.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::{grouped, print, print_json};
use bitquilt::base::Budget;
use bitquilt::latent::LatentSet;
use bitquilt::model::{CodesReport, Correlation};

/// Entropy, dead and correlated bits of any codes: a network's, imported ones, thresholded pixels
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt eval codes codes.safetensors\n  \
    bitquilt eval codes samples.safetensors --json\n\n\
    A bit is constant where it never changes, dead where one value is in over 99 %. Its entropy is what it tells by itself;\n\
    correlated bits tell less together. The chance line is the correlation that independent bits would show.")]
pub(super) struct CodesArgs {
    /// Latents or samples
    latents: PathBuf,

    /// Bits that are compared pair by pair at most, evenly spaced where there are more
    #[arg(long, value_name = "N", default_value_t = CodesReport::MAX_BITS, value_parser = super::limit::at_least_1)]
    max_bits: usize,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl CodesArgs {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let set = LatentSet::read(&self.latents)?;
        let report = CodesReport::of(&set, self.max_bits, Budget::of_machine())
            .with_context(|| self.latents.display().to_string())?;
        if self.json {
            print_json(&report)?;
        } else {
            show(&report)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(report: &CodesReport) -> anyhow::Result<()> {
    let codes = &report.codes;
    print(format!(
        "{} latents {}x{}x{}: {} bits each",
        grouped(codes.latents),
        report.height,
        report.width,
        report.channels,
        grouped(codes.bits)
    ))?;
    let row = |name: &str, value: String| print(format!("{name:<36} {value}"));
    row("different latents", grouped(report.different as u64))?;
    row(
        "latents that equal another",
        grouped(report.repeated as u64),
    )?;
    row("constant bits", grouped(codes.constant_bits))?;
    row(
        "dead bits, one value in over 99 %",
        grouped(codes.dead_bits),
    )?;
    row(
        "entropy of the bits, summed",
        format!("{:.1} of {} bits", codes.entropy_total, grouped(codes.bits)),
    )?;
    row(
        "  mean, least of a bit",
        format!("{:.3}, {:.3}", codes.entropy_mean, codes.min_entropy),
    )?;
    let words = |of: Option<&Correlation>| {
        of.map_or_else(
            || "-".to_owned(),
            |of| {
                let [a, b] = of.positions;
                format!("{:.3}, {:.3} (positions {a} and {b})", of.mean, of.largest)
            },
        )
    };
    let correlations = &report.correlations;
    row(
        "correlation, mean size and largest",
        words(correlations.all.as_ref()),
    )?;
    row("  within a site", words(correlations.within_site.as_ref()))?;
    row("  by chance", format!("{:.3}", correlations.chance))
}
