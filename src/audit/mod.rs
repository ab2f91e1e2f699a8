//! The field's own numbers for memorization, on Hamming distances between latents, each beside what held-out latents get.
//!
//! None of them says which bits are copied, and each has a trap ([`Number::trap`]); they are here to be compared with. Of duplicates
//! in training one counts.

mod distances;
mod kernels;
mod numbers;

pub use distances::near;
pub use kernels::fitting_gap;
pub use numbers::{Number, ct, numbers, ratio_to_many};
