//! What each fuzzer does with its input. No panic, no overflow, no memory that a number in a file asks for: these are
//! found by the tools around it. What is accepted must also be what it says, and be read again as it was.

mod files;
mod format;
mod inputs;
mod texts;

pub use format::{block, key, latents, listed, manifest, samples};
pub use inputs::{cifar, idx, labels, npy, npz, tensors};
pub use texts::{fix, ids, shape, window};
