//! The `bitquilt` command: one file per verb. Owns paths, progress bars and printing.
//!
//! Results go to stdout or the named file, messages to stderr. Exit code 0: done. 1: the answer is no
//! (nothing generated, verification failed). 2: usage or bad input. 130: stopped by Ctrl-C.

mod advice;
mod attempts;
mod audit;
mod build;
mod copies;
mod decode;
mod drawer;
#[cfg(feature = "neural")]
mod encode;
mod eval;
#[cfg(feature = "neural")]
mod eval_bits;
#[cfg(feature = "neural")]
mod eval_blae;
mod eval_codes;
mod eval_counts;
mod eval_windows;
#[cfg(feature = "neural")]
mod fallback;
mod flags;
mod generate;
mod given;
mod headings;
mod ids;
mod import;
mod import_options;
mod info;
mod level;
mod limit;
#[cfg(feature = "neural")]
mod neural;
#[cfg(not(feature = "neural"))]
mod no_networks;
mod one_of;
mod part;
mod preload;
mod query;
#[cfg(feature = "serve")]
mod serve;
mod shell;
mod stack;
mod trace;
#[cfg(feature = "neural")]
mod train;
#[cfg(feature = "neural")]
mod train_bits;
#[cfg(feature = "neural")]
mod training_run;
mod ui;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use bitquilt::base::Stopped;
use ui::{Ui, Verbosity};

/// Open files that the process asks to be allowed.
const MAX_OPEN_FILES: u64 = 1 << 16;

/// The answer is no.
const NO: u8 = 1;
/// Usage or bad input.
const BAD: u8 = 2;
/// Stopped by Ctrl-C, as shells have it.
const STOPPED: u8 = 130;

#[derive(Parser)]
#[command(
    name = "bitquilt",
    version,
    about = "A search engine for binary image latents",
    long_about = "A search engine for binary image latents.\n\nIndexes every local context of a set of \
        binary latents, generates new latents in which every local window was seen in that set, and \
        tells for every bit which training patches it reuses.",
    after_help = "Examples:\n  \
        bitquilt import train-images-idx3-ubyte -o mnist.safetensors\n  \
        bitquilt build mnist.safetensors -o mnist.index --window 7x7\n  \
        bitquilt generate mnist.index --window 7x7 -o samples.safetensors --png samples.png\n  \
        bitquilt verify mnist.index samples.safetensors\n  \
        bitquilt trace mnist.index samples.safetensors -o trace.json\n  \
        bitquilt serve mnist.index samples.safetensors\n  \
        bitquilt audit mnist.index samples.safetensors --against held-out.safetensors -o report",
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,

    /// Threads to work with [default: one for each core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,

    /// No progress and no notes, only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,

    /// Say on stderr what each stage took
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Verb {
    Import(Box<import::ImportArgs>),
    Stack(stack::StackArgs),
    Build(build::BuildArgs),
    Part(part::PartArgs),
    Info(info::InfoArgs),
    Query(query::QueryArgs),
    Generate(Box<generate::GenerateArgs>),
    Trace(Box<trace::TraceArgs>),
    Audit(Box<audit::AuditArgs>),
    Verify(verify::VerifyArgs),
    #[cfg(feature = "serve")]
    Serve(serve::ServeArgs),
    Decode(decode::DecodeArgs),
    #[cfg(feature = "neural")]
    Encode(encode::EncodeArgs),
    #[cfg(feature = "neural")]
    Train(train::TrainArgs),
    Eval(eval::EvalArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
    #[cfg(not(feature = "neural"))]
    #[command(hide = true, disable_help_flag = true)]
    Encode(no_networks::AnyArgs),
    #[cfg(not(feature = "neural"))]
    #[command(hide = true, disable_help_flag = true)]
    Train(no_networks::AnyArgs),
}

impl Verb {
    /// Returns what it means for the user that Ctrl-C ended the verb with an error; `None` where the error says so
    /// itself.
    fn when_stopped(&self) -> Option<&'static str> {
        match self {
            Self::Build(_) => Some("the same command goes on from its last finished array"),
            Self::Part(_) => Some("nothing of this task is left: run it again"),
            Self::Generate(_) => Some("nothing is written"),
            Self::Trace(args) => Some(args.when_stopped()),
            Self::Audit(_) => Some("nothing is written"),
            Self::Verify(_) => Some("nothing is proved"),
            #[cfg(feature = "serve")]
            Self::Serve(_) => Some("nothing was served yet"),
            #[cfg(feature = "neural")]
            Self::Encode(_) => Some("nothing is written"),
            Self::Eval(_) => Some("nothing is measured"),
            _ => None,
        }
    }
}

/// Parses the command line, runs the verb and reports how it went.
pub fn main() -> ExitCode {
    let matches = headings::with_headings(Cli::command()).get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let when_stopped = cli.verb.when_stopped();
    match run(cli) {
        Ok(code) => code,
        Err(error) => report(&error, when_stopped),
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Some(threads) = cli.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.into())
            .build_global()
            .context("cannot start the threads")?;
    }
    // RocksDB holds every file of an index open. Shells often start with 1,024; what the system allows beyond that is for
    // programs that need it. Refused, the limit is as it was, and an index that needs more says so.
    let _ = rlimit::increase_nofile_limit(MAX_OPEN_FILES);
    let ui = Ui::new(match (cli.quiet, cli.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Usual,
    });
    let result = match cli.verb {
        Verb::Import(args) => import::run(*args, &ui),
        Verb::Stack(args) => stack::run(&args, &ui),
        Verb::Build(args) => build::run(&args, &ui),
        Verb::Part(args) => part::run(&args, &ui),
        Verb::Info(args) => info::run(&args),
        Verb::Query(args) => query::run(&args),
        Verb::Generate(args) => generate::run(&args, &ui),
        Verb::Trace(args) => trace::run(&args, &ui),
        Verb::Audit(args) => audit::run(&args, &ui),
        Verb::Verify(args) => verify::run(&args, &ui),
        #[cfg(feature = "serve")]
        Verb::Serve(args) => serve::run(&args, &ui),
        Verb::Decode(args) => decode::run(args, &ui),
        Verb::Completions(args) => {
            shell::completions(&args, headings::with_headings(Cli::command()))
        }
        Verb::Man(args) => shell::man(&args, headings::with_headings(Cli::command())),
        #[cfg(feature = "neural")]
        Verb::Encode(args) => encode::run(&args, cli.threads, &ui),
        #[cfg(feature = "neural")]
        Verb::Train(args) => train::run(&args, cli.threads, &ui),
        Verb::Eval(args) => eval::run(&args, cli.threads, &ui),
        #[cfg(not(feature = "neural"))]
        Verb::Encode(_) => no_networks::refuse("encode"),
        #[cfg(not(feature = "neural"))]
        Verb::Train(_) => no_networks::refuse("train"),
    };
    ui.finish();
    result
}

/// Says once what went wrong and gives the exit code. A reader that closed the pipe has seen enough.
fn report(error: &anyhow::Error, when_stopped: Option<&str>) -> ExitCode {
    let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(broken_pipe) {
        return ExitCode::SUCCESS;
    }
    let (code, message) = match (Stopped::caused(error.as_ref()), when_stopped) {
        (false, _) => (BAD, advice::with_advice(error)),
        (true, Some(consequence)) => (STOPPED, format!("stopped: {consequence}")),
        // The error's own words: those of what caused it say no more than that it was stopped.
        (true, None) => (STOPPED, error.to_string()),
    };
    // Nothing is left to report to when stderr is closed.
    let _ = writeln!(io::stderr(), "bitquilt: {message}");
    ExitCode::from(code)
}

/// Writes to stdout, so that a closed pipe is an error and not a panic.
fn print(text: impl AsRef<str>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Prints a line of a summary: its name, a value and what that is.
fn line(name: &str, value: String, what: &str) -> anyhow::Result<()> {
    let between = if value.is_empty() { "" } else { " " };
    print(format!("{name:<15} {value}{between}{what}"))
}

/// Writes a JSON document to stdout.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(serde_json::to_string_pretty(value)?)
}

/// Writes a number as "1,234,567".
fn grouped(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}
