//! `bitquilt completions` and `bitquilt man`: what shells and readers of manuals need.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use super::print;

/// Print a completion script for a shell
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt completions bash > ~/.local/share/bash-completion/completions/bitquilt\n  \
    bitquilt completions zsh > ~/.zfunc/_bitquilt\n  \
    bitquilt completions fish > ~/.config/fish/completions/bitquilt.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Write manual pages, one for each verb
#[derive(Args)]
#[command(after_help = "Example:\n  bitquilt man ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// The folder to write them into, which must exist; files of the same names are replaced
    folder: PathBuf,
}

/// Prints the script of a shell.
pub(super) fn completions(
    args: &CompletionsArgs,
    mut command: Command,
) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "bitquilt", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the pages.
pub(super) fn man(args: &ManArgs, command: Command) -> anyhow::Result<ExitCode> {
    if !args.folder.is_dir() {
        anyhow::bail!(
            "{}: expected a folder to write manual pages into, found none: create it first",
            args.folder.display()
        );
    }
    clap_mangen::generate_to(command, &args.folder)
        .map_err(|error| anyhow::anyhow!("{}: {error}", args.folder.display()))?;
    print(format!("→ {}", args.folder.join("bitquilt.1").display()))?;
    Ok(ExitCode::SUCCESS)
}
