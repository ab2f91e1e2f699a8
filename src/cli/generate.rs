//! `bitquilt generate`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::attempts::{attempt_json, no_sample, summarize};
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
use super::{NO, STOPPED, choose_window, grouped, print, print_json};
use bitquilt::base::{Budget, Observer};
use bitquilt::index::{Index, WindowIndex};
use bitquilt::latent::{Codec, Shape};
use bitquilt::picture::GridOptions;
use bitquilt::samples::{Run, Status};
use bitquilt::search::{self, Backoff, Method, Rung, SearchOptions, Taken, Task};
use bitquilt::window::{Condition, Geometry, Given, Window};

/// Generate latents in which every local window was seen in training
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt generate mnist.index --window 7x7 -o samples.safetensors --png samples.png\n  \
    bitquilt generate mnist.index --window 7x7 --novel --distinct -n 1000 -o samples.safetensors --json\n  \
    bitquilt generate mnist.index --window 9x9 --window 5x5 --window 3x3 \\\n    \
        --fix-from digits.safetensors:7 --keep 0..14 -o completed.safetensors\n  \
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

    /// The window at which every bit must be supported; may be left out when the index holds one. Several,
    /// largest first, back off
    #[arg(short, long)]
    window: Vec<Window>,

    /// With several windows, when a smaller one answers
    #[arg(long, default_value_t, value_parser = one_of::<Backoff>())]
    backoff: Backoff,

    /// How many samples to search for [default: 64; with --all: no limit]
    #[arg(short = 'n', long = "samples", value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    samples: Option<u64>,

    /// Find every sample there is, each once
    #[arg(long, conflicts_with_all = ["count", "distinct"])]
    all: bool,

    /// Count the samples there are instead of finding them; --max-backtracks bounds the states kept
    #[arg(long, conflicts_with_all = ["output", "png", "samples", "novel", "distinct"])]
    count: bool,

    /// Grid of the samples, where it is not that of the index
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

    /// No sample is a training latent
    #[arg(long)]
    novel: bool,

    /// No sample twice in the run
    #[arg(long)]
    distinct: bool,

    /// Occurrences that a context with its next bit needs to be supported
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    min_count: u64,

    /// Draw values with probability as n^(1/T): 1 as counted, less sharper, more flatter
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = parse_temperature)]
    temperature: f64,

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

fn parse_temperature(text: &str) -> Result<f64, String> {
    let temperature: Option<f64> = text.parse().ok();
    temperature
        .filter(|t| t.is_finite() && *t > 0.0)
        .ok_or_else(|| "expected a number above 0".to_owned())
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
    let index = args.without.apply(Index::open(&args.index)?)?;
    let codec = index.manifest().codec.clone();
    let shape = match args.size {
        Some((height, width)) => Shape::new(height, width, index.shape().channels())?,
        None => index.shape(),
    };
    let drawer = args.drawer(shape, &codec)?;
    let windows = choose_windows(args, &index)?;
    let held = windows.iter().map(|window| index.window(*window));
    let held: Vec<WindowIndex<'_>> = held.collect::<Result<_, _>>()?;
    let geometries = held.iter().map(|held| held.geometry_on(shape));
    let geometries: Vec<Geometry> = geometries.collect::<Result<_, _>>()?;
    let fixed = args.given.fixed(shape)?;
    #[cfg(feature = "neural")]
    let network = args.fallback.load(&index, shape)?;
    #[cfg(feature = "neural")]
    let (fallback, described) = (
        network.as_ref().map(|network| network.fallback()),
        network
            .as_ref()
            .map(|network| network.described())
            .unwrap_or_default(),
    );
    #[cfg(not(feature = "neural"))]
    let (fallback, described) = (None, String::new());
    if fallback.is_some() && (args.all || args.count) {
        anyhow::bail!(
            "--fallback: --all and --count are about samples that the index supports: leave one of them out"
        );
    }
    let samples = match (args.samples, args.all) {
        (Some(samples), _) => samples,
        (None, false) => 64,
        (None, true) => most_in_memory(shape),
    };
    check_memory(samples, shape)?;
    let training = match args.novel {
        true => Some(Taken::training(&index, Budget::of_machine(), ui)?),
        false => None,
    };
    let searches = if args.all || args.count { 1 } else { samples };
    // Some ten for each bit, without dead ends.
    let lookups = searches.saturating_mul(10 * shape.bits() as u64);
    let tables = args.preload.load(&held, lookups, ui)?;
    let rungs = geometries.iter().zip(held.iter().zip(&tables));
    let mut task = Task {
        rungs: rungs
            .map(|(geometry, (window, table))| Rung {
                geometry,
                counts: match table {
                    Some(table) => table,
                    None => window,
                },
            })
            .collect(),
        constraints: vec![&fixed],
        given: given(args.label, &index)?,
        options: args.options(),
        fallback,
    };
    if let Some(training) = &training {
        task = task.with(training);
    }
    if args.count {
        return count(args, &task, ui);
    }
    let attempts = if args.all {
        search::enumerate(&task, samples, ui)?
    } else {
        search::generate(&task, samples, args.distinct, ui)?
    };
    ui.finish();
    let constraints = args.constraints();
    let settings = task.settings(&constraints, &described);
    let run = Run {
        shape,
        codec,
        source: format!(
            "generated from {}",
            args.index.file_name().unwrap_or_default().to_string_lossy()
        ),
        windows: &windows,
        label: args.label,
        without: index.left_out(),
        settings: &settings,
        attempts: &attempts,
    };
    let latents = run.latents()?;
    let stopped = ui.stop_requested();
    if let Some(output) = args.output.as_ref().filter(|_| !latents.is_empty()) {
        run.write(output)?;
        if let (Some(png), Some(drawer)) = (&args.png, &drawer) {
            let options = GridOptions::default();
            drawer.grid(&latents, &options, png)?.write_png(png)?;
        }
    }
    if args.json {
        let attempts = attempts
            .iter()
            .map(|attempt| attempt_json(attempt, &windows));
        print_json(&json!(attempts.collect::<Vec<_>>()))?;
    } else {
        summarize(args.output.as_deref(), args.all, ui, &attempts, &windows)?;
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
    let last = attempts.last().map(|attempt| attempt.status);
    if args.all && last != Some(Status::NoneExists) {
        let found = latents.len();
        ui.note(format!(
            "there may be more than these {found}: raise -n, --max-backtracks or --timeout"
        ));
        return Ok(ExitCode::from(NO));
    }
    Ok(ExitCode::SUCCESS)
}

impl GenerateArgs {
    /// What draws the samples, where they are to be drawn.
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

    fn options(&self) -> SearchOptions {
        SearchOptions {
            method: self.search,
            seed: self.seed,
            max_backtracks: self.max_backtracks.0,
            restart: self.restart.0,
            timeout: self.timeout,
            max_states: self.max_states as usize,
            min_count: self.min_count,
            temperature: self.temperature,
            backoff: self.backoff,
        }
    }

    /// What the samples had to satisfy, for their file.
    fn constraints(&self) -> String {
        let mut constraints = self.given.words();
        for (name, given) in [("novel", self.novel), ("distinct", self.distinct)] {
            if given {
                constraints.push(name.to_owned());
            }
        }
        constraints.join("; ")
    }
}

/// The label that contexts are bound to.
fn given(label: Option<i64>, index: &Index) -> anyhow::Result<Given> {
    match label {
        Some(label) => Ok(Given::label(index.label_number(label)?)),
        None if index.condition() == Condition::None => Ok(Given::NOTHING),
        None => anyhow::bail!(
            "{}: every context is bound to a label: say which one, as --label {}",
            index.path().display(),
            index.labels().first().unwrap_or(&0)
        ),
    }
}

/// The windows asked for, largest first; or the only one there is.
fn choose_windows(args: &GenerateArgs, index: &Index) -> anyhow::Result<Vec<Window>> {
    if args.window.is_empty() {
        return Ok(vec![choose_window(None, index)?]);
    }
    for pair in args.window.windows(2) {
        if pair[0].nests_in(pair[1]) {
            anyhow::bail!(
                "--window {} --window {}: windows are asked in turn: give the larger one first, each once",
                pair[0],
                pair[1]
            );
        }
    }
    Ok(args.window.clone())
}

/// Bytes of memory that a sample takes until it is written: packed bits twice, in the attempt and in the
/// file; how each was answered, in both; counters.
fn sample_bytes(shape: Shape) -> u64 {
    (2 * shape.packed_bytes() + 3 * shape.bits() + 256) as u64
}

/// Samples that fit in half of the memory there is.
fn most_in_memory(shape: Shape) -> u64 {
    (Budget::share(0.5).available() / sample_bytes(shape)).max(1)
}

/// Refuses a run whose samples would not fit in memory together.
fn check_memory(samples: u64, shape: Shape) -> anyhow::Result<()> {
    let needed = samples.saturating_mul(sample_bytes(shape));
    Budget::of_machine()
        .check(needed, format!("--samples {samples}"))
        .map_err(|refusal| {
            anyhow::anyhow!("{refusal}: in several runs, each with a --seed of its own")
        })
}

/// `--count`
fn count(args: &GenerateArgs, task: &Task<'_>, ui: &Ui) -> anyhow::Result<ExitCode> {
    let count = search::count(task, ui)?;
    ui.finish();
    let complete = count.status == Status::NoneExists;
    if args.json {
        print_json(&json!({
            "count": count.samples.to_string(),
            "complete": complete,
            "lookups": count.lookups,
            "states": count.states,
            "seconds": ui.elapsed().as_secs_f64(),
        }))?;
    } else {
        let at_least = if complete { "" } else { "at least " };
        print(format!("{at_least}{} samples", count.samples))?;
    }
    if complete {
        return Ok(ExitCode::SUCCESS);
    }
    ui.note(format!(
        "{}: {} states were kept; raise --max-backtracks to go on",
        count.status,
        grouped(count.states)
    ));
    let stopped = count.status == Status::Stopped;
    Ok(ExitCode::from(if stopped { STOPPED } else { NO }))
}
