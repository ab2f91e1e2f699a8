//! An array in the database: written part by part, opened with its directory in memory.

use std::path::PathBuf;

use super::block::Block;
use super::cache::{Cache, Lent};
use super::directory::{Directory, Rank};
use super::latents::Latents;
use super::question::{Blocks, Questions};
use super::records::{LISTED, Listed, decode, encode, key, part_and_block};
use super::write::Sink;
use crate::index::IndexError;
use crate::index::array_id::ArrayId;
use crate::index::store::{Family, SstOptions, SstWriter, Store};
use crate::window::{Order, Reader};

/// Writes the blocks of one part into a file, and lists them.
pub(in crate::index) struct PartFile<'a> {
    writer: SstWriter<'a>,
    part: u32,
    pub(in crate::index) listed: Vec<Listed>,
}

impl<'a> PartFile<'a> {
    /// Starts the file `path` of part number `part`.
    pub(in crate::index) fn create(options: &'a SstOptions, path: PathBuf, part: u32) -> Self {
        Self {
            writer: SstWriter::create(options, path),
            part,
            listed: Vec::new(),
        }
    }

    /// Ends the file, synced; `None` for a part of nothing.
    pub(in crate::index) fn finish(self) -> Result<Option<(PathBuf, Vec<Listed>)>, IndexError> {
        let path = self.writer.finish()?;
        Ok(path.map(|path| (path, self.listed)))
    }
}

impl Sink for PartFile<'_> {
    type Error = IndexError;

    fn block(&mut self, separator: &[u8], holds: Rank, bytes: &[u8]) -> Result<(), IndexError> {
        // A part of 2³² blocks would be 2⁴¹ occurrences, all in memory.
        self.writer
            .put(&key(self.part, self.listed.len() as u32), bytes)?;
        self.listed.push(Listed {
            separator: separator.to_vec(),
            // A block holds 512 at most.
            entries: holds.entries as u16,
            ones: holds.ones as u16,
        });
        Ok(())
    }
}

/// Writes where the blocks of a part begin; parts must come in order.
pub(in crate::index) fn write_listed(
    writer: &mut SstWriter<'_>,
    part: u32,
    listed: &[Listed],
) -> Result<(), IndexError> {
    for (number, blocks) in listed.chunks(LISTED).enumerate() {
        let value = encode(blocks).map_err(std::io::Error::other)?;
        writer.put(&key(part, (number * LISTED) as u32), &value)?;
    }
    Ok(())
}

/// An array that was opened.
pub(in crate::index) struct Array {
    pub(in crate::index) id: ArrayId,
    pub(in crate::index) order: Order,
    readers: Vec<Reader>,
    family: Family,
    directory: Directory,
    /// The number of each part's first block.
    parts: Vec<u64>,
    cache: Cache,
}

impl Array {
    /// Opens the array of an order: reads its directory. `occurrences` are those that it must hold; `groups` and `bytes` are the groups
    /// and the bytes of its blocks, at most.
    pub(in crate::index) fn open(
        store: &Store,
        id: ArrayId,
        order: Order,
        occurrences: u64,
        [groups, bytes]: [u64; 2],
        cache_bytes: u64,
    ) -> Result<Self, IndexError> {
        let damaged = |expected: &str, found: String| IndexError::Damaged {
            path: store.path().to_owned(),
            expected: expected.to_owned(),
            found,
        };
        let mut directory = Directory::default();
        let mut parts = Vec::new();
        let mut rank = Rank::default();
        let mut next = 0;
        for entry in store.scan(Family::Directory(id))? {
            let (at, value) = entry?;
            let listed = decode(&value);
            // The part goes on, or the next one begins.
            let part = parts.len() as u32;
            let follows = |own: &(u32, u32)| {
                *own == (part, 0) || *own == (part.wrapping_sub(1), next) && next > 0
            };
            let found = part_and_block(&at).filter(follows);
            let (Some((_, block)), Some(listed)) = (found, listed) else {
                return Err(damaged("a list of blocks", format!("{at:02x?}")));
            };
            if block == 0 {
                parts.push(directory.blocks() as u64);
            }
            for block in &listed {
                let ascends = match directory.blocks() {
                    0 => block.separator.is_empty(),
                    last => directory.separator(last - 1) < &block.separator[..],
                };
                if !ascends {
                    return Err(damaged(
                        "separators that ascend",
                        format!("{:02x?}", block.separator),
                    ));
                }
                directory.push(&block.separator, rank);
                rank.entries += u64::from(block.entries);
                rank.ones += u64::from(block.ones);
            }
            next = block + listed.len() as u32;
        }
        if rank.entries != occurrences {
            return Err(damaged(
                &format!("{occurrences} occurrences in the blocks of an array"),
                rank.entries.to_string(),
            ));
        }
        directory.end(rank);
        let blocks = directory.blocks();
        let most = Block::most_memory(bytes, blocks as u64, groups.min(occurrences));
        Ok(Self {
            id,
            readers: order.word_readers(),
            family: Family::Array(id),
            order,
            directory,
            parts,
            cache: Cache::new(blocks, most, cache_bytes),
        })
    }

    /// Asks it.
    pub(in crate::index) fn questions<'a>(
        &'a self,
        latents: &'a Latents<'a>,
        store: &'a Store,
    ) -> Questions<'a, Stored<'a>> {
        Questions {
            order: &self.order,
            readers: &self.readers,
            latents,
            directory: &self.directory,
            blocks: Stored {
                array: self,
                store,
                total: latents.occurrences(),
            },
        }
    }

    pub(in crate::index) fn blocks(&self) -> usize {
        self.directory.blocks()
    }
}

/// The blocks of an array in the database.
#[derive(Clone, Copy)]
pub(in crate::index) struct Stored<'a> {
    array: &'a Array,
    store: &'a Store,
    total: u64,
}

impl<'a> Blocks for Stored<'a> {
    type Error = IndexError;
    type Block = Lent<'a>;

    #[inline]
    fn block(&self, number: usize) -> Result<Lent<'a>, IndexError> {
        match self.array.cache.get(number) {
            Some(block) => Ok(block),
            None => self.read(number),
        }
    }
}

impl<'a> Stored<'a> {
    fn read(&self, number: usize) -> Result<Lent<'a>, IndexError> {
        let array = self.array;
        let part = array.parts.partition_point(|first| *first <= number as u64) - 1;
        let within = number as u64 - array.parts[part];
        let value = self
            .store
            .get(array.family, &key(part as u32, within as u32))?;
        let held =
            array.directory.before(number + 1).entries - array.directory.before(number).entries;
        let ones = array.directory.before(number + 1).ones - array.directory.before(number).ones;
        let block = value.and_then(|value| Block::read(&value, self.total));
        let block = block.filter(|block| block.before(block.groups()) == (held, ones));
        let Some(block) = block else {
            return Err(IndexError::Damaged {
                path: self.store.path().to_owned(),
                expected: format!(
                    "block {number} of {}, of {held} occurrences",
                    array.family.name()
                ),
                found: "none or another".to_owned(),
            });
        };
        Ok(array.cache.keep(number, block))
    }
}
