//! Which window is meant.

use std::fmt;
use std::str::FromStr;

use crate::window::{Window, WindowError};

/// A window by its name, or the longest that matches.
///
/// ```
/// # use bitquilt::engine::WindowChoice;
/// let longest: WindowChoice = "longest".parse()?;
/// assert_eq!(longest, WindowChoice::Longest);
/// let named: WindowChoice = "7x7".parse()?;
/// assert_eq!(named, WindowChoice::Named("7x7".parse()?));
/// # Ok::<(), bitquilt::WindowError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowChoice {
    /// The one of that name.
    Named(Window),
    /// For each context the longest part of it, nearest sites first, that occurred.
    Longest,
}

const LONGEST: &str = "longest";

impl fmt::Display for WindowChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(window) => window.fmt(f),
            Self::Longest => f.pad(LONGEST),
        }
    }
}

impl FromStr for WindowChoice {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        match text {
            LONGEST => Ok(Self::Longest),
            name => name.parse().map(Self::Named),
        }
    }
}

impl From<Window> for WindowChoice {
    fn from(window: Window) -> Self {
        Self::Named(window)
    }
}
