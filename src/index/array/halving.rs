//! Searching sorted numbers with few looks at memory: what is asked for is mostly not in the processor's cache.

use std::ops::Range;

/// Numbers between two samples: of 4 bytes a cache line, of 8 two that are fetched together.
pub(super) const STEP: usize = 16;

/// Sorted numbers; before them every sixteenth of them, and every sixteenth of those, until they are few.
#[derive(Debug, Default)]
pub(super) struct Sorted<T> {
    /// The fewest first, the numbers themselves last.
    levels: Vec<Box<[T]>>,
}

impl<T: Copy + Ord> Sorted<T> {
    /// Takes numbers that ascend.
    pub(super) fn new(numbers: Box<[T]>) -> Self {
        let mut levels = vec![numbers];
        while levels[levels.len() - 1].len() > STEP {
            levels.push(samples(&levels[levels.len() - 1]).collect());
        }
        levels.reverse();
        Self { levels }
    }

    /// Returns a number, if there are so many.
    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<T> {
        self.levels.last()?.get(at).copied()
    }

    /// Returns which of the numbers are equal to `wanted`; those before are smaller.
    #[inline]
    pub(super) fn equal(&self, wanted: T) -> Range<usize> {
        let mut among = 0;
        let mut start = 0;
        for level in &self.levels {
            start = from_sample(level, among, |number| number < wanted);
            among = start.saturating_sub(1);
        }
        let rest = self.levels.last().map_or(&[][..], |all| &all[start..]);
        start..start + leading(rest.len(), |at| rest[at] == wanted)
    }
}

/// Returns every sixteenth number.
pub(super) fn samples<T: Copy>(numbers: &[T]) -> impl Iterator<Item = T> {
    numbers.iter().step_by(STEP).copied()
}

/// Returns how many of a few sorted numbers are below what is asked. Looks at all of them: they come from memory together, where
/// each step of a halving would wait for the one before.
#[inline]
pub(super) fn below<T: Copy>(numbers: &[T], is_below: impl Fn(T) -> bool) -> usize {
    numbers
        .iter()
        .map(|number| usize::from(is_below(*number)))
        .sum()
}

/// Returns how many of sorted numbers are below what is asked, where the last sample below it, if any is, is the given one.
#[inline]
pub(super) fn from_sample<T: Copy>(
    numbers: &[T],
    sample: usize,
    is_below: impl Fn(T) -> bool,
) -> usize {
    let from = (sample * STEP).min(numbers.len());
    let end = (from + STEP).min(numbers.len());
    from + below(&numbers[from..end], is_below)
}

/// Returns how many of `count` things hold, where those that do come first. Few, mostly: doubling steps before halving.
#[inline]
pub(super) fn leading(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut end, mut step) = (0, 1);
    while end < count {
        let next = (end + step).min(count);
        if !holds(next - 1) {
            return end + halved(next - 1 - end, |at| holds(end + at));
        }
        (end, step) = (next, 2 * step);
    }
    end
}

/// The same by halving alone.
#[inline]
pub(super) fn halved(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        match holds(middle) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_found_is_what_a_scan_finds(
            mut numbers in prop::collection::vec(0..900u64, 0..1500), wanted in 0..901u64, spread in 1..30u64,
        ) {
            numbers.iter_mut().for_each(|number| *number /= spread);
            numbers.sort_unstable();
            let wanted = wanted / spread;
            let below = numbers.iter().filter(|number| **number < wanted).count();
            let equal = numbers.iter().filter(|number| **number == wanted).count();
            prop_assert_eq!(Sorted::new(numbers.clone().into()).equal(wanted), below..below + equal);
            let sampled: Vec<u64> = samples(&numbers).collect();
            let sample = sampled.partition_point(|number| *number < wanted).saturating_sub(1);
            prop_assert_eq!(from_sample(&numbers, sample, |number| number < wanted), below);
            prop_assert_eq!(leading(numbers.len(), |at| numbers[at] < wanted), below);
            prop_assert_eq!(halved(numbers.len(), |at| numbers[at] < wanted), below);
        }
    }
}
