//! `bitquilt query`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::ids::WithoutArgs;
use super::{NO, choose_window, grouped, print, print_json};
use bitquilt::index::Index;
use bitquilt::latent::{LatentSet, Shape};
use bitquilt::window::{Condition, Frame, Window};

/// Show what followed a context, and where
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt query mnist.index --window 7x7 --latent 0 --at 14,14\n  \
    bitquilt query mnist.index --window 7x7 --latent 3 --of samples.safetensors --at 14,14 --json\n\n\
    Exit code 1: the context has no match.")]
pub(super) struct QueryArgs {
    /// The index
    index: PathBuf,

    /// The window; may be left out when the index holds one
    #[arg(short, long)]
    window: Option<Window>,

    /// Id of the latent whose context is asked for: of the training set, or of --of
    #[arg(long, value_name = "ID")]
    latent: u64,

    /// Take the latent from this latents or samples file instead of the training set
    #[arg(long, value_name = "LATENTS")]
    of: Option<PathBuf>,

    /// The bit, counted from 0 [channel 0 when it is left out]
    #[arg(long, value_name = "ROW,COL[,CH]")]
    at: String,

    /// Most postings to show for each next bit
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,

    /// Show every posting
    #[arg(long, conflicts_with = "top")]
    all: bool,

    #[command(flatten)]
    without: WithoutArgs,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &QueryArgs) -> anyhow::Result<ExitCode> {
    let index = args.without.apply(Index::open(&args.index)?)?;
    let window = index.window(choose_window(args.window, &index)?)?;
    let shape = index.shape();
    let position = parse_place(&args.at, shape)?;
    let mut frame = Frame::new(shape, &[window.geometry()]);
    let (packed, label) = match &args.of {
        None => {
            let latent = index.held_latent(args.latent)?;
            (latent.packed().to_vec(), latent.label())
        }
        Some(path) => latent_of(path, args.latent, &index)?,
    };
    // What a latent's label is does not matter where contexts are of any label.
    let label = label.filter(|_| index.condition() == Condition::Label);
    frame.load(&packed, index.given(label)?);
    let key = window.geometry().key(&mut frame, position);
    let histogram = window.lookup(&key)?;
    let top = if args.all { usize::MAX } else { args.top };
    let mut postings = Vec::new();
    for bit in [false, true] {
        let found = window.postings(&key, bit)?.take(top);
        postings.push(found.collect::<Result<Vec<_>, _>>()?);
    }
    let border = window.geometry().border(position);
    let (_, _, channel) = shape.place(position);
    let counts = histogram.unwrap_or_default();
    let code = match histogram {
        Some(_) => ExitCode::SUCCESS,
        None => ExitCode::from(NO),
    };
    if args.json {
        let pairs: Vec<_> = postings
            .iter()
            .map(|found| {
                found
                    .iter()
                    .map(|p| (p.latent, p.position))
                    .collect::<Vec<_>>()
            })
            .collect();
        let mut document = json!({
            "window": window.geometry().window().to_string(),
            "latent": args.latent,
            "position": position,
            "channel": channel,
            "border": border,
            "bit": u8::from(frame.get(position)),
            "n0": counts.n0,
            "n1": counts.n1,
            "postings": pairs.concat(),
            "postings0": pairs[0],
            "postings1": pairs[1],
        });
        if let Some(label) = label {
            document["label"] = label.into();
        }
        print_json(&document)?;
        return Ok(code);
    }
    let bound = label.map_or_else(String::new, |label| format!(" label {label},"));
    print(format!(
        "window {},{bound} channel {channel}, border {border:?}, next bit here {}",
        window.geometry().window(),
        u8::from(frame.get(position))
    ))?;
    if histogram.is_none() {
        print("no match: this context never occurred")?;
        return Ok(code);
    }
    for (bit, found) in postings.iter().enumerate() {
        let count = counts.count(bit == 1);
        print(format!("{bit} followed {} times", grouped(count)))?;
        for posting in found {
            let (row, col, channel) = shape.place(posting.position);
            print(format!(
                "    latent {}, at {row},{col},{channel}",
                posting.latent
            ))?;
        }
        if count > found.len() as u64 {
            let more = grouped(count - found.len() as u64);
            print(format!("    and {more} more (--top N, --all)"))?;
        }
    }
    Ok(code)
}

/// A latent of a file, packed, and its label.
fn latent_of(path: &Path, id: u64, index: &Index) -> anyhow::Result<(Vec<u8>, Option<i64>)> {
    let set = LatentSet::read(path)?;
    if set.shape() != index.shape() {
        bail!(
            "{}: expected {} latents, as the index holds, found {}",
            path.display(),
            index.shape(),
            set.shape()
        );
    }
    if index.condition() == Condition::Label && set.labels().is_none() {
        bail!(
            "{}: holds no labels: expected one for each latent, since contexts of {} are bound to labels",
            path.display(),
            index.path().display()
        );
    }
    let id = usize::try_from(id).ok().filter(|id| *id < set.len());
    let id = id.with_context(|| format!("{}: holds {} latents", path.display(), set.len()))?;
    let label = set.labels().map(|labels| labels[id]);
    Ok((set.packed_latent(id).to_vec(), label))
}

fn parse_place(text: &str, shape: Shape) -> anyhow::Result<usize> {
    let parts = text.split(',').map(|part| part.trim().parse::<usize>());
    let parts = parts
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("--at '{text}': expected ROW,COL or ROW,COL,CHANNEL"))?;
    let (row, col, channel) = match parts[..] {
        [row, col] => (row, col, 0),
        [row, col, channel] => (row, col, channel),
        _ => bail!("--at '{text}': expected ROW,COL or ROW,COL,CHANNEL"),
    };
    if row >= shape.height() || col >= shape.width() || channel >= shape.channels() {
        bail!("--at '{text}': not on a {shape} grid (counted from 0)");
    }
    Ok(shape.position(row, col, channel))
}
