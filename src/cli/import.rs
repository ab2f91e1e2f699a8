//! `bitquilt import`: images or codes → a latents file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::TypedValueParser;

use super::import_options::{ArrayArgs, PixelArgs, labels_of, size};
use super::one_of::one_of_some;
use super::ui::{Ui, check_output};
use super::{print, print_json};
use bitquilt::base::Budget;
use bitquilt::images::import::{Colour, ImportOptions, LevelOptions, import_spooled};
use bitquilt::latent::LatentError;

const EXAMPLES: &str = "\
Examples:
  bitquilt import train-images-idx3-ubyte.gz -o mnist.safetensors
  bitquilt import cifar-10-batches-bin/ --gray -o cifar.safetensors
  bitquilt import cifar-100-binary/ --labels coarse -o cifar100.safetensors
  bitquilt import emnist-letters-train-images-idx3-ubyte.gz --transpose -o emnist.safetensors
  bitquilt import photos/ --resize 64x64 --threshold 0.4 -o photos.safetensors
  bitquilt import icons/ --background white --gray -o icons.safetensors
  bitquilt import train-images-idx3-ubyte.gz --level 7x7:0.2,0.6 --level 14x14 --level 28x28 -o pyramids.safetensors
  bitquilt import codes.npz --array codes --layout nhwc -o codes.safetensors
  bitquilt import codes.npy --grid 16x16 -o codes.safetensors
  bitquilt import tokens.safetensors --index-bits 18 --lsb-first --grid 16x16 -o codes.safetensors
  bitquilt import packed.npy --packed big --shape 16x16x8 -o codes.safetensors
  zcat codes.npy.gz | bitquilt import - -o codes.safetensors

What it reads, told by content:
  IDX images (MNIST), plain or .gz; labels from the file beside them
  CIFAR-10 and CIFAR-100 binary batches: .bin files, or a folder with
    data_batch_*.bin or train.bin
  a folder of images (PNG, JPEG, BMP, WebP, PNM), or image files; one level of
    subfolders gives labels, numbered by sorted name. Images are turned upright
    as EXIF says; transparent ones are laid over --background, their colours
    mixed as they stand in the file (sRGB), as viewers do
  .npy, .npz and .safetensors arrays of {0,1} or {-1,+1}, integers, bools or
    floats (bfloat16 too): [N,H,W]; [N,H,W,K] or [N,K,H,W], which --layout tells
    apart; [N,L,K], the sites in one axis, with --grid HxW; [N,L], a line of L
    sites, or a grid with --grid
    Three axes without --layout: [N,A,A] is [N,H,W]; others must be said
  token indices, [N,H,W] or [N,L], with --index-bits: LFQ, BSQ, MAGVIT-v2. FSQ
    only where its levels are powers of two: others are not binary
  rows of numpy.packbits, [N,bytes], with --packed and --shape
  any of these from standard input (-) or a pipe, kept beside the output
    while it is read";

/// Turn images (thresholded) or ready-made codes into a latents file
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    /// Images or codes, - for standard input; several CIFAR batches or image files are read as one set
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,

    /// The latents file to write (.safetensors)
    #[arg(short, long, value_name = "LATENTS")]
    output: PathBuf,

    /// Images: a bit is 1 when value / white >= T, above 0 and at most 1 [default: 0.5]
    #[arg(long, value_name = "T", value_parser = threshold)]
    threshold: Option<f32>,

    /// Images: scale each to height x width pixels before it is thresholded
    #[arg(long, value_name = "HxW", value_parser = size)]
    resize: Option<(u32, u32)>,

    /// Images: a level of pyramids, coarse to fine, the means of its blocks: HxW, HxWxK for K thresholds spaced evenly,
    /// HxW:qK for K at equal quantiles of the means above 0, or HxW:T,T,... to say them; give it once for each level
    #[arg(
        long = "level",
        value_name = "LEVEL",
        value_parser = level,
        conflicts_with_all = ["threshold", "resize"]
    )]
    levels: Vec<LevelOptions>,

    /// Colour images: one bit a pixel, from its luma, in place of three (red, green, blue)
    #[arg(long, conflicts_with = "channel")]
    gray: bool,

    /// Colour images: one bit a pixel, from this colour alone
    #[arg(long, value_name = "COLOUR", value_parser = channel())]
    channel: Option<Colour>,

    #[command(flatten)]
    pixels: PixelArgs,

    #[command(flatten)]
    arrays: ArrayArgs,

    /// Labels: IDX of one axis, or .npy of integers, in place of the input's own; CIFAR-100: fine or coarse
    /// [default there: fine]
    #[arg(long, value_name = "FILE", conflicts_with = "no_labels")]
    labels: Option<PathBuf>,

    /// Leave the input's labels
    #[arg(long)]
    no_labels: bool,

    /// Replace the output if it exists
    #[arg(long)]
    force: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the verb; 0 when the file is written.
pub(crate) fn run(args: ImportArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    check_output(&args.output, args.force)?;
    // What comes through a pipe is kept where there must be room anyway.
    let folder = match args.output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let imported = import_spooled(&args.inputs, &args.options(), folder, ui);
    ui.finish();
    let imported = match imported {
        Err(LatentError::Stopped(stopped)) => {
            return Err(anyhow::Error::new(stopped).context("stopped; nothing written"));
        }
        other => other?,
    };
    for note in &imported.notes {
        ui.note(format!("note: {note}"));
    }
    let set = imported.set;
    // Padding bits are 0.
    let ones: u64 = set
        .packed()
        .iter()
        .map(|byte| u64::from(byte.count_ones()))
        .sum();
    let all = set.len() as u64 * set.shape().bits() as u64;
    if ones == 0 || ones == all {
        let bit = u8::from(ones != 0);
        ui.note(format!(
            "note: every bit is {bit}: is the threshold, or the array, the right one?"
        ));
    }
    set.write(&args.output)?;

    if args.json {
        let report = serde_json::json!({
            "latents": set.len(),
            "height": set.shape().height(),
            "width": set.shape().width(),
            "channels": set.shape().channels(),
            "shape": set.shape().to_string(),
            "labels": set.labels().is_some(),
            "ones": ones as f64 / all as f64,
            "source": set.source(),
            "output": args.output.display().to_string(),
        });
        print_json(&report)?;
    } else {
        let labels = match set.labels() {
            Some(labels) => {
                let classes: HashSet<_> = labels.iter().collect();
                format!("labels {} classes", classes.len())
            }
            None => "no labels".to_owned(),
        };
        print(format!(
            "{} latents {}, {labels}, {:.1} % ones → {}",
            set.len(),
            set.shape(),
            100.0 * ones as f64 / all as f64,
            args.output.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl ImportArgs {
    fn options(&self) -> ImportOptions {
        ImportOptions {
            threshold: self.threshold,
            resize: self.resize,
            levels: self.levels.clone(),
            colour: if self.gray {
                Some(Colour::Gray)
            } else {
                self.channel
            },
            background: self.pixels.background,
            transpose: self.pixels.transpose,
            layout: self.arrays.layout,
            grid: self.arrays.grid,
            coding: self.arrays.coding(),
            array: self.arrays.array.clone(),
            labels: labels_of(self.labels.as_deref(), self.no_labels),
            memory: Budget::of_machine(),
        }
    }
}

/// One of the three colours of a pixel.
fn channel() -> impl TypedValueParser<Value = Colour> {
    one_of_some(|colour| matches!(colour, Colour::Red | Colour::Green | Colour::Blue))
}

fn level(text: &str) -> Result<LevelOptions, String> {
    text.parse()
}

fn threshold(text: &str) -> Result<f32, String> {
    let value = text
        .parse()
        .ok()
        .filter(|value| *value > 0.0 && *value <= 1.0);
    value.ok_or_else(|| "expected a number above 0 and at most 1".to_owned())
}
