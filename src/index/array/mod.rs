//! The context array: all occurrences of an order, sorted by their contexts, so that one array answers every window.
//!
//! `sort` takes latents to parts (`cells` shares the occurrences out, `refine` sorts them, `write` cuts them into blocks);
//! `spill` writes sorted contexts for other machines, which `segment` reads and `merge` makes parts of; `question` answers from blocks by the `directory`; `disk` and `memory` are where blocks lie.

mod block;
mod cache;
mod cells;
mod codes;
mod content;
mod directory;
mod disk;
mod distinct;
#[cfg(fuzzing)]
mod fuzzing;
mod halving;
mod latents;
mod memory;
mod merge;
mod number;
mod prove;
mod question;
mod records;
mod refine;
mod segment;
mod sort;
mod spill;
mod tables;
#[cfg(test)]
mod tests;
mod within;
mod words;
mod write;

pub use content::ContentSum;
pub(super) use disk::{Array, PartFile, Stored, write_listed};
pub(super) use distinct::{Distinct, prefixes_of};
#[cfg(fuzzing)]
pub use fuzzing::{read_block, read_listed, write_block};
pub(super) use latents::Latents;
pub(super) use memory::MemoryArray;
pub(super) use merge::{Merge, MergeError, Merged};
pub(super) use prove::{Disproof, prove};
pub(super) use question::{Blocks, Questions, Range, Walk, longest_of};
pub(super) use records::Listed;
pub(super) use segment::{Segment, SegmentError};
pub(super) use sort::{Joined, Room, Sort};
pub(super) use spill::{Piece, SpillRule, Spiller, context_words};
pub(super) use words::common as common_of;
pub(super) use write::PartWriter;
