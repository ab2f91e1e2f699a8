//! Sets of latent ids, as people write them: `3,17,100..200`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// A set of latent ids: ranges that ascend and do not touch.
///
/// ```
/// # use bitquilt::Ids;
/// let ids: Ids = "17, 3, 100..200, 150..210".parse().unwrap();
/// assert_eq!(ids.to_string(), "3,17,100..210");
/// assert!(ids.contains(209) && !ids.contains(210));
/// assert_eq!(ids.len(), 112);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    ranges: Vec<Range<u64>>,
}

impl Ids {
    /// Makes a set of ranges in any order; empty ones are left out.
    pub fn new(ranges: impl IntoIterator<Item = Range<u64>>) -> Self {
        let mut all: Vec<_> = ranges
            .into_iter()
            .filter(|range| !range.is_empty())
            .collect();
        all.sort_unstable_by_key(|range| (range.start, range.end));
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for range in all {
            match ranges.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => ranges.push(range),
            }
        }
        Self { ranges }
    }

    /// Returns the number of ids.
    pub fn len(&self) -> u64 {
        self.ranges
            .iter()
            .map(|range| range.end - range.start)
            .sum()
    }

    /// Returns whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns whether an id is one of these. O(log ranges).
    pub fn contains(&self, id: u64) -> bool {
        let after = self.ranges.partition_point(|range| range.start <= id);
        after > 0 && id < self.ranges[after - 1].end
    }

    /// Returns all ids, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.ranges.iter().cloned().flatten()
    }

    /// Returns the ranges, ascending.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// Returns the ids of either.
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.ranges.iter().chain(&other.ranges).cloned())
    }

    /// Returns the ids that are not in `other`. O(ranges of both), however many ids they stand for.
    pub fn difference(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        let mut others = other.ranges.iter().peekable();
        for range in &self.ranges {
            let mut start = range.start;
            while start < range.end {
                while others.next_if(|other| other.end <= start).is_some() {}
                // What is left of `others` ends behind `start`.
                let hole = others.peek().filter(|other| other.start < range.end);
                let end = hole.map_or(range.end, |other| other.start);
                if start < end {
                    ranges.push(start..end);
                }
                start = hole.map_or(range.end, |other| other.end);
            }
        }
        Self { ranges }
    }

    /// Returns the largest id.
    pub fn last(&self) -> Option<u64> {
        Some(self.ranges.last()?.end - 1)
    }
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Range { start, end }) in self.ranges.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { "," })?;
            match end - start {
                1 => write!(f, "{start}")?,
                _ => write!(f, "{start}..{end}")?,
            }
        }
        Ok(())
    }
}

/// Text that is no set of ids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{found}': expected latent ids, as 3,17,100..200 (100 to 199)")]
pub struct IdsError {
    /// The part that is not one.
    pub found: String,
}

impl FromStr for Ids {
    type Err = IdsError;

    fn from_str(text: &str) -> Result<Self, IdsError> {
        let ranges = text.split(',').map(|part| {
            let wrong = || IdsError {
                found: part.trim().to_owned(),
            };
            let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
            match part.split_once("..") {
                None => {
                    let id = number(part)?;
                    Ok(id..id.checked_add(1).ok_or_else(wrong)?)
                }
                Some((start, end)) => {
                    let (start, end) = (number(start)?, number(end)?);
                    // An empty range is a slip, as 20..10 is.
                    if start < end {
                        Ok(start..end)
                    } else {
                        Err(wrong())
                    }
                }
            }
        });
        Ok(Self::new(ranges.collect::<Result<Vec<_>, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn differences_are_those_of_sets(
            own in prop::collection::vec((0..60u64, 0..9u64), 0..9),
            other in prop::collection::vec((0..60u64, 0..9u64), 0..9),
        ) {
            let ranges = |pairs: &[(u64, u64)]| -> Vec<_> {
                pairs.iter().map(|(start, n)| *start..start + n).collect()
            };
            let plain = |pairs: &[(u64, u64)]| -> BTreeSet<_> {
                ranges(pairs).into_iter().flatten().collect()
            };
            let left: Vec<_> = plain(&own).difference(&plain(&other)).copied().collect();
            let difference = Ids::new(ranges(&own)).difference(&Ids::new(ranges(&other)));
            prop_assert_eq!(difference.iter().collect::<Vec<_>>(), left);
            // As ranges too: ascending, not empty, not touching.
            prop_assert_eq!(&Ids::new(difference.ranges().to_vec()), &difference);
        }

        #[test]
        fn ids_are_a_set(ranges in prop::collection::vec((0..60u64, 0..9u64), 0..9)) {
            let ranges: Vec<_> = ranges.into_iter().map(|(start, n)| start..start + n).collect();
            let plain: BTreeSet<_> = ranges.iter().cloned().flatten().collect();
            let ids = Ids::new(ranges);
            prop_assert_eq!(ids.iter().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(ids.len(), plain.len() as u64);
            prop_assert_eq!(ids.last(), plain.last().copied());
            for id in 0..80 {
                prop_assert_eq!(ids.contains(id), plain.contains(&id));
            }
            if !ids.is_empty() {
                prop_assert_eq!(&ids.to_string().parse::<Ids>().unwrap(), &ids);
            }
        }
    }

    #[test]
    fn a_difference_of_huge_ranges_takes_no_memory() {
        let all: Ids = "0..18446744073709551615".parse().unwrap();
        let left = all.difference(&"3, 100..200".parse().unwrap());
        assert_eq!(left.to_string(), "0..3,4..100,200..18446744073709551615");
        assert!(left.difference(&all).is_empty());
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            ",",
            "1,",
            "x",
            "-1",
            "5..5",
            "9..3",
            "1...4",
            "18446744073709551615",
        ] {
            assert!(text.parse::<Ids>().is_err(), "{text}");
        }
    }
}
