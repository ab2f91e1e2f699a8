//! `bitquilt info`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{grouped, print, print_json};
use bitquilt::engine::{Session, SessionOptions};
use bitquilt::latent::Codec;
use bitquilt::window::Condition;

/// Show what an index holds
#[derive(Args)]
#[command(after_help = "Example:\n  bitquilt info mnist.index")]
pub(super) struct InfoArgs {
    /// The index
    index: PathBuf,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &InfoArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.index, &SessionOptions::default())?;
    if args.json {
        print_json(&session.info())?;
        return Ok(ExitCode::SUCCESS);
    }
    let index = session.index();
    let manifest = index.manifest();
    let codecs: Vec<String> = manifest.codecs().iter().map(Codec::to_string).collect();
    let labels = if manifest.labels {
        "with labels"
    } else {
        "no labels"
    };
    print(format!(
        "{} latents {}, {labels}, codec {}, anchor {}, condition {}",
        grouped(manifest.latents),
        index.shape(),
        codecs.join(" + "),
        manifest.anchor,
        manifest.condition
    ))?;
    if index.condition() == Condition::Label {
        print(format!("  contexts of labels {}", index.labels_in_words()))?;
    }
    let excluded = manifest.excluded();
    if !excluded.is_empty() {
        print(format!(
            "  {} excluded: {excluded}",
            grouped(excluded.len())
        ))?;
    }
    for source in &manifest.sources {
        print(format!("  from {}", source.name))?;
    }
    print(format!(
        "\n{:>12}  {:>14}  {:>12}  {:>12}",
        "window", "contexts", "distinct", "ambiguous"
    ))?;
    for entry in index.all_windows().filter_map(|window| window.entry()) {
        print(format!(
            "{:>12}  {:>14}  {:>12}  {:>12}",
            entry.window,
            grouped(entry.contexts),
            grouped(entry.distinct),
            grouped(entry.ambiguous),
        ))?;
    }
    for array in &manifest.arrays {
        let occurrences = array.windows.first().map_or(0, |window| window.contexts);
        print(format!(
            "\nevery window to {} by one array: {} in {} blocks, {:.2} bytes a context",
            array.depth,
            indicatif::BinaryBytes(array.bytes),
            grouped(array.blocks),
            array.bytes as f64 / occurrences.max(1) as f64,
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
