//! How `bitquilt generate` tells how its attempts went.

use std::path::Path;

use super::ui::Ui;
use super::{grouped, print};
use bitquilt::samples::{self, Attempt, Status};
use bitquilt::window::Window;

/// Windows that are told one by one.
const MAX_TOLD: usize = 8;

/// Returns the same of few windows: of many, those between two squares together, and none that answered nothing.
fn told(by: Vec<(String, usize)>, windows: &[Window]) -> Vec<(String, usize)> {
    if windows.len() <= MAX_TOLD {
        return by;
    }
    let mut told: Vec<(String, usize)> = Vec::new();
    for (number, (name, bits)) in by.into_iter().enumerate() {
        let name = match windows.get(number) {
            Some(Window::Sites { .. }) => match windows[number].inner() {
                Some(inner) => format!("{inner} and more"),
                None => "less than 3x3".to_owned(),
            },
            _ => name,
        };
        match told.iter_mut().find(|(own, _)| *own == name) {
            Some((_, sum)) => *sum += bits,
            None => told.push((name, bits)),
        }
    }
    told.retain(|(_, bits)| *bits > 0);
    told
}

/// Prints how a run went. With `all`, it was to find every sample there is.
pub(super) fn summarize(
    output: Option<&Path>,
    all: bool,
    ui: &Ui,
    attempts: &[Attempt],
    windows: &[Window],
) -> anyhow::Result<()> {
    let seconds = ui.elapsed().as_secs_f64();
    let sum = samples::totals(attempts);
    let found = attempts.iter().filter(|a| a.packed.is_some()).count();
    let each = |total: u64| grouped(total / attempts.len().max(1) as u64);
    let of = if all {
        String::new()
    } else {
        format!(" of {}", attempts.len())
    };
    print(format!(
        "{found}{of} samples → {} in {seconds:.1} s ({:.1} samples/s)",
        match output {
            Some(output) if found > 0 => output.display().to_string(),
            _ => "nothing written".to_owned(),
        },
        found as f64 / seconds
    ))?;
    let mut by = samples::answered_by(attempts, windows);
    // The last is what was fixed.
    by.pop();
    if by.len() > 1 && found > 0 {
        let free: usize = by.iter().map(|(_, bits)| bits).sum();
        let by = told(by, windows);
        let shares = by.iter().map(|(name, bits)| {
            format!(
                "{:.1} % by {name}",
                100.0 * *bits as f64 / free.max(1) as f64
            )
        });
        print(format!(
            "bits answered: {}",
            shares.collect::<Vec<_>>().join(", ")
        ))?;
    }
    let returns = match windows.iter().any(|window| window.level() > 0) {
        true => format!(", {} of them to a coarser level", each(sum.returns)),
        false => String::new(),
    };
    print(format!(
        "per attempt {} lookups, {} backtracks{returns}; longest jump {} bits",
        each(sum.lookups),
        each(sum.backtracks),
        grouped(sum.longest_jump)
    ))
}

/// Returns why there is no sample, and what could be done.
pub(super) fn no_sample(attempts: &[Attempt]) -> &'static str {
    let all = |status| attempts.iter().all(|attempt| attempt.status == status);
    if attempts.is_empty() || all(Status::Stopped) {
        "stopped before the first sample"
    } else if all(Status::NoneExists) {
        "no sample exists: proved for every attempt; with other fixed bits or a smaller window there \
         may be one"
    } else if all(Status::CapReached) {
        "every sample needs more bits from the network than --max-interpolated allows: raise it, or use a \
         smaller window"
    } else {
        "no sample was found within the budget: raise --max-backtracks or --timeout, or use a smaller \
         window"
    }
}
