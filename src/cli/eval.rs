//! `bitquilt eval`: what codes, an index or a network are worth.

use std::process::ExitCode;

use clap::{Args, Subcommand};

#[cfg(feature = "neural")]
use super::eval_bits::BitsArgs;
#[cfg(feature = "neural")]
use super::eval_blae::BlaeArgs;
use super::eval_codes::CodesArgs;
use super::eval_counts::CountsArgs;
use super::eval_windows::WindowsArgs;
#[cfg(not(feature = "neural"))]
use super::no_networks::{AnyArgs, refuse};
use super::ui::Ui;

/// Measure codes, an index as a model, or a network
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt eval codes codes.safetensors\n  \
    bitquilt eval counts codes.index --held-out test-codes.safetensors\n  \
    bitquilt eval windows codes.index --held-out test-codes.safetensors\n  \
    bitquilt eval blae blae.run --test t10k-images-idx3-ubyte\n  \
    bitquilt eval arvm arvm.run codes.index --held-out test-codes.safetensors\n\n\
    `bitquilt eval codes --help` and so on tell the options of each; blae and arvm take a program with the networks.")]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Codes(CodesArgs),
    Counts(CountsArgs),
    Windows(WindowsArgs),
    #[cfg(feature = "neural")]
    Blae(Box<BlaeArgs>),
    #[cfg(feature = "neural")]
    #[command(visible_aliases = ["pixelcnn", "transformer"])]
    Arvm(Box<BitsArgs>),
    #[cfg(not(feature = "neural"))]
    #[command(hide = true, disable_help_flag = true)]
    Blae(AnyArgs),
    #[cfg(not(feature = "neural"))]
    #[command(hide = true, disable_help_flag = true, aliases = ["pixelcnn", "transformer"])]
    Arvm(AnyArgs),
}

/// Runs the verb; 0 when all is measured.
pub(crate) fn run(args: &EvalArgs, threads: Option<u16>, ui: &Ui) -> anyhow::Result<ExitCode> {
    #[cfg(not(feature = "neural"))]
    let _ = threads;
    match &args.what {
        What::Codes(args) => args.run(),
        What::Counts(args) => args.run(ui),
        What::Windows(args) => args.run(ui),
        #[cfg(feature = "neural")]
        What::Blae(args) => args.run(threads, ui),
        #[cfg(feature = "neural")]
        What::Arvm(args) => args.run(threads, ui),
        #[cfg(not(feature = "neural"))]
        What::Blae(_) => refuse("eval blae"),
        #[cfg(not(feature = "neural"))]
        What::Arvm(_) => refuse("eval arvm"),
    }
}
