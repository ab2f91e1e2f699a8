//! Blocks and directory records, for the fuzzers.

use super::block::{Block, BlockBuilder};
use super::records::{decode, encode};

/// A run of occurrences that one bit follows.
pub type Group = (bool, Vec<u64>);

/// Reads a block of an array of `total` occurrences: its groups; `None` for bytes that are none.
pub fn read_block(bytes: &[u8], total: u64) -> Option<Vec<Group>> {
    let block = Block::read(bytes, total)?;
    let all = block.occurrences();
    let groups = (0..block.groups()).map(|group| {
        let [start, end] = [group, group + 1].map(|group| block.before(group).0 as usize);
        (block.bit(group), all[start..end].to_vec())
    });
    Some(groups.collect())
}

/// Writes the groups of a block.
pub fn write_block(groups: &[Group], total: u64) -> Vec<u8> {
    let mut builder = BlockBuilder::default();
    for (bit, occurrences) in groups {
        builder.begin_group(*bit);
        for occurrence in occurrences {
            builder.push(*occurrence);
        }
    }
    let mut bytes = Vec::new();
    builder.write(total, &mut bytes);
    bytes
}

/// Reads a record of a directory and writes it again: how many blocks it lists, and its bytes as this program writes them;
/// `None` for bytes that are none.
pub fn read_listed(bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
    let listed = decode(bytes)?;
    Some((listed.len(), encode(&listed).ok()?))
}
