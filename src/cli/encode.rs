//! `bitquilt encode`: images → latents, through a BL-AE.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::import_options::labels_of;
use super::neural::{DeviceArgs, ImagesArgs, load_blae};
use super::ui::{Ui, check_output};
use super::{grouped, print, print_json};
use bitquilt::images::ImageStream;

const EXAMPLES: &str = "\
Examples:
  bitquilt encode train-images-idx3-ubyte --model blae.run -o mnist.safetensors
  bitquilt encode cifar-10-batches-bin/ --model blae.safetensors -o cifar.safetensors --device cuda

The latents' codec names the model, as blae:DIGEST, so that other verbs know which one decodes them.";

/// Turn images into latents through a trained BL-AE
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EncodeArgs {
    /// Images, as `import` reads them: IDX, CIFAR batches, a folder or files
    #[arg(required = true, value_name = "IMAGES")]
    inputs: Vec<PathBuf>,

    /// The BL-AE: a checkpoint, or a run's folder, of which the best is taken
    #[arg(long, value_name = "BLAE")]
    model: PathBuf,

    /// The latents file to write (.safetensors)
    #[arg(short, long, value_name = "LATENTS")]
    output: PathBuf,

    #[command(flatten)]
    images: ImagesArgs,

    /// Labels: IDX of one axis, or .npy of integers, in place of the input's own; CIFAR-100: fine or coarse
    /// [default there: fine]
    #[arg(long, value_name = "FILE", conflicts_with = "no_labels")]
    labels: Option<PathBuf>,

    /// Leave the input's labels
    #[arg(long)]
    no_labels: bool,

    /// Images encoded at a time; bounds the memory
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = super::limit::at_least_1)]
    batch: usize,

    #[command(flatten)]
    device: DeviceArgs,

    /// Replace the output if it exists
    #[arg(long)]
    force: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the verb; 0 when the file is written.
pub(crate) fn run(args: &EncodeArgs, threads: Option<u16>, ui: &Ui) -> anyhow::Result<ExitCode> {
    let device = args.device.device(threads)?;
    check_output(&args.output, args.force)?;
    let blae = load_blae(&args.model, device)?;
    let labels = labels_of(args.labels.as_deref(), args.no_labels);
    let mut images = ImageStream::open(&args.inputs, &args.images.options(labels))?;
    let found = images.notes();
    for note in &found {
        ui.note(format!("note: {note}"));
    }
    let name = images.source();
    let set = blae
        .encode_stream(&mut images, args.batch, ui)
        .with_context(|| name)?;
    // What was done to the images is known when they have been read.
    for note in &images.notes()[found.len()..] {
        ui.note(format!("note: {note}"));
    }
    ui.finish();
    set.write(&args.output)?;
    if args.json {
        print_json(&json!({
            "latents": set.len(),
            "height": set.shape().height(),
            "width": set.shape().width(),
            "channels": set.shape().channels(),
            "labels": set.labels().is_some(),
            "codec": set.codec().to_string(),
            "source": set.source(),
            "seconds": ui.elapsed().as_secs_f64(),
            "output": args.output.display().to_string(),
        }))?;
    } else {
        print(format!(
            "{} latents {}, codec {} → {}",
            grouped(set.len() as u64),
            set.shape(),
            set.codec(),
            args.output.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
