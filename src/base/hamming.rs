//! Hamming distances of rows of bits, by words.

use pulp::Arch;

/// Returns how many bits differ between two rows of as many words. Inlined, so that it uses what the function around it
/// was compiled for: POPCNT or AVX2 within [`Arch::dispatch`].
#[inline(always)]
pub(crate) fn distance(row: &[u64], other: &[u64]) -> u32 {
    let differing = row.iter().zip(other).map(|(a, b)| (a ^ b).count_ones());
    differing.sum()
}

/// Replaces `distances` by those of one row, of at least one word, to each row of `rows`, as long each, in order.
pub(crate) fn distances(row: &[u64], rows: &[u64], distances: &mut Vec<u32>) {
    distances.clear();
    // POPCNT and AVX2 where the machine has them: three times as fast (docs/notes/index.md).
    Arch::new().dispatch(
        #[inline(always)]
        || {
            distances.extend(
                rows.chunks_exact(row.len())
                    .map(|other| distance(row, other)),
            );
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_the_bits_that_differ() {
        let row = [0b1011, u64::MAX];
        let rows = [0b1011, u64::MAX, 0b0001, 0, 0, u64::MAX - 1];
        let mut found = vec![7; 5];
        distances(&row, &rows, &mut found);
        assert_eq!(found, [0, 2 + 64, 3 + 1]);
        distances(&row, &[], &mut found);
        assert!(found.is_empty());
    }
}
