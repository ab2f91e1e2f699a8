//! What can be wrong with a window.

use super::Window;
use crate::latent::Shape;

/// An error of the `window` module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// A text that names no window.
    #[error(
        "'{found}' is not a window: expected CxC with C odd and at least 3 (as 7x7), \
         sites:N (the N nearest sites), seq:C (the C bits before), or global (every earlier bit); at finer levels of a \
         pyramid L:CxC^PxP (as 1:5x5^3x3)"
    )]
    Parse {
        /// The text.
        found: String,
    },

    /// A window of a level that latents do not have.
    #[error("window {window} is one of level {level}, latents {shape} have levels 0 to {last}", level = window.level(), last = shape.levels().len() - 1)]
    NoSuchLevel {
        /// The window.
        window: Window,
        /// The grids.
        shape: Box<Shape>,
    },

    /// More labels than contexts can be bound to.
    #[error(
        "{labels} different labels are too many, contexts can be bound to at most {max}: \
         expected one label for each class, not for each latent"
    )]
    TooManyLabels {
        /// Different labels.
        labels: u64,
        /// The most that are supported.
        max: u64,
    },

    /// A window that reaches past every edge of the grid from everywhere.
    #[error(
        "window {window} is larger than any context of a {shape} latent (at most {largest}): \
         if every earlier bit is meant, use window=global"
    )]
    LargerThanGrid {
        /// The window.
        window: Window,
        /// The grid.
        shape: Box<Shape>,
        /// The largest window of that kind that still selects something more than a smaller one.
        largest: Window,
    },

    /// A window whose contexts are too long to be packed.
    #[error("window {window} has contexts of {bits} bits, at most 8388608 are supported")]
    TooLong {
        /// The window.
        window: Window,
        /// Bits of its longest context.
        bits: usize,
    },
}
