//! Latents → occurrences: how many at a time, and the extraction itself.

use rayon::prelude::*;

use super::IndexError;
use super::labels::Labels;
use super::occurrence::OccurrenceLayout;
use super::sort::MAX_SPILLS;
use crate::base::Observer;
use crate::latent::LatentSet;
use crate::window::{Frame, Geometry};

/// Memory that does not grow with the input: code, RocksDB, buffers.
const FIXED_BYTES: u64 = 24 << 20;

/// Memory of an SST file under work, per entry: an 8-byte hash for the filter, the filter's own bits,
/// the index.
const WRITER_BYTES: u64 = 12;

/// How the occurrences of one window are cut into batches.
pub(super) struct Memory {
    pub(super) layout: OccurrenceLayout,
    /// Latents sorted at a time.
    pub(super) batch: usize,
    /// Bytes for the read buffers of a merge.
    pub(super) buffers: usize,
}

impl Memory {
    /// Plans one window of a build, of so many latents of a set, within `limit` bytes.
    pub(super) fn plan(
        set: &LatentSet,
        latents: usize,
        geometry: &Geometry,
        limit: u64,
    ) -> Result<Self, IndexError> {
        let bits = set.shape().bits() as u64;
        let total = latents as u64 * bits;
        let layout = OccurrenceLayout::new(geometry.key_bytes(), set.len() as u64 * bits);
        let latent_bytes = bits * 8 * layout.words() as u64;
        let writers = rayon::current_num_threads() as u64 * total.min(1 << 22) * WRITER_BYTES;
        let fixed = FIXED_BYTES + set.packed().len() as u64 + writers;
        let room = limit.saturating_sub(fixed);
        let batch = (room / latent_bytes).min(latents as u64);
        let batches = (latents as u64).div_ceil(batch.max(1));
        if batch == 0 || batches > MAX_SPILLS {
            let min = (latents as u64).div_ceil(MAX_SPILLS) * latent_bytes;
            return Err(IndexError::MemoryLimit {
                limit,
                needed: fixed + min,
                reason: format!(
                    "{latents} latents of {bits} bits at window {}",
                    geometry.window()
                ),
            });
        }
        Ok(Self {
            layout,
            batch: batch as usize,
            buffers: room as usize,
        })
    }
}

/// Packs every occurrence of some latents into `batch`, latents in parallel.
pub(super) fn extract<const W: usize>(
    set: &LatentSet,
    ids: &[u32],
    labels: &Labels,
    geometry: &Geometry,
    layout: OccurrenceLayout,
    batch: &mut [[u64; W]],
    observer: &dyn Observer,
) -> Result<(), IndexError> {
    let bits = set.shape().bits();
    let name = format!("{}: extract", geometry.window());
    observer.stage(&name, ids.len() as u64, "latents");
    // 64 latents at a time: enough work to share out, a progress bar that moves.
    batch
        .par_chunks_mut(64 * bits)
        .zip(ids.par_chunks(64))
        .try_for_each_init(
            || Frame::new(set.shape(), &[geometry]),
            |frame, (out, ids)| {
                observer.check()?;
                for (out, id) in out.chunks_mut(bits).zip(ids) {
                    let id = *id as usize;
                    labels.load(frame, set, id);
                    for (position, slot) in out.iter_mut().enumerate() {
                        let key = geometry.key(frame, position);
                        let number = (id * bits + position) as u64;
                        *slot = layout.pack(&key, frame.get(position), number);
                    }
                }
                observer.advance(ids.len() as u64);
                Ok(())
            },
        )
}
