//! What a trace comes to: one sample's figures, and those of a set.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::background::Background;
use super::spread::Spread;
use super::{Trace, Tracer};
use crate::provenance::{Information, Neighbour};

/// A region is memorized, by the rule of a third, when the sample is at most a third as far from its
/// nearest training latent as from the next one that differs.
const THIRD: f64 = 1.0 / 3.0;

/// The figures of one sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// How near the training latents are; none on another grid than theirs.
    pub nearness: Option<Nearness>,
}

/// A training latent and what was copied from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Used {
    /// Its id.
    pub latent: u32,
    /// Bits of the regions that come from it.
    pub bits: u64,
    /// Their information, in bits.
    pub information: f64,
}

/// How near the training latents are to a sample. Distances are Hamming distances, in bits.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
            let distance = near.nearest.first().map_or(0, |first| first.distance);
            let ratio = |next: u32| (f64::from(distance) / f64::from(next.max(1))).sqrt();
            let ratio = near.next_distance.map(ratio);
            let own = near.training_distance;
            Nearness {
                exact_copies: near.equal.clone(),
                nearest: near.nearest.clone(),
                next_distance: near.next_distance,
                ratio,
                memorized: distance == 0 || ratio.is_some_and(|ratio| ratio <= THIRD),
                training_distance: own,
                authentic: distance > 0 && own.is_none_or(|own| distance > own),
                quantile: background.share_within(distance),
            }
        }),
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

/// What a training latent gave to a set of samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Credit {
    /// Its id.
    pub latent: u32,
    /// Samples with a region from it.
    pub samples: u64,
    /// Bits of those regions.
    pub bits: u64,
    /// Their information, in bits.
    pub information: f64,
}

/// The figures of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SetSummary {
    /// Samples traced.
    pub samples: u64,
    /// Share of all bits that are supported, for each window of the index.
    pub supported_at: Vec<WindowShare>,
    /// Share of all bits that some quilt window supports.
    pub supported: f64,
    /// Share of all bits that are in a region.
    pub covered: f64,
    /// Samples with a region over the copy line.
    pub copied: u64,
    /// Samples that equal a training latent; like the next two, `None` on another grid than theirs.
    pub exact_copies: Option<u64>,
    /// Samples that the rule of a third calls memorized.
    pub memorized: Option<u64>,
    /// Samples that are authentic.
    pub authentic: Option<u64>,
    /// How the figures of the samples are spread, by their names in [`SampleSummary`] and [`Nearness`].
    pub spread: Vec<NamedSpread>,
    /// Distances of training latents to their own nearest: what to compare `distance` with.
    pub background: Option<Spread>,
    /// Training latents that any region comes from.
    pub used: u64,
    /// `used` as a share of all training latents.
    pub used_share: f64,
    /// The training latents most reused, by bits.
    pub credits: Vec<Credit>,
}

/// The share of bits that a window supports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowShare {
    /// The window.
    pub window: String,
    /// The share, of all bits of all samples.
    pub share: f64,
}

/// How one figure is spread.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedSpread {
    /// Its name.
    pub name: &'static str,
    /// How it is spread.
    #[serde(flatten)]
    pub spread: Spread,
}

/// Adds up the figures of a set, sample by sample.
#[derive(Debug, Default)]
pub struct SetSummaries {
    samples: Vec<SampleSummary>,
    bits: u64,
    supported_at: Vec<u64>,
    credits: HashMap<u32, (u64, u64, Information)>,
}

impl SetSummaries {
    /// Adds a sample.
    pub fn add(&mut self, trace: &Trace, summary: SampleSummary) {
        self.bits += trace.support.at.len() as u64;
        self.supported_at.resize(trace.support.counts.len(), 0);
        for (sum, counts) in self.supported_at.iter_mut().zip(&trace.support.counts) {
            *sum += counts.iter().filter(|count| **count > 0).count() as u64;
        }
        let mut seen = BTreeSet::new();
        for region in &trace.quilt.regions {
            let (samples, bits, information) = self.credits.entry(region.latent).or_default();
            *samples += u64::from(seen.insert(region.latent));
            *bits += u64::from(region.bits);
            *information += region.information;
        }
        self.samples.push(summary);
    }

    /// Returns the figures, with at most `max_credits` credits.
    pub fn finish(
        self,
        tracer: &Tracer<'_>,
        background: &Background,
        max_credits: usize,
    ) -> SetSummary {
        let samples = &self.samples;
        let share = |part: u64| part as f64 / (self.bits as f64).max(1.0);
        let near = || samples.iter().filter_map(|sample| sample.nearness.as_ref());
        let on_grid = tracer.shape() == tracer.training().shape();
        let counted = |holds: &dyn Fn(&Nearness) -> bool| {
            on_grid.then(|| near().filter(|near| holds(near)).count() as u64)
        };
        let mut spread = Vec::new();
        let mut add = |name, values| {
            spread.extend(Spread::of(values).map(|spread| NamedSpread { name, spread }));
        };
        let each = |of: fn(&SampleSummary) -> f64| samples.iter().map(of).collect();
        add("regions", each(|s| s.regions as f64));
        add("sources", each(|s| s.sources as f64));
        add("largest", each(|s| s.largest));
        add("median_region", each(|s| s.median_region as f64));
        add("n50", each(|s| s.n50 as f64));
        add("information", each(|s| s.information));
        add("most_informative", each(|s| s.most_informative));
        add(
            "most_used",
            each(|s| s.most_used.map_or(0.0, |used| used.information)),
        );
        let nearest = near().filter_map(|near| near.nearest.first());
        add(
            "distance",
            nearest.map(|first| f64::from(first.distance)).collect(),
        );
        add("ratio", near().filter_map(|near| near.ratio).collect());
        add(
            "quantile",
            near().filter_map(|near| near.quantile).collect(),
        );
        let mut credits: Vec<_> = self.credits.iter().collect();
        credits.sort_by_key(|(latent, (_, bits, information))| {
            (std::cmp::Reverse((*bits, *information)), **latent)
        });
        let credits = credits.into_iter().take(max_credits);
        let windows = tracer.windows().zip(&self.supported_at);
        SetSummary {
            samples: samples.len() as u64,
            supported_at: windows
                .map(|(window, bits)| WindowShare {
                    window: window.to_string(),
                    share: share(*bits),
                })
                .collect(),
            supported: share(samples.iter().map(|s| s.supported).sum()),
            covered: share(samples.iter().map(|s| s.covered).sum()),
            copied: samples.iter().filter(|s| s.copied).count() as u64,
            exact_copies: counted(&|near| !near.exact_copies.is_empty()),
            memorized: counted(&|near| near.memorized),
            authentic: counted(&|near| near.authentic),
            spread,
            background: background.spread(),
            used: self.credits.len() as u64,
            used_share: self.credits.len() as f64 / tracer.training().latents() as f64,
            credits: credits
                .map(|(latent, (samples, bits, information))| Credit {
                    latent: *latent,
                    samples: *samples,
                    bits: *bits,
                    information: information.in_bits(),
                })
                .collect(),
        }
    }
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

    #[test]
    fn quantiles_are_values_of_their_rank() {
        let spread = Spread::of((1..=20).map(f64::from).collect()).unwrap();
        let Spread {
            min,
            p10,
            median,
            p90,
            max,
            mean,
        } = spread;
        assert_eq!([min, p10, median, p90, max], [1.0, 2.0, 10.0, 18.0, 20.0]);
        assert_eq!(mean, 10.5);
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
