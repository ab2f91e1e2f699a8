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
use bitquilt::images::import::{Imported, Labels, LevelOptions, import};
use bitquilt::latent::LatentSet;
use bitquilt::neural::Blae;

const EXAMPLES: &str = "\
Examples:
  bitquilt encode train-images-idx3-ubyte --model blae.run -o mnist.safetensors
  bitquilt encode cifar-10-batches-bin/ --model blae.safetensors -o cifar.safetensors --device cuda
  bitquilt encode train-images-idx3-ubyte --model coarse.run --model fine.run -o pyramids.safetensors
  bitquilt encode train-images-idx3-ubyte --level 7x7:0.2,0.6 --model fine.run -o pyramids.safetensors

With several models, or levels of the images themselves, each image becomes a pyramid: its levels, then the codes of each
model, which must grow in size.

The latents' codec names the model, as blae:DIGEST, so that other verbs know which one decodes them.";

/// Turn images into latents through a trained BL-AE
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EncodeArgs {
    /// Images, as `import` reads them: IDX, CIFAR batches, a folder or files
    #[arg(required = true, value_name = "IMAGES")]
    inputs: Vec<PathBuf>,

    /// The BL-AE: a checkpoint, or a run's folder, of which the best is taken. Several make pyramids of their codes, coarse to
    /// fine
    #[arg(long = "model", value_name = "BLAE", required = true)]
    models: Vec<PathBuf>,

    /// A level of the image itself below the codes, the means of its blocks, as `import` makes it; once for each, coarse to
    /// fine
    #[arg(long = "level", value_name = "LEVEL", value_parser = level, conflicts_with = "resize")]
    levels: Vec<LevelOptions>,

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
    let models = args.models.iter().map(|model| load_blae(model, device));
    let models = models.collect::<anyhow::Result<Vec<_>>>()?;
    let mut sets = Vec::new();
    if !args.levels.is_empty() {
        sets.push(args.image_levels(ui)?);
    }
    for blae in &models {
        sets.push(args.codes(blae, sets.is_empty(), ui)?);
    }
    let set = match &sets[..] {
        [_] => sets.remove(0),
        _ => LatentSet::pyramids(&sets)?,
    };
    ui.finish();
    set.write(&args.output)?;
    if args.json {
        print_json(&json!({
            "latents": set.len(),
            "height": set.shape().height(),
            "width": set.shape().width(),
            "channels": set.shape().channels(),
            "shape": set.shape().to_string(),
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

impl EncodeArgs {
    fn labels(&self) -> Labels {
        labels_of(self.labels.as_deref(), self.no_labels)
    }

    /// Returns the codes of one model; notes on the images are told once.
    fn codes(&self, blae: &Blae, tell: bool, ui: &Ui) -> anyhow::Result<LatentSet> {
        let mut images = ImageStream::open(&self.inputs, &self.images.options(self.labels()))?;
        let found = images.notes();
        let note = |notes: &[String]| {
            for note in notes.iter().filter(|_| tell) {
                ui.note(format!("note: {note}"));
            }
        };
        note(&found);
        let name = images.source();
        let set = blae
            .encode_stream(&mut images, self.batch, ui)
            .with_context(|| name)?;
        // What was done to the images is known when they have been read.
        note(&images.notes()[found.len()..]);
        Ok(set)
    }

    /// Returns the levels of the images themselves.
    fn image_levels(&self, ui: &Ui) -> anyhow::Result<LatentSet> {
        let options = self
            .images
            .level_options(self.levels.clone(), self.labels());
        let Imported { set, notes, .. } = import(&self.inputs, &options, ui)?;
        for note in notes {
            ui.note(format!("note: {note}"));
        }
        Ok(match self.images.limit() {
            Some(limit) => set.first(limit),
            None => set,
        })
    }
}

fn level(text: &str) -> Result<LevelOptions, String> {
    text.parse()
}
