//! What `bitquilt generate` is told to complete: `--fix` and `--fix-from`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;

use bitquilt::latent::{LatentSet, Shape};
use bitquilt::search::{FixedBits, SearchError};

/// Bits that a sample must have
#[derive(Args)]
pub(super) struct GivenArgs {
    /// Fix bits: ROW,COL=BIT, ROW,COL,CHANNEL=BIT, prefix=BITS, or a text file with a line of 0, 1 and ?
    /// (free) for each row; may be given several times. Fixed bits need no support themselves
    #[arg(long, value_name = "PLACE=BITS|FILE")]
    fix: Vec<String>,

    /// Fix bits to those of latent ID of a latents file: the part that --keep names
    #[arg(long, value_name = "LATENTS:ID", requires = "keep")]
    fix_from: Option<String>,

    /// What of the latent stays: rows as 0..14, or rows and columns as 0..14,7..21
    #[arg(long, value_name = "ROWS[,COLS]", requires = "fix_from")]
    keep: Option<String>,
}

impl GivenArgs {
    /// Returns what was asked for, in words.
    pub(super) fn words(&self) -> Vec<String> {
        let fixed = self.fix.iter().map(|text| format!("fix {text}"));
        let from = self.fix_from.iter().zip(&self.keep);
        fixed
            .chain(from.map(|(from, keep)| format!("fix-from {from} keep {keep}")))
            .collect()
    }

    /// Returns the bits that are fixed on a grid of this shape.
    pub(super) fn fixed(&self, shape: Shape) -> anyhow::Result<FixedBits> {
        let mut fixed = FixedBits::none();
        for text in &self.fix {
            let path = Path::new(text);
            if !path.is_file() {
                fixed.fix_text(text, shape).map_err(as_option)?;
                continue;
            }
            let pattern = fs_err::read_to_string(path)?;
            fixed
                .fix_pattern(&pattern, shape)
                .with_context(|| path.display().to_string())?;
        }
        if let (Some(from), Some(keep)) = (&self.fix_from, &self.keep) {
            let (path, id) = parse_from(from)?;
            let (rows, cols) = parse_keep(keep, shape)?;
            let set = LatentSet::read(&path)?;
            if set.shape() != shape {
                bail!(
                    "{}: expected {shape} latents, as the samples are, found {}",
                    path.display(),
                    set.shape()
                );
            }
            if id >= set.len() {
                bail!(
                    "--fix-from {from}: no latent {id}: the file holds {}, counted from 0",
                    set.len()
                );
            }
            fixed.fix_part(set.latent(id), shape, rows, cols)?;
        }
        Ok(fixed)
    }
}

/// Returns the error of a text of fixed bits, under the option that gave it.
fn as_option(error: SearchError) -> anyhow::Error {
    match error {
        SearchError::Fix { text, why } => anyhow!("--fix '{text}': {why}"),
        other => other.into(),
    }
}

fn parse_from(text: &str) -> anyhow::Result<(PathBuf, usize)> {
    let parts = text.rsplit_once(':');
    let read = parts.and_then(|(path, id)| Some((PathBuf::from(path), id.parse().ok()?)));
    read.with_context(|| format!("--fix-from {text}: expected LATENTS:ID, as digits.safetensors:7"))
}

fn parse_keep(text: &str, shape: Shape) -> anyhow::Result<(Range<usize>, Range<usize>)> {
    let range = |part: &str, side: usize| {
        let (from, to) = part.split_once("..")?;
        let range = from.trim().parse().ok()?..to.trim().parse().ok()?;
        (range.start < range.end && range.end <= side).then_some(range)
    };
    let (rows, cols) = match text.split_once(',') {
        None => (range(text, shape.height()), Some(0..shape.width())),
        Some((rows, cols)) => (range(rows, shape.height()), range(cols, shape.width())),
    };
    rows.zip(cols).with_context(|| {
        format!(
            "--keep {text}: expected rows as 0..{}, or rows and columns as 0..{},0..{}: from the first to \
             before the last, on a {shape} grid",
            shape.height().div_ceil(2),
            shape.height(),
            shape.width().div_ceil(2)
        )
    })
}
