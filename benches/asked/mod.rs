//! What the benchmarks of lookups share: which contexts are asked, and the clock.

use std::time::Instant;

use bitquilt::{Frame, Geometry};

/// Draws the same contexts every time.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        // Knuth's MMIX generator.
        self.0 = self.0.wrapping_mul(6364136223846793005);
        self.0 = self.0.wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % end
    }
}

/// Nanoseconds between two looks at the clock: part of every time measured here.
pub fn clock() -> f64 {
    let mut times: Vec<_> = (0..100_000)
        .map(|_| {
            let started = Instant::now();
            started.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2] as f64
}

/// Flips 1 to 3 bits of the context at a position, where it has any.
pub fn flip_some(frame: &mut Frame, geometry: &Geometry, position: usize, random: &mut Random) {
    let seen: Vec<usize> = geometry.context(position).flatten().collect();
    for _ in 0..1 + random.below(3) {
        let Some(at) = seen.get(random.below(seen.len().max(1))) else {
            break;
        };
        frame.set(*at, !frame.get(*at));
    }
}
