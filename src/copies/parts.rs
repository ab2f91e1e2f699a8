//! The parts of a level of a sample that are most likely copied: rectangles, each from one training latent at one displacement.

use std::sync::Arc;

use super::CopiesError;
use super::level::{Laid, Saved, insert};
use super::rectangle::Rectangles;
use crate::provenance::{Overlay, Rectangle};

/// The best parts that are compared with what rivals they have, and those of them that are compared with every training latent.
const FINALISTS: usize = 8;
const SCANNED: usize = 2;
/// Rivals that say how far apart the best usually are.
const RIVALS: usize = 8;
/// Shares of errors that a part is looked for with; candidates are chosen by the second.
pub(super) const RATES: [f32; 3] = [0.005, 0.03, 0.1];
/// Candidates that are looked at with every one.
const CHOSEN: usize = 12;
/// Where rivals are looked for, from the source's displacement.
const AROUND: [(i32, i32); 5] = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)];

/// A part and what speaks for it.
pub(super) struct Part {
    pub(super) saved: Saved,
    pub(super) rectangle: Rectangle,
    /// Other training latents, duplicates of the source aside, best first.
    pub(super) rivals: Vec<Saved>,
    /// Whether it is all of the level.
    pub(super) is_whole: bool,
}

impl Part {
    fn evidence(&self) -> f64 {
        let margin = self
            .rivals
            .first()
            .map(|rival| self.saved.gain - rival.gain);
        margin.map_or(self.saved.gain, |margin| self.saved.gain.min(margin))
    }
}

/// A candidate with its best rectangle.
struct Candidate {
    gain: f32,
    overlay: Overlay,
    rectangle: Rectangle,
}

/// Finds the part for which most speaks, outside of those that are `taken`.
///
/// # Errors
/// Those of `duplicates`.
pub(super) fn best_part(
    laid: &Laid<'_>,
    rectangles: &mut Rectangles,
    candidates: &[Overlay],
    taken: &[Rectangle],
    duplicates: &mut dyn FnMut(u32) -> Result<Arc<[u32]>, CopiesError>,
) -> Result<Option<Part>, CopiesError> {
    let chosen = choose(laid, rectangles, candidates, taken);
    let mut parts = Vec::new();
    for Candidate {
        overlay, rectangle, ..
    } in chosen.into_iter().take(FINALISTS)
    {
        let same = duplicates(overlay.latent)?;
        let Some(saved) = laid.saved(&rectangle, overlay) else {
            continue;
        };
        // Sources of the rectangle's own candidates are the likeliest rivals.
        let others = candidates
            .iter()
            .filter(|other| is_other(overlay, &same, other.latent));
        let rivals = others.filter_map(|other| laid.saved(&rectangle, *other));
        let rivals = rivals.min_by(Saved::before).into_iter().collect();
        parts.push((
            Part {
                saved,
                rectangle,
                rivals,
                is_whole: false,
            },
            same,
        ));
    }
    let order = |part: &Part| std::cmp::Reverse(ordered(part.evidence()));
    parts.sort_by_key(|(part, _)| order(part));
    let mut best: Option<Part> = None;
    for (mut part, same) in parts.into_iter().take(SCANNED) {
        // What a part has at most by now: rivals that are yet to be found only take from it.
        if best
            .as_ref()
            .is_some_and(|best| best.evidence() >= part.evidence())
        {
            break;
        }
        let known = std::mem::take(&mut part.rivals);
        part.rivals = nearest_rivals(laid, &part, &same);
        // One at another displacement.
        for rival in known {
            insert(&mut part.rivals, rival, RIVALS);
        }
        if best
            .as_ref()
            .is_none_or(|best| part.evidence() > best.evidence())
        {
            best = Some(part);
        }
    }
    Ok(best)
}

/// Orders numbers that are never NaN.
fn ordered(value: f64) -> i64 {
    // In units of 2⁻²⁰ bits, as information elsewhere.
    (value * (1 << 20) as f64).round() as i64
}

fn is_other(overlay: Overlay, duplicates: &[u32], latent: u32) -> bool {
    latent != overlay.latent && duplicates.binary_search(&latent).is_err()
}

/// Returns the best rectangles of the candidates, most gain first.
fn choose(
    laid: &Laid<'_>,
    rectangles: &mut Rectangles,
    candidates: &[Overlay],
    taken: &[Rectangle],
) -> Vec<Candidate> {
    let grid = (laid.task.level.height(), laid.task.level.width());
    let mut gains = Vec::new();
    let mut look = |overlay: Overlay, rate: f32| {
        laid.gains(overlay, rate, &mut gains);
        for rectangle in taken {
            for row in rectangle.rows.clone() {
                gains[row * grid.1..][rectangle.columns.clone()].fill(f32::MIN / 1e9);
            }
        }
        let (rectangle, gain) = rectangles.best(&gains, grid)?;
        Some(Candidate {
            gain,
            overlay,
            rectangle,
        })
    };
    let order = |candidate: &Candidate| {
        let gain = ordered(f64::from(candidate.gain));
        (std::cmp::Reverse(gain), candidate.overlay.rank())
    };
    let first = candidates
        .iter()
        .filter_map(|overlay| look(*overlay, RATES[1]));
    let mut chosen: Vec<Candidate> = first.collect();
    chosen.sort_by_key(order);
    chosen.truncate(CHOSEN);
    for candidate in &mut chosen {
        for rate in [RATES[0], RATES[2]] {
            if let Some(other) = look(candidate.overlay, rate)
                && other.gain > candidate.gain
            {
                *candidate = other;
            }
        }
    }
    chosen.sort_by_key(order);
    chosen
}

/// Returns the training latents that save most beside a part's source.
fn nearest_rivals(laid: &Laid<'_>, part: &Part, duplicates: &[u32]) -> Vec<Saved> {
    let Overlay { down, right, .. } = part.saved.overlay;
    let around = match laid.task.is_placed() {
        true => &AROUND[..1],
        false => &AROUND[..],
    };
    let moves: Vec<_> = around.iter().map(|(y, x)| (down + y, right + x)).collect();
    // The source and its duplicates may come first.
    let max = duplicates.len() + 1 + RIVALS;
    let mut found = laid.nearest(&part.rectangle, &moves, max);
    found.retain(|other| is_other(part.saved.overlay, duplicates, other.overlay.latent));
    found
}
