//! `bitquilt part`: a build in tasks, for whatever runs tasks on many machines.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::build::{IndexArgs, parse_size};
use super::ui::{Ui, check_output};
use super::{grouped, print, print_json};
use bitquilt::base::{Budget, memory};
use bitquilt::index::parts::{Cut, Ended, PartPlan, Progress, WorkFolder, map, publish, reduce};
use bitquilt::index::{BuildOptions, IndexError};
use bitquilt::samples::join;

/// Build an index in tasks that many machines share: what a job array or a shell loop runs
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt part plan shard-*.safetensors -o work --depth 7x7 --maps 16 --parts 32\n  \
    for i in $(seq 0 15); do bitquilt part map work $i; done\n  \
    for i in $(seq 0 31); do bitquilt part reduce work $i; done\n  \
    bitquilt part publish work -o codes.index\n\n\
    Every machine sees the folder and the latents under the same names. Map tasks may run in any order and anywhere, reduce tasks \
    once all map tasks have ended. A task that was killed is run again; one that is run twice does no harm.")]
pub(super) struct PartArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Plan(Box<PlanArgs>),
    Map(MapArgs),
    Reduce(ReduceArgs),
    Status(StatusArgs),
    Publish(PublishArgs),
    Join(JoinArgs),
}

/// Plan a build: which latents each map task reads, and where each part begins
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt part plan shard-*.safetensors -o work --depth 7x7\n  \
    bitquilt part plan mnist.safetensors -o work --maps 4 --parts 8")]
struct PlanArgs {
    /// Latents files, all of one shape; ids go on from one to the next. One is in memory at a time
    #[arg(required = true, value_name = "LATENTS")]
    latents: Vec<PathBuf>,

    /// The folder of the build, which all of its machines see; it may go once the index is there
    #[arg(short, long, value_name = "WORK")]
    output: PathBuf,

    #[command(flatten)]
    index: IndexArgs,

    /// Map tasks, each of as many latents [default: one for each 16.8 million contexts]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    maps: Option<u64>,

    /// Parts of each array, each a reduce task. Equal contexts stay together, so that some may have nothing to do [default: as --maps]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    parts: Option<u64>,

    /// Replace another plan that is there; what its tasks made stays, in a folder of its own
    #[arg(long)]
    force: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Sort the contexts of the latents of one map task
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt part map work 3\n  \
    bitquilt part map work $SLURM_ARRAY_TASK_ID --memory 2GiB --threads 4")]
struct MapArgs {
    #[command(flatten)]
    task: TaskArgs,

    /// Memory to work within, as 512MiB or 4GiB [default: a quarter of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,
}

/// Merge one part, once all map tasks have ended
#[derive(Args)]
#[command(after_help = "Example:\n  \
    bitquilt part reduce work 3")]
struct ReduceArgs {
    #[command(flatten)]
    task: TaskArgs,
}

#[derive(Args)]
struct TaskArgs {
    /// The folder of the build
    #[arg(value_name = "WORK")]
    work: PathBuf,

    /// The number of the task, from 0 on
    #[arg(value_name = "NUMBER")]
    number: u64,

    /// Do it again though it has ended
    #[arg(long)]
    again: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Say which tasks have not ended
#[derive(Args)]
#[command(after_help = "Example:\n  \
    bitquilt part status work --json")]
struct StatusArgs {
    /// The folder of the build
    #[arg(value_name = "WORK")]
    work: PathBuf,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Put the parts together as an index, once all tasks have ended
#[derive(Args)]
#[command(after_help = "Example:\n  \
    bitquilt part publish work -o codes.index")]
struct PublishArgs {
    /// The folder of the build
    #[arg(value_name = "WORK")]
    work: PathBuf,

    /// The folder to make
    #[arg(short, long, value_name = "INDEX")]
    output: PathBuf,

    /// Replace an index that is there
    #[arg(long)]
    force: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Put samples files of one run together that were searched for in ranges
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt generate codes.index -w 5x5 --first 0 -n 500 -o first.safetensors\n  \
    bitquilt generate codes.index -w 5x5 --first 500 -n 500 -o second.safetensors\n  \
    bitquilt part join first.safetensors second.safetensors -o samples.safetensors\n\n\
    What comes out is what one search for all of them writes, byte for byte.")]
struct JoinArgs {
    /// Samples files of the same request, in any order
    #[arg(required = true, value_name = "SAMPLES")]
    samples: Vec<PathBuf>,

    /// The samples file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Replace a file that is there
    #[arg(long)]
    force: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &PartArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Plan(args) => args.run(ui)?,
        What::Map(MapArgs { task, memory }) => {
            let memory = memory.unwrap_or_else(|| memory::total_memory() / 4);
            task.run("map", ui, |work| {
                map(work, task.number, memory, task.again, ui)
            })?;
        }
        What::Reduce(ReduceArgs { task }) => {
            task.run("reduce", ui, |work| {
                reduce(work, task.number, task.again, ui)
            })?;
        }
        What::Status(args) => args.run()?,
        What::Publish(args) => args.run(ui)?,
        What::Join(args) => args.run(ui)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl PlanArgs {
    fn run(&self, ui: &Ui) -> anyhow::Result<()> {
        let options = BuildOptions {
            windows: self.index.windows.clone(),
            depth: self.index.depth,
            anchor: self.index.anchor,
            condition: self.index.condition,
            excluded: self.index.excluded()?,
            ..BuildOptions::default()
        };
        let cut = Cut {
            maps: self.maps,
            parts: self.parts,
        };
        let plan = PartPlan::new(&self.latents, &options, cut, ui)?;
        let work = WorkFolder::create(&self.output, plan, self.force)?;
        ui.finish();
        let (plan, progress) = (work.plan(), work.progress());
        if self.json {
            return print_json(&json!({
                "work": self.output,
                "plan": work.plan_id(),
                "latents": plan.index.latents,
                "maps": progress.maps,
                "reduces": progress.reduces,
            }));
        }
        for array in &plan.arrays {
            if let Some(depth) = array.path.last() {
                print(format!("every window to {depth}: {} parts", array.parts()))?;
            }
        }
        print(format!(
            "{} latents {} → {}: map tasks 0 to {}, reduce tasks 0 to {}",
            grouped(plan.index.latents),
            plan.index.shape()?,
            self.output.display(),
            progress.maps - 1,
            progress.reduces - 1,
        ))
    }
}

impl TaskArgs {
    fn run(
        &self,
        kind: &str,
        ui: &Ui,
        task: impl FnOnce(&WorkFolder) -> Result<Ended, IndexError>,
    ) -> anyhow::Result<()> {
        let ended = task(&WorkFolder::open(&self.work)?)?;
        ui.finish();
        let seconds = ui.elapsed().as_secs_f64();
        if self.json {
            return print_json(&json!({
                "task": { kind: self.number },
                "reused": ended.reused,
                "contexts": ended.occurrences,
                "bytes": ended.bytes,
                "seconds": seconds,
            }));
        }
        let how = match ended.reused {
            true => "had ended before".to_owned(),
            false => format!("{seconds:.1} s"),
        };
        print(format!(
            "{kind} task {}: {} contexts, {}  ({how})",
            self.number,
            grouped(ended.occurrences),
            indicatif::BinaryBytes(ended.bytes),
        ))
    }
}

impl StatusArgs {
    fn run(&self) -> anyhow::Result<()> {
        let progress = WorkFolder::open(&self.work)?.progress();
        if self.json {
            return print_json(&progress);
        }
        let Progress {
            maps,
            maps_left,
            reduces,
            reduces_left,
            ..
        } = &progress;
        for (kind, all, left) in [("map", maps, maps_left), ("reduce", reduces, reduces_left)] {
            let ended = all - left.len() as u64;
            let left = match left.is_empty() {
                true => String::new(),
                false => format!("; left: {}", numbers(left)),
            };
            print(format!(
                "{kind} tasks: {} of {} have ended{left}",
                grouped(ended),
                grouped(*all)
            ))?;
        }
        Ok(())
    }
}

/// Writes ascending numbers as ranges: `0-3,7`, as job arrays are told.
fn numbers(all: &[u64]) -> String {
    let runs = all.chunk_by(|before, next| before + 1 == *next);
    let runs = runs.filter_map(|run| match run {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first}-{last}")),
    });
    runs.collect::<Vec<_>>().join(",")
}

impl PublishArgs {
    fn run(&self, ui: &Ui) -> anyhow::Result<()> {
        let work = WorkFolder::open(&self.work)?;
        let manifest = publish(&work, &self.output, self.force, ui)?;
        ui.finish();
        if self.json {
            return print_json(&json!({
                "index": self.output,
                "latents": manifest.latents,
                "windows": manifest.windows,
                "arrays": manifest.arrays,
                "seconds": ui.elapsed().as_secs_f64(),
            }));
        }
        for array in &manifest.arrays {
            let occurrences = array.windows.first().map_or(0, |window| window.contexts);
            print(format!(
                "every window to {}: {} contexts, {}",
                array.depth,
                grouped(occurrences),
                indicatif::BinaryBytes(array.bytes),
            ))?;
        }
        print(format!(
            "{} latents {} → {} in {:.1} s",
            grouped(manifest.latents),
            manifest.shape()?,
            self.output.display(),
            ui.elapsed().as_secs_f64()
        ))
    }
}

impl JoinArgs {
    fn run(&self, ui: &Ui) -> anyhow::Result<()> {
        check_output(&self.output, self.force)?;
        let (samples, attempts) = join(&self.samples, &self.output, Budget::of_machine())?;
        ui.finish();
        if self.json {
            return print_json(&json!({
                "file": self.output,
                "samples": samples,
                "attempts": attempts,
            }));
        }
        print(format!(
            "{} samples of {} searches → {}",
            grouped(samples as u64),
            grouped(attempts as u64),
            self.output.display(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn numbers_are_written_as_job_arrays_take_them() {
        assert_eq!(numbers(&[0, 1, 2, 3, 7, 9, 10]), "0-3,7,9-10");
        assert_eq!(numbers(&[]), "");
    }
}
