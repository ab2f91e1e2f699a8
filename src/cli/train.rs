//! `bitquilt train`: networks.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::neural::{DeviceArgs, ImagesArgs, tell_notes};
use super::one_of::one_of;
use super::train_bits::BitsArgs;
use super::training_run::{RunArgs, check_run, fields, refuse_changes, report, set, start};
use super::ui::Ui;
use bitquilt::images::import::Labels;
use bitquilt::images::{ImageOptions, ImageSet};
use bitquilt::latent::Shape;
use bitquilt::model::NoiseForm;
use bitquilt::neural::{
    BlaeConfig, BlaeRecipe, NetworkKind, Quantizer, RunFolder, TrainOptions, blae_run, resume_blae,
    train_blae,
};

/// Held-out images that are looked at, and the share of the images that is held out where none are named.
const MAX_HELD_OUT: usize = 1000;
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

type Run = (BlaeConfig, BlaeRecipe, TrainOptions);

impl BlaeArgs {
    /// Reads the images to train on and those held out.
    fn read(&self, ui: &Ui) -> anyhow::Result<(ImageSet, ImageSet)> {
        let options = self.images.options(Labels::Leave);
        let images = ImageSet::read(&self.inputs, &options, ui)?;
        tell_notes(&images, ui);
        let held_out = match self.held_out.as_deref() {
            None => (images.len() / HELD_OUT_SHARE).clamp(1, MAX_HELD_OUT),
            Some(text) => match usize::from_str(text) {
                Ok(count) => count,
                Err(_) => {
                    let options = ImageOptions {
                        max_images: Some(MAX_HELD_OUT),
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
