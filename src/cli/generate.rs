//! `bitquilt generate`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::ui::{Ui, check_output};
use super::{NO, STOPPED, choose_window, grouped, print, print_json};
use crate::index::Index;
use crate::latent::{Codec, GridOptions, write_grid};
use crate::progress::Observer;
use crate::search::{self, Attempt, FixedBits, Method, Run, SearchOptions, Status};
use crate::system;
use crate::window::Window;

/// Generate latents in which every local window was seen in training
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt generate mnist.index --window 7x7 -o samples.safetensors --png samples.png\n  \
    bitquilt generate mnist.index --window 5x5 -n 1000 --seed 7 -o samples.safetensors --json\n  \
    bitquilt generate mnist.index --window 7x7 --fix 5,14=1 --fix 6,14=1 -o samples.safetensors\n\n\
    The same index, options and seed give the same samples, whatever the number of threads.\n\
    Exit code 1: no sample was found.")]
pub(super) struct GenerateArgs {
    /// The index
    index: PathBuf,

    /// The samples file to write
    #[arg(short, long, value_name = "SAMPLES")]
    output: PathBuf,

    /// The window at which every bit must be supported; may be left out when the index holds one
    #[arg(short, long)]
    window: Option<Window>,

    /// How many samples to search for
    #[arg(short = 'n', long = "samples", value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    samples: u64,

    /// Seed of the run
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,

    /// What to do at a dead end
    #[arg(long, value_enum, default_value_t = MethodArg::Backjump)]
    search: MethodArg,

    /// Dead ends after which a search gives up, or none
    #[arg(long, value_name = "N|none", default_value = "20000", value_parser = parse_limit)]
    max_backtracks: Limit,

    /// Seconds after which a search gives up [default: none]; success then depends on the machine
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    timeout: Option<Duration>,

    /// States of a row that --search row follows at once; a row that needs more is searched in segments
    #[arg(long, value_name = "N", default_value_t = 1 << 14,
          value_parser = clap::value_parser!(u32).range(2..=1 << 24))]
    max_states: u32,

    /// Fix bits: ROW,COL=BIT, ROW,COL,CHANNEL=BIT or prefix=BITS; may be given several times. Fixed
    /// bits need no support themselves
    #[arg(long, value_name = "PLACE=BITS")]
    fix: Vec<String>,

    /// Also write the samples as a picture
    #[arg(long, value_name = "PNG")]
    png: Option<PathBuf>,

    /// Replace outputs that exist
    #[arg(long)]
    force: bool,

    /// Print every attempt as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum MethodArg {
    /// Return to the bit before
    Chronological,
    /// Return to the latest bit that is responsible
    Backjump,
    /// Draw whole rows so that no dead end lies inside one, return to the latest row responsible
    Row,
}

/// A number, or none.
#[derive(Clone, Copy)]
struct Limit(Option<u64>);

fn parse_limit(text: &str) -> Result<Limit, String> {
    match text {
        "none" => Ok(Limit(None)),
        number => number
            .parse()
            .map(|number| Limit(Some(number)))
            .map_err(|_| "expected a number or none".to_owned()),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text
        .parse()
        .map_err(|_| "expected seconds, as 0.5 or 10".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

pub(super) fn run(args: &GenerateArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    check_output(&args.output, args.force)?;
    if let Some(png) = &args.png {
        check_output(png, args.force)?;
    }
    let index = Index::open(&args.index)?;
    let window = index.window(choose_window(args.window, &index)?)?;
    let codec = Codec::from(index.manifest().codec.as_str());
    if args.png.is_some() && codec != Codec::Threshold {
        anyhow::bail!(
            "--png: the latents of {} are codes ({codec}), not pixels: leave --png out, and look at \
             single channels with `bitquilt decode --planes`",
            args.index.display()
        );
    }
    let mut fixed = FixedBits::none();
    for text in &args.fix {
        fixed.fix_text(text, index.shape())?;
    }
    let options = SearchOptions {
        method: match args.search {
            MethodArg::Chronological => Method::Chronological,
            MethodArg::Backjump => Method::Backjump,
            MethodArg::Row => Method::Row,
        },
        seed: args.seed,
        max_backtracks: args.max_backtracks.0,
        timeout: args.timeout,
        max_states: args.max_states as usize,
    };
    check_memory(args.samples, &index)?;
    let attempts = search::generate(
        window.geometry(),
        &window,
        &fixed,
        options,
        args.samples,
        ui,
    )?;
    ui.finish();
    let run = Run {
        shape: index.shape(),
        codec,
        source: format!(
            "generated from {}",
            args.index.file_name().unwrap_or_default().to_string_lossy()
        ),
        window: window.geometry().window(),
        fixed: &fixed,
        options,
        attempts: &attempts,
    };
    let latents = run.latents()?;
    let stopped = ui.stop_requested();
    if !latents.is_empty() {
        run.write(&args.output)?;
        if let Some(png) = &args.png {
            write_grid(&latents, png, &GridOptions::default())?;
        }
    }
    if args.json {
        print_json(&json!(
            attempts.iter().map(attempt_json).collect::<Vec<_>>()
        ))?;
    } else {
        summarize(args, ui, &attempts, latents.len())?;
    }
    if latents.is_empty() {
        ui.note(no_sample(&attempts));
        return Ok(ExitCode::from(if stopped { STOPPED } else { NO }));
    }
    if stopped {
        let found = latents.len();
        ui.note(format!(
            "stopped: the {found} samples found so far were kept"
        ));
        return Ok(ExitCode::from(STOPPED));
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses a run whose samples would not fit in memory together.
fn check_memory(samples: u64, index: &Index) -> anyhow::Result<()> {
    let shape = index.shape();
    // Packed bits twice, in the attempt and in the file; how each was answered; counters.
    let each = 2 * shape.packed_bytes() + shape.bits() + 256;
    let needed = samples.saturating_mul(each as u64);
    let available = system::available_memory();
    if needed > available {
        anyhow::bail!(
            "--samples {samples}: needs {} of memory, {} are available: generate fewer at a time, with \
             another --seed for each run",
            indicatif::BinaryBytes(needed),
            indicatif::BinaryBytes(available)
        );
    }
    Ok(())
}

fn attempt_json(attempt: &Attempt) -> serde_json::Value {
    json!({
        "index": attempt.index,
        "status": attempt.status.to_string(),
        "lookups": attempt.counters.lookups,
        "backtracks": attempt.counters.backtracks,
        "longest_jump": attempt.counters.longest_jump,
        "deepest": attempt.counters.deepest,
        "seconds": attempt.elapsed.as_secs_f64(),
    })
}

fn summarize(
    args: &GenerateArgs,
    ui: &Ui,
    attempts: &[Attempt],
    found: usize,
) -> anyhow::Result<()> {
    let seconds = ui.elapsed().as_secs_f64();
    let sum = search::totals(attempts);
    let each = |total: u64| grouped(total / attempts.len().max(1) as u64);
    print(format!(
        "{found} of {} samples → {} in {seconds:.1} s ({:.1} samples/s)",
        attempts.len(),
        if found > 0 {
            args.output.display().to_string()
        } else {
            "nothing written".to_owned()
        },
        found as f64 / seconds
    ))?;
    print(format!(
        "per attempt {} lookups, {} backtracks; longest jump {} bits",
        each(sum.lookups),
        each(sum.backtracks),
        grouped(sum.longest_jump)
    ))
}

/// Why there is no sample, and what could be done.
fn no_sample(attempts: &[Attempt]) -> &'static str {
    let all = |status| attempts.iter().all(|attempt| attempt.status == status);
    if attempts.is_empty() || all(Status::Stopped) {
        "stopped before the first sample"
    } else if all(Status::NoneExists) {
        "no sample exists: proved for every attempt; with other fixed bits or a smaller window there \
         may be one"
    } else {
        "no sample was found within the budget: raise --max-backtracks or --timeout, or use a smaller \
         window"
    }
}
