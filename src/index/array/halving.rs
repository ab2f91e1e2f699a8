//! Searching sorted numbers with few looks at memory: what is asked for is mostly not in the processor's cache.

/// Numbers between two samples: of 4 bytes a cache line, of 8 two that are fetched together.
const STEP: usize = 16;

/// Sorted numbers; before them every sixteenth of them, side by side.
#[derive(Debug, Default)]
pub(super) struct Sorted<T> {
    samples: usize,
    all: Box<[T]>,
}

impl<T: Copy + Ord> Sorted<T> {
    /// Takes numbers that ascend.
    pub(super) fn new(numbers: &[T]) -> Self {
        let samples = numbers.iter().step_by(STEP);
        Self {
            samples: samples.len(),
            all: samples.chain(numbers).copied().collect(),
        }
    }

    /// Returns the bytes of so many numbers.
    pub(super) fn bytes(count: usize) -> usize {
        (count.div_ceil(STEP) + count) * size_of::<T>()
    }

    /// Returns which of the numbers are equal to `wanted` once `part` is taken of each; those before are smaller. Taking a part
    /// must keep the order.
    #[inline]
    pub(super) fn equal(&self, wanted: T, part: impl Fn(T) -> T) -> std::ops::Range<usize> {
        let is_below = |number: &T| part(*number) < wanted;
        // The last sample below it, if there is one, begins the sixteen where it would be.
        let (samples, numbers) = self.all.split_at(self.samples);
        let among = samples.partition_point(is_below).saturating_sub(1) * STEP;
        let end = (among + STEP).min(numbers.len());
        let start = among + numbers[among..end].partition_point(is_below);
        let rest = &numbers[start..];
        start..start + leading(rest.len(), |at| part(rest[at]) == wanted)
    }
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
            mut numbers in prop::collection::vec(0..40u64, 0..200), wanted in 0..41u64, shift in 0..3u32,
        ) {
            numbers.sort_unstable();
            let part = |number: u64| number >> shift;
            let wanted = wanted >> shift;
            let below = numbers.iter().filter(|number| part(**number) < wanted).count();
            let equal = numbers.iter().filter(|number| part(**number) == wanted).count();
            prop_assert_eq!(Sorted::new(&numbers).equal(wanted, part), below..below + equal);
            prop_assert_eq!(leading(numbers.len(), |at| part(numbers[at]) < wanted), below);
            prop_assert_eq!(halved(numbers.len(), |at| part(numbers[at]) < wanted), below);
        }
    }
}
