//! The context array.
mod block;
mod cells;
mod codes;
mod directory;
mod distinct;
mod latents;
mod memory;
mod number;
mod question;
mod refine;
mod sort;
mod write;
#[cfg(test)]
mod tests;
pub mod proto;
