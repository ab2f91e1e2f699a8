//! `bitquilt generate`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::attempts::{no_sample, summarize};
use super::copies::rate;
use super::drawer::{Drawer, ModelArgs};
#[cfg(feature = "neural")]
use super::fallback::FallbackArgs;
use super::given::GivenArgs;
use super::ids::WithoutArgs;
use super::limit::Limit;
#[cfg(not(feature = "neural"))]
use super::no_networks::FallbackArgs;
use super::one_of::one_of;
use super::preload::PreloadArgs;
use super::ui::{Ui, check_output};
use super::{NO, STOPPED, grouped, print, print_json};
use bitquilt::Observer;
use bitquilt::copies::Calibration;
use bitquilt::engine::{GenerateRequest, Generated, MaxCopied, Session, WindowChoice};
use bitquilt::latent::{Codec, LevelValue, PerLevel, Shape};
use bitquilt::picture::GridOptions;
use bitquilt::samples::Status;
use bitquilt::search::{Backoff, Method, Novel};

/// Generate latents in which every local window was seen in training
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt generate mnist.index --window 7x7 -o samples.safetensors --png samples.png\n  \
    bitquilt generate mnist.index --window 7x7 --novel --distinct -n 1000 -o samples.safetensors --json\n  \
    bitquilt generate mnist.index --window 9x9 --window 5x5 --window 3x3 \\\n    \
        --fix-from digits.safetensors:7 --keep 0..14 -o completed.safetensors\n  \
    bitquilt generate mnist.index --window 13x13 --max-copied 60 -o samples.safetensors\n  \
    bitquilt generate labelled.index --window 7x7 --label 3 -o threes.safetensors\n  \
    bitquilt generate texture.index --window 5x5 --size 48x48 -o samples.safetensors\n  \
    bitquilt generate tiny.index --window 3x3 --count\n\n\
    The same index, options and seed give the same samples, whatever the number of threads.\n\
    Exit code 1: no sample was found, or with --all or --count not all of them.")]
pub(super) struct GenerateArgs {
    /// The index
    index: PathBuf,

    /// The samples file to write
    #[arg(short, long, value_name = "SAMPLES", required_unless_present = "count")]
    output: Option<PathBuf>,

    /// The window at which every bit must be supported: CxC (C odd), sites:N, seq:C or global; may be left out when the
    /// index names one. Several, largest first, back off. longest: as much of each context, nearest sites first, as
    /// occurred
    #[arg(short, long)]
    window: Vec<WindowChoice>,

    /// With several windows, when a smaller one answers
    #[arg(long, default_value_t, value_parser = one_of::<Backoff>())]
    backoff: Backoff,

    /// How many samples to search for [default: 64; with --all: no limit]
    #[arg(short = 'n', long = "samples", value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    samples: Option<u64>,

    /// The number of the first sample: those from J on are the same as in a run of more, so that runs can be shared out and
    /// put together (`bitquilt part join`)
    #[arg(long, value_name = "J", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1 << 62),
          conflicts_with_all = ["all", "count", "distinct"])]
    first: u64,

    /// Find every sample there is, each once
    #[arg(long, conflicts_with_all = ["count", "distinct"])]
    all: bool,

    /// Count the samples there are instead of finding them
    #[arg(long, conflicts_with_all = ["output", "png", "samples", "novel", "distinct", "max_copied", "max_copied_like_held_out"])]
    count: bool,

    /// States that --count keeps at most, or none for no limit
    #[arg(
        long,
        value_name = "N|none",
        default_value = "20000",
        requires = "count"
    )]
    max_counted_states: Limit,

    /// Grid of the samples, where it is not that of the index; of pyramids, of their finest level: the others grow with it
    #[arg(long, value_name = "HxW", value_parser = parse_sides)]
    size: Option<(usize, usize)>,

    /// Seed of the run
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,

    #[command(flatten)]
    given: GivenArgs,

    /// Label of the samples: takes an index that was built with --condition label
    #[arg(long, value_name = "L", allow_negative_numbers = true)]
    label: Option<i64>,

    /// No sample is a training latent; of pyramids, none has the finest level of one, or =every: no level of one, or =N: not
    /// its level N
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "finest")]
    novel: Option<Novel>,

    /// No sample twice in the run
    #[arg(long)]
    distinct: bool,

    /// No sample has a region, errors and all, that carries more bits of one training latent, beyond what honest data would have:
    /// BITS, or LEVEL:BITS for one level of a pyramid
    #[arg(long, value_name = "BITS", allow_negative_numbers = true)]
    max_copied: Vec<MaxCopied>,

    /// As --max-copied: what no more than this share of the held-out latents of --calibration carry
    #[arg(long, value_name = "RATE", requires = "calibration", value_parser = rate)]
    max_copied_like_held_out: Option<f64>,

    /// How held-out latents look: a file of `trace --save-calibration`
    #[arg(long, value_name = "FILE", requires = "max_copied_like_held_out")]
    calibration: Option<PathBuf>,

    /// Occurrences that a context with its next bit needs to be supported; LEVEL:N for one level of a pyramid, beside or in
    /// place of N for all
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true, value_parser = parse_min_count)]
    min_count: Vec<LevelValue<u64>>,

    /// Draw values with probability as n^(1/T): 1 as counted, less sharper, more flatter; LEVEL:T for one level of a pyramid,
    /// beside or in place of T for all
    #[arg(long, value_name = "T", default_value = "1", allow_negative_numbers = true, value_parser = parse_temperature)]
    temperature: Vec<LevelValue<f64>>,

    /// What to do at a dead end
    #[arg(long, default_value_t, value_parser = one_of::<Method>())]
    search: Method,

    /// Dead ends after which a search gives up, or none
    #[arg(long, value_name = "N|none", default_value = "20000")]
    max_backtracks: Limit,

    /// Dead ends after which --search row starts afresh, with what it has learned, and then after twice as
    /// many each time; or none
    #[arg(long, value_name = "N|none", default_value = "50")]
    restart: Limit,

    /// Seconds after which a search gives up [default: none]; success then depends on the machine
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    timeout: Option<Duration>,

    /// States of a row that --search row follows at once; a row that needs more is searched in segments
    #[arg(long, value_name = "N", default_value_t = 1 << 14,
          value_parser = clap::value_parser!(u32).range(2..=1 << 24))]
    max_states: u32,

    #[command(flatten)]
    fallback: FallbackArgs,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    without: WithoutArgs,

    #[command(flatten)]
    preload: PreloadArgs,

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

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text
        .parse()
        .map_err(|_| "expected seconds, as 0.5 or 10".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn parse_temperature(text: &str) -> Result<LevelValue<f64>, String> {
    let temperature = text.parse::<LevelValue<f64>>().ok();
    temperature
        .filter(|given| given.value.is_finite() && given.value > 0.0)
        .ok_or_else(|| "expected a number above 0, or LEVEL:NUMBER".to_owned())
}

fn parse_min_count(text: &str) -> Result<LevelValue<u64>, String> {
    let count = text.parse::<LevelValue<u64>>().ok();
    count
        .filter(|given| given.value > 0)
        .ok_or_else(|| "expected a number of at least 1, or LEVEL:NUMBER".to_owned())
}

/// Returns what an option says of each level, `otherwise` where it says nothing.
fn per_level<T: Copy>(
    option: &str,
    otherwise: T,
    given: &[LevelValue<T>],
) -> anyhow::Result<PerLevel<T>> {
    let mut values = PerLevel::from(otherwise);
    for value in given {
        let set = values.set(*value);
        set.map_err(|level| anyhow::anyhow!("{option}: no pyramid has a level {level}"))?;
    }
    Ok(values)
}

fn parse_sides(text: &str) -> Result<(usize, usize), String> {
    let sides = text.split_once('x');
    let sides = sides.and_then(|(h, w)| Some((h.parse().ok()?, w.parse().ok()?)));
    sides.ok_or_else(|| "expected HxW, as 48x48".to_owned())
}

pub(super) fn run(args: &GenerateArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    for output in args.output.iter().chain(&args.png) {
        check_output(output, args.force)?;
    }
    let session = args.without.open(&args.index, args.preload.options())?;
    let mut request = args.request()?;
    let shape = request.shape(&session)?;
    let codec = session.index().manifest().codec.clone();
    let drawer = args.drawer(shape, &codec)?;
    request.fixed = args.given.fixed(shape)?;
    request.max_copied = args.max_copied(&session, ui)?;
    let network = args.fallback.load(&session, shape)?;
    if network.is_some() && (args.all || args.count) {
        anyhow::bail!(
            "--fallback: --all and --count are about samples that the index supports: leave one of them out"
        );
    }
    if let Some(network) = &network {
        network.put_into(&mut request);
    }
    if args.count {
        return count(args, &session, &request, ui);
    }
    let generated = if args.all {
        session.enumerate(&request, args.samples, ui)?
    } else {
        let networks = network.as_ref().map(|loaded| loaded.networks());
        session.generate(&request, &networks.unwrap_or_default(), ui)?
    };
    ui.finish();
    let latents = generated.latents()?;
    if let Some(output) = args.output.as_ref().filter(|_| !latents.is_empty()) {
        generated.write(output)?;
        if let (Some(png), Some(drawer)) = (&args.png, &drawer) {
            let options = GridOptions::default();
            drawer.grid(&latents, &options, png)?.write_png(png)?;
        }
    }
    show(args, &generated, ui)?;
    Ok(ExitCode::from(exit_code(
        args,
        &generated,
        latents.len(),
        ui,
    )))
}

/// Prints how the run went.
fn show(args: &GenerateArgs, generated: &Generated, ui: &Ui) -> anyhow::Result<()> {
    let (attempts, windows) = (&generated.attempts, &generated.windows);
    if args.json {
        return print_json(&generated.reports());
    }
    summarize(args.output.as_deref(), args.all, ui, attempts, windows)
}

/// Returns the exit code, and notes what it means where it is not 0.
fn exit_code(args: &GenerateArgs, generated: &Generated, found: usize, ui: &Ui) -> u8 {
    let stopped = ui.stop_requested();
    if found == 0 {
        ui.note(no_sample(&generated.attempts));
        return if stopped { STOPPED } else { NO };
    }
    if stopped {
        ui.note(format!(
            "stopped: the {found} samples found so far were kept"
        ));
        return STOPPED;
    }
    let last = generated.attempts.last().map(|attempt| attempt.status);
    if args.all && last != Some(Status::NoneExists) {
        ui.note(format!(
            "there may be more than these {found}: raise -n, --max-backtracks or --timeout"
        ));
        return NO;
    }
    0
}

impl GenerateArgs {
    /// Returns what draws the samples, where they are to be drawn.
    fn drawer(&self, shape: Shape, codec: &Codec) -> anyhow::Result<Option<Drawer>> {
        if self.png.is_none() {
            if self.model.is_given() {
                anyhow::bail!(
                    "--model: draws the samples: name a picture with --png, or leave --model out"
                );
            }
            return Ok(None);
        }
        let drawer = self.model.drawer(&self.index, shape, codec)?;
        if !drawer.makes_images() {
            anyhow::bail!(
                "--png: the latents of {} are codes ({codec}), not pixels: {}leave --png out, and look at \
                 single channels with `bitquilt decode --planes`",
                self.index.display(),
                if cfg!(feature = "neural") {
                    "name the model that made them with --model, or "
                } else {
                    ""
                }
            );
        }
        Ok(Some(drawer))
    }

    /// Returns how much samples may carry of one training latent.
    fn max_copied(&self, session: &Session, ui: &Ui) -> anyhow::Result<Vec<MaxCopied>> {
        let mut limits = self.max_copied.clone();
        if let (Some(rate), Some(path)) = (self.max_copied_like_held_out, &self.calibration) {
            let calibration = Calibration::read(path).context("--calibration")?;
            limits.extend(session.carried_at(&calibration, path, rate, ui)?);
        }
        Ok(limits)
    }

    /// Returns the request, but for what samples may carry, the bits that are fixed and the network.
    fn request(&self) -> anyhow::Result<GenerateRequest> {
        Ok(GenerateRequest {
            windows: self.window.clone(),
            samples: self.first..self.first + self.samples.unwrap_or(64),
            size: self.size,
            seed: self.seed,
            fixed_words: self.given.words(),
            label: self.label,
            novel: self.novel,
            distinct: self.distinct,
            min_count: per_level("--min-count", 1, &self.min_count)?,
            temperature: per_level("--temperature", 1.0, &self.temperature)?,
            method: self.search,
            backoff: self.backoff,
            max_backtracks: self.max_backtracks.0,
            restart: self.restart.0,
            timeout_seconds: self.timeout.map(|timeout| timeout.as_secs_f64()),
            max_states: self.max_states as usize,
            preload: self.preload.preload(),
            ..GenerateRequest::default()
        })
    }
}

/// Answers `--count`.
fn count(
    args: &GenerateArgs,
    session: &Session,
    request: &GenerateRequest,
    ui: &Ui,
) -> anyhow::Result<ExitCode> {
    let count = session.count(request, args.max_counted_states.0, ui)?;
    ui.finish();
    if args.json {
        print_json(&json!({
            "count": count.count,
            "complete": count.complete,
            "lookups": count.lookups,
            "states": count.states,
            "seconds": ui.elapsed().as_secs_f64(),
        }))?;
    } else {
        let at_least = if count.complete { "" } else { "at least " };
        print(format!("{at_least}{} samples", count.count))?;
    }
    if count.complete {
        return Ok(ExitCode::SUCCESS);
    }
    ui.note(format!(
        "{}: {} states were kept; raise --max-counted-states to go on",
        count.status,
        grouped(count.states)
    ));
    let stopped = count.status == Status::Stopped;
    Ok(ExitCode::from(if stopped { STOPPED } else { NO }))
}
