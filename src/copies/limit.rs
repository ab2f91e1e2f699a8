//! How much a latent may carry of one training latent.
//!
//! A *copied region* is a rectangle of one level over sites of one training latent at one displacement, errors and all. It *carries*
//! the information of its bits, by counts from which one occurrence is taken as the source's own, less what it takes to tell
//! where it errs at one of a few rates ([`RATES`]): log₂ 1/(1 − rate) for each bit in which both agree, log₂ 1/rate for each other. Bits
//! that were given from the start carry nothing.

use std::ops::Range;

use super::honest::ModelWindow;
use super::level::differing;
use super::parts::RATES;
use super::rectangle::ending_below;
use crate::index::{Counts, WindowIndex};
use crate::latent::{Level, Shape};
use crate::provenance::{Corpus, Overlay, Rectangle};
use crate::window::Geometry;

/// Latents at displacements up to which all are candidates.
const MAX_OVERLAYS: usize = 1024;
/// Information in whole numbers, so that its sums do not depend on their order: units of 2⁻¹² bits.
const UNIT: f64 = 4096.0;
/// Keeps a site without one of the training latent under it out of every rectangle. A bit tells at most 54 bits, a level has at most 2²⁰.
const OUTSIDE: i64 = -(1 << 40);

/// A limit on what latents carry of any one training latent. Threads can share it.
pub struct CopyLimit<'a> {
    pub(super) corpus: &'a Corpus,
    pub(super) model: Vec<ModelWindow<'a>>,
    pub(super) deepest: Vec<WindowIndex<'a>>,
    /// By level, in units; `None` where there is no limit.
    pub(super) most: Vec<Option<i64>>,
    codes: [Code; RATES.len()],
}

/// What a bit of a copied region costs, in units.
#[derive(Clone, Copy)]
struct Code {
    agreed: i64,
    differed: i64,
}

/// A copied region, and what it carries.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Carried {
    /// The level that it lies in: 0 for the coarsest.
    pub level: usize,
    /// Id of the training latent.
    pub latent: u32,
    /// Displacement: rows from a site of the sample down to its site of the latent.
    pub down: i32,
    /// Displacement: columns from a site of the sample right to its site of the latent.
    pub right: i32,
    /// The sites: rows from the first to behind the last.
    pub rows: Range<usize>,
    /// The sites: columns from the first to behind the last.
    pub columns: Range<usize>,
    /// What it carries, in bits.
    pub bits: f64,
}

/// Returns bits in units; what is beyond all numbers stays there.
pub(super) fn in_units(bits: f64) -> i64 {
    (bits * UNIT).round() as i64
}

impl<'a> CopyLimit<'a> {
    /// Limits what latents carry, in bits: at each level, coarse to fine, `None` for as much as there is. `model` are the windows
    /// of the model of honest data, of each level largest first; `deepest` is the deepest window of each level.
    pub fn new(
        corpus: &'a Corpus,
        model: &[(&'a Geometry, &'a dyn Counts)],
        deepest: &[WindowIndex<'a>],
        most: &[Option<f64>],
    ) -> Self {
        let windows = model.iter().map(|(geometry, counts)| ModelWindow {
            geometry,
            counts: *counts,
        });
        let code = |rate: f32| Code {
            agreed: in_units((1.0 - f64::from(rate)).log2()),
            differed: in_units(f64::from(rate).log2()),
        };
        Self {
            corpus,
            model: windows.collect(),
            deepest: deepest.to_vec(),
            most: most.iter().map(|most| most.map(in_units)).collect(),
            codes: RATES.map(code),
        }
    }

    /// Returns the shape of the latents that it judges.
    pub fn shape(&self) -> Shape {
        self.corpus.shape()
    }

    /// Returns all overlays of a level, where they are few.
    pub(super) fn all_overlays(&self, level: &Level) -> Option<Vec<Overlay>> {
        let placed = self.deepest[level.number()].geometry().is_placed();
        // Sides are at most 2²⁰.
        let reach = |side: usize| if placed { 0 } else { side as i32 - 1 };
        let (down, right) = (reach(level.height()), reach(level.width()));
        let moves = (2 * i64::from(down) + 1) * (2 * i64::from(right) + 1);
        if self.corpus.latents().saturating_mul(moves as usize) > MAX_OVERLAYS {
            return None;
        }
        let latents = self.corpus.spaced(usize::MAX);
        let moves =
            || (-down..=down).flat_map(|down| (-right..=right).map(move |right| (down, right)));
        let overlays = latents.flat_map(|latent| {
            moves().map(move |(down, right)| Overlay {
                latent,
                down,
                right,
            })
        });
        Some(overlays.collect())
    }
}

/// A training latent laid under a level of which the first rows are decided.
pub(super) struct Under<'s> {
    level: &'s Level,
    /// The level's bits, and the latent's, channel by channel.
    planes: (&'s [u64], &'s [u64]),
    overlay: Overlay,
    /// The sites that have one of the latent under them.
    over: Rectangle,
    codes: &'s [Code],
}

/// A rectangle and what it carries, in units.
pub(super) type Carries = (Rectangle, i64);

impl<'s> Under<'s> {
    /// Lays a latent under a level; `None` for a latent that is not there.
    pub(super) fn new(
        limit: &'s CopyLimit<'_>,
        level: &'s Level,
        planes: &'s [u64],
        overlay: Overlay,
    ) -> Option<Self> {
        Some(Self {
            level,
            planes: (planes, limit.corpus.level(overlay.latent, level)?),
            overlay,
            over: Rectangle::whole(level).over(level, (overlay.down, overlay.right)),
            codes: &limit.codes,
        })
    }

    /// Returns what a run of sites of a row carries at most, at whatever rate. `told` are the bits of the row.
    pub(super) fn best_of_row(&self, row: usize, told: &[Bit]) -> i64 {
        let most = |of: fn(&Code) -> i64| self.codes.iter().map(of).max().unwrap_or(0);
        let code = Code {
            agreed: most(|code| code.agreed),
            differed: most(|code| code.differed),
        };
        let (mut best, mut run) = (0, 0);
        for gain in self.gains(row, told, code) {
            run = (run + gain).max(0);
            best = best.max(run);
        }
        best
    }

    /// Returns the rectangle that carries most of those whose last row is `row`. `told` are the bits of all rows.
    pub(super) fn best_ending_at<'t>(
        &self,
        row: usize,
        told: impl Fn(usize) -> &'t [Bit],
    ) -> Option<Carries> {
        if !self.over.rows.contains(&row) {
            return None;
        }
        let each = self.codes.iter().filter_map(|code| {
            let rows = (self.over.rows.start..=row).rev();
            ending_below(row + 1, rows.map(|row| self.gains(row, told(row), *code)))
        });
        // The first of equals: the lowest rate.
        each.reduce(|best, other| if other.1 > best.1 { other } else { best })
    }

    /// Returns what each site of a row gains by being told as a copy.
    fn gains(&self, row: usize, told: &[Bit], code: Code) -> Vec<i64> {
        let channels = self.level.channels();
        let mut gains = vec![OUTSIDE; self.level.width()];
        if !self.over.rows.contains(&row) {
            return gains;
        }
        gains[self.over.columns.clone()].fill(0);
        let row = (row, self.over.columns.clone());
        differing(
            self.level,
            self.planes,
            self.overlay,
            row,
            |col, channel, differs| {
                if let Some(information) = told[col * channels + channel] {
                    let cost = if differs { code.differed } else { code.agreed };
                    gains[col] += information + cost;
                }
            },
        );
        gains
    }
}

/// Information of a bit, in units; `None` of one that was given.
pub(super) type Bit = Option<i64>;

/// Returns units in bits.
pub(super) fn in_bits(units: i64) -> f64 {
    units as f64 / UNIT
}
