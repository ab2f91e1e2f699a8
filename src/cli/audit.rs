//! `bitquilt audit`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::copies;
use super::drawer::ModelArgs;
use super::ids::WithoutArgs;
use super::preload::PreloadArgs;
use super::ui::{Ui, check_place};
use super::{NO, line, print, print_json};
use bitquilt::copies::{Calibration, Verdict};
use bitquilt::engine::{Audit, AuditRequest, CopyRequest};
use bitquilt::latent::{LatentSet, Level};
use bitquilt::page::{check_folder, page_in, write_audit};
use bitquilt::picture::Picture;
use bitquilt::samples::SampleSet;

/// Report who of a set of samples copies, how much, and from where
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt audit mnist.index samples.safetensors --against held-out.safetensors -o report\n  \
    bitquilt audit mnist.index samples.safetensors --against held-out.safetensors --false-alarms 0.001 -o report\n  \
    bitquilt audit mnist.index samples.safetensors --against held-out.safetensors --json -o report\n\n\
    Writes a folder: index.html, one page to read or to mail, with pictures of the worst samples beside what they copy, the \n\
    training latents that lent most, and the field's own numbers with their traps; report.json, all of it for machines; and \n\
    calibration.json, how the held-out latents looked, for `trace --calibration`. Samples may come from any generator: import\n\
    or encode them as the training images were.\n\
    Exit code 1 with --deny-copies, if any sample is called a copy.")]
pub(super) struct AuditArgs {
    /// The index
    index: PathBuf,

    /// Samples, or any latents of the index's shape
    samples: PathBuf,

    /// Latents that were not indexed, drawn as the training latents were: samples that look more like copies than they do are
    /// called copies
    #[arg(long, value_name = "HELD_OUT")]
    against: PathBuf,

    /// How these held-out latents looked: calibration.json of an earlier report, or a file of `trace --save-calibration`. Saves the
    /// time to look at them again
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,

    /// The folder to make
    #[arg(short, long, value_name = "REPORT")]
    output: PathBuf,

    /// The share of honest latents that may be called copies
    #[arg(long, value_name = "RATE", default_value_t = CopyRequest::default().false_alarms, value_parser = copies::rate)]
    false_alarms: f64,

    /// Samples to show that look most like copies
    #[arg(long, value_name = "N", default_value_t = AuditRequest::default().worst)]
    worst: usize,

    /// Training latents to show that lent most
    #[arg(long, value_name = "N", default_value_t = AuditRequest::default().credits)]
    credits: usize,

    /// End with exit code 1 if any sample is called a copy
    #[arg(long)]
    deny_copies: bool,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    without: WithoutArgs,

    #[command(flatten)]
    preload: PreloadArgs,

    /// Replace a report that is there
    #[arg(long)]
    force: bool,

    /// Print report.json instead of a summary
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &AuditArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    check_place(&args.output, args.force)?;
    check_folder(&args.output)?;
    let samples = SampleSet::read(&args.samples)?;
    let held_out = LatentSet::read(&args.against)?;
    let session = args.without.open(&args.index, args.preload.options())?;
    // Before anything is judged: another model's codes are refused.
    let index = session.index();
    let (levels, codecs) = (index.shape(), index.manifest().codecs());
    let drawers = args.model.drawers(&args.index, levels.levels(), &codecs)?;
    let request = AuditRequest {
        copies: CopyRequest {
            false_alarms: args.false_alarms,
            ..CopyRequest::default()
        },
        worst: args.worst,
        credits: args.credits,
    };
    let held_out = (&held_out, args.against.as_path());
    let calibration = args.calibration.as_ref();
    let calibration = calibration.map(|path| Calibration::read(path).context("--calibration"));
    let mut audit = session
        .audit(&samples, held_out, calibration.transpose()?, &request, ui)
        .with_context(|| {
            format!(
                "{} against {}",
                args.samples.display(),
                args.against.display()
            )
        })?;
    audit.report.samples_file = args.samples.display().to_string();
    let image = |level: &Level, packed: &[u8]| -> anyhow::Result<Picture> {
        drawers[level.number()].one(level.shape(), packed, &args.output)
    };
    write_audit(&args.output, &audit, image)?;
    ui.finish();
    if args.json {
        print_json(&serde_json::to_value(&audit.report)?)?;
    } else {
        show(args, &audit, ui)?;
    }
    let denied = args.deny_copies && audit.report.copies.copies > 0;
    Ok(ExitCode::from(if denied { NO } else { 0 }))
}

/// Prints the verdict, for people.
fn show(args: &AuditArgs, audit: &Audit, ui: &Ui) -> anyhow::Result<()> {
    let report = &audit.report;
    let worst: Vec<(usize, &Verdict)> = report
        .worst
        .iter()
        .map(|worst| (worst.sample, &worst.verdict))
        .collect();
    copies::report(&report.copies, &worst)?;
    for lent in report.credits.iter().take(3) {
        let what = format!(
            "latent {}: {:.0} bits in {} samples",
            lent.latent, lent.gain, lent.samples
        );
        line("lent most", String::new(), &what)?;
    }
    for note in copies::notes(&audit.calibration, report.copies.false_alarms) {
        ui.note(note);
    }
    print(format!("→ {}", page_in(&args.output).display()))
}
