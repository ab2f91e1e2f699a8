//! Searching sorted numbers with few looks at memory: what is asked for is mostly not in the processor's cache.

/// Numbers between two samples: of 4 bytes a cache line, of 8 two that are fetched together.
const STEP: usize = 16;

/// Sorted numbers, and every sixteenth of them once more, side by side.
#[derive(Debug, Default)]
pub(super) struct Sorted<T> {
    samples: Vec<T>,
    numbers: Vec<T>,
}

impl<T: Copy + Ord> Sorted<T> {
    /// Adds a number, no smaller than those before it.
    pub(super) fn push(&mut self, number: T) {
        if self.numbers.len().is_multiple_of(STEP) {
            self.samples.push(number);
        }
        self.numbers.push(number);
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns which of the numbers are equal to `wanted` once `part` is taken of each; those before are smaller. Taking a part
    /// must keep the order.
    #[inline]
    pub(super) fn equal(&self, wanted: T, part: impl Fn(T) -> T) -> std::ops::Range<usize> {
        let is_below = |number: &T| part(*number) < wanted;
        // The last sample below it, if there is one, begins the sixteen where it would be.
        let sample = self.samples.partition_point(is_below).saturating_sub(1);
        let among = sample * STEP;
        let end = (among + STEP).min(self.numbers.len());
        let start = among + self.numbers[among..end].partition_point(is_below);
        let rest = &self.numbers[start..];
        start..start + leading(rest.len(), |at| part(rest[at]) == wanted)
    }
}

impl<T: Copy + Ord> FromIterator<T> for Sorted<T> {
    fn from_iter<I: IntoIterator<Item = T>>(numbers: I) -> Self {
        let numbers: Vec<T> = numbers.into_iter().collect();
        Self {
            samples: numbers.iter().copied().step_by(STEP).collect(),
            numbers,
        }
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
            let sorted: Sorted<u64> = numbers.iter().copied().collect();
            prop_assert_eq!(sorted.equal(wanted, part), below..below + equal);
            let mut pushed = Sorted::default();
            numbers.iter().for_each(|number| pushed.push(*number));
            prop_assert_eq!(pushed.equal(wanted, part), below..below + equal);
            prop_assert_eq!(pushed.len(), numbers.len());
            prop_assert_eq!(leading(numbers.len(), |at| part(numbers[at]) < wanted), below);
            prop_assert_eq!(halved(numbers.len(), |at| part(numbers[at]) < wanted), below);
        }
    }
}
