//! Where the parts of an array begin: at contexts that share its occurrences out evenly, as far as a sample of the latents says.

use rayon::prelude::*;

use super::plan::PartPlan;
use crate::base::Observer;
use crate::index::IndexError;
use crate::index::array::Latents;
use crate::index::labels::Labels;
use crate::latent::LatentSet;
use crate::window::Order;

/// Contexts of a sample: 64 for each of 4,096 parts.
const SAMPLED: u64 = 1 << 18;

/// The contexts that the parts of an array behind the first one begin with.
pub(super) type Splitters = Vec<Vec<u8>>;

/// Returns of how many latents one was looked at, and for each order the contexts that the parts behind the first one begin
/// with: at most `parts` less one, all of them in the sample.
pub(super) fn splitters(
    plan: &PartPlan,
    orders: &[Order],
    labels: &Labels,
    parts: u64,
    observer: &dyn Observer,
) -> Result<(u64, Vec<Splitters>), IndexError> {
    let shape = plan.shape()?;
    let latents: u64 = plan.index.sources.iter().map(|source| source.latents).sum();
    let step = (latents.saturating_mul(shape.bits() as u64) / SAMPLED).max(1);
    let sample = read_sample(plan, step, observer)?;
    let numbers = labels.numbers(&sample);
    let found = orders.iter().map(|order| {
        observer.check()?;
        let latents = Latents::new(sample.packed(), &*numbers, shape, order.level());
        Ok(quantiles(&latents, order, parts))
    });
    Ok((step, found.collect::<Result<_, IndexError>>()?))
}

/// Reads every `step`-th latent that is indexed, at least one.
fn read_sample(
    plan: &PartPlan,
    step: u64,
    observer: &dyn Observer,
) -> Result<LatentSet, IndexError> {
    observer.stage("sample latents", plan.paths.len() as u64, "files");
    let excluded = plan.index.excluded();
    let shape = plan.shape()?;
    let (mut packed, mut labels) = (Vec::new(), Vec::new());
    let (mut id, mut indexed) = (0, 0u64);
    for path in &plan.paths {
        observer.check()?;
        let set = LatentSet::read(path)?;
        for row in 0..set.len() {
            if !excluded.contains(id) {
                if indexed.is_multiple_of(step) {
                    packed.extend_from_slice(set.packed_latent(row));
                    labels.push(set.labels().map_or(0, |labels| labels[row]));
                }
                indexed += 1;
            }
            id += 1;
        }
        observer.advance(1);
    }
    Ok(LatentSet::from_packed(shape, packed)?.with_labels(labels)?)
}

/// Returns contexts that cut those of a sample into parts of the same size, or fewer where many are equal; without zeros at
/// their ends. The smallest one is none, so that every part holds some of the sample.
fn quantiles(latents: &Latents<'_>, order: &Order, parts: u64) -> Splitters {
    let readers = order.word_readers();
    let contexts = (0..latents.occurrences()).into_par_iter();
    let mut contexts: Vec<Vec<u64>> = contexts
        .map(|occurrence| {
            let mut words = Vec::new();
            latents.lay_out(&readers, occurrence, &mut words);
            words
        })
        .collect();
    contexts.par_sort_unstable();
    let at = |part: u64| {
        let place = contexts.len() as u128 * u128::from(part) / u128::from(parts);
        contexts.get(place as usize)
    };
    let mut found: Vec<&Vec<u64>> = (1..parts).filter_map(at).collect();
    found.dedup();
    found.retain(|context| Some(*context) != contexts.first());
    found
        .into_iter()
        .map(|words| {
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            let length = bytes.iter().rposition(|byte| *byte != 0);
            bytes.truncate(length.map_or(0, |last| last + 1));
            bytes
        })
        .collect()
}
