//! What `bitquilt generate` is told to complete: `--fix` and `--fix-from`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;

use super::level::split_level;
use bitquilt::latent::{LatentSet, Level, Shape};
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

    /// What of the latent stays: rows as 0..14, or rows and columns as 0..14,7..21; of a pyramid before it the level (the
    /// finest where none is said), as 1:0..7, or a whole level as 0:all; may be given several times
    #[arg(long, value_name = "[LEVEL:]ROWS[,COLS]", requires = "fix_from")]
    keep: Vec<String>,
}

impl GivenArgs {
    /// Returns what was asked for, in words.
    pub(super) fn words(&self) -> Vec<String> {
        let fixed = self.fix.iter().map(|text| format!("fix {text}"));
        let keep = self.keep.join(" ");
        let from = self.fix_from.iter();
        fixed
            .chain(from.map(|from| format!("fix-from {from} keep {keep}")))
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
        if let Some(from) = &self.fix_from {
            let (path, id) = parse_from(from)?;
            let parts = self.keep.iter().map(|keep| parse_keep(keep, shape));
            let parts = parts.collect::<anyhow::Result<Vec<_>>>()?;
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
            for (level, rows, cols) in parts {
                fixed.fix_part(set.latent(id), shape, &level, rows, cols)?;
            }
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

/// Rows and columns of a level.
type Part = (Level, Range<usize>, Range<usize>);

fn parse_keep(text: &str, shape: Shape) -> anyhow::Result<Part> {
    let split = split_level(text, shape);
    let (level, part) = split.map_err(|why| anyhow!("--keep {text}: {why}"))?;
    let range = |part: &str, side: usize| {
        let (from, to) = part.split_once("..")?;
        let range = from.trim().parse().ok()?..to.trim().parse().ok()?;
        (range.start < range.end && range.end <= side).then_some(range)
    };
    let (height, width) = (level.height(), level.width());
    let (rows, cols) = match part.split_once(',') {
        None if part == "all" => (Some(0..height), Some(0..width)),
        None => (range(part, height), Some(0..width)),
        Some((rows, cols)) => (range(rows, height), range(cols, width)),
    };
    let part = rows.zip(cols).map(|(rows, cols)| (level, rows, cols));
    part.with_context(|| {
        format!(
            "--keep {text}: expected rows as 0..{}, or rows and columns as 0..{height},0..{}, or all: from the first \
             to before the last, on a {level} grid",
            height.div_ceil(2),
            width.div_ceil(2)
        )
    })
}
