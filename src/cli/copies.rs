//! Options of the verbs that tell whether samples copy, and how the verdict is printed.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::line;
use super::ui::check_output;
use bitquilt::copies::{Calibration, CopyCount, Verdict};
use bitquilt::engine::{CopyRequest, JudgeBy};
use bitquilt::latent::LatentSet;

/// What samples are judged by, and what the verb makes of it.
#[derive(Args)]
pub(super) struct CopyArgs {
    #[command(flatten)]
    pub(super) by: JudgeArgs,

    /// End with exit code 1 if any sample is called a copy
    #[arg(long)]
    deny_copies: bool,
}

/// What samples are judged by.
#[derive(Args)]
pub(super) struct JudgeArgs {
    /// Latents that were not indexed, drawn as the training latents were: samples that look more like copies than they do are
    /// called copies
    #[arg(long, value_name = "HELD_OUT", conflicts_with = "calibration")]
    against: Option<PathBuf>,

    /// How held-out latents looked: a file of --save-calibration
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,

    /// Keep how the held-out latents look in this file, for later runs
    #[arg(long, value_name = "FILE", requires = "against")]
    save_calibration: Option<PathBuf>,

    /// The share of honest latents that may be called copies
    #[arg(long, value_name = "RATE", default_value_t = CopyRequest::default().false_alarms, value_parser = rate)]
    false_alarms: f64,
}

/// Reads a share of latents.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate < 1.0 => Ok(rate),
        _ => Err("expected a number above 0 and below 1, as 0.01".to_owned()),
    }
}

impl CopyArgs {
    /// Refuses options that say nothing without anything to judge by, and a file that is in the way, before anything is
    /// measured.
    pub(super) fn check(&self, force: bool) -> anyhow::Result<()> {
        if self.deny_copies && !self.by.is_given() {
            bail!(
                "--deny-copies: needs something to judge by: add --against HELD_OUT or --calibration FILE"
            );
        }
        self.by.check(force)
    }

    /// Returns whether copies were found that were not to be there.
    pub(super) fn denies(&self, count: Option<&CopyCount>) -> bool {
        self.deny_copies && count.is_some_and(|count| count.copies > 0)
    }
}

impl JudgeArgs {
    /// Returns whether there is anything to judge by.
    pub(super) fn is_given(&self) -> bool {
        self.against.is_some() || self.calibration.is_some()
    }

    /// Refuses a file that is in the way, before anything is measured.
    pub(super) fn check(&self, force: bool) -> anyhow::Result<()> {
        match &self.save_calibration {
            Some(path) => check_output(path, force),
            None => Ok(()),
        }
    }

    /// Returns the request.
    pub(super) fn request(&self) -> CopyRequest {
        CopyRequest {
            false_alarms: self.false_alarms,
            ..CopyRequest::default()
        }
    }

    /// Returns where the held-out latents are, where they are named.
    #[cfg(feature = "serve")]
    pub(super) fn held_out_path(&self) -> Option<&std::path::Path> {
        self.against.as_deref()
    }

    /// Reads the held-out latents, where they are named.
    pub(super) fn read_held_out(&self) -> anyhow::Result<Option<LatentSet>> {
        let read = self.against.as_ref().map(|path| LatentSet::read(path));
        Ok(read.transpose()?)
    }

    /// Returns what samples are judged by, of held-out latents that were read.
    pub(super) fn by<'a>(&'a self, held_out: Option<&'a LatentSet>) -> Option<JudgeBy<'a>> {
        match (held_out, &self.against, &self.calibration) {
            (Some(latents), Some(name), _) => Some(JudgeBy::HeldOut {
                latents,
                name,
                keep: self.save_calibration.as_deref(),
            }),
            (_, _, Some(path)) => Some(JudgeBy::Calibration(path)),
            _ => None,
        }
    }

    /// Tells what samples are judged by, behind their name.
    pub(super) fn words(&self) -> String {
        match (&self.against, &self.calibration) {
            (Some(path), _) => format!(" --against {}", path.display()),
            (None, Some(path)) => format!(" --calibration {}", path.display()),
            (None, None) => String::new(),
        }
    }
}

/// Returns what a reader of a verdict should know beside it.
pub(super) fn notes(calibration: &Calibration, false_alarms: f64) -> Vec<String> {
    let held_out = &calibration.held_out;
    let mut notes = Vec::new();
    if calibration.least_rate() > false_alarms {
        notes.push(format!(
            "note: {} held-out latents are too few for a rate of {false_alarms}: the least that they can tell is {:.4}; hold out \
             more",
            held_out.latents,
            calibration.least_rate()
        ));
    }
    if held_out.duplicates > 0 {
        notes.push(format!(
            "note: {} of the {} held-out latents equal a training latent: copies look the more honest for each; take them out",
            held_out.duplicates, held_out.latents
        ));
    }
    notes
}

/// Prints a verdict on a set, of which `worst` are the samples that look most like copies, with their numbers, the worst first.
pub(super) fn report(count: &CopyCount, worst: &[(usize, &Verdict)]) -> anyhow::Result<()> {
    for (number, (value, what)) in lines_of(count, worst).into_iter().enumerate() {
        line(if number == 0 { "copies" } else { "" }, value, &what)?;
    }
    Ok(())
}

/// Returns the lines of a verdict.
fn lines_of(count: &CopyCount, worst: &[(usize, &Verdict)]) -> Vec<(String, String)> {
    let share = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut lines = vec![(
        count.copies.to_string(),
        format!(
            "of {} samples called so; of as many held-out latents {:.1} would be ({} false alarms)",
            count.samples,
            count.expected,
            share(count.false_alarms)
        ),
    )];
    let [low, high] = count.interval;
    lines.push((
        String::new(),
        format!(
            "{} .. {} of all such samples would be called so, at 95 %",
            share(low),
            share(high)
        ),
    ));
    let copies = worst.iter().filter(|(_, verdict)| verdict.copy);
    for (number, verdict) in copies.take(WORST) {
        lines.push((String::new(), in_words(*number, verdict)));
    }
    lines
}

/// Copies that are printed one by one.
const WORST: usize = 5;

/// Tells what a sample is a copy of, by what is least likely.
fn in_words(sample: usize, verdict: &Verdict) -> String {
    let Some(judged) = verdict.most_likely() else {
        return format!("sample {sample}");
    };
    let copied = &judged.copied;
    let (what, moved) = (copied.what(verdict.levels.len()), copied.moved());
    format!(
        "sample {sample}: {what} from latent {} {moved}, {} of {} bits differ (p = {:.4})",
        copied.latent, copied.errors, copied.bits, verdict.p
    )
}
