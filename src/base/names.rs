//! Choices, enums of a few words, and their names: the same in files, messages, requests and options.

/// Declares a choice: an enum without data whose names, in the case that is asked for, are its `Display`, its `FromStr`
/// (with [`UnknownName`]), its JSON and its `VARIANTS`. A variant's `#[strum(message = "…")]` is what to say of it in one
/// line where the choice is offered.
macro_rules! choice {
    ($case:literal, $(#[$attribute:meta])* pub enum $name:ident { $($variants:tt)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[derive(strum::Display, strum::EnumMessage, strum::EnumString, strum::IntoStaticStr)]
        #[derive(strum::VariantArray, strum::VariantNames)]
        #[serde(rename_all = $case)]
        #[strum(serialize_all = $case)]
        #[strum(parse_err_ty = crate::base::UnknownName)]
        #[strum(parse_err_fn = crate::base::UnknownName::of::<$name>)]
        pub enum $name { $($variants)* }
    };
}

pub(crate) use choice;

use strum::VariantNames;

/// A text that is none of the names of a choice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found '{found}'")]
#[non_exhaustive]
pub struct UnknownName {
    /// The names there are, in words.
    pub expected: String,
    /// The text.
    pub found: String,
}

impl UnknownName {
    /// Returns the error of a text that names no variant of `T`.
    pub(crate) fn of<T: VariantNames>(found: &str) -> Self {
        let expected = match T::VARIANTS {
            [others @ .., last] if !others.is_empty() => {
                format!("{} or {last}", others.join(", "))
            }
            names => names.concat(),
        };
        Self {
            expected,
            found: found.to_owned(),
        }
    }
}
