//! What a search is asked for, and how it ended.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::SearchError;
use crate::latent::Shape;

/// What a search does at a dead end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// Return to the bit before (the paper).
    Chronological,
    /// Return to the latest bit that is responsible: conflict-directed backjumping (Prosser 1993). A
    /// dead end blames the bits of its context and no others, and the bit it returns to inherits the
    /// blame.
    #[default]
    Backjump,
    /// Draw whole rows from their exact conditional distribution, so that no dead end lies inside one,
    /// and backtrack over rows.
    Row,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chronological => "chronological",
            Self::Backjump => "backjump",
            Self::Row => "row",
        })
    }
}

/// A search without its constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchOptions {
    /// What to do at a dead end.
    pub method: Method,
    /// Sample j depends on the index's content, these options, the seed and j, and nothing else.
    pub seed: u64,
    /// Dead ends after which a search gives up; `None` for never.
    pub max_backtracks: Option<u64>,
    /// Time after which a search gives up; `None` for never. With a limit, which samples succeed
    /// depends on the machine's speed.
    pub timeout: Option<Duration>,
    /// States of a row followed at once by [`Method::Row`], at least 2; a row that needs more is searched
    /// in segments.
    pub max_states: usize,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            method: Method::default(),
            seed: 0,
            max_backtracks: Some(20_000),
            timeout: None,
            max_states: 1 << 14,
        }
    }
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// With a sample.
    Sample,
    /// With a proof that there is none (or no further one).
    NoneExists,
    /// With its budget of backtracks or time spent.
    BudgetSpent,
    /// Because it was told to stop.
    Stopped,
}

impl Status {
    /// Every status, in the order of its number in a samples file.
    pub const ALL: [Self; 4] = [
        Self::Sample,
        Self::NoneExists,
        Self::BudgetSpent,
        Self::Stopped,
    ];
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sample => "sample",
            Self::NoneExists => "none exists",
            Self::BudgetSpent => "budget spent",
            Self::Stopped => "stopped",
        })
    }
}

/// What a search did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Contexts looked up.
    pub lookups: u64,
    /// Dead ends from which it returned to an earlier bit.
    pub backtracks: u64,
    /// Most free bits that one return went back over.
    pub longest_jump: u64,
    /// Most bits that were decided at once: HWK for a sample.
    pub deepest: u64,
}

/// Bits that a sample must have, whatever the index says of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FixedBits(BTreeMap<usize, bool>);

impl FixedBits {
    /// No bit is fixed.
    pub fn none() -> Self {
        Self::default()
    }

    /// The first bits in scan order.
    pub fn prefix(bits: impl IntoIterator<Item = bool>) -> Self {
        Self(bits.into_iter().enumerate().collect())
    }

    /// Fixes one more bit.
    ///
    /// # Errors
    /// [`SearchError::Contradiction`] when it is fixed to the other value already.
    pub fn fix(&mut self, position: usize, bit: bool) -> Result<(), SearchError> {
        match self.0.insert(position, bit) {
            Some(before) if before != bit => Err(SearchError::Contradiction { position }),
            _ => Ok(()),
        }
    }

    /// The value that a position is fixed to.
    pub fn get(&self, position: usize) -> Option<bool> {
        self.0.get(&position).copied()
    }

    /// Fixed positions and their values, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (usize, bool)> + '_ {
        self.0.iter().map(|(position, bit)| (*position, *bit))
    }

    /// Fixes what one `--fix` asks for: `prefix=BITS` or `ROW,COL[,CH]=BIT`.
    ///
    /// # Errors
    /// [`SearchError::Fix`] for a text of another form or a place off the grid,
    /// [`SearchError::Contradiction`].
    pub fn fix_text(&mut self, text: &str, shape: Shape) -> Result<(), SearchError> {
        let wrong = |why: String| SearchError::Fix {
            text: text.to_owned(),
            why,
        };
        let form =
            || wrong("expected prefix=BITS or ROW,COL=BIT or ROW,COL,CHANNEL=BIT".to_owned());
        let (place, values) = text.split_once('=').ok_or_else(form)?;
        let bits = values.chars().map(|value| match value {
            '0' => Ok(false),
            '1' => Ok(true),
            other => Err(wrong(format!("'{other}' is neither 0 nor 1"))),
        });
        let bits = bits.collect::<Result<Vec<_>, _>>()?;
        if place == "prefix" {
            if bits.is_empty() || bits.len() > shape.bits() {
                let found = bits.len();
                return Err(wrong(format!(
                    "{found} bits, a {shape} latent has 1 to {}",
                    shape.bits()
                )));
            }
            for (position, bit) in bits.into_iter().enumerate() {
                self.fix(position, bit)?;
            }
            return Ok(());
        }
        let numbers = place.split(',').map(|part| usize::from_str(part.trim()));
        let numbers = numbers.collect::<Result<Vec<_>, _>>().map_err(|_| form())?;
        let (row, col, channel) = match numbers[..] {
            [row, col] if shape.channels() == 1 => (row, col, 0),
            [row, col, channel] => (row, col, channel),
            [_, _] => {
                let channels = shape.channels();
                return Err(wrong(format!(
                    "a site has {channels} channels: say which, as ROW,COL,CHANNEL=BIT"
                )));
            }
            _ => return Err(form()),
        };
        if row >= shape.height() || col >= shape.width() || channel >= shape.channels() {
            return Err(wrong(format!(
                "it is not on a {shape} grid (counted from 0)"
            )));
        }
        let [bit] = bits[..] else {
            return Err(wrong("expected one bit after the =".to_owned()));
        };
        self.fix(shape.position(row, col, channel), bit)
    }
}
