//! The context array: all occurrences of an order, sorted by their contexts, so that one array answers every window.
//!
//! `sort` takes latents to parts (`cells` shares the occurrences out, `refine` sorts them, `write` cuts them into blocks);
//! `question` answers from blocks by the `directory`; `disk` and `memory` are where blocks lie.

mod block;
mod cells;
mod codes;
mod directory;
mod disk;
mod distinct;
#[cfg(fuzzing)]
mod fuzzing;
mod halving;
mod latents;
mod memory;
mod number;
mod prove;
mod question;
mod records;
mod refine;
mod sort;
mod tables;
#[cfg(test)]
mod tests;
mod within;
mod write;

pub(super) use disk::{Array, PartFile, Stored, write_directory};
pub(super) use distinct::prefixes_of;
#[cfg(fuzzing)]
pub use fuzzing::{read_block, read_listed, write_block};
pub(super) use latents::Latents;
pub(super) use memory::MemoryArray;
pub(super) use prove::{Disproof, prove};
pub(super) use question::{Asked, Blocks, Questions, Range, Walk, longest_of};
pub(super) use records::Listed;
pub(super) use sort::{Room, Sort};
