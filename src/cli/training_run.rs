//! What every training shares on the command line: its options, its folder, how it ended.

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::ui::{Ui, check_output};
use super::{grouped, print, print_json};
use bitquilt::base::Stopped;
use bitquilt::neural::{Outcome, RunFolder, TrainOptions};

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

/// Returns the settings of a run by name: network, recipe, options.
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

/// Empties a run folder. Only what a run writes is taken away.
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
