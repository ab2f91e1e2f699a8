//! What of an array is written beside its blocks: where each begins and what it holds. The one user of bincode: 2.0.1 is the
//! last version there will be, so its bytes are pinned by a test here.

use bincode::config::{Configuration, Limit, standard};
use bincode::{Decode, Encode};

/// Little endian, varint; no more is read than a record of [`LISTED`] blocks can take.
const CONFIG: Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    Limit<MAX_RECORD_BYTES>,
> = standard().with_limit::<MAX_RECORD_BYTES>();
const MAX_RECORD_BYTES: usize = 1 << 30;

/// Blocks of one record.
pub(super) const LISTED: usize = 256;

/// One block, as the directory lists it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
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

/// Reads a record; `None` when the bytes are none.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Listed>> {
    let (blocks, read) = bincode::decode_from_slice::<Vec<Listed>, _>(bytes, CONFIG).ok()?;
    let sound = blocks
        .iter()
        .all(|block| block.ones <= block.entries && block.entries > 0);
    (read == bytes.len() && blocks.len() <= LISTED && sound).then_some(blocks)
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
