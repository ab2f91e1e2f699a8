//! How many different contexts each window of an order has, counted while the array is written.

use serde::{Deserialize, Serialize};

use crate::window::{Order, Window};

/// Which bits followed a context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Followed([bool; 2]);

impl Followed {
    fn is_ambiguous(self) -> bool {
        self.0 == [true; 2]
    }

    fn join(self, other: Self) -> Self {
        Self([0, 1].map(|bit| self.0[bit] || other.0[bit]))
    }
}

/// The contexts of one window.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Counted {
    /// Those that have ended, the first one left out.
    distinct: u64,
    ambiguous: u64,
    /// What followed the first one, once another has begun.
    first: Option<Followed>,
    /// What has followed the last one.
    last: Followed,
}

/// The contexts of every window of an order in a part of its array.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::index) struct Distinct {
    /// How many bits the contexts of each window have, ascending.
    prefixes: Vec<usize>,
    counted: Vec<Counted>,
    is_empty: bool,
}

impl Distinct {
    /// Starts to count the contexts of some prefixes.
    pub(in crate::index) fn new(prefixes: &[usize]) -> Self {
        Self {
            prefixes: prefixes.to_vec(),
            counted: vec![Counted::default(); prefixes.len()],
            is_empty: true,
        }
    }

    /// Adds occurrences of one context, which begins as the one before it in `common` bits.
    pub(super) fn add(&mut self, common: usize, zeros: bool, ones: bool) {
        let followed = Followed([zeros, ones]);
        self.begin(common);
        for counted in &mut self.counted {
            counted.last = counted.last.join(followed);
        }
    }

    /// Ends the contexts of all windows of more than `common` bits.
    fn begin(&mut self, common: usize) {
        if std::mem::take(&mut self.is_empty) {
            return;
        }
        let same = self.prefixes.partition_point(|bits| *bits <= common);
        for counted in &mut self.counted[same..] {
            let ended = std::mem::take(&mut counted.last);
            if counted.first.is_none() {
                counted.first = Some(ended);
            } else {
                counted.distinct += 1;
                counted.ambiguous += u64::from(ended.is_ambiguous());
            }
        }
    }

    /// Adds what another part has, whose first context begins as the last one here in `common` bits.
    pub(in crate::index) fn append(&mut self, other: &Self, common: usize) {
        if other.is_empty {
            return;
        }
        self.begin(common);
        for (own, other) in self.counted.iter_mut().zip(&other.counted) {
            let Some(first) = other.first else {
                own.last = own.last.join(other.last);
                continue;
            };
            let ended = own.last.join(first);
            if own.first.is_none() {
                own.first = Some(ended);
            } else {
                own.distinct += 1;
                own.ambiguous += u64::from(ended.is_ambiguous());
            }
            own.distinct += other.distinct;
            own.ambiguous += other.ambiguous;
            own.last = other.last;
        }
    }

    /// Returns whether it is of the contexts of these prefixes, and not empty.
    pub(in crate::index) fn counts(&self, prefixes: &[usize]) -> bool {
        !self.is_empty && self.prefixes == prefixes && self.counted.len() == prefixes.len()
    }

    /// Returns how many different contexts each prefix has, and how many of them were followed by both bits.
    pub(in crate::index) fn totals(&self) -> Vec<(u64, u64)> {
        let totals = self.counted.iter().map(|counted| {
            if self.is_empty {
                return (0, 0);
            }
            let both = [counted.first.unwrap_or_default(), counted.last];
            let ambiguous = both.into_iter().filter(|followed| followed.is_ambiguous());
            (
                counted.distinct + 1 + u64::from(counted.first.is_some()),
                counted.ambiguous + ambiguous.count() as u64,
            )
        });
        totals.collect()
    }
}

/// Returns the bits of the contexts of windows of an order.
pub(in crate::index) fn prefixes_of(order: &Order, windows: &[Window]) -> Vec<usize> {
    windows
        .iter()
        .filter_map(|window| order.prefix(*window))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Contexts of 8 bits, cut into parts anywhere, against counting each prefix by itself.
        #[test]
        fn contexts_are_counted_at_every_prefix_however_they_are_cut_into_parts(
            contexts in prop::collection::btree_map(0..200u8, (any::<bool>(), any::<bool>()), 1..40),
            cuts in prop::collection::vec(any::<bool>(), 40),
        ) {
            let prefixes = [1, 3, 4, 8];
            let mut parts = Vec::new();
            let mut last: Option<u8> = None;
            for ((context, (zeros, ones)), cut) in contexts.iter().zip(cuts) {
                let common = last.map_or(0, |last| (last ^ context).leading_zeros() as usize);
                if parts.is_empty() || cut {
                    parts.push((Distinct::new(&prefixes), common));
                }
                // Something follows every context that occurs.
                let (zeros, ones) = (*zeros || !ones, *ones);
                if let Some((part, _)) = parts.last_mut() {
                    part.add(common, zeros, ones);
                }
                last = Some(*context);
            }
            let mut all = Distinct::new(&prefixes);
            for (part, common) in &parts {
                all.append(part, *common);
            }
            let expected: Vec<(u64, u64)> = prefixes.iter().map(|bits| {
                let mut counts: BTreeMap<u8, Followed> = BTreeMap::new();
                for (context, (zeros, ones)) in &contexts {
                    let own = counts.entry(context >> (8 - bits)).or_default();
                    *own = own.join(Followed([*zeros || !ones, *ones]));
                }
                let ambiguous = counts.values().filter(|followed| followed.is_ambiguous());
                (counts.len() as u64, ambiguous.count() as u64)
            }).collect();
            prop_assert_eq!(all.totals(), expected);
        }
    }
}
