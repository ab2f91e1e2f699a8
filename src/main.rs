//! The `bitquilt` command: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    bitquilt::cli::main()
}
