//! The names of choices: of what the words of files, messages and the command line mean.

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
    /// The error of a text that names no variant of `T`.
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
