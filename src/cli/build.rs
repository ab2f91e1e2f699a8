//! `bitquilt build`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::ids::IdsArg;
use super::one_of::one_of;
use super::ui::Ui;
use super::{grouped, print, print_json};
use bitquilt::base::memory;
use bitquilt::index::{BuildOptions, BuildReport, Source, build};
use bitquilt::latent::{HeldOut, Ids, LatentError, LatentSet, Shape};
use bitquilt::window::{Anchor, Condition, Window};

/// Index every local context of a set of latents
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt build mnist.safetensors -o mnist.index\n  \
    bitquilt build codes.safetensors -o codes.index --depth 7x7 --memory 2GiB\n  \
    bitquilt build mnist.safetensors -o two.index --window 3x3 --window 7x7\n  \
    bitquilt build mnist.safetensors -o digits.index --window 7x7 --condition label\n  \
    bitquilt build mnist.safetensors -o most.index --hold-out 5000\n  \
    bitquilt build mnist.safetensors -o rest.index --window 7x7 --exclude 17,100..200\n\n\
    A build that was stopped goes on where it was when the same command is run again.")]
pub(super) struct BuildArgs {
    /// Latents files, all of one shape; ids go on from one to the next
    #[arg(required = true, value_name = "LATENTS")]
    latents: Vec<PathBuf>,

    /// The folder to make
    #[arg(short, long, value_name = "INDEX")]
    output: PathBuf,

    #[command(flatten)]
    index: IndexArgs,

    /// Set so many latents aside, drawn at random, to tell later how honest ones look: they are not indexed but written to a
    /// file, for `trace --against` and `audit --against`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    hold_out: Option<u64>,

    /// Where --hold-out writes them [default: INDEX.held-out.safetensors]
    #[arg(long, value_name = "FILE", requires = "hold_out")]
    hold_out_to: Option<PathBuf>,

    /// Memory to work within, as 512MiB or 4GiB [default: a quarter of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,

    /// Replace an index that is there
    #[arg(long)]
    force: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What an index is to be.
#[derive(Args)]
pub(super) struct IndexArgs {
    /// The largest window to answer: CxC (C odd), seq:C or global. Every smaller one of its kind is answered as well, and
    /// sites:N between them
    /// [default: where contexts have four times the bits that number all occurrences, or the largest --window]
    #[arg(long = "depth", id = "deepest", value_name = "WINDOW")]
    pub(super) depth: Option<Window>,

    /// A window that is meant where later commands name none: CxC (C odd), sites:N, seq:C or global; may be given
    /// several times [default: all that are answered]
    #[arg(short, long = "window", value_name = "WINDOW")]
    pub(super) windows: Vec<Window>,

    /// Whether a context is bound to its place
    #[arg(long, default_value_t, value_name = "ANCHOR", value_parser = one_of::<Anchor>())]
    pub(super) anchor: Anchor,

    /// What of its latent a context is bound to
    #[arg(long, default_value_t, value_name = "CONDITION", value_parser = one_of::<Condition>())]
    pub(super) condition: Condition,

    /// Latents to leave out: ids as 3,17,100..200 (100 to 199), or @FILE with one or more on each line, #
    /// before a remark. The others keep their ids
    #[arg(long, value_name = "IDS|@FILE")]
    exclude: Option<IdsArg>,
}

impl IndexArgs {
    /// Returns the latents to leave out.
    pub(super) fn excluded(&self) -> anyhow::Result<Ids> {
        match &self.exclude {
            Some(ids) => ids.read("--exclude"),
            None => Ok(Ids::default()),
        }
    }
}

pub(super) fn run(args: &BuildArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let (set, sources) = args.read()?;
    let excluded = args.index.excluded()?;
    let held_out = args.hold_out(&set, &excluded)?;
    let options = BuildOptions {
        windows: args.index.windows.clone(),
        depth: args.index.depth,
        anchor: args.index.anchor,
        condition: args.index.condition,
        memory: args.memory.unwrap_or_else(|| memory::total_memory() / 4),
        force: args.force,
        sources,
        excluded: match &held_out {
            Some(held_out) => excluded.union(&held_out.ids),
            None => excluded,
        },
    };
    let report = build(&set, &args.output, &options, ui)?;
    ui.finish();
    if args.json {
        print_json(&as_json(&report, &args.output, held_out.as_ref(), ui))?;
    } else {
        show(&report, set.shape(), &args.output, ui)?;
        if let Some(held_out) = &held_out {
            let (count, path) = (grouped(held_out.ids.len()), held_out.path.display());
            print(format!("{count} latents held out → {path}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl BuildArgs {
    /// Sets latents aside, where that is asked for.
    fn hold_out(&self, set: &LatentSet, excluded: &Ids) -> anyhow::Result<Option<HeldOut>> {
        let Some(count) = self.hold_out else {
            return Ok(None);
        };
        let named = self.hold_out_to.clone();
        let path = named.unwrap_or_else(|| HeldOut::beside(&self.output));
        let held_out = set.hold_out(count, excluded, path, self.force);
        let context = || format!("--hold-out {count} (to another file with --hold-out-to)");
        Ok(Some(held_out.with_context(context)?))
    }

    /// Reads the latents of all files as one set, and where they come from.
    fn read(&self) -> anyhow::Result<(LatentSet, Vec<Source>)> {
        let mut sources = Vec::new();
        let mut all: Option<LatentSet> = None;
        for path in &self.latents {
            let set = LatentSet::read(path)?;
            if set.is_empty() {
                return Err(LatentError::Empty { path: path.clone() }.into());
            }
            if self.index.condition == Condition::Label && set.labels().is_none() {
                bail!(
                    "{}: holds no labels: expected one for each latent with --condition label; import it \
                     with its labels, or leave --condition out",
                    path.display()
                );
            }
            sources.push(Source::of_file(&set, path));
            match &mut all {
                None => all = Some(set),
                Some(all) => all.append(&set).with_context(|| {
                    format!("{}: differs from the files before it", path.display())
                })?,
            }
        }
        // clap asks for at least one file.
        Ok((all.context("no latents file was given")?, sources))
    }
}

fn as_json(
    report: &BuildReport,
    output: &Path,
    held_out: Option<&HeldOut>,
    ui: &Ui,
) -> serde_json::Value {
    let arrays = report.manifest.arrays.iter().zip(&report.arrays);
    let arrays = arrays.map(|(array, report)| {
        json!({
            "direction": array.direction,
            "depth": array.depth,
            "blocks": array.blocks,
            "bytes": array.bytes,
            "windows": array.windows,
            "seconds": report.elapsed.as_secs_f64(),
            "parts": report.parts,
            "resumed": report.resumed,
        })
    });
    let held_out =
        held_out.map(|held_out| json!({"file": held_out.path, "latents": held_out.ids.len()}));
    json!({
        "index": output,
        "held_out": held_out,
        "latents": report.manifest.latents,
        "seconds": ui.elapsed().as_secs_f64(),
        "windows": report.manifest.windows,
        "arrays": arrays.collect::<Vec<_>>(),
    })
}

/// Prints what each array took, and the contexts of its windows.
fn show(report: &BuildReport, shape: Shape, output: &Path, ui: &Ui) -> anyhow::Result<()> {
    for (array, report) in report.manifest.arrays.iter().zip(&report.arrays) {
        let occurrences = array.windows.first().map_or(0, |window| window.contexts);
        let seconds = report.elapsed.as_secs_f64();
        let how = if report.resumed {
            "finished by an earlier build".to_owned()
        } else {
            let rate = occurrences as f64 / seconds / 1e6;
            format!("{seconds:.1} s, {rate:.2} million contexts/s")
        };
        print(format!(
            "every window to {}: {} contexts, {}, {:.2} bytes each  ({how})",
            array.depth,
            grouped(occurrences),
            indicatif::BinaryBytes(array.bytes),
            array.bytes as f64 / occurrences.max(1) as f64,
        ))?;
        for window in &array.windows {
            print(format!(
                "{:>10}  {} distinct, {} ambiguous",
                window.window,
                grouped(window.distinct),
                grouped(window.ambiguous),
            ))?;
        }
    }
    print(format!(
        "{} latents {shape} → {} in {:.1} s",
        grouped(report.manifest.latents),
        output.display(),
        ui.elapsed().as_secs_f64()
    ))
}

/// Reads a size: "1GiB", "512 MiB", "2GB", "1073741824".
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("'{text}' is not a size: expected a number and KiB, MiB, GiB, kB, MB or GB");
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit.trim() {
        "" | "B" => 1,
        "kB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(parse_size("1GiB"), Ok(1 << 30));
        assert_eq!(parse_size("512 MiB"), Ok(512 << 20));
        assert_eq!(parse_size("2GB"), Ok(2_000_000_000));
        assert_eq!(parse_size("17"), Ok(17));
        for wrong in ["", "GiB", "1TiBB", "-1", "1.5GiB", "99999999999GiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
