//! `bitquilt train arvm|pixelcnn|transformer`: networks over the bits of an index.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::ids::WithoutArgs;
use super::neural::{DeviceArgs, NumberedSet};
use super::one_of::one_of;
use super::training_run::{RunArgs, check_run, fields, refuse_changes, report, set, start};
use super::ui::Ui;
use bitquilt::base::Budget;
use bitquilt::engine::SessionOptions;
use bitquilt::neural::{
    NetworkKind, PredictorConfig, PredictorData, PredictorRecipe, RunFolder, TrainOptions,
    Weighting, check_predictor, predictor_run, resume_predictor, train_predictor,
};
use bitquilt::window::Window;

const EXAMPLES: &str = "\
Examples:
  bitquilt train arvm mnist.index --window 7x7 -o arvm.run --held-out test.safetensors
  bitquilt train pixelcnn mnist.index --window 7x7 -o pixelcnn.run --steps 1000
  bitquilt train arvm mnist.index -o arvm.run --resume

An ARVM learns the histogram of every context; pixelcnn and transformer learn the latents, for
comparison. Each sees its window and nothing else. Writes a folder as `train blae` does; an ARVM
in it is what `generate --fallback` takes. Ctrl-C saves; --resume goes on exactly where it stopped.";

/// A network that gives each bit's probability from what a window of an index sees
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BitsArgs {
    /// The index to learn
    index: PathBuf,

    /// The folder to write; it must be new or empty, unless --resume or --force
    #[arg(short, long, value_name = "RUN")]
    output: PathBuf,

    /// What the network sees; may be left out when the index holds one window
    #[arg(short, long)]
    window: Option<Window>,

    /// Latents that are not in the index, to watch the training on: the best network is the one that knows the
    /// first 200 of them best
    #[arg(long, value_name = "LATENTS")]
    held_out: Option<PathBuf>,

    /// Units of a layer [default: 128]
    #[arg(long, value_name = "N")]
    width: Option<usize>,

    /// Residual blocks behind the window (arvm) [default: 2], gated layers (pixelcnn) [default: one for 3 sites of the
    /// window's radius, at least 2] or blocks (transformer) [default: 2]
    #[arg(long, value_name = "N")]
    depth: Option<usize>,

    /// Updates [default: 2000]
    #[arg(long, value_name = "N")]
    steps: Option<u64>,

    /// Contexts of one update (arvm) [default: 1024] or latents (others) [default: 32]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,

    /// arvm: how much a context weighs [default: count]
    #[arg(long, value_parser = one_of::<Weighting>())]
    weight: Option<Weighting>,

    /// Probability with which each bit that the network sees is flipped: against mistakes that add up when it
    /// samples alone [default: 0]
    #[arg(long, value_name = "P")]
    flip: Option<f64>,

    #[command(flatten)]
    without: WithoutArgs,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    run: RunArgs,
}

type Run = (PredictorConfig, PredictorRecipe, TrainOptions);

impl BitsArgs {
    pub(super) fn run(
        &self,
        kind: NetworkKind,
        threads: Option<u16>,
        ui: &Ui,
    ) -> anyhow::Result<ExitCode> {
        let device = self.device.device(threads)?;
        let folder = RunFolder::new(&self.output);
        check_run(&folder, self.run.resume, self.run.force)?;
        let session = self.without.open(&self.index, SessionOptions::default())?;
        let index = session.index();
        let begun = match self.run.resume {
            true => Some(predictor_run(&folder, kind)?),
            false => None,
        };
        let window = match &begun {
            Some(begun) if self.window.is_none() => begun.0.window,
            _ => session.window(self.window)?,
        };
        let held = index.window(window)?;
        let mut asked = match &begun {
            Some(begun) => begun.clone(),
            None => (
                PredictorConfig::new(kind, index, window),
                PredictorRecipe::new(kind),
                TrainOptions::predictor(),
            ),
        };
        self.change(&mut asked, window);
        if let Some(begun) = &begun {
            refuse_changes(&folder, &fields(begun)?, &fields(&asked)?)?;
            begun.0.check_index(index)?;
        }
        let training = NumberedSet::of_index(&session, ui)?;
        let held_out = self.held_out.as_deref();
        let held_out = held_out.map(|path| NumberedSet::read(path, index));
        let held_out = held_out.transpose()?;
        let data = PredictorData {
            training: training.numbered(),
            counts: &held,
            geometry: held.geometry(),
            held_out: held_out.as_ref().map(NumberedSet::numbered),
            memory: Budget::of_machine(),
        };
        ui.note(format!(
            "{kind} at {window}: {} training latents, {} held out, on {device}",
            training.numbered().latents.len(),
            held_out
                .as_ref()
                .map_or(0, |set| set.numbered().latents.len())
        ));
        let steps = asked.2.steps;
        let (predictor, outcome) = if self.run.resume {
            resume_predictor(kind, data, &folder, device, ui)?
        } else {
            let (config, recipe, options) = asked;
            // Before there is a folder.
            let latents = training.numbered().latents.len();
            check_predictor(kind, &config, &recipe, latents, device, data.memory)?;
            start(&folder)?;
            train_predictor((kind, config), recipe, &options, data, &folder, device, ui)?
        };
        ui.finish();
        let parameters = predictor.parameters().count();
        report(self.run.json, &folder, &outcome, (parameters, steps), ui)
    }

    /// Puts what was asked for in the place of what stands there.
    fn change(&self, (config, recipe, options): &mut Run, window: Window) {
        config.window = window;
        set(&mut config.units, self.width);
        set(&mut config.depth, self.depth);
        set(&mut recipe.batch, self.batch);
        set(&mut recipe.flip, self.flip);
        set(&mut recipe.weighting, self.weight);
        set(&mut options.steps, self.steps);
        self.run.change(options);
    }
}
