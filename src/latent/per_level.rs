//! Settings of which levels of a pyramid can have values of their own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::shape::MAX_LEVELS;

/// A value for all levels, or for one: text `VALUE` or `LEVEL:VALUE`.
///
/// ```
/// use bitquilt::latent::LevelValue;
///
/// let value: LevelValue<u64> = "2:8".parse()?;
/// assert_eq!((value.level, value.value), (Some(2), 8));
/// assert_eq!("0.5".parse::<LevelValue<f64>>()?.level, None);
/// assert!("2:".parse::<LevelValue<u64>>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelValue<T> {
    /// The level; `None` for every one.
    pub level: Option<usize>,
    /// The value.
    pub value: T,
}

impl<T: FromStr> FromStr for LevelValue<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}': expected a number, or LEVEL:NUMBER for one level");
        let (level, value) = match text.split_once(':') {
            None => (None, text),
            Some((level, value)) => (Some(level.parse().map_err(|_| wrong())?), value),
        };
        let value = value.parse().map_err(|_| wrong())?;
        Ok(Self { level, value })
    }
}

impl<T: fmt::Display> fmt::Display for LevelValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            None => self.value.fmt(f),
            Some(level) => write!(f, "{level}:{}", self.value),
        }
    }
}

/// One value for all levels, and others for some: text `VALUE LEVEL:VALUE …`. Serializes as the value where all have the same,
/// else as text.
///
/// ```
/// use bitquilt::PerLevel;
///
/// let counts: PerLevel<u64> = "1 2:8".parse()?;
/// assert_eq!((counts.of(0), counts.of(2)), (1, 8));
/// assert_eq!(counts.to_string(), "1 2:8");
/// assert_eq!(PerLevel::from(3), "3".parse()?);
/// assert!("2:8".parse::<PerLevel<u64>>().is_err(), "what of the other levels?");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "NumberOrText<T>",
    into = "NumberOrText<T>",
    bound(
        serialize = "T: Copy + fmt::Display + Serialize",
        deserialize = "T: Copy + FromStr + Deserialize<'de>"
    )
)]
pub struct PerLevel<T> {
    general: T,
    own: [Option<T>; MAX_LEVELS],
}

/// As it is serialized.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum NumberOrText<T> {
    Number(T),
    Text(String),
}

impl<T: Copy> From<T> for PerLevel<T> {
    fn from(general: T) -> Self {
        Self {
            general,
            own: [None; MAX_LEVELS],
        }
    }
}

impl<T: Copy> PerLevel<T> {
    /// Returns the value of a level.
    pub fn of(&self, level: usize) -> T {
        let own = self.own.get(level).copied().flatten();
        own.unwrap_or(self.general)
    }

    /// Gives a level, or all that have none of their own, another value.
    ///
    /// # Errors
    /// The level, when no pyramid has one of that number.
    pub fn set(&mut self, value: LevelValue<T>) -> Result<(), usize> {
        match value.level {
            None => self.general = value.value,
            Some(level) => *self.own.get_mut(level).ok_or(level)? = Some(value.value),
        }
        Ok(())
    }

    /// Returns the highest level with a value of its own.
    pub fn highest(&self) -> Option<usize> {
        self.own.iter().rposition(Option::is_some)
    }

    /// Returns whether all values are as `check` says.
    pub fn all(&self, mut check: impl FnMut(T) -> bool) -> bool {
        self.values().all(|value| check(value.value))
    }

    /// Returns the value for all levels, and those of some.
    fn values(&self) -> impl Iterator<Item = LevelValue<T>> + '_ {
        let own = self.own.iter().enumerate();
        let own = own.filter_map(|(level, value)| {
            value.map(|value| LevelValue {
                level: Some(level),
                value,
            })
        });
        let general = LevelValue {
            level: None,
            value: self.general,
        };
        std::iter::once(general).chain(own)
    }
}

impl<T: Copy + FromStr> FromStr for PerLevel<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split_whitespace().map(str::parse::<LevelValue<T>>);
        let wrong =
            || format!("'{text}': expected a number, and LEVEL:NUMBER for levels that differ");
        let general = parts.next().ok_or_else(wrong)??;
        if general.level.is_some() {
            return Err(wrong());
        }
        let mut all = Self::from(general.value);
        for value in parts {
            let value = value?;
            match value.level {
                Some(_) => all.set(value).map_err(|_| wrong())?,
                None => return Err(wrong()),
            }
        }
        Ok(all)
    }
}

impl<T: Copy + fmt::Display> fmt::Display for PerLevel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, value) in self.values().enumerate() {
            let space = if number == 0 { "" } else { " " };
            write!(f, "{space}{value}")?;
        }
        Ok(())
    }
}

impl<T: Copy + fmt::Display> From<PerLevel<T>> for NumberOrText<T> {
    fn from(values: PerLevel<T>) -> Self {
        match values.highest() {
            None => Self::Number(values.general),
            Some(_) => Self::Text(values.to_string()),
        }
    }
}

impl<T: Copy + FromStr> TryFrom<NumberOrText<T>> for PerLevel<T> {
    type Error = String;

    fn try_from(read: NumberOrText<T>) -> Result<Self, String> {
        match read {
            NumberOrText::Number(number) => Ok(number.into()),
            NumberOrText::Text(text) => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_read_as_it_is_written() {
        let mut values = PerLevel::from(1.0);
        values.set("2:0.25".parse().unwrap()).unwrap();
        values.set("0.5".parse().unwrap()).unwrap();
        assert_eq!(values.set("16:1".parse().unwrap()), Err(16));
        assert_eq!(
            [0, 1, 2, 99].map(|level| values.of(level)),
            [0.5, 0.5, 0.25, 0.5]
        );
        assert_eq!(values.to_string().parse(), Ok(values));
        let json = serde_json::to_string(&values).unwrap();
        assert_eq!(json, "\"0.5 2:0.25\"");
        assert_eq!(
            serde_json::from_str::<PerLevel<f64>>(&json).unwrap(),
            values
        );
        let plain = PerLevel::from(3u64);
        assert_eq!(serde_json::to_string(&plain).unwrap(), "3");
        assert_eq!(serde_json::from_str::<PerLevel<u64>>("3").unwrap(), plain);
        for wrong in ["", "1:1", "1 2", "1 99:1", "-1", "x", "1 2:x"] {
            assert!(wrong.parse::<PerLevel<u64>>().is_err(), "{wrong}");
        }
    }
}
