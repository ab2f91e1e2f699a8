//! The level that an option names, `--level 1`, or may begin with, as `1:` in `--at 1:6,6`.

use std::path::Path;

use anyhow::Context;

use bitquilt::latent::{Level, Shape};

/// Returns the level that a text says before a colon, the finest where it says none, and the rest of the text; for a level that
/// is not there, which there are.
pub(super) fn split_level(text: &str, shape: Shape) -> Result<(Level, &str), String> {
    let Some((level, rest)) = text.split_once(':') else {
        return Ok((*shape.finest(), text));
    };
    let number = level.trim().parse().ok();
    match number.and_then(|number| shape.level(number)) {
        Some(level) => Ok((*level, rest)),
        None => {
            let last = shape.levels().len() - 1;
            Err(format!("{shape} latents have levels 0 to {last}"))
        }
    }
}

/// Returns the level of latents of `path` that `--level` names, the finest without it.
pub(super) fn level_to_draw(
    asked: Option<usize>,
    shape: Shape,
    path: &Path,
) -> anyhow::Result<Level> {
    let last = shape.levels().len() - 1;
    let number = asked.unwrap_or(last);
    shape.level(number).copied().with_context(|| {
        format!(
            "--level {number}: {} holds latents {shape}, of levels 0 to {last}",
            path.display()
        )
    })
}
