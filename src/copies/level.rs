//! One level of one sample, laid on training latents.

use std::ops::Range;

use super::code::ErrorCode;
use super::finder::LevelTask;
use crate::base::bits::read;
use crate::latent::Level;
use crate::provenance::{Corpus, Moved, Overlay, Planes, Rectangle};

/// Training latents that are kept of those that a sample as a whole is nearest to.
const NEAREST: usize = 24;

/// A level of a sample, and what its sites tell.
pub(super) struct Laid<'s> {
    pub(super) corpus: &'s Corpus,
    pub(super) code: &'s ErrorCode,
    pub(super) task: &'s LevelTask<'s>,
    pub(super) planes: &'s Planes,
    /// Information of each bit of the level, in scan order, in bits.
    pub(super) told: &'s [f32],
}

/// What is saved by telling some sites of a sample as a copy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Saved {
    /// Their information less the code of the errors.
    pub(super) gain: f64,
    pub(super) overlay: Overlay,
    /// Bits that are compared, and how many differ.
    pub(super) bits: usize,
    pub(super) errors: u32,
}

impl Saved {
    /// Orders by what is saved, most first.
    pub(super) fn before(&self, other: &Self) -> std::cmp::Ordering {
        let gain = other.gain.total_cmp(&self.gain);
        gain.then_with(|| self.overlay.rank().cmp(&other.overlay.rank()))
    }
}

impl Laid<'_> {
    /// Returns the information of the sites of a rectangle.
    pub(super) fn information(&self, rectangle: &Rectangle) -> f64 {
        information(self.told, self.task, rectangle)
    }

    fn moved(&self, rectangle: &Rectangle, by: (i32, i32)) -> Moved {
        Moved::new(self.corpus, self.planes, &self.task.level, rectangle, by)
    }

    /// Returns what telling the sites of a rectangle as a copy of a latent saves; sites with none of the latent under them are told
    /// as if there were no latent. `None` where there is no such latent, or nothing of it under the rectangle.
    pub(super) fn saved(&self, rectangle: &Rectangle, overlay: Overlay) -> Option<Saved> {
        let by = (overlay.down, overlay.right);
        let moved = self.moved(rectangle, by);
        let errors = self.corpus.distance(&moved, overlay.latent)?;
        let over = rectangle.over(&self.task.level, by);
        (moved.bits > 0).then(|| Saved {
            gain: self.information(&over) - self.code.length(moved.bits, errors),
            overlay,
            bits: moved.bits,
            errors,
        })
    }

    /// Finds the latents and displacements by which most is saved, each latent once, most first: every latent at each of `moves`.
    pub(super) fn nearest(
        &self,
        rectangle: &Rectangle,
        moves: &[(i32, i32)],
        max: usize,
    ) -> Vec<Saved> {
        let mut found: Vec<Saved> = Vec::with_capacity(max + 1);
        for by in moves {
            let moved = self.moved(rectangle, *by);
            let bits = moved.bits;
            if bits == 0 {
                continue;
            }
            let told = self.information(&rectangle.over(&self.task.level, *by));
            // What is not worse than the last one of a full list.
            let limit_of = |found: &[Saved]| {
                let last = found.get(max - 1).map(|last| last.gain);
                match last {
                    Some(least) => self.code.most_errors(bits, told - least),
                    None => Some(bits as u32),
                }
            };
            let Some(limit) = limit_of(&found) else {
                continue;
            };
            self.corpus.scan(&moved, limit, |latent, errors| {
                let saved = Saved {
                    gain: told - self.code.length(bits, errors),
                    overlay: Overlay {
                        latent,
                        down: by.0,
                        right: by.1,
                    },
                    bits,
                    errors,
                };
                insert(&mut found, saved, max);
                limit_of(&found).unwrap_or(0)
            });
        }
        found
    }

    /// Returns those by which most of the whole level is saved.
    pub(super) fn nearest_wholes(&self, moves: &[(i32, i32)]) -> Vec<Saved> {
        let whole = Rectangle::whole(&self.task.level);
        self.nearest(&whole, moves, NEAREST)
    }

    /// Writes what each site of the level gains by being told as a copy that errs in a share `rate` of the bits; a site with none
    /// of the latent under it loses more than all others can gain.
    pub(super) fn gains(&self, overlay: Overlay, rate: f32, gains: &mut Vec<f32>) {
        let level = &self.task.level;
        let (height, width, channels) = (level.height(), level.width(), level.channels());
        let agreed = (1.0 - rate).log2();
        let differed = rate.log2();
        gains.clear();
        gains.resize(height * width, OUTSIDE);
        let Some(under) = self.corpus.level(overlay.latent, level) else {
            return;
        };
        let here = self.planes.level(level);
        let over = Rectangle::whole(level).over(level, (overlay.down, overlay.right));
        for row in over.rows.clone() {
            let site = row * width;
            gains[site + over.columns.start..site + over.columns.end].fill(0.0);
            let columns = over.columns.clone();
            differing(
                level,
                (here, under),
                overlay,
                (row, columns),
                |col, channel, differs| {
                    let code = if differs { differed } else { agreed };
                    gains[site + col] += self.told[(site + col) * channels + channel] + code;
                },
            );
        }
    }
}

/// Compares a run of sites of a row with those under them, and tells `each` column and channel and whether they differ. `here` and
/// `under` are the level's bits, channel by channel.
#[inline(always)]
pub(super) fn differing(
    level: &Level,
    (here, under): (&[u64], &[u64]),
    overlay: Overlay,
    (row, columns): (usize, Range<usize>),
    mut each: impl FnMut(usize, usize, bool),
) {
    let (height, width) = (level.height(), level.width());
    let other = row.saturating_add_signed(overlay.down as isize);
    let left = columns.start.saturating_add_signed(overlay.right as isize);
    for channel in 0..level.channels() {
        let from = (channel * height + row) * width + columns.start;
        let to = (channel * height + other) * width + left;
        for done in (0..columns.len()).step_by(64) {
            let n = (columns.len() - done).min(64);
            let mut differing = read(here, from + done, n) ^ read(under, to + done, n);
            for col in columns.start + done..columns.start + done + n {
                each(col, channel, differing & 1 == 1);
                differing >>= 1;
            }
        }
    }
}

/// A loss that no information outweighs: a bit tells at most 54 bits, a level has at most 2²⁰.
const OUTSIDE: f32 = -1e9;

/// Returns the information of the sites of a rectangle, by that of each bit of the level.
pub(super) fn information(told: &[f32], task: &LevelTask<'_>, rectangle: &Rectangle) -> f64 {
    let (width, channels) = (task.level.width(), task.level.channels());
    let row = |row: usize| {
        let start = (row * width + rectangle.columns.start) * channels;
        let bits = &told[start..start + rectangle.columns.len() * channels];
        bits.iter().map(|bit| f64::from(*bit)).sum::<f64>()
    };
    rectangle.rows.clone().map(row).sum()
}

/// Inserts into a list in order, best first, which has each latent once and at most `max` of them.
pub(super) fn insert(found: &mut Vec<Saved>, saved: Saved, max: usize) {
    let same = |other: &Saved| other.overlay.latent == saved.overlay.latent;
    if let Some(same) = found.iter().position(same) {
        if found[same].before(&saved).is_le() {
            return;
        }
        found.remove(same);
    }
    let place = found.partition_point(|other| other.before(&saved).is_le());
    found.insert(place, saved);
    found.truncate(max);
}
