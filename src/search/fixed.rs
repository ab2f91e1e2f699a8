//! Fixed bits: a given part that a sample completes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SearchError;
use super::constraint::Constraint;
use crate::latent::{Bits, Level, Shape};

/// Bits that a sample must have, whatever the index says of them.
///
/// ```
/// use bitquilt::{FixedBits, Shape};
///
/// let shape = Shape::new(2, 3, 1)?;
/// let mut fixed = FixedBits::none();
/// fixed.fix_text("prefix=10", shape)?;
/// fixed.fix_pattern("1 ? ?\n? ? 1", shape)?;
/// let bits: Vec<_> = fixed.iter().collect();
/// assert_eq!(bits, [(0, true), (1, false), (5, true)]);
/// assert!(fixed.fix(0, false).is_err(), "it is 1 already");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(usize, bool)>", into = "Vec<(usize, bool)>")]
pub struct FixedBits(BTreeMap<usize, bool>);

impl TryFrom<Vec<(usize, bool)>> for FixedBits {
    type Error = SearchError;

    /// # Errors
    /// [`SearchError::Contradiction`] for a position with both values.
    fn try_from(bits: Vec<(usize, bool)>) -> Result<Self, SearchError> {
        let mut fixed = Self::none();
        for (position, bit) in bits {
            fixed.fix(position, bit)?;
        }
        Ok(fixed)
    }
}

impl From<FixedBits> for Vec<(usize, bool)> {
    fn from(fixed: FixedBits) -> Self {
        fixed.0.into_iter().collect()
    }
}

impl FixedBits {
    /// Fixes no bit.
    pub fn none() -> Self {
        Self::default()
    }

    /// Fixes the first bits in scan order.
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

    /// Fixes what a pattern says: one line for each row of the grid, with 0, 1 or ? (left free) for each of its
    /// bits, channels of a site side by side; blanks and empty lines do not count. Of a pyramid, the finest level.
    ///
    /// # Errors
    /// [`SearchError::Pattern`] for a text of another form, [`SearchError::Contradiction`].
    pub fn fix_pattern(&mut self, text: &str, shape: Shape) -> Result<(), SearchError> {
        let (row_bits, start) = (shape.finest().row_bits(), shape.finest().start());
        let wrong = |found: String| SearchError::Pattern {
            expected: format!(
                "{} lines of {row_bits} characters 0, 1 or ? (free), as a {shape} latent has rows and bits",
                shape.height()
            ),
            found,
        };
        let lines = text.lines().enumerate();
        let lines: Vec<_> = lines.filter(|(_, line)| !line.trim().is_empty()).collect();
        if lines.len() != shape.height() {
            return Err(wrong(format!("{} lines", lines.len())));
        }
        for (row, (number, line)) in lines.into_iter().enumerate() {
            let number = number + 1;
            let mut bits = 0;
            for character in line.chars().filter(|character| !character.is_whitespace()) {
                let value = match character {
                    '0' => Some(false),
                    '1' => Some(true),
                    '?' => None,
                    other => return Err(wrong(format!("{other:?} in line {number}"))),
                };
                if let Some(value) = value.filter(|_| bits < row_bits) {
                    self.fix(start + row * row_bits + bits, value)?;
                }
                bits += 1;
            }
            if bits != row_bits {
                return Err(wrong(format!("{bits} characters in line {number}")));
            }
        }
        Ok(())
    }

    /// Fixes the sites in `rows` and `cols` of one level to what they are in a latent of this shape.
    ///
    /// # Errors
    /// [`SearchError::Part`] for rows or columns that the grid does not have, or a latent of another length;
    /// [`SearchError::Contradiction`].
    pub fn fix_part(
        &mut self,
        latent: &Bits,
        shape: Shape,
        level: &Level,
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<(), SearchError> {
        let wrong = |expected: String, found: String| Err(SearchError::Part { expected, found });
        if latent.len() != shape.bits() {
            return wrong(
                format!("a {shape} latent of {} bits", shape.bits()),
                format!("{} bits", latent.len()),
            );
        }
        for (name, part, side) in [
            ("rows", &rows, level.height()),
            ("columns", &cols, level.width()),
        ] {
            if part.start > part.end || part.end > side {
                return wrong(
                    format!("{name} within 0..{side}, as a {level} grid has them"),
                    format!("{}..{}", part.start, part.end),
                );
            }
        }
        for row in rows {
            let sites = level.position(row, cols.start, 0)..level.position(row, cols.end, 0);
            for position in sites {
                self.fix(position, latent[position])?;
            }
        }
        Ok(())
    }

    /// Returns the value that a position is fixed to.
    pub fn get(&self, position: usize) -> Option<bool> {
        self.0.get(&position).copied()
    }

    /// Returns the fixed positions and their values, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (usize, bool)> + '_ {
        self.0.iter().map(|(position, bit)| (*position, *bit))
    }

    /// Fixes the bits that a text names: `prefix=BITS` or `[LEVEL:]ROW,COL[,CHANNEL]=BIT`, of the finest level where none is
    /// said.
    ///
    /// # Errors
    /// [`SearchError::Fix`] for a text of another form or a place off the grid,
    /// [`SearchError::Contradiction`].
    pub fn fix_text(&mut self, text: &str, shape: Shape) -> Result<(), SearchError> {
        let wrong = |why: String| SearchError::Fix {
            text: text.to_owned(),
            why,
        };
        let form = || {
            wrong(
                "expected prefix=BITS or ROW,COL=BIT or ROW,COL,CHANNEL=BIT, before it LEVEL: for a coarser level of a \
                 pyramid, or a file with a pattern"
                    .to_owned(),
            )
        };
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
        let (level, place) = match place.split_once(':') {
            None => (*shape.finest(), place),
            Some((level, place)) => {
                let level = usize::from_str(level.trim()).map_err(|_| form())?;
                let level = shape.level(level).copied();
                let last = shape.levels().len() - 1;
                let why = || wrong(format!("a {shape} latent has levels 0 to {last}"));
                (level.ok_or_else(why)?, place)
            }
        };
        let numbers = place.split(',').map(|part| usize::from_str(part.trim()));
        let numbers = numbers.collect::<Result<Vec<_>, _>>().map_err(|_| form())?;
        let (row, col, channel) = match numbers[..] {
            [row, col] if level.channels() == 1 => (row, col, 0),
            [row, col, channel] => (row, col, channel),
            [_, _] => {
                let channels = level.channels();
                return Err(wrong(format!(
                    "a site has {channels} channels: say which, as ROW,COL,CHANNEL=BIT"
                )));
            }
            _ => return Err(form()),
        };
        if row >= level.height() || col >= level.width() || channel >= level.channels() {
            return Err(wrong(format!(
                "it is not on a {level} grid (counted from 0)"
            )));
        }
        let [bit] = bits[..] else {
            return Err(wrong("expected one bit after the =".to_owned()));
        };
        self.fix(level.position(row, col, channel), bit)
    }
}

impl Constraint for FixedBits {
    fn forced(&self, position: usize) -> Option<bool> {
        self.get(position)
    }

    fn judges_whole_samples(&self) -> bool {
        false
    }

    fn check(&self, shape: Shape) -> Result<(), SearchError> {
        match self.0.last_key_value() {
            Some((position, _)) if *position >= shape.bits() => Err(SearchError::OffGrid {
                position: *position,
                shape: shape.into(),
            }),
            _ => Ok(()),
        }
    }
}
