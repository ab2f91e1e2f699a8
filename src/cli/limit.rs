//! A bound that may be none.

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
