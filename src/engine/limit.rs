//! How much samples may carry of any one training latent, as it is asked for.

use std::fmt;
use std::str::FromStr;

use crate::latent::LevelValue;

/// A limit on what a sample carries of any one training latent, as text `BITS`, or `LEVEL:BITS` for one level of a pyramid.
///
/// ```
/// use bitquilt::engine::MaxCopied;
///
/// let limit: MaxCopied = "1:62.5".parse()?;
/// assert_eq!((limit.level, limit.bits), (Some(1), 62.5));
/// assert_eq!(limit.to_string(), "1:62.5");
/// assert!("-3".parse::<MaxCopied>().is_err() && "1:".parse::<MaxCopied>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxCopied {
    /// The level; `None` for every one.
    pub level: Option<usize>,
    /// The most that a region may carry, in bits; at least 0.
    pub bits: f64,
}

impl FromStr for MaxCopied {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}': expected BITS or LEVEL:BITS, as 60 or 1:60");
        let LevelValue { level, value: bits } =
            text.parse::<LevelValue<f64>>().map_err(|_| wrong())?;
        // Beyond that nothing is carried: a latent has at most 2²⁰ bits of at most 54 bits of information.
        match (0.0..=1e9).contains(&bits) {
            true => Ok(Self { level, bits }),
            false => Err(wrong()),
        }
    }
}

impl fmt::Display for MaxCopied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            None => write!(f, "{}", self.bits),
            Some(level) => write!(f, "{level}:{}", self.bits),
        }
    }
}
