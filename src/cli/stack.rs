//! `bitquilt stack`: latents of one image each, at several sizes → pyramids.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::ui::{Ui, check_output};
use super::{grouped, print, print_json};
use bitquilt::latent::{LatentSet, Pool};

const EXAMPLES: &str = "\
Examples:
  bitquilt stack layout.safetensors codes.safetensors -o pyramids.safetensors
  bitquilt stack scale1.safetensors scale2.safetensors scale4.safetensors -o pyramids.safetensors
  bitquilt stack codes.safetensors --pool majority:4x4 --pool majority:8x8 -o pyramids.safetensors

Each file has latents of the same images in the same order: a tokenizer's own scales, each imported; codes of several
models; levels of images below codes. Their sizes grow, and need not divide each other. A file may hold pyramids itself.
--pool makes coarser levels out of the first file where there are no images to take them from: of each channel, what
most of a block is (majority), whether any of it is 1 (any), or all (all).";

/// Put latents of several sizes together as pyramids, coarse to fine
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StackArgs {
    /// Latents files, coarse to fine
    #[arg(required = true, value_name = "LATENTS")]
    inputs: Vec<PathBuf>,

    /// The latents file to write (.safetensors)
    #[arg(short, long, value_name = "PYRAMIDS")]
    output: PathBuf,

    /// A coarser level, pooled from the first file: majority, any or all of each block; again for each, coarse to fine
    #[arg(long = "pool", value_name = "RULE:HxW", value_parser = pool)]
    pools: Vec<Pool>,

    /// Replace the output if it exists
    #[arg(long)]
    force: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the verb; 0 when the file is written.
pub(crate) fn run(args: &StackArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    check_output(&args.output, args.force)?;
    if args.inputs.len() + args.pools.len() < 2 {
        bail!("one level is no pyramid: name another file, or make coarser levels with --pool");
    }
    let read = args.inputs.iter().map(|path| LatentSet::read(path));
    let sets = read.collect::<Result<Vec<_>, _>>()?;
    let pooled = args.pools.iter().map(|pool| {
        let context = || format!("--pool {pool}: {}", args.inputs[0].display());
        sets[0].pooled(*pool).with_context(context)
    });
    let mut levels = pooled.collect::<anyhow::Result<Vec<_>>>()?;
    levels.extend(sets);
    let set = LatentSet::pyramids(&levels).with_context(|| {
        let names: Vec<_> = args
            .inputs
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        names.join(", ")
    })?;
    ui.finish();
    set.write(&args.output)?;
    if args.json {
        print_json(&json!({
            "latents": set.len(),
            "shape": set.shape().to_string(),
            "labels": set.labels().is_some(),
            "codecs": set.codecs().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "source": set.source(),
            "output": args.output.display().to_string(),
        }))?;
    } else {
        print(format!(
            "{} latents {} → {}",
            grouped(set.len() as u64),
            set.shape(),
            args.output.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn pool(text: &str) -> Result<Pool, String> {
    text.parse()
}
