//! Numbers in [0, 1) from hashes: every draw is a function of what it is for, and of nothing else.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Returns a number in [0, 1) from 64 random bits: a multiple of 2⁻⁵³, as many bits as a float in [0, 1) has. Exact, so
/// that comparing it with p is comparing the hash's upper 53 bits with p · 2⁵³.
pub(crate) fn uniform(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

/// Returns number `counter` of the numbers in [0, 1) that belong to a seed.
pub(crate) fn uniform_at(counter: u64, seed: u64) -> f64 {
    uniform(xxh3_64_with_seed(&counter.to_le_bytes(), seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_from_0_to_below_1_and_are_those_that_files_were_made_with() {
        assert_eq!(uniform(0), 0.0);
        assert_eq!(uniform((1 << 11) - 1), 0.0);
        assert_eq!(uniform(1 << 63), 0.5);
        assert_eq!(uniform(u64::MAX), 1.0 - f64::EPSILON / 2.0);
        // XXH3-64 of eight zero bytes with seed 0 is 0xc77b_3abb_6f87_acd9, whatever the machine.
        assert_eq!(uniform_at(0, 0), uniform(0xc77b_3abb_6f87_acd9));
        assert_ne!(uniform_at(1, 0), uniform_at(0, 0));
        assert_ne!(uniform_at(0, 1), uniform_at(0, 0));
    }
}
