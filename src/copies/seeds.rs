//! Which training latents a part of a sample may be copied from: where the longest contexts of its bits occurred.

use rustc_hash::FxHashMap;

use crate::index::{IndexError, WindowIndex};
use crate::latent::{Level, Shape};
use crate::provenance::Overlay;
use crate::window::{Frame, Given};

/// Occurrences from which on the longest context of a bit is common: it says nothing of where the bit comes from.
const COMMON: u64 = 32;

/// What the bits of a sample vote for.
#[derive(Default)]
pub(super) struct Seeded {
    /// Training latents and displacements, those with most votes first.
    pub(super) overlays: Vec<Overlay>,
    /// Displacements, those with most votes first.
    pub(super) moves: Vec<(i32, i32)>,
}

/// Finds candidates at one level, remembering nothing: one for each thread.
pub(super) struct Seeds<'a> {
    window: WindowIndex<'a>,
    frame: Frame,
    level: Level,
    votes: FxHashMap<Overlay, u32>,
}

impl<'a> Seeds<'a> {
    /// Prepares to look up the contexts of a window, the deepest of its level, on latents of a shape.
    pub(super) fn new(window: WindowIndex<'a>, shape: Shape, level: Level) -> Self {
        Self {
            window,
            frame: Frame::new(shape, &[window.geometry()]),
            level,
            votes: FxHashMap::default(),
        }
    }

    /// Finds the `max` overlays that most bits of a sample vote for.
    pub(super) fn of(
        &mut self,
        packed: &[u8],
        given: Given,
        max: usize,
    ) -> Result<Seeded, IndexError> {
        self.frame.load(packed, given);
        self.votes.clear();
        for row in 0..self.level.height() {
            each_vote(&self.window, &self.level, &self.frame, row, |overlay| {
                *self.votes.entry(overlay).or_default() += 1;
            })?;
        }
        let mut moves: FxHashMap<(i32, i32), u32> = FxHashMap::default();
        for (overlay, votes) in &self.votes {
            *moves.entry((overlay.down, overlay.right)).or_default() += votes;
        }
        let mut moves: Vec<_> = moves.into_iter().collect();
        moves.sort_unstable_by_key(|(by, votes)| (std::cmp::Reverse(*votes), *by));
        let mut found: Vec<_> = self
            .votes
            .iter()
            .map(|(overlay, votes)| (*votes, *overlay))
            .collect();
        let order = |(votes, overlay): &(u32, Overlay)| (std::cmp::Reverse(*votes), overlay.rank());
        if found.len() > max {
            found.select_nth_unstable_by_key(max, order);
            found.truncate(max);
        }
        found.sort_unstable_by_key(order);
        Ok(Seeded {
            overlays: found.into_iter().map(|(_, overlay)| overlay).collect(),
            moves: moves.into_iter().map(|(by, _)| by).collect(),
        })
    }
}

/// Tells `take` what the bits of a row vote for: each bit for the overlays by which its longest context occurred, with the bit
/// behind it where that did. Every other site of every other row is asked, the first bit of each: those between say the same.
pub(super) fn each_vote(
    window: &WindowIndex<'_>,
    level: &Level,
    frame: &Frame,
    row: usize,
    mut take: impl FnMut(Overlay),
) -> Result<(), IndexError> {
    if !row.is_multiple_of(2) {
        return Ok(());
    }
    for col in (0..level.width()).step_by(2) {
        let position = level.position(row, col, 0);
        let context = window.geometry().lay_out(frame, position);
        let Some(longest) = window.longest(&context, 1)? else {
            continue;
        };
        let (bit, histogram) = (frame.get(position), longest.found.histogram());
        let bit = if histogram.count(bit) > 0 { bit } else { !bit };
        if histogram.count(bit) > COMMON {
            continue;
        }
        for posting in longest.found.postings(bit) {
            let posting = posting?;
            let (under, beside, _) = level.place(posting.position);
            take(Overlay {
                // Ids are below 2³², sides below 2²⁰.
                latent: posting.latent as u32,
                down: under as i32 - row as i32,
                right: beside as i32 - col as i32,
            });
        }
    }
    Ok(())
}
