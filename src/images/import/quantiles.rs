//! Thresholds at equal quantiles of what the images hold.

use super::pixels::Pixels;
use super::reader::Reader;
use crate::base::Observer;
use crate::latent::LatentError;

/// Steps from black to white that values are counted in: 16 bits a value, the most that image files have.
const STEPS: usize = 1 << 16;
/// Images whose values are counted at a time.
const BATCH: usize = 4096;

/// Returns `count` thresholds at equal quantiles of the values above 0 of all images, ascending.
///
/// # Errors
/// [`LatentError::Format`] when two of them would be the same; [`LatentError::Stopped`]; whatever reading reports.
pub(super) fn quantiles(
    reader: &mut Reader,
    count: u32,
    observer: &dyn Observer,
) -> Result<Vec<f32>, LatentError> {
    observer.stage("quantiles", reader.count() as u64, "images");
    let mut counts = vec![0u64; STEPS];
    let mut done = 0;
    // The step of a value is the last one that is not above it.
    let steps = |pixels: Pixels| -> Vec<u16> {
        let lit = pixels.values.iter().filter(|value| **value > 0.0);
        lit.map(|value| (value.min(1.0) * (STEPS - 1) as f32) as u16)
            .collect()
    };
    while done < reader.count() {
        let images = reader.next(BATCH.min(reader.count() - done), observer, steps)?;
        done += images.len();
        for step in images.into_iter().flatten() {
            counts[usize::from(step)] += 1;
        }
    }
    let all: u64 = counts.iter().sum();
    let mut thresholds: Vec<f32> = Vec::new();
    let (mut below, mut step) = (0, 0);
    for number in 1..=u64::from(count) {
        let wanted = (all * number).div_ceil(u64::from(count) + 1);
        while step < STEPS && below + counts[step] <= wanted {
            below += counts[step];
            step += 1;
        }
        thresholds.push(step as f32 / (STEPS - 1) as f32);
    }
    let within = |threshold: &f32| *threshold > 0.0 && *threshold <= 1.0;
    if !thresholds.is_sorted_by(|a, b| a < b) || !thresholds.iter().all(within) {
        return Err(LatentError::format(
            reader.path(),
            format!("means whose {count} quantiles differ: say the thresholds, or take fewer"),
            format!("quantiles at {thresholds:?}"),
        ));
    }
    Ok(thresholds)
}
