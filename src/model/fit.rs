//! What one window knows of latents: bits, and how much it supports.

use rayon::prelude::*;

use super::likelihood::histograms_of;
use crate::base::Observer;
use crate::index::{Counts, IndexError};
use crate::latent::LatentSet;
use crate::window::{Frame, Geometry, Given};

/// What the counts of one window say of the bits of its level.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fit {
    /// Negative log₂ likelihood of a latent's level, the mean: (n + ½) / (n₀ + n₁ + 1) for each bit.
    pub bits: f64,
    /// Share of bits that follow their context somewhere.
    pub supported: f64,
    /// Share of bits whose context occurs.
    pub known: f64,
}

/// Measures a window on latents of its shape; `labels` gives the number of each one's label, or none where contexts are of any.
///
/// # Errors
/// Whatever the index reports.
pub fn fit(
    geometry: &Geometry,
    counts: &dyn Counts,
    latents: &LatentSet,
    labels: &[u64],
    observer: &dyn Observer,
) -> Result<Fit, IndexError> {
    let each = (0..latents.len()).into_par_iter().map(|id| {
        observer.check()?;
        let mut frame = Frame::new(latents.shape(), &[geometry]);
        let given = labels.get(id).map_or(Given::NOTHING, |n| Given::label(*n));
        frame.load(latents.packed_latent(id), given);
        let histograms = histograms_of(geometry, counts, &mut frame)?;
        let mut own = Fit::default();
        for (position, histogram) in geometry.positions().zip(histograms) {
            let histogram = histogram.unwrap_or_default();
            let count = histogram.count(frame.get(position)) as f64;
            let total = histogram.total() as f64;
            own.bits -= ((count + 0.5) / (total + 1.0)).log2();
            own.supported += f64::from(u8::from(count > 0.0));
            own.known += f64::from(u8::from(total > 0.0));
        }
        observer.advance(1);
        Ok(own)
    });
    // In order, so that sums of floats do not depend on the number of threads.
    let each = each.collect::<Result<Vec<Fit>, IndexError>>()?;
    let latents = each.len().max(1) as f64;
    let bits = latents * geometry.positions().len() as f64;
    let sum = |of: fn(&Fit) -> f64| each.iter().map(of).sum::<f64>();
    Ok(Fit {
        bits: sum(|fit| fit.bits) / latents,
        supported: sum(|fit| fit.supported) / bits,
        known: sum(|fit| fit.known) / bits,
    })
}
