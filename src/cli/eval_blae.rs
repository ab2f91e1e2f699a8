//! `bitquilt eval blae`: what an autoencoder is worth.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use super::neural::{DeviceArgs, ImagesArgs, load_blae, tell_notes};
use super::ui::Ui;
use super::{grouped, print, print_json};
use bitquilt::base::{Budget, Observer};
use bitquilt::images::import::Labels;
use bitquilt::images::{ImageOptions, ImageSet};
use bitquilt::model::{
    BlaeReport, BoundReport, CodeOverlap, Correlation, FlipReport, NoiseReport, Reconstruction,
    Saturation, SplitReport, bit_agreement, flip_bits, loss_bound,
};
use bitquilt::neural::{Blae, Quantizer};

/// Images of each split where no limit is given.
const LIMIT: usize = 10_000;
/// Images decoded at a time.
const BATCH: usize = 256;
/// Bits that are compared pair by pair: 2,048² pairs of 10,000 latents take a few seconds.
const MAX_BITS: usize = 2048;
/// Shares of bits that are flipped.
const FLIPS: [f64; 2] = [0.01, 0.05];
/// Differing bits at which the overlap of the noise is told, and draws that check it.
const DISTANCES: [usize; 4] = [1, 2, 4, 8];
const DRAWS: u64 = 100_000;

const EXAMPLES: &str = "\
Examples:
  bitquilt eval blae blae.run --train train-images-idx3-ubyte --test t10k-images-idx3-ubyte
  bitquilt eval blae blae.safetensors --test photos/ --resize 64x64 --limit 500 --json";

/// A binary latent autoencoder: reconstruction through bits, how binary, how much each bit tells
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BlaeArgs {
    /// The BL-AE: a checkpoint, or a run's folder, of which the best is taken
    #[arg(value_name = "BLAE")]
    model: PathBuf,

    /// Images that it was trained on, as `import` reads them
    #[arg(long, value_name = "IMAGES", num_args = 1.., required_unless_present = "test")]
    train: Vec<PathBuf>,

    /// Images that it was not trained on
    #[arg(long, value_name = "IMAGES", num_args = 1..)]
    test: Vec<PathBuf>,

    #[command(flatten)]
    images: ImagesArgs,

    /// What flips and noise are drawn from
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,

    #[command(flatten)]
    device: DeviceArgs,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl BlaeArgs {
    pub(super) fn run(&self, threads: Option<u16>, ui: &Ui) -> anyhow::Result<ExitCode> {
        let blae = load_blae(&self.model, self.device.device(threads)?)?;
        let config = *blae.config();
        let model = self.model.display().to_string();
        let mut report = BlaeReport::new(model, config.quantizer.to_string(), blae.shape());
        let overlap = match config.quantizer {
            Quantizer::Blae => Some(CodeOverlap::new(config.noise()?)),
            Quantizer::Lfq | Quantizer::Bsq => None,
        };
        if let Some(overlap) = &overlap {
            let within = |bits: &&usize| **bits <= blae.shape().bits();
            let distances: Vec<_> = DISTANCES.iter().take_while(within).copied().collect();
            report.noise = Some(NoiseReport::of(overlap, &distances, DRAWS, self.seed));
        }
        for (inputs, split) in [
            (&self.train, &mut report.train),
            (&self.test, &mut report.test),
        ] {
            if !inputs.is_empty() {
                *split = Some(self.measure(&blae, inputs, overlap.as_ref(), ui)?);
            }
        }
        ui.finish();
        report.seconds = ui.elapsed().as_secs_f64();
        if self.json {
            print_json(&report)?;
        } else {
            print_report(&report)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn measure(
        &self,
        blae: &Blae,
        inputs: &[PathBuf],
        overlap: Option<&CodeOverlap>,
        ui: &Ui,
    ) -> anyhow::Result<SplitReport> {
        let options = self.images.options(Labels::Leave);
        let options = ImageOptions {
            max_images: options.max_images.or(Some(LIMIT)),
            ..options
        };
        let images = ImageSet::read(inputs, &options, ui)?;
        tell_notes(&images, ui);
        let name = images.source().to_owned();
        if images.is_empty() {
            bail!("{name}: expected at least one image, found none");
        }
        let count = images.len() as u64;
        let passes = |what: &str, passes: u64| ui.stage(what, passes * count, "images");

        passes("encode", 1);
        let activations = blae
            .activations(&images, BATCH, ui)
            .with_context(|| name.clone())?;
        let set = blae.bits_of(&activations)?;
        passes("decode", if overlap.is_some() { 3 } else { 1 });
        let decoded = blae.decode(&set, BATCH, ui)?;
        let hard = Reconstruction::between(&images, &decoded)?;
        let (mut soft, mut saturation, mut bound) = (None, None, None);
        if let Some(overlap) = overlap {
            let from_activations = blae.decode_values(&activations, BATCH, ui)?;
            soft = Some(Reconstruction::between(&images, &from_activations)?);
            let mut histogram = Saturation::default();
            histogram.add(&activations);
            saturation = Some((&histogram).into());
            let noisy = blae.with_noise(&activations, self.seed)?;
            let from_noisy = blae.decode_values(&noisy, BATCH, ui)?;
            if images.len() > 1 {
                bound = Some(BoundReport {
                    measured: Reconstruction::between(&images, &from_noisy)?,
                    bound: loss_bound(&set, &images, overlap, Budget::of_machine(), ui)?,
                });
            }
        }
        passes("flip bits", FLIPS.len() as u64);
        let mut flips = Vec::new();
        for share in FLIPS {
            let flipped = blae.decode(&flip_bits(&set, share, self.seed)?, BATCH, ui)?;
            flips.push(FlipReport {
                share,
                reconstruction: Reconstruction::between(&images, &flipped)?,
            });
        }
        passes("encode again", 1);
        let again = blae.encode(&decoded, BATCH, ui)?;
        Ok(SplitReport {
            saturation,
            flips,
            reencoded: Some(bit_agreement(&set, &again)?),
            bound,
            ..SplitReport::of(&set, &images, hard, soft, MAX_BITS, Budget::of_machine())?
        })
    }
}

/// The figures for people, one column for each split.
/// The splits of a report, side by side.
struct Columns<'a>(Vec<(&'static str, &'a SplitReport)>);

impl Columns<'_> {
    /// Prints one row, unless nothing is known for it.
    fn row(&self, what: &str, of: &dyn Fn(&SplitReport) -> Option<String>) -> anyhow::Result<()> {
        let cells: Vec<_> = self.0.iter().map(|(_, split)| of(split)).collect();
        if cells.iter().all(Option::is_none) {
            return Ok(());
        }
        let cells = cells.into_iter();
        let cells = cells.map(|cell| format!("{:>14}", cell.unwrap_or_else(|| "-".to_owned())));
        print(format!("{what:<46}{}", cells.collect::<String>()))
    }
}

fn print_report(report: &BlaeReport) -> anyhow::Result<()> {
    print(format!(
        "{}: {}, latents {}x{}x{}, {} bits an image",
        report.model, report.quantizer, report.height, report.width, report.channels, report.bits
    ))?;
    let splits = [("train", &report.train), ("test", &report.test)].into_iter();
    let columns = Columns(
        splits
            .filter_map(|(name, split)| Some((name, split.as_ref()?)))
            .collect(),
    );
    let heads = columns.0.iter().map(|(name, _)| format!("{name:>14}"));
    print(format!("{:<46}{}", "", heads.collect::<String>()))?;
    print_reconstruction(&columns)?;
    print_codes(&columns)?;
    print_robustness(&columns)?;
    match &report.noise {
        Some(noise) => print_noise(noise),
        None => Ok(()),
    }
}

fn psnr(of: &Reconstruction) -> Option<String> {
    of.psnr_of_mean_mse.map(|psnr| format!("{psnr:.2} dB"))
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// Prints how well images come back.
fn print_reconstruction(columns: &Columns<'_>) -> anyhow::Result<()> {
    columns.row("images", &|s| Some(grouped(s.hard.images)))?;
    columns.row("PSNR through bits", &|s| psnr(&s.hard))?;
    columns.row("mean squared error through bits", &|s| {
        Some(format!("{:.5}", s.hard.mse))
    })?;
    columns.row("PSNR from activations", &|s| psnr(s.soft.as_ref()?))?;
    columns.row("  better than bits by", &|s| {
        Some(format!("{:.3} dB", s.soft_to_hard_gap?))
    })?;
    columns.row("saturated, |z| > 0.95", &|s| {
        Some(percent(s.saturation.as_ref()?.saturated?))
    })
}

/// Prints what the bits are worth.
fn print_codes(columns: &Columns<'_>) -> anyhow::Result<()> {
    columns.row("constant bits", &|s| {
        Some(s.codes.constant_bits.to_string())
    })?;
    columns.row("dead bits, one value in over 99 %", &|s| {
        Some(s.codes.dead_bits.to_string())
    })?;
    columns.row("entropy of the bits, summed", &|s| {
        Some(format!("{:.1} bits", s.codes.entropy_total))
    })?;
    columns.row("  of the least telling bit", &|s| {
        Some(format!("{:.3}", s.codes.min_entropy))
    })?;
    let mean = |of: Option<&Correlation>| Some(format!("{:.3}", of?.mean));
    columns.row("correlation of bits, mean size", &|s| {
        mean(s.correlations.as_ref()?.all.as_ref())
    })?;
    columns.row("  within a site", &|s| {
        mean(s.correlations.as_ref()?.within_site.as_ref())
    })
}

/// Prints what flipped bits and noise do.
fn print_robustness(columns: &Columns<'_>) -> anyhow::Result<()> {
    for (number, share) in FLIPS.iter().enumerate() {
        let what = format!("PSNR with {} of the bits flipped", percent(*share));
        columns.row(&what, &|s| psnr(&s.flips.get(number)?.reconstruction))?;
    }
    columns.row("bits that come back when encoded again", &|s| {
        Some(percent(s.reencoded?))
    })?;
    columns.row("different images that share a code", &|s| {
        Some(s.collisions.colliding_images.to_string())
    })?;
    columns.row("loss with noise, as in training", &|s| {
        Some(format!("{:.2e}", s.bound.as_ref()?.measured.mse))
    })?;
    columns.row("  least possible by overlap (Eqn 2)", &|s| {
        Some(format!("{:.2e}", s.bound.as_ref()?.bound.eqn2))
    })?;
    columns.row("  least possible, strongest bound", &|s| {
        Some(format!("{:.2e}", s.bound.as_ref()?.bound.strongest()))
    })
}

fn print_noise(noise: &NoiseReport) -> anyhow::Result<()> {
    print(format!(
        "noise Tri(sigma {}, kappa {}, {}): turns a bit with probability {:.2e}",
        noise.sigma, noise.kappa, noise.form, noise.bit_error
    ))?;
    for overlap in &noise.overlaps {
        print(format!(
            "  codes that differ in {} bits overlap by {:.3e} ({:.3e} ± {:.0e} drawn)",
            overlap.differing_bits,
            overlap.overlap,
            overlap.monte_carlo.mean,
            overlap.monte_carlo.standard_error
        ))?;
    }
    Ok(())
}
