//! Under which heading `--help` shows an option: one table, so that options of one kind stand together in every verb.

use clap::Command;

/// Options by heading, by the names of their fields. Headings are shown in this order.
const HEADINGS: [(&str, &[&str]); 13] = [
    (
        "Output",
        &[
            "output",
            "png",
            "html",
            "png_limit",
            "png_sources",
            "scale",
            "columns",
            "planes",
            "level",
            "top",
            "brief",
            "credits",
            "worst",
            "json",
            "force",
        ],
    ),
    (
        "Verdict",
        &[
            "against",
            "calibration",
            "save_calibration",
            "false_alarms",
            "deny_copies",
        ],
    ),
    (
        "Windows",
        &[
            "window",
            "windows",
            "deepest",
            "backoff",
            "min_count",
            "anchor",
            "condition",
        ],
    ),
    (
        "Which latents",
        &[
            "samples",
            "first",
            "limit",
            "all",
            "count",
            "max_counted_states",
            "size",
            "label",
            "novel",
            "max_copied",
            "max_copied_like_held_out",
            "calibration",
            "distinct",
            "fix",
            "fix_from",
            "keep",
            "latent",
            "of",
            "at",
            "held_out",
            "without",
            "exclude",
            "hold_out",
            "hold_out_to",
            "all_latents",
            "train",
            "test",
            "max_bits",
            "nearest",
            "reach",
            "brute_force",
        ],
    ),
    (
        "Images",
        &[
            "threshold",
            "resize",
            "levels",
            "pools",
            "gray",
            "channel",
            "background",
            "transpose",
            "labels",
            "no_labels",
        ],
    ),
    (
        "Arrays of codes",
        &[
            "layout",
            "grid",
            "index_bits",
            "msb_first",
            "lsb_first",
            "packed",
            "shape",
            "array",
        ],
    ),
    (
        "Search",
        &[
            "search",
            "temperature",
            "max_backtracks",
            "restart",
            "timeout",
            "max_states",
        ],
    ),
    (
        "Networks",
        &[
            "model",
            "models",
            "device",
            "fallbacks",
            "policy",
            "max_interpolated",
            "quantizer",
            "sigma",
            "kappa",
            "noise_form",
            "slope",
            "width",
            "depth",
            "blocks",
            "entropy",
            "commitment",
            "weight",
            "flip",
        ],
    ),
    (
        "Training",
        &[
            "steps", "epochs", "batch", "lr", "ramp", "finish", "every", "resume",
        ],
    ),
    (
        "Server",
        &[
            "port",
            "listen",
            "token",
            "host_names",
            "cors",
            "allow_generate",
            "no_generate",
            "pictures",
        ],
    ),
    ("Tasks", &["maps", "parts", "again"]),
    (
        "Memory, threads and chance",
        &["memory", "preload", "preload_memory", "threads", "seed"],
    ),
    ("Messages", &["quiet", "verbose"]),
];

/// Returns the command with every option of it and of its verbs under its heading.
pub(super) fn with_headings(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let id = arg.get_id().as_str().to_owned();
        let order = |ids: &[&str]| ids.iter().position(|own| *own == id);
        let mut headings = HEADINGS.iter().enumerate();
        let found =
            headings.find_map(|(place, (heading, ids))| Some((place, heading, order(ids)?)));
        match found {
            Some((place, heading, order)) if !arg.is_positional() => arg
                .help_heading(*heading)
                .display_order(100 * (place + 1) + order),
            _ => arg,
        }
    });
    command.mut_subcommands(with_headings)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn check(command: &Command, wrong: &mut Vec<String>) {
        for arg in command.get_arguments() {
            let free = arg.is_positional() || arg.is_hide_set();
            let own = ["help", "version"].contains(&arg.get_id().as_str());
            if !free && !own && arg.get_help_heading().is_none() {
                wrong.push(format!("{} --{}", command.get_name(), arg.get_id()));
            }
        }
        for verb in command.get_subcommands() {
            check(verb, wrong);
        }
    }

    #[test]
    fn every_option_stands_under_a_heading() {
        let mut wrong = Vec::new();
        check(&with_headings(super::super::Cli::command()), &mut wrong);
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
