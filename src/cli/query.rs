//! `bitquilt query`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::Args;

use super::ids::WithoutArgs;
use super::level::split_level;
use super::limit::Top;
use super::{NO, grouped, print, print_json};
use bitquilt::engine::{QueryReport, QueryRequest, SessionOptions, WindowChoice};
use bitquilt::latent::{LatentSet, Shape};

/// Show what followed a context, and where
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt query mnist.index --window 7x7 --latent 0 --at 14,14\n  \
    bitquilt query mnist.index --window longest --latent 3 --of held-out.safetensors --at 14,14\n  \
    bitquilt query mnist.index --window 7x7 --latent 3 --of samples.safetensors --at 14,14 --json\n\n\
    Exit code 1: the context has no match.")]
pub(super) struct QueryArgs {
    /// The index
    index: PathBuf,

    /// The window, or longest: as much of the context, nearest sites first, as occurred; may be left out when the index
    /// names one
    #[arg(short, long, value_name = "WINDOW|longest")]
    window: Option<WindowChoice>,

    /// Occurrences that the longest match needs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    min_count: u64,

    /// Id of the latent whose context is asked for: of the training set, or of --of
    #[arg(long, value_name = "ID")]
    latent: u64,

    /// Take the latent from this latents or samples file instead of the training set
    #[arg(long, value_name = "LATENTS")]
    of: Option<PathBuf>,

    /// The bit, counted from 0 [channel 0 when it is left out]; of a pyramid before it the level [the finest when it is left
    /// out]
    #[arg(long, value_name = "[LEVEL:]ROW,COL[,CH]")]
    at: String,

    /// Postings to show for each next bit, or all
    #[arg(long, value_name = "N|all", default_value = "10")]
    top: Top,

    #[command(flatten)]
    without: WithoutArgs,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &QueryArgs) -> anyhow::Result<ExitCode> {
    let session = args.without.open(&args.index, SessionOptions::default())?;
    let shape = session.index().shape();
    let request = QueryRequest {
        window: args.window,
        latent: args.latent,
        position: parse_place(&args.at, shape)?,
        min_count: args.min_count,
        top: args.top.0,
    };
    let of = args.of.as_ref().map(|path| LatentSet::read(path));
    let report = session.query(&request, of.transpose()?.as_ref());
    let report = match &args.of {
        Some(path) => report.with_context(|| path.display().to_string())?,
        None => report?,
    };
    if args.json {
        print_json(&report)?;
    } else {
        show(&report, shape)?;
    }
    let code = if report.is_match() { 0 } else { NO };
    Ok(ExitCode::from(code))
}

/// Prints what followed a context.
fn show(report: &QueryReport, shape: Shape) -> anyhow::Result<()> {
    let bound = report
        .label
        .map_or_else(String::new, |label| format!(" label {label},"));
    if let Some(sites) = report.sites {
        print(format!("longest match: {} sites", grouped(sites as u64)))?;
    }
    print(format!(
        "window {},{bound} channel {}, border {:?}, next bit here {}",
        report.window, report.channel, report.border, report.bit
    ))?;
    if !report.is_match() {
        return print("no match: this context never occurred");
    }
    for (bit, count, found) in [
        (0, report.n0, &report.postings0),
        (1, report.n1, &report.postings1),
    ] {
        print(format!("{bit} followed {} times", grouped(count)))?;
        for (latent, position) in found {
            let (row, col, channel) = shape.place(*position);
            let level = match shape.is_pyramid() {
                true => format!("{}:", shape.level_of(*position).number()),
                false => String::new(),
            };
            print(format!(
                "    latent {latent}, at {level}{row},{col},{channel}"
            ))?;
        }
        if count > found.len() as u64 {
            let more = grouped(count - found.len() as u64);
            print(format!("    and {more} more (--top N, or all)"))?;
        }
    }
    Ok(())
}

fn parse_place(text: &str, shape: Shape) -> anyhow::Result<usize> {
    let split = split_level(text, shape);
    let (level, place) = split.map_err(|why| anyhow!("--at '{text}': {why}"))?;
    let parts = place.split(',').map(|part| part.trim().parse::<usize>());
    let parts = parts
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("--at '{text}': expected ROW,COL or ROW,COL,CHANNEL"))?;
    let (row, col, channel) = match parts[..] {
        [row, col] => (row, col, 0),
        [row, col, channel] => (row, col, channel),
        _ => bail!("--at '{text}': expected ROW,COL or ROW,COL,CHANNEL"),
    };
    if row >= level.height() || col >= level.width() || channel >= level.channels() {
        bail!("--at '{text}': not on a {level} grid (counted from 0)");
    }
    Ok(level.position(row, col, channel))
}
