//! What of an array is written beside its blocks: where each begins and what it holds. The one user of bincode: 2.0.1 is the
//! last version there will be, so its bytes are pinned by a test here.

use bincode::Encode;
use bincode::config::{Configuration, standard};

/// Little endian, varint.
const CONFIG: Configuration = standard();

/// Blocks of one record.
pub(super) const LISTED: usize = 256;

/// One block, as the directory lists it.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub(in crate::index) struct Listed {
    /// Larger than every entry before the block, no larger than its first one.
    pub(super) separator: Vec<u8>,
    /// Entries of the block, and those of them that are followed by 1.
    pub(super) entries: u16,
    pub(super) ones: u16,
}

/// Returns the value of a record of some blocks.
pub(super) fn encode(blocks: &[Listed]) -> Result<Vec<u8>, String> {
    bincode::encode_to_vec(blocks, CONFIG).map_err(|error| error.to_string())
}

/// Reads a record; `None` when the bytes are none. Takes no memory by what they announce.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Listed>> {
    let (count, mut at) = bincode::decode_from_slice::<u64, _>(bytes, CONFIG).ok()?;
    if count > LISTED as u64 {
        return None;
    }
    let mut blocks = Vec::new();
    for _ in 0..count {
        let rest = bytes.get(at..)?;
        let ((separator, entries, ones), read) =
            bincode::borrow_decode_from_slice::<(&[u8], u16, u16), _>(rest, CONFIG).ok()?;
        if ones > entries || entries == 0 {
            return None;
        }
        at += read;
        blocks.push(Listed {
            separator: separator.to_vec(),
            entries,
            ones,
        });
    }
    (at == bytes.len()).then_some(blocks)
}

/// Returns the key of a block, or of the record that lists blocks from it on: its part, and its number there. Both are lowest
/// for the first, as bytes too.
pub(super) fn key(part: u32, block: u32) -> [u8; 8] {
    (u64::from(part) << 32 | u64::from(block)).to_be_bytes()
}

/// Returns part and number of a block by its key.
pub(super) fn part_and_block(key: &[u8]) -> Option<(u32, u32)> {
    let key = u64::from_be_bytes(key.try_into().ok()?);
    Some(((key >> 32) as u32, key as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_these_bytes() {
        let blocks =
            [(&[][..], 512, 7), (&[0x81, 2], 300, 300)].map(|(separator, entries, ones)| Listed {
                separator: separator.to_vec(),
                entries,
                ones,
            });
        let golden = [2, 0, 251, 0, 2, 7, 2, 0x81, 2, 251, 44, 1, 251, 44, 1];
        assert_eq!(encode(&blocks).unwrap(), golden);
        assert_eq!(decode(&golden).unwrap(), blocks);
        assert_eq!(decode(&golden[..14]), None);
        assert_eq!(decode(&[golden.as_slice(), &[0]].concat()), None);
        // More ones than entries, and no entry.
        assert_eq!(decode(&[1, 0, 3, 4]), None);
        assert_eq!(decode(&[1, 0, 0, 0]), None);
        assert_eq!(key(1, 2), [0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(part_and_block(&key(7, 9)), Some((7, 9)));
    }
}
