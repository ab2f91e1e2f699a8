//! `bitquilt eval arvm`: what a network over bits knows, beside the index itself.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use rayon::prelude::*;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::ids::WithoutArgs;
use super::neural::{DeviceArgs, NumberedSet, load_predictor};
use super::ui::Ui;
use super::{grouped, print, print_json};
use bitquilt::base::{Budget, Observer, Unobserved};
use bitquilt::engine::SessionOptions;
use bitquilt::index::{Counts, Index, Resident, WindowIndex};
use bitquilt::latent::{Ids, LatentSet};
use bitquilt::model::{BitsReport, CountModel, Smoothing};
use bitquilt::neural::{NetworkKind, Numbered, PlainArvm, Predictor};
use bitquilt::samples::{SampleSet, verify_from_index};
use bitquilt::search::{self, Fallback, Policy, Rung, SearchOptions, Taken, Task};
use bitquilt::window::{Geometry, Given};

const EXAMPLES: &str = "\
Examples:
  bitquilt eval arvm arvm.run mnist.index --held-out test.safetensors
  bitquilt eval arvm pixelcnn.run mnist.index --held-out test.safetensors --samples 100 --json

Bits per latent are negative log2 likelihoods, exact. The count model is the index without a network:
the largest window that has a match and a prior of half a count for each value; `blended`, its prior is
what the next smaller window says.";

/// A network over bits, of any kind, and the index as a model beside it: bits per latent, and samples of each alone
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BitsArgs {
    /// The network: a checkpoint, or a run's folder, of which the best is taken
    #[arg(value_name = "NETWORK")]
    model: PathBuf,

    /// The index that it was trained on
    index: PathBuf,

    /// Latents that are not in the index
    #[arg(long, value_name = "LATENTS")]
    held_out: Option<PathBuf>,

    /// Latents of each kind, the first ones
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = super::limit::at_least_1)]
    limit: usize,

    /// Samples to draw from each model alone; 0 for none
    #[arg(long, value_name = "N", default_value_t = 0)]
    samples: usize,

    /// What they are drawn from
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,

    /// Write the network's samples, a latents file
    #[arg(short, long, value_name = "LATENTS", requires = "samples")]
    output: Option<PathBuf>,

    /// Replace the output if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    without: WithoutArgs,

    #[command(flatten)]
    device: DeviceArgs,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The result, in the words of `schemas/bits.schema.json`.
#[derive(Serialize)]
struct Report {
    network: String,
    window: String,
    parameters: usize,
    latents_train: usize,
    latents_held_out: Option<usize>,
    models: Vec<BitsReport>,
    samples: Vec<SamplesReport>,
    seconds: f64,
}

/// What samples of a model alone are.
#[derive(Serialize)]
struct SamplesReport {
    model: String,
    samples: usize,
    per_second: f64,
    /// Share of the samples that are training latents.
    copies: f64,
    /// Share of their bits that the network's window does not support.
    unsupported: f64,
}

impl BitsArgs {
    pub(super) fn run(&self, threads: Option<u16>, ui: &Ui) -> anyhow::Result<ExitCode> {
        if let Some(output) = &self.output {
            super::ui::check_output(output, self.force)?;
        }
        let predictor = load_predictor(&self.model, self.device.device(threads)?)?;
        let session = self.without.open(&self.index, SessionOptions::default())?;
        let index = session.index();
        predictor.config().check_index(index)?;
        if index.shape().is_pyramid() && self.samples > 0 {
            anyhow::bail!(
                "--samples: {} holds pyramids {}, and a network answers in one level of them: leave it out",
                self.index.display(),
                index.shape()
            );
        }
        let mut windows = windows_within(index, &predictor);
        windows.sort_by_key(|held| std::cmp::Reverse(held.geometry().context_bits()));
        let tables = windows
            .iter()
            .map(|held| Resident::load(held, Budget::of_machine(), ui));
        let tables: Vec<Resident> = tables.collect::<Result<_, _>>()?;
        let training = NumberedSet::of_index(&session, ui)?;
        let training = training.first(self.limit)?;
        let held_out = self.held_out.as_deref();
        let held_out = held_out.map(|path| NumberedSet::read(path, index)?.first(self.limit));
        let held_out = held_out.transpose()?;
        let sets: Vec<_> = std::iter::once(&training).chain(&held_out).collect();

        let mut report = Report {
            network: predictor.kind().to_string(),
            window: predictor.config().window.to_string(),
            parameters: predictor.parameters().count(),
            latents_train: training.numbered().latents.len(),
            latents_held_out: held_out.as_ref().map(|set| set.numbered().latents.len()),
            models: Vec::new(),
            samples: Vec::new(),
            seconds: 0.0,
        };
        let bench = Bench {
            args: self,
            index,
            predictor: &predictor,
            given: index.given(index.labels().first().copied())?,
            sets: &sets,
            taken: match self.samples {
                0 => None,
                _ => Some(Taken::training(index, &[0], Budget::of_machine(), ui)?),
            },
            ui,
        };
        for (model, smoothing) in [
            ("count", Smoothing::Backoff),
            ("count, blended", Smoothing::Blend),
        ] {
            let counts = count_model(&windows, &tables, smoothing);
            bench.counts(model, &counts, &mut report)?;
        }
        bench.network(&mut report)?;
        ui.finish();
        report.seconds = ui.elapsed().as_secs_f64();
        if self.json {
            print_json(&report)?;
        } else {
            print_report(&report)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Draws samples of the network alone.
    fn sample_alone(
        &self,
        predictor: &Predictor,
        index: &Index,
        given: Given,
        ui: &Ui,
    ) -> anyhow::Result<LatentSet> {
        let shape = predictor.geometry().shape();
        if predictor.kind() != NetworkKind::Arvm {
            ui.stage("samples", shape.bits() as u64, "bits");
            return Ok(predictor.sample(self.samples, given.label.unwrap_or(0), self.seed, ui)?);
        }
        let network = PlainArvm::new(predictor)?;
        let window = index.window(predictor.geometry().window())?;
        let rung = Rung {
            geometry: window.geometry(),
            counts: &window,
        };
        let options = SearchOptions {
            seed: self.seed,
            ..SearchOptions::default()
        };
        let mut task = Task::new(rung, options).falling_back(Fallback {
            geometry: window.geometry(),
            network: &network,
            policy: Policy::Always,
            max_interpolated: None,
        });
        task.given = given;
        let attempts = search::generate(&task, self.samples as u64, false, ui)?;
        let packed = attempts.iter().filter_map(|a| a.packed.as_deref());
        Ok(LatentSet::from_packed(
            shape,
            packed.flatten().copied().collect(),
        )?)
    }
}

/// Counts how many of some samples are training latents, and how many of their bits nothing supports.
fn judge(
    model: &str,
    drawn: &LatentSet,
    taken: &Taken,
    (index, predictor): (&Index, &Predictor),
    started: Instant,
) -> anyhow::Result<SamplesReport> {
    let seconds = started.elapsed().as_secs_f64();
    let count = drawn.len().max(1) as f64;
    let copies = (0..drawn.len()).filter(|id| taken.contains(drawn.packed_latent(*id)));
    let copies = copies.count() as f64 / count;
    let mut latents = drawn.clone();
    if let Some(label) = index.labels().first() {
        latents = latents.with_labels(vec![*label; drawn.len()])?;
    }
    let samples = SampleSet {
        latents,
        answered_by: None,
        windows: Vec::new(),
        min_count: 1.into(),
        without: Ids::default(),
    };
    let window = predictor.geometry().window();
    let support = verify_from_index(index, &samples, window, &Unobserved)?;
    Ok(SamplesReport {
        model: model.to_owned(),
        samples: drawn.len(),
        per_second: drawn.len() as f64 / seconds,
        copies,
        unsupported: support.unsupported.len() as f64 / support.checked.max(1) as f64,
    })
}

/// What models are measured on.
struct Bench<'a> {
    args: &'a BitsArgs,
    index: &'a Index,
    predictor: &'a Predictor,
    /// Samples are drawn under the first label, where contexts are bound to any.
    given: Given,
    /// Training latents, then held-out ones where there are any.
    sets: &'a [&'a NumberedSet],
    /// The training latents, where samples are drawn.
    taken: Option<Taken>,
    ui: &'a Ui,
}

impl Bench<'_> {
    /// Returns the bits per latent of a model, by what `bits` says of each set.
    fn bits(
        &self,
        model: &str,
        bits: impl Fn(Numbered<'_>) -> anyhow::Result<Vec<f64>>,
    ) -> anyhow::Result<BitsReport> {
        let latents = self.sets[0].numbered().latents.len();
        self.ui.stage(model, latents as u64, "latents");
        let each = self.sets.iter().map(|set| bits(set.numbered()));
        let each = each.collect::<anyhow::Result<Vec<_>>>()?;
        let held_out = each.get(1).map(Vec::as_slice);
        Ok(BitsReport::new(model, &each[0], held_out))
    }

    /// Measures the index as a model.
    fn counts(
        &self,
        model: &str,
        counts: &CountModel<'_>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let ui = self.ui;
        // Of the level that the network answers in.
        let level = self.predictor.geometry().level().number();
        let bits = self.bits(model, |set| {
            let levels = counts.bits_of_levels(set.latents, set.labels, ui)?;
            Ok(levels.iter().map(|levels| levels[level]).collect())
        })?;
        report.models.push(bits);
        let Some(taken) = &self.taken else {
            return Ok(());
        };
        ui.stage(model, self.args.samples as u64, "samples");
        let started = Instant::now();
        let (given, seed) = (self.given, self.args.seed);
        let numbers = (0..self.args.samples as u64).into_par_iter();
        let drawn = numbers.map(|number| {
            ui.advance(1);
            counts.sample(given, xxh3_64_with_seed(&number.to_le_bytes(), seed))
        });
        let drawn: Vec<Vec<u8>> = drawn.collect::<Result<_, _>>()?;
        let drawn = LatentSet::from_packed(self.index.shape(), drawn.concat())?;
        let both = (self.index, self.predictor);
        report
            .samples
            .push(judge(model, &drawn, taken, both, started)?);
        Ok(())
    }

    /// Measures the network.
    fn network(&self, report: &mut Report) -> anyhow::Result<()> {
        let (index, predictor, ui) = (self.index, self.predictor, self.ui);
        let name = predictor.kind().name();
        let bits = self.bits(name, |set| {
            Ok(predictor.bits(set.latents, set.labels, ui)?)
        })?;
        report.models.push(bits);
        let Some(taken) = &self.taken else {
            return Ok(());
        };
        let started = Instant::now();
        let drawn = self.args.sample_alone(predictor, index, self.given, ui)?;
        let judged = judge(name, &drawn, taken, (index, predictor), started)?;
        report.samples.push(judged);
        if let Some(output) = &self.args.output {
            let codec = index.manifest().codec.clone();
            let source = format!("{name} {}", self.args.model.display());
            drawn.with_codec(codec).with_source(source).write(output)?;
        }
        Ok(())
    }
}

/// Returns the network's window and those of the index that lie within it.
fn windows_within<'a>(index: &'a Index, predictor: &Predictor) -> Vec<WindowIndex<'a>> {
    let own: &Geometry = predictor.geometry();
    index
        .windows()
        .filter(|held| held.geometry().window().nests_in(own.window()))
        .collect()
}

fn count_model<'a>(
    windows: &'a [WindowIndex<'a>],
    tables: &'a [Resident],
    smoothing: Smoothing,
) -> CountModel<'a> {
    let windows = windows.iter().zip(tables);
    CountModel {
        windows: windows
            .map(|(held, table)| (held.geometry(), table as &dyn Counts))
            .collect(),
        smoothing,
    }
}

fn print_report(report: &Report) -> anyhow::Result<()> {
    print(format!(
        "{} at {}, {} parameters; {} training latents, {} held out",
        report.network,
        report.window,
        grouped(report.parameters as u64),
        grouped(report.latents_train as u64),
        grouped(report.latents_held_out.unwrap_or_default() as u64),
    ))?;
    print("bits per latent      train   held out        gap")?;
    for model in &report.models {
        let shown = |bits: Option<f64>| bits.map_or("-".to_owned(), |bits| format!("{bits:.2}"));
        print(format!(
            "{:<16}{:>10.2}{:>11}{:>11}",
            model.model,
            model.train,
            shown(model.held_out),
            shown(model.gap)
        ))?;
    }
    if !report.samples.is_empty() {
        print("samples alone     number  samples/s     copies  bits not supported")?;
    }
    for samples in &report.samples {
        print(format!(
            "{:<16}{:>8}{:>11.1}{:>9.1} %{:>18.2} %",
            samples.model,
            samples.samples,
            samples.per_second,
            100.0 * samples.copies,
            100.0 * samples.unsupported
        ))?;
    }
    Ok(())
}
