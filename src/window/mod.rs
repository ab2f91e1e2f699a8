//! Window geometry: which bits a context selects, and packing a context into a key.

mod context;
mod error;
mod frame;
mod geometry;
mod given;
mod interpolator;
mod key;
mod kind;
mod order;
mod read;
mod symbols;
mod upper;

pub use context::Context;
pub use error::WindowError;
pub use frame::Frame;
pub use geometry::{Geometry, MAX_LABELS};
pub use given::Given;
pub use interpolator::Interpolator;
pub use key::{ContextKey, DIGEST_BYTES, KeyRule, MAX_KEY_BYTES};
pub use kind::{Anchor, Condition, Direction, Window};
pub use order::Order;
pub use read::{Place, Reader};
pub use symbols::Contexts;
pub use upper::UpperKey;
