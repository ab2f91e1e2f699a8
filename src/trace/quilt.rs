//! The quilt: a sample cut into connected regions, each copied bit for bit from one training latent at one
//! displacement, the most informative first. A pyramid is cut level by level: a region lies in one of them.
//!
//! A greedy cover. Of all candidates, a training latent at a displacement each, the connected piece of a
//! footprint that tells most becomes a region; then the same for what is left, until every supported bit is
//! in a region. What that guarantees: the first region is the most informative piece of any candidate, and
//! each later one of what those before left. The total number of regions is not proved least: a least cover
//! is NP-hard.
//!
//! Candidates are the occurrences of each bit at the largest window that supports it, all of them where
//! they are at most [`TraceOptions::reach`](super::TraceOptions), and the nearest training latents in place.
//! Contexts that occur more often are common by definition, and a piece of nothing else is background: only
//! for what rarer ones leave over do their first occurrences become candidates.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::support::Support;
use crate::latent::{Level, Shape};
use crate::provenance::Information;
use crate::provenance::{Board, and, get, set_run, without};
use crate::provenance::{Components, Gain, Run, Weights};
use crate::provenance::{Footprints, Overlay};

/// Bits copied from one training latent at one displacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The level that it lies in, 0 for the coarsest; of the latent too.
    pub level: u32,
    /// Id of the latent.
    pub latent: u32,
    /// Displacement: rows from a site of the sample down to its site of the latent.
    pub down: i32,
    /// Displacement: columns from a site of the sample right to its site of the latent.
    pub right: i32,
    /// Number of sites. They are whole, unless no source has a site whole: then the region is a part of that site.
    pub sites: u32,
    /// Number of bits.
    pub bits: u32,
    /// Their information at the smallest window.
    pub information: Information,
}

impl Region {
    /// Returns its source as it lies over the sample.
    pub(super) fn overlay(&self) -> Overlay {
        Overlay {
            latent: self.latent,
            down: self.down,
            right: self.right,
        }
    }
}

/// A sample cut into regions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quilt {
    /// The most informative first; among equals the larger, then the lower id, then the less moved.
    pub regions: Vec<Region>,
    /// For each bit, the number of its region; `None` for a bit that no region covers, which then is not
    /// supported.
    pub region_of: Vec<Option<u32>>,
}

/// Most words of footprints that are kept: 16 MiB. Of two hundred candidates that a digit has each is looked at three to four times.
const MAX_KEPT: usize = 1 << 21;

/// A candidate in the queue. The gain is what its best piece had when last looked at: it never grows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    gain: Gain,
    /// Lowest first among equal gains.
    rank: Reverse<(u32, u32, i32, i32)>,
    /// Regions that there were when it was looked at.
    seen: usize,
    /// Where what is left of its footprint is kept, where it is.
    kept: Option<usize>,
}

impl Waiting {
    fn overlay(&self) -> Overlay {
        let (latent, _, down, right) = self.rank.0;
        Overlay {
            latent,
            down,
            right,
        }
    }
}

/// A quilt being made.
struct Work<'a, 'b> {
    footprints: Footprints<'a>,
    support: &'b Support,
    weights: Weights,
    components: Components,
    /// Sites that no region has.
    free: Board,
    /// Of the candidate that is looked at: what is left of its footprint.
    left: Board,
    /// What was left of the footprints of candidates when they were last looked at.
    kept: Vec<u64>,
    queue: BinaryHeap<Waiting>,
    regions: Vec<(Region, Vec<Run>)>,
}

/// The regions of one level, with their bits.
pub(super) type Patches = Vec<(Region, Vec<usize>)>;

/// Cuts one level of a sample. `near` are training latents to try in place, besides the occurrences.
pub(super) fn patches(
    footprints: Footprints<'_>,
    support: &Support,
    near: impl Iterator<Item = u32>,
    reach: u64,
) -> Patches {
    let layout = footprints.layout();
    let level = *footprints.level();
    let (start, channels) = (level.start(), level.channels());
    let per_site = |site: usize| start + site * channels..start + (site + 1) * channels;
    let sites = level.height() * level.width();
    let information: Vec<Information> = (0..sites)
        .map(|site| support.information[per_site(site)].iter().copied().sum())
        .collect();
    let supported: Vec<bool> = (0..sites)
        .map(|site| support.at[per_site(site)].iter().any(Option::is_some))
        .collect();
    let mut work = Work {
        free: footprints.inside().clone(),
        weights: Weights::new(layout, &information, &supported),
        footprints,
        support,
        components: Components::default(),
        left: Vec::new(),
        kept: Vec::new(),
        queue: BinaryHeap::new(),
        regions: Vec::new(),
    };
    let in_place = near.map(|latent| Overlay {
        latent,
        down: 0,
        right: 0,
    });
    let mut candidates: Vec<Overlay> = in_place.collect();
    for position in level.positions() {
        let occurrences = &support.occurrences[position];
        if occurrences.count <= reach {
            candidates.extend(work.overlays(&level, position, usize::MAX));
        }
    }
    work.take_all(candidates);
    // Only common contexts are left.
    let mut candidates = Vec::new();
    for position in level.positions() {
        if work.is_open(&level, position) {
            candidates.extend(work.overlays(&level, position, COMMON));
        }
    }
    work.take_all(candidates);
    work.finish(&level)
}

impl Quilt {
    /// Puts the patches of all levels together.
    pub(super) fn of(mut patches: Patches, shape: Shape) -> Self {
        patches.sort_by_key(|(region, bits)| {
            let size = Reverse((region.information, region.bits));
            (size, region.overlay().rank(), bits.first().copied())
        });
        let mut quilt = Self {
            regions: Vec::with_capacity(patches.len()),
            region_of: vec![None; shape.bits()],
        };
        for (number, (region, bits)) in patches.into_iter().enumerate() {
            for bit in bits {
                quilt.region_of[bit] = Some(number as u32);
            }
            quilt.regions.push(region);
        }
        quilt
    }
}

/// Occurrences that are tried of a context that has more than can all be.
const COMMON: usize = 1;

impl Work<'_, '_> {
    /// Returns where the first occurrences of a bit would have the sample lie.
    fn overlays(&self, level: &Level, position: usize, max: usize) -> Vec<Overlay> {
        let source = self.footprints.source();
        let (row, col, _) = level.place(position);
        let occurrences = self.support.occurrences[position].postings.iter();
        occurrences
            .take(max)
            .map(|posting| {
                let (under, beside, _) = source.place(posting.position);
                Overlay {
                    // Ids are below 2³², sides below 2²⁰.
                    latent: posting.latent as u32,
                    down: under as i32 - row as i32,
                    right: beside as i32 - col as i32,
                }
            })
            .collect()
    }

    /// Returns whether a bit is supported and its site in no region.
    fn is_open(&self, level: &Level, position: usize) -> bool {
        let (row, col, _) = level.place(position);
        let at = self.footprints.layout().at(row, col);
        self.support.at[position].is_some() && get(&self.free, at)
    }

    /// Returns the best piece of what is left of the candidate that is looked at; its runs are then in `components`.
    fn best(&mut self) -> Option<(Gain, usize)> {
        let layout = self.footprints.layout();
        self.components.best(&self.left, layout, &self.weights)
    }

    /// Looks at a candidate for the first time.
    fn look(&mut self, overlay: Overlay) {
        if !self.footprints.of(overlay, &mut self.left) {
            return;
        }
        and(&mut self.left, &self.free);
        if let Some((gain, _)) = self.best() {
            let start = self.kept.len();
            let kept = (start + self.left.len() <= MAX_KEPT).then_some(start);
            if kept.is_some() {
                self.kept.extend_from_slice(&self.left);
            }
            self.wait(overlay, gain, kept);
        }
    }

    /// Looks again at a candidate that waited. Where it lost nothing, its best piece is the same.
    fn look_again(&mut self, waited: Waiting) {
        let changed = self.lift(&waited);
        let gain = match changed {
            true => self.best().map(|(gain, _)| gain),
            false => Some(waited.gain),
        };
        if let Some(gain) = gain {
            self.wait(waited.overlay(), gain, waited.kept);
        }
    }

    /// Makes what is left of a candidate's footprint the one that is looked at; whether it may be less than it was.
    fn lift(&mut self, waited: &Waiting) -> bool {
        let Some(start) = waited.kept else {
            self.footprints.of(waited.overlay(), &mut self.left);
            and(&mut self.left, &self.free);
            return true;
        };
        let kept = &mut self.kept[start..start + self.free.len()];
        let lost = kept
            .iter()
            .zip(&self.free)
            .any(|(own, free)| own & !free != 0);
        if lost {
            and(kept, &self.free);
        }
        self.left.clear();
        self.left.extend_from_slice(kept);
        lost
    }

    fn wait(&mut self, overlay: Overlay, gain: Gain, kept: Option<usize>) {
        self.queue.push(Waiting {
            gain,
            rank: Reverse(overlay.rank()),
            seen: self.regions.len(),
            kept,
        });
    }

    /// Makes regions of the best pieces until no candidate has one. A candidate's best piece only shrinks as
    /// others are taken: one that was looked at since the last region and still is first, is best.
    fn take_all(&mut self, mut candidates: Vec<Overlay>) {
        candidates.sort_unstable_by_key(|overlay| overlay.rank());
        candidates.dedup();
        for overlay in candidates {
            self.look(overlay);
        }
        while let Some(first) = self.queue.pop() {
            if first.seen < self.regions.len() {
                self.look_again(first);
                continue;
            }
            self.lift(&first);
            let Some((gain, root)) = self.best() else {
                continue;
            };
            let runs = self.components.runs_of(root);
            self.take(first.overlay(), gain, runs);
            self.look_again(first);
        }
        self.kept.clear();
    }

    fn take(&mut self, overlay: Overlay, gain: Gain, runs: Vec<Run>) {
        let mut taken = vec![0; self.free.len()];
        for run in &runs {
            set_run(&mut taken, run.start, run.end - run.start);
        }
        without(&mut self.free, &taken);
        let region = Region {
            level: self.footprints.level().number() as u32,
            latent: overlay.latent,
            down: overlay.down,
            right: overlay.right,
            sites: gain.sites,
            bits: 0,
            information: gain.information,
        };
        self.regions.push((region, runs));
    }

    /// Adds what no source has as a whole site.
    fn finish(self, level: &Level) -> Patches {
        let layout = self.footprints.layout();
        let mut regions: Patches = Vec::new();
        let mut covered = vec![false; level.positions().end];
        for (mut region, runs) in self.regions {
            let mut bits = Vec::new();
            for run in runs {
                let row = run.start / layout.stride() - layout.margin;
                let col = run.start % layout.stride() - layout.margin;
                let start = level.position(row, col, 0);
                bits.extend(start..start + (run.end - run.start) * level.channels());
            }
            for bit in &bits {
                covered[*bit] = true;
            }
            // At most 2²⁰.
            region.bits = bits.len() as u32;
            regions.push((region, bits));
        }
        let source = self.footprints.source();
        regions.extend(parts_of_sites(level, source, self.support, &mut covered));
        regions
    }
}

/// Supported bits of sites that no source has whole: the last one first, each with the earlier bits of its
/// site that its window sees.
fn parts_of_sites(
    level: &Level,
    source: &Level,
    support: &Support,
    covered: &mut [bool],
) -> Patches {
    let mut regions = Vec::new();
    for position in level.positions().rev() {
        let first = support.occurrences[position].postings.first();
        let (Some(posting), false) = (first, covered[position]) else {
            continue;
        };
        let (row, col, channel) = level.place(position);
        let (under, beside, _) = source.place(posting.position);
        let seen = support.own_site[position].min(channel);
        let bits: Vec<_> = (position - seen..=position)
            .filter(|bit| !covered[*bit])
            .collect();
        for bit in &bits {
            covered[*bit] = true;
        }
        let region = Region {
            level: level.number() as u32,
            latent: posting.latent as u32,
            down: under as i32 - row as i32,
            right: beside as i32 - col as i32,
            sites: 1,
            bits: bits.len() as u32,
            information: bits.iter().map(|bit| support.information[*bit]).sum(),
        };
        regions.push((region, bits));
    }
    regions
}
