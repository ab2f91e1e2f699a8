//! `bitquilt verify`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::ids::WithoutArgs;
use super::ui::Ui;
use super::{NO, grouped, print, print_json};
use bitquilt::engine::{EngineError, Session, SessionOptions, VerifyReport, VerifyRequest};
use bitquilt::index::IndexError;
use bitquilt::latent::Shape;
use bitquilt::samples::SampleSet;
use bitquilt::window::Window;

/// Prove an index, or that every bit of some samples is supported
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt verify mnist.index\n  \
    bitquilt verify mnist.index samples.safetensors\n  \
    bitquilt verify mnist.index samples.safetensors --brute-force\n  \
    bitquilt verify mnist.index test.safetensors --window 7x7\n\n\
    Without samples: checksums of every file, then every posting against the latents; --brute-force\n\
    also counts every context again. With samples: each bit that is not fixed is looked up;\n\
    --brute-force finds its support in the training latents alone.\n\
    Exit code 1: something is damaged, or a bit is not supported.")]
pub(super) struct VerifyArgs {
    /// The index
    index: PathBuf,

    /// Samples, or any latents of the same shape
    samples: Option<PathBuf>,

    /// The window for latents that do not say which one answered for each bit; of pyramids one for each level, where the index
    /// does not mean one
    #[arg(short, long, requires = "samples")]
    window: Vec<Window>,

    /// Do not believe the index: count from the latents it was built from
    #[arg(long)]
    brute_force: bool,

    #[command(flatten)]
    without: WithoutArgs,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VerifyArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    match &args.samples {
        Some(samples) => verify_samples(args, samples, ui),
        None => verify_index(args, ui),
    }
}

fn verify_index(args: &VerifyArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    if args.without.is_given() {
        bail!(
            "--without: an index is verified with all that it holds: name samples, or leave it out"
        );
    }
    let found = match Session::open(&args.index, &SessionOptions::default()) {
        Ok(session) => session.verify_index(args.brute_force, ui)?,
        // What is wrong with the index is the answer here, not a failure to answer.
        Err(EngineError::Index(
            error @ (IndexError::Damaged { .. } | IndexError::Store { .. }),
        )) => Some(error.to_string()),
        Err(error) => return Err(error.into()),
    };
    ui.finish();
    let seconds = ui.elapsed().as_secs_f64();
    if args.json {
        print_json(&json!({
            "verified": found.is_none(),
            "found": found,
            "seconds": seconds,
        }))?;
    } else if let Some(found) = &found {
        print(format!("NOT verified: {found}"))?;
    } else {
        let path = args.index.display();
        print(format!(
            "{path}: every file and every posting is right ({seconds:.1} s)"
        ))?;
    }
    Ok(ExitCode::from(if found.is_none() { 0 } else { NO }))
}

fn verify_samples(args: &VerifyArgs, path: &Path, ui: &Ui) -> anyhow::Result<ExitCode> {
    let samples = SampleSet::read(path)?;
    let session = args.without.open(&args.index, SessionOptions::default())?;
    let request = VerifyRequest {
        windows: args.window.clone(),
        brute_force: args.brute_force,
    };
    let report = session.verify(&samples, &request, ui);
    let report = report.with_context(|| path.display().to_string())?;
    ui.finish();
    if args.json {
        print_json(&report)?;
    } else {
        show(&report, args, samples.latents.shape(), ui)?;
    }
    Ok(ExitCode::from(if report.verified { 0 } else { NO }))
}

/// Prints which bits are supported.
fn show(report: &VerifyReport, args: &VerifyArgs, shape: Shape, ui: &Ui) -> anyhow::Result<()> {
    let how = if args.brute_force {
        "training latents alone"
    } else {
        "index"
    };
    let interpolated = match report.interpolated {
        0 => String::new(),
        bits => format!(", {} interpolated by a network", grouped(bits)),
    };
    print(format!(
        "{} of {} bits of {} samples are supported, {} fixed{interpolated} (by the {how}, {:.1} s)",
        grouped(report.checked - report.unsupported.len() as u64),
        grouped(report.checked),
        grouped(report.samples as u64),
        grouped(report.fixed),
        ui.elapsed().as_secs_f64()
    ))?;
    for unsupported in report.unsupported.iter().take(10) {
        let (row, col, channel) = shape.place(unsupported.position);
        print(format!(
            "    not supported: sample {}, at {row},{col},{channel}, window {}",
            unsupported.sample, unsupported.window
        ))?;
    }
    if report.unsupported.len() > 10 {
        print(format!("    and {} more", report.unsupported.len() - 10))?;
    }
    Ok(())
}
