//! Options that take one word of a few. What is offered, read and shown in `--help` are the names of the library's choice,
//! so there is no second list of them.

use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use strum::{EnumMessage, VariantArray, VariantNames};

use bitquilt::base::UnknownName;

/// A choice of the library.
pub(super) trait Choice:
    FromStr<Err = UnknownName> + VariantArray + VariantNames + EnumMessage + Clone + Send + Sync
{
}

impl<T> Choice for T where
    T: FromStr<Err = UnknownName> + VariantArray + VariantNames + EnumMessage + Clone + Send + Sync
{
}

/// Reads a choice.
pub(super) fn one_of<T: Choice>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names_of::<T>(|_| true)).try_map(|name| name.parse())
}

/// Reads a choice of which some are offered.
pub(super) fn one_of_some<T: Choice>(
    offered: impl Fn(&T) -> bool,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names_of(offered)).try_map(|name| name.parse())
}

/// Returns the names that are offered, with a line on each where there is one.
pub(super) fn names_of<T: Choice>(offered: impl Fn(&T) -> bool) -> Vec<PossibleValue> {
    let names = <T as VariantNames>::VARIANTS.iter();
    let choices = names.zip(<T as VariantArray>::VARIANTS);
    choices
        .filter(|(_, choice)| offered(choice))
        .map(|(name, choice)| {
            let value = PossibleValue::new(*name);
            match choice.get_message() {
                Some(line) => value.help(line),
                None => value,
            }
        })
        .collect()
}
