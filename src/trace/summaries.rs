//! What the traces of a set come to.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::background::{Background, Distances};
use super::spread::Spread;
use super::summary::{LevelSummary, Nearness, SampleSummary};
use super::{Trace, Tracer};
use crate::latent::Level;
use crate::provenance::Information;

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
    /// The figures of each level of pyramids; none of latents of one level.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelFigures>,
}

/// The figures of one level of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelFigures {
    /// Its grid, `HxWxK`.
    pub shape: String,
    /// Share of the level's bits that some quilt window supports.
    pub supported: f64,
    /// Share of the level's bits that are in a region.
    pub covered: f64,
    /// Samples that equal a training latent in this level; like the next two, `None` on another grid than theirs.
    pub exact_copies: Option<u64>,
    /// Samples whose level the rule of a third calls memorized.
    pub memorized: Option<u64>,
    /// Samples whose level is authentic.
    pub authentic: Option<u64>,
    /// How the figures of the samples are spread, by their names in [`LevelSummary`] and [`Nearness`].
    pub spread: Vec<NamedSpread>,
    /// Distances of training latents to their own nearest in this level.
    pub background: Option<Spread>,
}

/// The share of bits that a window supports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowShare {
    /// The window.
    pub window: String,
    /// The share, of all bits of its level of all samples.
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
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SetSummaries {
    samples: Vec<SampleSummary>,
    bits: u64,
    /// For each window, bits that it supports, and bits of its level.
    supported_at: Vec<(u64, u64)>,
    credits: HashMap<u32, (u64, u64, Information)>,
}

impl SetSummaries {
    /// Adds a sample.
    pub fn add(&mut self, trace: &Trace, summary: SampleSummary) {
        self.bits += trace.support.at.len() as u64;
        self.supported_at.resize(trace.support.counts.len(), (0, 0));
        for ((sum, bits), counts) in self.supported_at.iter_mut().zip(&trace.support.counts) {
            *sum += counts.iter().filter(|count| **count > 0).count() as u64;
            *bits += counts.len() as u64;
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

    /// Adds what was added up of the samples that follow.
    pub fn append(&mut self, behind: Self) {
        self.samples.extend(behind.samples);
        self.bits += behind.bits;
        let windows = self.supported_at.len().max(behind.supported_at.len());
        self.supported_at.resize(windows, (0, 0));
        for ((sum, bits), (own, own_bits)) in self.supported_at.iter_mut().zip(behind.supported_at)
        {
            *sum += own;
            *bits += own_bits;
        }
        for (latent, (own_samples, own_bits, own_information)) in behind.credits {
            let (samples, bits, information) = self.credits.entry(latent).or_default();
            *samples += own_samples;
            *bits += own_bits;
            *information += own_information;
        }
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
        let on_grid = tracer.shape() == tracer.training().shape();
        let near = samples.iter().map(|sample| sample.nearness.as_ref());
        let near = NearFigures::of(near, on_grid);
        let mut spreads = Spreads::default();
        spreads.add(samples, "regions", |s| s.regions as f64);
        spreads.add(samples, "sources", |s| s.sources as f64);
        spreads.add(samples, "largest", |s| s.largest);
        spreads.add(samples, "median_region", |s| s.median_region as f64);
        spreads.add(samples, "n50", |s| s.n50 as f64);
        spreads.add(samples, "information", |s| s.information);
        spreads.add(samples, "most_informative", |s| s.most_informative);
        spreads.add(samples, "most_used", |s| {
            s.most_used.map_or(0.0, |used| used.information)
        });
        spreads.0.extend(near.spreads.0);
        let mut credits: Vec<_> = self.credits.iter().collect();
        credits.sort_by_key(|(latent, (_, bits, information))| {
            (std::cmp::Reverse((*bits, *information)), **latent)
        });
        let credits = credits.into_iter().take(max_credits);
        let windows = tracer.windows().zip(&self.supported_at);
        SetSummary {
            samples: samples.len() as u64,
            supported_at: windows
                .map(|(window, (supported, bits))| WindowShare {
                    window: window.to_string(),
                    share: *supported as f64 / (*bits as f64).max(1.0),
                })
                .collect(),
            supported: share(samples.iter().map(|s| s.supported).sum()),
            covered: share(samples.iter().map(|s| s.covered).sum()),
            copied: samples.iter().filter(|s| s.copied).count() as u64,
            exact_copies: near.exact_copies,
            memorized: near.memorized,
            authentic: near.authentic,
            spread: spreads.0,
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
            levels: self.levels(tracer, background),
        }
    }

    fn levels(&self, tracer: &Tracer<'_>, background: &Background) -> Vec<LevelFigures> {
        let shape = tracer.shape();
        let on_grid = shape == tracer.training().shape();
        let figures = |level: &Level| {
            let number = level.number();
            let samples: Vec<&LevelSummary> = self
                .samples
                .iter()
                .filter_map(|sample| sample.levels.get(number))
                .collect();
            let bits = (samples.len() * level.bits()) as f64;
            let share = |of: fn(&LevelSummary) -> u64| {
                samples.iter().map(|sample| of(sample)).sum::<u64>() as f64 / bits.max(1.0)
            };
            let near = samples.iter().map(|sample| sample.nearness.as_ref());
            let near = NearFigures::of(near, on_grid);
            let mut spreads = Spreads::default();
            spreads.add(&samples, "regions", |s| s.regions as f64);
            spreads.add(&samples, "largest", |s| s.largest);
            spreads.add(&samples, "information", |s| s.information);
            spreads.add(&samples, "most_informative", |s| s.most_informative);
            let same = samples.iter().filter_map(|sample| sample.same_source);
            spreads.add_values("same_source", same.collect());
            spreads.0.extend(near.spreads.0);
            LevelFigures {
                shape: level.to_string(),
                supported: share(|s| s.supported),
                covered: share(|s| s.covered),
                exact_copies: near.exact_copies,
                memorized: near.memorized,
                authentic: near.authentic,
                spread: spreads.0,
                background: background
                    .distances(Some(number))
                    .and_then(Distances::spread),
            }
        };
        match shape.is_pyramid() {
            true => shape.levels().iter().map(figures).collect(),
            false => Vec::new(),
        }
    }
}

/// How figures are spread, one after the other.
#[derive(Default)]
struct Spreads(Vec<NamedSpread>);

impl Spreads {
    fn add<T>(&mut self, samples: &[T], name: &'static str, of: impl Fn(&T) -> f64) {
        self.add_values(name, samples.iter().map(of).collect());
    }

    fn add_values(&mut self, name: &'static str, values: Vec<f64>) {
        let spread = Spread::of(values);
        self.0
            .extend(spread.map(|spread| NamedSpread { name, spread }));
    }
}

/// How near some samples are to the training latents.
struct NearFigures {
    exact_copies: Option<u64>,
    memorized: Option<u64>,
    authentic: Option<u64>,
    spreads: Spreads,
}

impl NearFigures {
    fn of<'n>(near: impl Iterator<Item = Option<&'n Nearness>>, on_grid: bool) -> Self {
        let near: Vec<&Nearness> = near.flatten().collect();
        let counted = |holds: fn(&Nearness) -> bool| {
            on_grid.then(|| near.iter().filter(|near| holds(near)).count() as u64)
        };
        let mut spreads = Spreads::default();
        let distances = near.iter().filter_map(|near| near.nearest.first());
        let distances = distances.map(|first| f64::from(first.distance));
        spreads.add_values("distance", distances.collect());
        spreads.add_values("ratio", near.iter().filter_map(|near| near.ratio).collect());
        let quantiles = near.iter().filter_map(|near| near.quantile);
        spreads.add_values("quantile", quantiles.collect());
        Self {
            exact_copies: counted(|near| !near.exact_copies.is_empty()),
            memorized: counted(|near| near.memorized),
            authentic: counted(|near| near.authentic),
            spreads,
        }
    }
}
