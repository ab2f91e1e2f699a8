//! Hamming distances of rows of bits, by words.

use pulp::Arch;

/// Returns how many bits differ between two rows of as many words. Inlined, so that it uses what the function around it
/// was compiled for: POPCNT or AVX2 within [`Arch::dispatch`].
#[inline(always)]
fn distance(row: &[u64], other: &[u64]) -> u32 {
    let differing = row.iter().zip(other).map(|(a, b)| (a ^ b).count_ones());
    differing.sum()
}

/// Replaces `distances` by those of `row`, at least one word, to the same words of each of `rows`, of `row_words` words each, in
/// order: its first ones from `from` on.
pub(crate) fn distances(
    row: &[u64],
    rows: &[u64],
    (row_words, from): (usize, usize),
    distances: &mut Vec<u32>,
) {
    distances.clear();
    // POPCNT and AVX2 where the machine has them: three times as fast (docs/notes/index.md).
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let part = from..from + row.len();
            let rows = rows.chunks_exact(row_words);
            distances.extend(rows.map(|other| distance(row, &other[part.clone()])));
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
        distances(&row, &rows, (2, 0), &mut found);
        assert_eq!(found, [0, 2 + 64, 3 + 1]);
        distances(&row[1..], &rows, (2, 1), &mut found);
        assert_eq!(found, [0, 64, 1]);
        distances(&row[..1], &rows, (2, 0), &mut found);
        assert_eq!(found, [0, 2, 3]);
        distances(&row, &[], (2, 0), &mut found);
        assert!(found.is_empty());
    }
}
