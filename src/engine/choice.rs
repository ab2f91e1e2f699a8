//! Which window is meant.

use std::fmt;
use std::str::FromStr;

use super::EngineError;
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

impl WindowChoice {
    /// Returns the windows that are chosen: those that are named, or what `longest`, alone, stands for.
    pub(super) fn windows(
        choices: &[Self],
        longest: impl FnOnce() -> Result<Vec<Window>, EngineError>,
    ) -> Result<Vec<Window>, EngineError> {
        if let [Self::Longest] = choices {
            return longest();
        }
        let named = choices.iter().map(|choice| match choice {
            Self::Named(window) => Ok(*window),
            Self::Longest => Err(EngineError::Request {
                part: "the windows",
                why: "longest stands for every window: expected it alone".to_owned(),
            }),
        });
        named.collect()
    }
}

impl From<Window> for WindowChoice {
    fn from(window: Window) -> Self {
        Self::Named(window)
    }
}
