//! Samples of a set in an order, and how a figure of theirs is spread.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString};

use super::problem::Problem;
use super::set::{Figures, Set};

/// Samples of one answer at most.
pub(super) const MAX_LISTED: usize = 200;
/// Bars of a histogram at most.
const MAX_BINS: usize = 200;

/// What samples are told apart by.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, Display, EnumString,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(super) enum Key {
    /// Their number.
    #[default]
    Sample,
    /// How much they look like a copy, most first.
    P,
    /// The information of the most informative region, most first.
    Information,
    /// The largest region, largest first.
    Largest,
    /// Bits to the nearest training latent, fewest first.
    Distance,
    /// The share of supported bits, least first.
    Supported,
}

impl Key {
    /// Returns the figure of a sample; `None` where it has none, or not yet.
    fn of(self, set: &Set, figures: &[Figures], sample: usize) -> Option<f64> {
        let of = figures.get(sample);
        match self {
            Self::Sample => Some(sample as f64),
            Self::P => Some(set.judged.as_ref()?.of(sample)?.p),
            Self::Information => Some(of?.information),
            Self::Largest => Some(of?.largest),
            Self::Distance => of?.distance.map(f64::from),
            Self::Supported => Some(of?.supported),
        }
    }

    /// Whether the most come first.
    fn is_descending(self) -> bool {
        matches!(self, Self::Information | Self::Largest)
    }
}

/// Which samples are listed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListRequest {
    offset: usize,
    limit: Option<usize>,
    sort: Key,
    /// Whether the order is turned round.
    reverse: bool,
    /// Only those that are called copies.
    copies: bool,
    /// Only those of this label.
    label: Option<i64>,
    /// Only those with a region of at least so many bits.
    min_information: Option<f64>,
    /// Those beside a sample: `limit` of them with it in the middle, in place of `offset`.
    around: Option<usize>,
}

/// A sample in a list.
#[derive(Debug, Serialize)]
struct Listed {
    sample: usize,
    label: Option<i64>,
    p: Option<f64>,
    copy: Option<bool>,
    /// `None` where it is not traced yet.
    figures: Option<Figures>,
}

/// Samples of a set in an order.
#[derive(Debug, Serialize)]
pub(super) struct List {
    /// Samples that are asked for, listed or not.
    total: usize,
    /// Samples of the set that are traced; others come last in orders by what a trace tells.
    traced: usize,
    /// Place of the first one listed.
    offset: usize,
    samples: Vec<Listed>,
}

/// Returns how many samples to list: 50 where nothing is asked for.
pub(super) fn listed(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(50) {
        limit @ 1..=MAX_LISTED => Ok(limit),
        limit => Err(Problem::above(
            MAX_LISTED as u64,
            format!("limit: expected 1 to {MAX_LISTED}, found {limit}"),
        )),
    }
}

/// Lists samples of a set.
pub(super) fn list(set: &Set, request: &ListRequest) -> Result<List, Problem> {
    let limit = listed(request.limit)?;
    let labels = set.samples.latents.labels();
    let copies = |sample: usize| Some(set.judged.as_ref()?.of(sample)?.copy);
    set.with_figures(|figures| {
        let asked = |sample: &usize| {
            let label = labels.map(|labels| labels[*sample]);
            let information = figures.get(*sample).map_or(0.0, |of| of.information);
            (!request.copies || copies(*sample) == Some(true))
                && request.label.is_none_or(|asked| label == Some(asked))
                && request.min_information.is_none_or(|min| information >= min)
        };
        let mut order: Vec<usize> = (0..set.len()).filter(asked).collect();
        let back = request.sort.is_descending() != request.reverse;
        let key = |sample: &usize| request.sort.of(set, figures, *sample);
        order.sort_by_cached_key(|sample| {
            let value = key(sample).map(|value| if back { -value } else { value });
            // Those without a figure come last; equals stand by their number.
            (value.is_none(), value.map(ordered), *sample)
        });
        let offset = match request.around {
            None => request.offset,
            Some(sample) => {
                let place = order.iter().position(|own| *own == sample);
                let place = place.ok_or_else(|| {
                    Problem::not_found(format!(
                        "sample {sample} is not among those that are asked for"
                    ))
                })?;
                place.saturating_sub(limit / 2)
            }
        };
        let listed = order.iter().skip(offset).take(limit).map(|sample| Listed {
            sample: *sample,
            label: labels.map(|labels| labels[*sample]),
            p: Key::P.of(set, figures, *sample),
            copy: copies(*sample),
            figures: figures.get(*sample).cloned(),
        });
        Ok(List {
            total: order.len(),
            traced: figures.len(),
            offset,
            samples: listed.collect(),
        })
    })
}

/// A number that sorts as a value does; values are no NaN.
fn ordered(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// Which histogram is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistogramRequest {
    pub(super) of: Key,
    #[serde(default = "thirty")]
    bins: usize,
    /// Another set, counted in the same bins.
    pub(super) beside: Option<String>,
}

fn thirty() -> usize {
    30
}

/// How a figure is spread.
#[derive(Debug, Serialize)]
pub(super) struct Histogram {
    /// Borders of the bins, one more than there are bins; the last bin holds its upper border too.
    edges: Vec<f64>,
    counts: Vec<u64>,
    beside: Option<Vec<u64>>,
}

/// Counts how a figure of a set is spread, and beside it that of another set.
pub(super) fn histogram(
    set: &Set,
    beside: Option<&Set>,
    request: &HistogramRequest,
) -> Result<Histogram, Problem> {
    let bins = request.bins;
    if bins == 0 || bins > MAX_BINS {
        return Err(Problem::above(
            MAX_BINS as u64,
            format!("bins: expected 1 to {MAX_BINS}, found {bins}"),
        ));
    }
    let values = |set: &Set| -> Vec<f64> {
        set.with_figures(|figures| {
            (0..set.len())
                .filter_map(|sample| request.of.of(set, figures, sample))
                .collect()
        })
    };
    let (own, other) = (values(set), beside.map(values));
    let all = || own.iter().chain(other.iter().flatten()).copied();
    let (low, high) = match request.of {
        Key::P => (0.0, 1.0),
        _ => (
            all().fold(f64::INFINITY, f64::min),
            all().fold(f64::NEG_INFINITY, f64::max),
        ),
    };
    let (low, high) = match low < high {
        true => (low, high),
        // All the same, or none at all.
        false if low.is_finite() => (low, low + 1.0),
        false => (0.0, 1.0),
    };
    let step = (high - low) / bins as f64;
    let count = |values: &[f64]| {
        let mut counts = vec![0; bins];
        for value in values {
            counts[(((value - low) / step) as usize).min(bins - 1)] += 1;
        }
        counts
    };
    Ok(Histogram {
        edges: (0..=bins).map(|bin| low + step * bin as f64).collect(),
        counts: count(&own),
        beside: other.map(|values| count(&values)),
    })
}

#[cfg(test)]
mod tests {
    use super::ordered;

    #[test]
    fn numbers_sort_as_their_values() {
        let values = [
            f64::NEG_INFINITY,
            -7.5,
            -1e-300,
            -0.0,
            0.0,
            1e-300,
            0.3,
            7.5,
            f64::INFINITY,
        ];
        assert!(
            values
                .windows(2)
                .all(|pair| ordered(pair[0]) < ordered(pair[1]))
        );
    }
}
