//! `bitquilt train`: networks.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use super::neural::{DeviceArgs, ImagesArgs, tell_notes};
use super::one_of::one_of;
use super::train_bits::BitsArgs;
use super::ui::{Ui, check_output};
use super::{grouped, print, print_json};
use bitquilt::base::Stopped;
use bitquilt::images::import::Labels;
use bitquilt::images::{ImageOptions, ImageSet};
use bitquilt::latent::Shape;
use bitquilt::model::NoiseForm;
use bitquilt::neural::{
    BlaeConfig, BlaeRecipe, NetworkKind, Outcome, Quantizer, RunFolder, TrainOptions, blae_run,
    resume_blae, train_blae,
};

/// Held-out images that are looked at, and the share of the images that is held out where none are named.
const MOST_HELD_OUT: usize = 1000;
const HELD_OUT_SHARE: usize = 10;

const EXAMPLES: &str = "\
Examples:
  bitquilt train blae train-images-idx3-ubyte -o blae.run --latent 14x14x2
  bitquilt train blae cifar-10-batches-bin/ -o run --latent 8x8x16 --epochs 20 --device cuda
  bitquilt train blae train-images-idx3-ubyte -o run --resume
  bitquilt train blae photos/ --resize 64x64 -o run --latent 16x16x8 --quantizer bsq

Writes a folder: best.safetensors (the network: --model of the other verbs), last.safetensors (to
go on from), log.jsonl (one line a validation), pictures.png (held-out images and, below each
row, what becomes of them). Ctrl-C saves; --resume goes on exactly where it stopped.";

/// Train a network
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    bitquilt train blae train-images-idx3-ubyte -o blae.run --latent 14x14x2\n  \
    bitquilt train arvm codes.index --window 7x7 -o arvm.run\n\n\
    `bitquilt train blae --help` and so on tell the options of each.")]
pub(crate) struct TrainArgs {
    #[command(subcommand)]
    network: NetworkArgs,
}

#[derive(Debug, Subcommand)]
enum NetworkArgs {
    Blae(Box<BlaeArgs>),
    Arvm(Box<BitsArgs>),
    #[command(name = "pixelcnn")]
    PixelCnn(Box<BitsArgs>),
    Transformer(Box<BitsArgs>),
}

/// The binary latent autoencoder: images to bits and back
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct BlaeArgs {
    /// Images, as `import` reads them: IDX, CIFAR batches, a folder or files
    #[arg(required = true, value_name = "IMAGES")]
    inputs: Vec<PathBuf>,

    /// The folder to write; it must be new or empty, unless --resume or --force
    #[arg(short, long, value_name = "RUN")]
    output: PathBuf,

    /// Shape of the latents: the images' sides divided by a power of two, and K bits a site
    #[arg(long, value_name = "HxWxK", required_unless_present = "resume")]
    latent: Option<Shape>,

    /// How numbers become bits [default: blae]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Quantizer>())]
    quantizer: Option<Quantizer>,

    /// Strength of the noise, sigma; up to 1 the noise of a bit never reaches the other value [default: 1]
    #[arg(long, value_name = "S")]
    sigma: Option<f64>,

    /// Shape of the noise, kappa; 1 is uniform [default: 2]
    #[arg(long, value_name = "K")]
    kappa: Option<f64>,

    /// How Eqn 10 is read [default: peaked]
    #[arg(long, value_name = "FORM", value_parser = one_of::<NoiseForm>())]
    noise_form: Option<NoiseForm>,

    /// blae: slope of the activation once trained, from 1 and late; the steeper, the more binary [default: 3000]
    #[arg(long, value_name = "SLOPE")]
    slope: Option<f64>,

    /// Channels of the layers at the latent's resolution [default: 32]
    #[arg(long, value_name = "N")]
    width: Option<usize>,

    /// Residual blocks of the encoder, and of the decoder [default: 2]
    #[arg(long, value_name = "N")]
    blocks: Option<usize>,

    /// Updates [default: 2000]
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    steps: Option<u64>,

    /// Passes over the images, in place of --steps
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,

    /// Images of one update [default: 64]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,

    /// blae: share of the steps in which the noise grows to its strength [default: 0.3]
    #[arg(long, value_name = "SHARE")]
    ramp: Option<f64>,

    /// Share of the steps, the last ones, with numbers standardised as they are when it runs, and (blae) rounded bits
    /// in place of noise; up to 0.9 [default: 0.2]
    #[arg(long, value_name = "SHARE")]
    finish: Option<f64>,

    /// lfq, bsq: weight of the entropy terms [default: 0.02]
    #[arg(long, value_name = "W")]
    entropy: Option<f64>,

    /// lfq: weight of the commitment term [default: 0.005]
    #[arg(long, value_name = "W")]
    commitment: Option<f64>,

    /// Images to watch the training on: how many of the last ones, or others in a file or folder, of which
    /// the first 1000 are taken [default: a tenth, at most 1000]
    #[arg(long, value_name = "N|IMAGES")]
    held_out: Option<String>,

    #[command(flatten)]
    images: ImagesArgs,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    run: RunArgs,
}

/// What every training takes
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Highest learning rate [default: blae 0.002, others 0.004]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,

    /// What every random number is drawn from [default: 0]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,

    /// Steps from one validation and checkpoint to the next [default: 200]
    #[arg(long, value_name = "N")]
    every: Option<u64>,

    /// Go on with the training in the folder; what is not given is as it was begun
    #[arg(long, conflicts_with = "force")]
    pub(super) resume: bool,

    /// Train anew in a folder that holds a run
    #[arg(long)]
    pub(super) force: bool,

    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl RunArgs {
    /// Puts what was asked for in the place of what stands there.
    pub(super) fn change(&self, options: &mut TrainOptions) {
        set(&mut options.lr, self.lr);
        set(&mut options.seed, self.seed);
        set(&mut options.every, self.every);
    }
}

/// Puts what was asked for, if anything was, in the place of what stands there.
pub(super) fn set<T: Copy>(place: &mut T, asked: Option<T>) {
    if let Some(asked) = asked {
        *place = asked;
    }
}

/// Runs the verb; 0 when the last step is done.
pub(crate) fn run(args: &TrainArgs, threads: Option<u16>, ui: &Ui) -> anyhow::Result<ExitCode> {
    match &args.network {
        NetworkArgs::Blae(args) => blae(args, threads, ui),
        NetworkArgs::Arvm(args) => args.run(NetworkKind::Arvm, threads, ui),
        NetworkArgs::PixelCnn(args) => args.run(NetworkKind::PixelCnn, threads, ui),
        NetworkArgs::Transformer(args) => args.run(NetworkKind::Transformer, threads, ui),
    }
}

fn blae(args: &BlaeArgs, threads: Option<u16>, ui: &Ui) -> anyhow::Result<ExitCode> {
    let device = args.device.device(threads)?;
    let folder = RunFolder::new(&args.output);
    check_run(&folder, args.run.resume, args.run.force)?;
    let (images, held_out) = args.read(ui)?;
    let sides = (images.height(), images.width(), images.colours());
    let (blae, outcome) = if args.run.resume {
        let begun = blae_run(&folder)?;
        let mut asked = begun;
        args.change(&mut asked, images.len());
        refuse_changes(&folder, &fields(&begun)?, &fields(&asked)?)?;
        ui.note(format!(
            "{} images, {} held out, on {device}",
            images.len(),
            held_out.len()
        ));
        resume_blae((&images, &held_out), &folder, device, ui)?
    } else {
        let latent = args
            .latent
            .context("--latent HxWxK says which latents to learn")?;
        let mut asked = (
            BlaeConfig::new(sides, latent),
            BlaeRecipe::default(),
            TrainOptions::default(),
        );
        args.change(&mut asked, images.len());
        let (config, recipe, options) = asked;
        // Before there is a folder.
        config.stride()?;
        start(&folder)?;
        ui.note(format!(
            "{} images, {} held out, on {device}",
            images.len(),
            held_out.len()
        ));
        train_blae(
            config,
            recipe,
            &options,
            (&images, &held_out),
            &folder,
            device,
            ui,
        )?
    };
    ui.finish();
    let steps = blae_run(&folder)?.2.steps;
    report(
        args.run.json,
        &folder,
        &outcome,
        (blae.parameters().count(), steps),
        ui,
    )
}

/// Tells how a training ended.
pub(super) fn report(
    as_json: bool,
    folder: &RunFolder,
    outcome: &Outcome,
    (parameters, steps): (usize, u64),
    ui: &Ui,
) -> anyhow::Result<ExitCode> {
    if outcome.stopped {
        let message = format!(
            "stopped after {} of {} steps; all is saved: the same command with --resume goes on",
            grouped(outcome.step),
            grouped(steps)
        );
        return Err(anyhow::Error::new(Stopped).context(message));
    }
    let figures = outcome
        .validation
        .iter()
        .flat_map(|validation| &validation.figures);
    if as_json {
        let mut report = json!({
            "steps": outcome.step,
            "parameters": parameters,
            "best": outcome.best,
            "seconds": ui.elapsed().as_secs_f64(),
            "model": folder.best().display().to_string(),
        });
        for (name, value) in figures {
            report[*name] = json!(value);
        }
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let figures: Vec<_> = figures
        .map(|(name, value)| format!("{name} {value:.4}"))
        .collect();
    print(format!(
        "{} steps, {} parameters, held out: {} → {}",
        grouped(outcome.step),
        grouped(parameters as u64),
        figures.join(", "),
        folder.best().display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

type Run = (BlaeConfig, BlaeRecipe, TrainOptions);

impl BlaeArgs {
    /// The images to train on and those held out.
    fn read(&self, ui: &Ui) -> anyhow::Result<(ImageSet, ImageSet)> {
        let options = self.images.options(Labels::Leave);
        let images = ImageSet::read(&self.inputs, &options, ui)?;
        tell_notes(&images, ui);
        let held_out = match self.held_out.as_deref() {
            None => (images.len() / HELD_OUT_SHARE).clamp(1, MOST_HELD_OUT),
            Some(text) => match usize::from_str(text) {
                Ok(count) => count,
                Err(_) => {
                    let options = ImageOptions {
                        most: Some(MOST_HELD_OUT),
                        ..options
                    };
                    let others = ImageSet::read(&[PathBuf::from(text)], &options, ui);
                    let others = others.with_context(|| format!("--held-out {text}"))?;
                    tell_notes(&others, ui);
                    return Ok((images, others));
                }
            },
        };
        if held_out == 0 || held_out >= images.len() {
            bail!(
                "--held-out {held_out}: expected at least 1 image held out and 1 to train on, of the {} that \
                 there are",
                images.len()
            );
        }
        let kept = (images.len() - held_out) * images.image_values();
        let part = |pixels: &[u8]| {
            let set = ImageSet::new(
                images.height(),
                images.width(),
                images.colours(),
                pixels.to_vec(),
            )?;
            Ok::<_, anyhow::Error>(set.with_source(images.source()))
        };
        Ok((
            part(&images.pixels()[..kept])?,
            part(&images.pixels()[kept..])?,
        ))
    }

    /// Puts what was asked for in the place of what stands there.
    fn change(&self, (config, recipe, options): &mut Run, images: usize) {
        set(
            &mut config.latent_height,
            self.latent.map(|shape| shape.height()),
        );
        set(
            &mut config.latent_width,
            self.latent.map(|shape| shape.width()),
        );
        set(
            &mut config.latent_channels,
            self.latent.map(|shape| shape.channels()),
        );
        set(&mut config.quantizer, self.quantizer);
        set(&mut config.sigma, self.sigma);
        set(&mut config.kappa, self.kappa);
        set(&mut config.noise_form, self.noise_form);
        set(&mut config.slope, self.slope);
        set(&mut config.width, self.width);
        set(&mut config.blocks, self.blocks);
        set(&mut recipe.batch, self.batch);
        set(&mut recipe.ramp, self.ramp);
        set(&mut recipe.finish, self.finish);
        set(&mut recipe.entropy, self.entropy);
        set(&mut recipe.commitment, self.commitment);
        self.run.change(options);
        let epochs = self.epochs.map(|epochs| {
            let batch = recipe.batch.clamp(1, images.max(1));
            epochs.saturating_mul((images / batch).max(1) as u64)
        });
        set(&mut options.steps, self.steps.or(epochs));
    }
}

/// The settings of a run by name: network, recipe, options.
pub(super) fn fields<A: Serialize, B: Serialize, C: Serialize>(
    run: &(A, B, C),
) -> anyhow::Result<Vec<(String, Value)>> {
    let mut fields = Vec::new();
    for part in [
        serde_json::to_value(&run.0)?,
        serde_json::to_value(&run.1)?,
        serde_json::to_value(&run.2)?,
    ] {
        let serde_json::Value::Object(part) = part else {
            bail!("settings that are no JSON object: {part}");
        };
        fields.extend(part);
    }
    Ok(fields)
}

/// Refuses to go on with another training than the one that was begun.
pub(super) fn refuse_changes(
    folder: &RunFolder,
    begun: &[(String, Value)],
    asked: &[(String, Value)],
) -> anyhow::Result<()> {
    let pairs = begun.iter().zip(asked);
    let changed: Vec<_> = pairs
        .filter(|(begun, asked)| begun != asked)
        .map(|(begun, asked)| format!("{} {}, asked for {}", begun.0, begun.1, asked.1))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    bail!(
        "{}: the training was begun with {}: leave that out to go on, or begin another run",
        folder.path().display(),
        changed.join("; ")
    )
}

/// Refuses a folder that holds something, unless it is to be resumed or replaced.
pub(super) fn check_run(folder: &RunFolder, resume: bool, force: bool) -> anyhow::Result<()> {
    let path = folder.path();
    if resume {
        if !folder.last().is_file() {
            bail!(
                "{}: no such checkpoint: there is nothing to resume",
                folder.last().display()
            );
        }
        return Ok(());
    }
    if !path.exists() {
        return check_output(path, force);
    }
    if !path.is_dir() {
        bail!(
            "{}: expected a folder, found a file: choose another name",
            path.display()
        );
    }
    if !force && fs_err::read_dir(path)?.next().is_some() {
        bail!(
            "{}: the folder is not empty: choose another name, --resume to go on with its training, or --force to \
             train anew",
            path.display()
        );
    }
    Ok(())
}

/// An empty run folder. Only what a run writes is taken away.
pub(super) fn start(folder: &RunFolder) -> anyhow::Result<()> {
    let remove = |path: &Path| {
        if path.exists() {
            fs_err::remove_file(path)?;
        }
        Ok::<_, anyhow::Error>(())
    };
    if !folder.path().exists() {
        fs_err::create_dir(folder.path())?;
    }
    for path in [
        folder.last(),
        folder.best(),
        folder.log(),
        folder.pictures(),
    ] {
        remove(&path)?;
    }
    Ok(())
}
