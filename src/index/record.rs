//! The value stored with each context: its histogram and where its postings lie. The one user of
//! bincode: 2.0.1 is the last version there will be, so its bytes are pinned by a test here.

use bincode::config::{Configuration, standard};
use bincode::{Decode, Encode};

use super::Histogram;

/// Little endian, varint, enum tags as varints.
const CONFIG: Configuration = standard();

/// Most bytes of an encoded record: two lists of a tag, two 9-byte and one 5-byte integer.
pub(super) const MAX_RECORD_BYTES: usize = 48;

/// Occurrences that a window of an index can have: 2³² latents of at most 2²⁰ bits. A record that counts more is damaged,
/// and sums of two counts never overflow.
const MAX_OCCURRENCES: u64 = 1 << 52;

/// Where the occurrences of one (context, bit) lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum List {
    /// There are none.
    Empty,
    /// There is one, and this is it: most contexts of a large window occur once, and a posting takes
    /// no more room here than a pointer to it would.
    One(u64),
    /// `count ≥ 2` postings, the first at `offset` of posting run `run`.
    Many { count: u64, run: u64, offset: u32 },
}

impl List {
    /// Returns the number of postings.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::One(_) => 1,
            Self::Many { count, .. } => *count,
        }
    }
}

/// The value of a `context:<window>` entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct ContextRecord {
    /// Postings with next bit 0.
    pub(super) zero: List,
    /// Postings with next bit 1.
    pub(super) one: List,
}

impl ContextRecord {
    pub(super) fn histogram(&self) -> Histogram {
        Histogram {
            n0: self.zero.count(),
            n1: self.one.count(),
        }
    }

    pub(super) fn list(&self, bit: bool) -> &List {
        if bit { &self.one } else { &self.zero }
    }

    /// Writes the record into `buffer` and returns the bytes written.
    #[expect(
        clippy::expect_used,
        reason = "an empty record would be a wrong answer; a test encodes the longest one"
    )]
    pub(super) fn encode<'a>(&self, buffer: &'a mut [u8; MAX_RECORD_BYTES]) -> &'a [u8] {
        let length = bincode::encode_into_slice(self, &mut buffer[..], CONFIG)
            .expect("a buffer that holds the longest record");
        &buffer[..length]
    }

    /// Reads a record; `None` when the bytes are not exactly one, or count more than any index holds.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (record, length): (Self, _) = bincode::decode_from_slice(bytes, CONFIG).ok()?;
        let counts = [record.zero.count(), record.one.count()];
        let possible = counts.iter().all(|count| *count <= MAX_OCCURRENCES);
        (length == bytes.len() && possible).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_on_disk_are_these() {
        let record = ContextRecord {
            zero: List::Many {
                count: 300,
                run: 70_000,
                offset: 16_383,
            },
            one: List::One(47_039_999),
        };
        let mut buffer = [0; MAX_RECORD_BYTES];
        let bytes = record.encode(&mut buffer);
        let golden = [
            2, 251, 44, 1, 252, 112, 17, 1, 0, 251, 255, 63, // Many
            1, 252, 255, 197, 205, 2, // One
        ];
        assert_eq!(bytes, golden);
        assert_eq!(ContextRecord::decode(&golden), Some(record));
        assert_eq!(ContextRecord::decode(&golden[1..]), None);
        assert_eq!(ContextRecord::decode(&[0, 0, 0]), None);
        let empty = ContextRecord {
            zero: List::Empty,
            one: List::Empty,
        };
        assert_eq!(empty.encode(&mut buffer), [0, 0]);
    }

    #[test]
    fn the_longest_record_fits() {
        let longest = List::Many {
            count: u64::MAX,
            run: u64::MAX,
            offset: u32::MAX,
        };
        let record = ContextRecord {
            zero: longest,
            one: longest,
        };
        assert_eq!(record.encode(&mut [0; MAX_RECORD_BYTES]).len(), 48);
    }

    #[test]
    fn a_record_that_counts_more_than_any_index_holds_is_none() {
        let of = |count| ContextRecord {
            zero: List::One(7),
            one: List::Many {
                count,
                run: 0,
                offset: 0,
            },
        };
        for (count, possible) in [
            (MAX_OCCURRENCES, true),
            (MAX_OCCURRENCES + 1, false),
            (u64::MAX, false),
        ] {
            let mut buffer = [0; MAX_RECORD_BYTES];
            let bytes = of(count).encode(&mut buffer);
            let expected = possible.then_some(of(count));
            assert_eq!(ContextRecord::decode(bytes), expected, "{count}");
        }
    }
}
