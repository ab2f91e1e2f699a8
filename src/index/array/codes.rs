//! Numbers as bits: fixed widths, and sets of numbers in few bits.
//!
//! A set of `n` numbers between two bounds is written by its middle one, then the halves on both sides of it in the same way
//! (binary interpolative coding, Moffat and Stuiver 2000): a number whose bounds leave it no choice takes no bit, and a dense
//! run takes next to none. No parameter is stored, and whatever bits are read, the numbers are within their bounds and
//! ascend.

use crate::base::bits::{push, read};

/// Writes numbers into words, lowest bit first.
#[derive(Default)]
pub(super) struct BitWriter {
    words: Vec<u64>,
    length: usize,
}

impl BitWriter {
    pub(super) fn clear(&mut self) {
        self.words.clear();
        self.length = 0;
    }

    /// Writes the lowest `n ≤ 64` bits of `number`, which has no others.
    pub(super) fn write(&mut self, number: u64, n: usize) {
        // And the spare word that `push` touches.
        self.words.resize((self.length + n) / 64 + 2, 0);
        push(&mut self.words, self.length, number);
        self.length += n;
    }

    /// Writes a number below `range ≥ 1`, in ⌊log2⌋ or ⌈log2⌉ bits of it.
    fn write_below(&mut self, number: u64, range: u64) {
        let (n, short) = split(range);
        if number < short {
            self.write(number, n);
        } else {
            self.write((number + short) >> 1, n);
            self.write((number + short) & 1, 1);
        }
    }

    /// Writes numbers that ascend, none below `min` or above `max`.
    pub(super) fn write_set(&mut self, numbers: &[u64], min: u64, max: u64) {
        let count = numbers.len() as u64;
        if count == 0 || max - min + 1 == count {
            return;
        }
        let middle = numbers.len() / 2;
        let (before, after) = (middle as u64, count - 1 - middle as u64);
        let number = numbers[middle];
        self.write_below(number - (min + before), max - after - (min + before) + 1);
        if before > 0 {
            self.write_set(&numbers[..middle], min, number - 1);
        }
        if after > 0 {
            self.write_set(&numbers[middle + 1..], number + 1, max);
        }
    }

    /// Appends the bits to bytes, the last byte filled with zeros.
    pub(super) fn append_to(&self, bytes: &mut Vec<u8>) {
        let whole = self.words.iter().flat_map(|word| word.to_le_bytes());
        bytes.extend(whole.take(self.length.div_ceil(8)));
    }
}

/// For a range of numbers, the bits of the short ones and how many are short.
fn split(range: u64) -> (usize, u64) {
    let n = 63 - range.max(1).leading_zeros();
    (n as usize, (2u64 << n) - range)
}

/// Reads numbers out of words; behind the end come zeros.
pub(super) struct BitReader<'a> {
    words: &'a [u64],
    at: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at bit `at`.
    pub(super) fn new(words: &'a [u64], at: usize) -> Self {
        Self { words, at }
    }

    /// Returns the bits that have been read, those before the start included.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn read(&mut self, n: usize) -> u64 {
        // The word behind the last one read is there too.
        let number = match self.at / 64 + 1 < self.words.len() {
            true => read(self.words, self.at, n),
            false => 0,
        };
        self.at += n;
        number
    }

    fn read_below(&mut self, range: u64) -> u64 {
        let (n, short) = split(range);
        match self.read(n) {
            number if number < short => number,
            number => (number << 1 | self.read(1)) - short,
        }
    }

    /// Reads `numbers.len()` numbers of at least `min` and at most `max`, between which there are so many.
    pub(super) fn read_set(&mut self, numbers: &mut [u64], min: u64, max: u64) {
        let count = numbers.len() as u64;
        if count == 0 {
            return;
        }
        if max - min + 1 == count {
            numbers
                .iter_mut()
                .zip(min..)
                .for_each(|(number, own)| *number = own);
            return;
        }
        let middle = numbers.len() / 2;
        let (before, after) = (middle as u64, count - 1 - middle as u64);
        let number = min + before + self.read_below(max - after - (min + before) + 1);
        numbers[middle] = number;
        if before > 0 {
            self.read_set(&mut numbers[..middle], min, number - 1);
        }
        if after > 0 {
            self.read_set(&mut numbers[middle + 1..], number + 1, max);
        }
    }
}

impl BitReader<'_> {
    /// Reads the first `numbers.len()` of `count` numbers of at least `min` and at most `max`. What lies behind them is not read: a set is
    /// written middle first, and then the half before it.
    pub(super) fn read_first(&mut self, numbers: &mut [u64], count: usize, min: u64, max: u64) {
        if numbers.is_empty() {
            return;
        }
        if max - min + 1 == count as u64 {
            numbers
                .iter_mut()
                .zip(min..)
                .for_each(|(number, own)| *number = own);
            return;
        }
        if numbers.len() >= count {
            return self.read_set(numbers, min, max);
        }
        let middle = count / 2;
        let (before, after) = (middle as u64, (count - 1 - middle) as u64);
        let number = min + before + self.read_below(max - after - (min + before) + 1);
        if numbers.len() <= middle {
            return self.read_first(numbers, middle, min, number - 1);
        }
        self.read_set(&mut numbers[..middle], min, number.saturating_sub(1));
        numbers[middle] = number;
        self.read_first(
            &mut numbers[middle + 1..],
            count - 1 - middle,
            number + 1,
            max,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(writer: &BitWriter) -> Vec<u64> {
        let mut bytes = Vec::new();
        writer.append_to(&mut bytes);
        crate::base::bits::words(&bytes).chain([0, 0]).collect()
    }

    proptest! {
        #[test]
        fn sets_and_numbers_are_read_as_they_were_written(
            sets in prop::collection::vec(
                (prop::collection::btree_set(0..1u64 << 40, 0..40), 0..5u64, any::<bool>()),
                0..10,
            ),
        ) {
            let mut writer = BitWriter::default();
            let mut expected = Vec::new();
            for (set, room, dense) in &sets {
                let numbers: Vec<u64> = match dense {
                    true => (*room..*room + set.len() as u64).collect(),
                    false => set.iter().copied().collect(),
                };
                let min = numbers.first().map_or(0, |first| first.saturating_sub(*room));
                let max = numbers.last().map_or(0, |last| last + room);
                writer.write(*room, 3);
                writer.write_set(&numbers, min, max);
                expected.push((*room, numbers, min, max));
            }
            let words = words(&writer);
            let mut reader = BitReader::new(&words, 0);
            for (room, numbers, min, max) in expected {
                prop_assert_eq!(reader.read(3), room);
                let mut found = vec![0; numbers.len()];
                reader.read_set(&mut found, min, max);
                prop_assert_eq!(found, numbers);
            }
            prop_assert_eq!(reader.at(), writer.length);
        }

        #[test]
        fn the_first_numbers_of_a_set_are_read_as_with_all_of_it(
            set in prop::collection::btree_set(0..1u64 << 40, 1..300), dense in any::<bool>(), room in 0..5u64, first in 0..300usize,
        ) {
            let numbers: Vec<u64> = match dense {
                true => (7..7 + set.len() as u64).collect(),
                false => set.into_iter().collect(),
            };
            let (min, max) = (numbers[0].saturating_sub(room), numbers[numbers.len() - 1] + room);
            let mut writer = BitWriter::default();
            writer.write_set(&numbers, min, max);
            let words = words(&writer);
            let first = first.min(numbers.len());
            let mut found = vec![0; first];
            BitReader::new(&words, 0).read_first(&mut found, numbers.len(), min, max);
            prop_assert_eq!(&found[..], &numbers[..first]);
        }

        #[test]
        fn whatever_bits_there_are_numbers_ascend_within_their_bounds(
            words in prop::collection::vec(any::<u64>(), 0..20), count in 1..200usize, room in 0..1000u64,
        ) {
            let mut found = vec![0; count];
            let max = 10 + count as u64 - 1 + room;
            BitReader::new(&words, 0).read_set(&mut found, 10, max);
            prop_assert!(found.is_sorted_by(|a, b| a < b));
            prop_assert!(found[0] >= 10 && found[count - 1] <= max);
        }
    }

    #[test]
    fn a_set_without_a_choice_takes_no_bit() {
        let mut writer = BitWriter::default();
        writer.write_set(&[5, 6, 7, 8], 5, 8);
        assert_eq!(writer.length, 0);
        // Three of four: which one is missing.
        writer.write_set(&[5, 6, 8], 5, 8);
        assert!(writer.length <= 3);
    }
}
