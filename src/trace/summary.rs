//! What a trace comes to: the figures of one sample, and of each of its levels.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::background::{Background, Distances};
use super::{Quilt, Region, Trace, Tracer};
use crate::latent::{Level, Shape};
use crate::provenance::{Information, Neighbour, Neighbours};

/// The figures of one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleSummary {
    /// Bits that some quilt window supports.
    pub supported: u64,
    /// Bits in a region: the supported ones, and others that the windows of those see.
    pub covered: u64,
    /// Regions of the quilt.
    pub regions: u64,
    /// Training latents that they come from.
    pub sources: u64,
    /// Share of the sample's bits in the largest region.
    pub largest: f64,
    /// Sites of the median region.
    pub median_region: u64,
    /// Half of all covered sites lie in regions of at least this many sites.
    pub n50: u64,
    /// The information of the whole sample, in bits.
    pub information: f64,
    /// The information of the most informative region, in bits; 0 without any region.
    pub most_informative: f64,
    /// The training latent that most information was copied from.
    pub most_used: Option<Used>,
    /// Whether a region carries more than the copy line.
    pub copied: bool,
    /// How near the training latents are, by all bits; none on another grid than theirs.
    pub nearness: Option<Nearness>,
    /// The figures of each level of a pyramid; none of a latent of one level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelSummary>,
}

/// The figures of one level of a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelSummary {
    /// Bits of the level that some quilt window supports.
    pub supported: u64,
    /// Bits of the level in a region.
    pub covered: u64,
    /// Regions in the level.
    pub regions: u64,
    /// Share of the level's bits in its largest region.
    pub largest: f64,
    /// The information of the level, in bits.
    pub information: f64,
    /// The information of its most informative region, in bits; 0 without any region.
    pub most_informative: f64,
    /// Of the sites in a region, the share whose parent is in a region of the next coarser level, copied from the same training
    /// latent at the same place. `None` for the coarsest level, and where no site is in a region.
    pub same_source: Option<f64>,
    /// How near the training latents are, by the bits of the level alone.
    pub nearness: Option<Nearness>,
}

/// A training latent and what was copied from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// Its id.
    pub latent: u32,
    /// Bits of the regions that come from it.
    pub bits: u64,
    /// Their information, in bits.
    pub information: f64,
}

/// How near the training latents are to a sample. Distances are Hamming distances, in bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nearness {
    /// Ids of all training latents that equal the sample.
    pub exact_copies: Vec<u32>,
    /// The nearest, nearest first.
    pub nearest: Vec<Neighbour>,
    /// Distance to the nearest training latent that differs from the first of these.
    pub next_distance: Option<u32>,
    /// √(distance / next distance): the ratio of the Euclidean distances between the bits. 0 for an exact
    /// copy, 1 where both are as near.
    pub ratio: Option<f64>,
    /// Whether the ratio is at most a third (the rule of a third), or the sample is an exact copy.
    pub memorized: bool,
    /// Distance from the nearest training latent to the one nearest to it that differs.
    pub training_distance: Option<u32>,
    /// Whether the sample is farther from its nearest training latent than that one from its own nearest
    /// (Alaa et al. 2022, duplicates left aside). Never so for an exact copy.
    pub authentic: bool,
    /// Share of training latents that are at most as near to their own nearest.
    pub quantile: Option<f64>,
}

/// Computes the figures of a trace.
pub fn summarize(trace: &Trace, tracer: &Tracer<'_>, background: &Background) -> SampleSummary {
    let shape = tracer.shape();
    let regions = &trace.quilt.regions;
    let bits = trace.support.at.len() as f64;
    let mut areas: Vec<u64> = regions.iter().map(|region| region.sites.into()).collect();
    areas.sort_unstable();
    let sources: BTreeSet<_> = regions.iter().map(|region| region.latent).collect();
    let largest = regions.iter().map(|region| region.bits).max().unwrap_or(0);
    let information = regions.first().map(|region| region.information);
    let information = information.unwrap_or_default().in_bits();
    let told: Information = trace.support.information.iter().copied().sum();
    SampleSummary {
        supported: trace.support.at.iter().flatten().count() as u64,
        covered: trace.quilt.region_of.iter().flatten().count() as u64,
        regions: regions.len() as u64,
        sources: sources.len() as u64,
        largest: f64::from(largest) / bits,
        median_region: areas.get(areas.len() / 2).copied().unwrap_or(0),
        n50: n50(&areas),
        information: told.in_bits(),
        most_informative: information,
        most_used: most_used(trace),
        copied: information > tracer.copy_line(),
        nearness: trace.near.as_ref().map(|near| {
            let distances = background.distances(None);
            Nearness::of(near, distances)
        }),
        levels: match shape.is_pyramid() {
            true => shape
                .levels()
                .iter()
                .map(|level| summarize_level(trace, shape, level, background))
                .collect(),
            false => Vec::new(),
        },
    }
}

fn summarize_level(
    trace: &Trace,
    shape: Shape,
    level: &Level,
    background: &Background,
) -> LevelSummary {
    let regions = trace.quilt.regions.iter();
    let regions = regions.filter(|region| region.level as usize == level.number());
    let told: Information = trace.support.information[level.positions()]
        .iter()
        .copied()
        .sum();
    let largest = regions.clone().map(|region| region.bits).max();
    let most = regions.clone().map(|region| region.information).max();
    let near = trace.near_levels.get(level.number());
    LevelSummary {
        supported: trace.support.at[level.positions()].iter().flatten().count() as u64,
        covered: trace.quilt.region_of[level.positions()]
            .iter()
            .flatten()
            .count() as u64,
        regions: regions.count() as u64,
        largest: f64::from(largest.unwrap_or(0)) / level.bits() as f64,
        information: told.in_bits(),
        most_informative: most.unwrap_or_default().in_bits(),
        same_source: same_source(&trace.quilt, shape, level),
        nearness: near.map(|near| Nearness::of(near, background.distances(Some(level.number())))),
    }
}

/// Returns [`LevelSummary::same_source`].
fn same_source(quilt: &Quilt, shape: Shape, level: &Level) -> Option<f64> {
    let coarser = shape.level(level.number().checked_sub(1)?)?;
    let region_of = |level: &Level, row, col| -> Option<&Region> {
        let first = level.position(row, col, 0);
        let mut bits = quilt.region_of[first..first + level.channels()].iter();
        let number = bits.find_map(|region| *region)?;
        Some(&quilt.regions[number as usize])
    };
    let (mut covered, mut same) = (0u32, 0u32);
    for row in 0..level.height() {
        for col in 0..level.width() {
            let Some(own) = region_of(level, row, col) else {
                continue;
            };
            covered += 1;
            let (up, left) = coarser.parent_of(level, row, col);
            let under = own.overlay().of_parents(level, coarser);
            let above = region_of(coarser, up, left).map(Region::overlay);
            same += u32::from(above.is_some() && above == under);
        }
    }
    (covered > 0).then(|| f64::from(same) / f64::from(covered))
}

impl Nearness {
    fn of(near: &Neighbours, background: Option<&Distances>) -> Self {
        Self {
            exact_copies: near.equal.clone(),
            nearest: near.nearest.clone(),
            next_distance: near.next_distance,
            ratio: near.ratio(),
            memorized: near.is_memorized(),
            training_distance: near.training_distance,
            authentic: near.is_authentic(),
            quantile: background.and_then(|background| background.share_within(near.distance())),
        }
    }
}

/// Returns the area such that half of the sum of ascending areas lies in areas of at least this.
fn n50(areas: &[u64]) -> u64 {
    let half = areas.iter().sum::<u64>().div_ceil(2);
    let mut sum = 0;
    for area in areas.iter().rev() {
        sum += area;
        if sum >= half {
            return *area;
        }
    }
    0
}

fn most_used(trace: &Trace) -> Option<Used> {
    let mut used: HashMap<u32, (Information, u64)> = HashMap::new();
    for region in &trace.quilt.regions {
        let (information, bits) = used.entry(region.latent).or_default();
        *information += region.information;
        *bits += u64::from(region.bits);
    }
    let best = used
        .into_iter()
        .max_by_key(|(latent, amount)| (*amount, std::cmp::Reverse(*latent)));
    best.map(|(latent, (information, bits))| Used {
        latent,
        bits,
        information: information.in_bits(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_area_lies_in_regions_of_at_least_n50() {
        assert_eq!(n50(&[]), 0);
        assert_eq!(n50(&[7]), 7);
        assert_eq!(n50(&[1, 1, 1, 1, 4]), 4);
        assert_eq!(n50(&[1, 2, 3, 4]), 3);
    }
}
