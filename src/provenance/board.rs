//! Sites of a grid as one string of bits, a margin of absent sites around them: a question about the
//! neighbours of every site is a few shifts of the whole string.

use crate::base::bits::{push, read};

/// How the sites of a grid lie in a board: each row with `margin` absent sites on both sides, and
/// `margin` rows of absent sites above.
///
/// The sites that a square of radius `margin` sees before a site all lie at smaller numbers, none below 0:
/// `(row + margin)·stride + margin + col − margin·stride − margin ≥ 0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoardLayout {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) margin: usize,
}

impl BoardLayout {
    /// Returns the number of bits from a site to the one below it.
    pub(crate) fn stride(self) -> usize {
        self.width + 2 * self.margin
    }

    /// Returns the number of words of a board, one of them spare for reads and writes that span two.
    pub(crate) fn words(self) -> usize {
        ((self.height + self.margin) * self.stride()).div_ceil(64) + 1
    }

    /// Returns the bit of a site.
    pub(crate) fn at(self, row: usize, col: usize) -> usize {
        (row + self.margin) * self.stride() + self.margin + col
    }
}

/// A string of bits, lowest first. All strings that meet in one operation are of one length.
pub(crate) type Board = Vec<u64>;

/// Returns bits `from..from + n` of `words` as runs of at most 64: offset and bits.
pub(crate) fn runs(words: &[u64], from: usize, n: usize) -> impl Iterator<Item = (usize, u64)> {
    (0..n)
        .step_by(64)
        .map(move |done| (done, read(words, from + done, (n - done).min(64))))
}

/// Sets bits `at..at + n`.
pub(crate) fn set_run(board: &mut [u64], at: usize, n: usize) {
    for done in (0..n).step_by(64) {
        push(board, at + done, !0 >> (64 - (n - done).min(64)));
    }
}

/// Returns whether a bit is set.
pub(crate) fn get(board: &[u64], at: usize) -> bool {
    board[at / 64] >> (at % 64) & 1 == 1
}

/// Keeps bit `i` where bit `i − n` is set too. Bits below 0 are not set.
pub(crate) fn and_earlier(board: &mut [u64], n: usize) {
    let (skip, shift) = (n / 64, n % 64);
    for i in (0..board.len()).rev() {
        board[i] &= earlier(board, i, skip, shift);
    }
}

/// Moves every bit up by `n`.
pub(crate) fn move_up(board: &mut [u64], n: usize) {
    let (skip, shift) = (n / 64, n % 64);
    for i in (0..board.len()).rev() {
        board[i] = earlier(board, i, skip, shift);
    }
}

#[inline]
fn earlier(board: &[u64], i: usize, skip: usize, shift: usize) -> u64 {
    let Some(high) = i.checked_sub(skip) else {
        return 0;
    };
    let low = high.checked_sub(1).map_or(0, |low| board[low]);
    // `>> 1 >> (63 − shift)` is `>> (64 − shift)` that is 0, not undefined, at shift 0.
    board[high] << shift | low >> 1 >> (63 - shift)
}

/// Keeps bit `i` where bits `i − n + 1 ..= i` all are set, n ≥ 1. O(words · log n).
pub(crate) fn and_run(board: &mut [u64], n: usize, step: usize) {
    let mut length = 1;
    while length < n {
        let more = length.min(n - length);
        and_earlier(board, more * step);
        length += more;
    }
}

/// Sets bit `i` where bit `i + n` is set too.
pub(crate) fn or_later(board: &mut [u64], n: usize) {
    let (skip, shift) = (n / 64, n % 64);
    for i in 0..board.len() {
        board[i] |= later(board, i, skip, shift);
    }
}

/// Moves every bit down by `n`.
pub(crate) fn move_down(board: &mut [u64], n: usize) {
    let (skip, shift) = (n / 64, n % 64);
    for i in 0..board.len() {
        board[i] = later(board, i, skip, shift);
    }
}

#[inline]
fn later(board: &[u64], i: usize, skip: usize, shift: usize) -> u64 {
    let word = |i: usize| board.get(i).copied().unwrap_or_default();
    word(i + skip) >> shift | word(i + skip + 1) << 1 << (63 - shift)
}

/// Sets bit `i` where any of bits `i ..= i + n − 1` is set, n ≥ 1, in steps. O(words · log n).
pub(crate) fn or_run(board: &mut [u64], n: usize, step: usize) {
    let mut length = 1;
    while length < n {
        let more = length.min(n - length);
        or_later(board, more * step);
        length += more;
    }
}

/// Computes `board &= other`.
pub(crate) fn and(board: &mut [u64], other: &[u64]) {
    for (word, other) in board.iter_mut().zip(other) {
        *word &= other;
    }
}

/// Computes `board |= other`.
pub(crate) fn or(board: &mut [u64], other: &[u64]) {
    for (word, other) in board.iter_mut().zip(other) {
        *word |= other;
    }
}

/// Clears the bits that `other` has.
pub(crate) fn without(board: &mut [u64], other: &[u64]) {
    for (word, other) in board.iter_mut().zip(other) {
        *word &= !other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(board: &[u64]) -> Vec<bool> {
        (0..board.len() * 64).map(|i| get(board, i)).collect()
    }

    proptest! {
        #[test]
        fn runs_of_shifts_are_what_bit_by_bit_looking_finds(
            board in prop::collection::vec(any::<u64>().prop_map(|w| w | w >> 3 | w << 7), 1..5),
            n in 1..40usize,
            step in 1..90usize,
        ) {
            let plain = bits(&board);
            let bit = |i: isize| usize::try_from(i).ok().and_then(|i| plain.get(i).copied()).unwrap_or(false);
            let whole = |i: usize| (0..n).all(|m| bit(i as isize - (m * step) as isize));
            let some = |i: usize| (0..n).any(|m| bit((i + m * step) as isize));
            let mut changed = board.clone();
            and_run(&mut changed, n, step);
            prop_assert_eq!(bits(&changed), (0..plain.len()).map(whole).collect::<Vec<_>>());
            changed.clone_from(&board);
            or_run(&mut changed, n, step);
            prop_assert_eq!(bits(&changed), (0..plain.len()).map(some).collect::<Vec<_>>());
            changed.clone_from(&board);
            move_up(&mut changed, step);
            let moved = |i: usize| bit(i as isize - step as isize);
            prop_assert_eq!(bits(&changed), (0..plain.len()).map(moved).collect::<Vec<_>>());
            changed.clone_from(&board);
            move_down(&mut changed, step);
            let moved = |i: usize| bit((i + step) as isize);
            prop_assert_eq!(bits(&changed), (0..plain.len()).map(moved).collect::<Vec<_>>());
        }
    }
}
