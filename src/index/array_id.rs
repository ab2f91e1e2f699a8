//! Which array of an index: by the names of its folder, its column families and its messages.

use std::fmt;
use std::str::FromStr;

use crate::window::{Direction, Window};

/// An array of an index: one of the orders that go one way at one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ArrayId {
    direction: Direction,
    level: usize,
    /// Its number among those of the same direction and level.
    number: usize,
}

impl ArrayId {
    /// Returns the ids of arrays of some depths, in turn.
    pub(super) fn of(depths: impl IntoIterator<Item = Window>) -> Vec<Self> {
        let mut ids: Vec<Self> = Vec::new();
        for depth in depths {
            let (direction, level) = (depth.direction(), depth.level());
            let same = ids
                .iter()
                .filter(|id| (id.direction, id.level) == (direction, level));
            let number = same.count();
            ids.push(Self {
                direction,
                level,
                number,
            });
        }
        ids
    }
}

/// `rings`, `line`; of a finer level `rings-1`; of those after the first one `rings-1-1`.
impl fmt::Display for ArrayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.direction)?;
        if self.level > 0 || self.number > 0 {
            write!(f, "-{}", self.level)?;
        }
        if self.number > 0 {
            write!(f, "-{}", self.number)?;
        }
        Ok(())
    }
}

impl FromStr for ArrayId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-');
        let direction = parts.next().and_then(|part| Direction::from_str(part).ok());
        let mut number = || parts.next().map_or(Some(0), |part| part.parse().ok());
        let id = Self {
            direction: direction.ok_or(())?,
            level: number().ok_or(())?,
            number: number().ok_or(())?,
        };
        (id.to_string() == text).then_some(id).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_array_has_a_name_of_its_own_that_is_read_as_it_is_written() {
        let depths = [
            "global",
            "seq:3",
            "1:5x5",
            "1:3x3^5x5",
            "2:3x3",
            "1:1x1^7x7",
        ];
        let ids = ArrayId::of(depths.map(|text| text.parse().unwrap()));
        let names: Vec<String> = ids.iter().map(ArrayId::to_string).collect();
        let expected = [
            "rings",
            "line",
            "rings-1",
            "rings-1-1",
            "rings-2",
            "rings-1-2",
        ];
        assert_eq!(names, expected);
        for (id, name) in ids.iter().zip(names) {
            assert_eq!(name.parse(), Ok(*id));
        }
        for text in [
            "",
            "rings-",
            "rings-0",
            "rings-1-0",
            "rings-x",
            "db",
            "rings-1-1-1",
        ] {
            assert_eq!(text.parse::<ArrayId>(), Err(()), "{text}");
        }
    }
}
