//! Numbers of options: a bound that may be none, a number of at least 1.

use std::str::FromStr;

/// A number, or none.
#[derive(Clone, Copy)]
pub(super) struct Limit(pub(super) Option<u64>);

impl FromStr for Limit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self(None)),
            number => match number.parse() {
                Ok(number) => Ok(Self(Some(number))),
                Err(_) => Err("expected a number or none"),
            },
        }
    }
}

/// How many of a list are told: a number, or all.
#[derive(Clone, Copy)]
pub(super) struct Top(pub(super) Option<usize>);

impl FromStr for Top {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self(None)),
            number => match number.parse() {
                Ok(number) => Ok(Self(Some(number))),
                Err(_) => Err("expected a number or all"),
            },
        }
    }
}

/// Reads a number of at least 1.
pub(super) fn at_least_1(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number >= 1);
    number.ok_or_else(|| "expected a whole number of at least 1".to_owned())
}
