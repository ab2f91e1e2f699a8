//! The value stored with each context: its histogram and where its postings lie. The one user of
//! bincode: 2.0.1 is the last version there will be, so its bytes are pinned by a test here.

use bincode::config::{Configuration, standard};
use bincode::{Decode, Encode};

use super::Histogram;

/// Little endian, varint, enum tags as varints.
const CONFIG: Configuration = standard();

/// Most bytes of an encoded record: two lists of a tag, two 9-byte and one 5-byte integer.
pub(super) const MAX_RECORD_BYTES: usize = 48;

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
    /// Number of postings.
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

    /// Writes the record into `buffer`, returning the bytes written. `None` cannot happen with a
    /// buffer of [`MAX_RECORD_BYTES`].
    pub(super) fn encode<'a>(&self, buffer: &'a mut [u8; MAX_RECORD_BYTES]) -> Option<&'a [u8]> {
        let length = bincode::encode_into_slice(self, buffer, CONFIG).ok()?;
        buffer.get(..length)
    }

    /// Reads a record; `None` when the bytes are not exactly one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (record, length) = bincode::decode_from_slice(bytes, CONFIG).ok()?;
        (length == bytes.len()).then_some(record)
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
        let bytes = record.encode(&mut buffer).unwrap();
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
        assert_eq!(empty.encode(&mut buffer).unwrap(), [0, 0]);
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
        assert!(record.encode(&mut [0; MAX_RECORD_BYTES]).is_some());
    }
}
