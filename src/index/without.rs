//! Latents that an opened index leaves out of its answers.
//!
//! Their contexts are sorted into small arrays in memory, of the same orders as the index's; what they hold of a context
//! is taken from what the index holds of it, at any window. A context of which nothing remains was never seen. Postings
//! are passed over as they are read. So nothing is rebuilt, and nothing is kept but what they touch.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::array::{Latents, MemoryArray, Range, Room};
use super::manifest::WindowEntry;
use super::{Histogram, Index, IndexError, WindowIndex};
use crate::base::{Budget, Unobserved};
use crate::latent::Ids;
use crate::window::Order;

/// Bytes that an occurrence takes in an array in memory, and while that is made.
const OCCURRENCE_BYTES: u64 = 8 + 40;

/// Latents that are left out.
pub(super) struct LeftOut {
    pub(super) ids: Ids,
    /// Their contexts, for each array of the index.
    arrays: Vec<MemoryArray>,
}

impl LeftOut {
    /// Returns the entries of a context that are of these latents.
    pub(super) fn range(
        &self,
        array: usize,
        latents: &Latents<'_>,
        order: &Order,
        asked: &[u64],
        bits: usize,
    ) -> Range {
        let Ok(range) = self.arrays[array]
            .questions(latents, order)
            .range(asked, bits);
        range
    }
}

/// Letters of a list of ids in a message, at most.
const MAX_TOLD: usize = 80;

impl Index {
    /// Returns the same index without some latents: counts, postings, contexts and latents are from now on what
    /// they would be had these never been indexed, exactly. Nothing on disk changes; the ids of the others
    /// stay. May be asked for again, with more.
    ///
    /// Two searches for each context that the latents took part in, at each window: for one MNIST latent some 50 ms, for a
    /// thousand some ten seconds. Their contexts are held in memory, half of
    /// `memory` at most. For more, build again with [`BuildOptions::excluded`].
    ///
    /// # Errors
    /// [`IndexError::NoSuchLatent`] for an id that the index does not hold; [`IndexError::Input`] when no
    /// latent would be left; [`IndexError::Memory`]; [`IndexError::Damaged`] when a context of a latent is
    /// not there; [`IndexError::Store`].
    ///
    /// [`BuildOptions::excluded`]: super::BuildOptions::excluded
    pub fn without(mut self, ids: &Ids, memory: Budget) -> Result<Self, IndexError> {
        if ids.is_empty() {
            return Ok(self);
        }
        self.check_ids(ids, memory)?;
        for id in ids.iter() {
            self.held_latent(id)?;
        }
        let before = self.left_out();
        let all = before.union(ids);
        // Ids are below 2³².
        let numbers: Vec<u32> = all.iter().map(|id| id as u32).collect();
        let room = Room::within(
            u64::MAX,
            numbers.len() as u64 * self.shape().bits() as u64,
            0,
        );
        let arrays = self.arrays.iter().enumerate().map(|(number, array)| {
            let latents = self.packed(number)?;
            let built = MemoryArray::build(latents, &array.order, &numbers, &[], room, &Unobserved);
            Ok::<_, IndexError>(built.map(|(array, _)| array)?)
        });
        let left_out = LeftOut {
            arrays: arrays.collect::<Result<_, _>>()?,
            ids: all,
        };
        // What the index held before anything was left out: entries are counted anew from that.
        self.left_out = None;
        let manifest = self.manifest.arrays.iter().flat_map(|array| &array.windows);
        let windows: Vec<_> = self.all_windows().zip(manifest.cloned()).collect();
        let entries = windows
            .par_iter()
            .map(|(window, entry)| window.less(entry, &left_out));
        let entries = entries.collect::<Result<Vec<_>, IndexError>>()?;
        drop(windows);
        for (held, entry) in self.held.iter_mut().zip(entries) {
            held.entry = Some(entry);
        }
        self.manifest.latents -= left_out.ids.len() - before.len();
        self.left_out = Some(left_out);
        if !self.labels().is_empty() {
            let mut left = BTreeSet::new();
            for entry in self.scan_latents()? {
                left.extend(entry?.1.label());
            }
            self.labels.retain(&left.into_iter().collect::<Vec<_>>());
        }
        Ok(self)
    }

    /// Returns the latents that [`Index::without`] has left out.
    pub fn left_out(&self) -> Ids {
        self.left_out
            .as_ref()
            .map(|left_out| left_out.ids.clone())
            .unwrap_or_default()
    }

    fn check_ids(&self, ids: &Ids, memory: Budget) -> Result<(), IndexError> {
        let held = self.ids_end();
        if let Some(last) = ids.last().filter(|last| *last >= held) {
            return Err(self.no_such_latent(last));
        }
        let bits = self.shape().bits() as u64;
        let arrays = self.arrays.len() as u64;
        let needed = ids
            .len()
            .saturating_mul(bits * arrays)
            .saturating_mul(OCCURRENCE_BYTES);
        let what = format!(
            "{}: the contexts of {} latents that are left out (an index built without them needs none)",
            self.path().display(),
            ids.len()
        );
        memory.part(0.5).check(needed, what)?;
        if ids.len() >= self.latents() {
            // Unless an id is not there, which is then what is said.
            for id in ids.iter() {
                if self.latent(id)?.is_none() {
                    return Err(self.no_such_latent(id));
                }
            }
            return Err(IndexError::Input(format!(
                "{}: holds {} latents, and every one is to be left out",
                self.path().display(),
                self.latents()
            )));
        }
        Ok(())
    }

    /// Returns the error of an id that is not there.
    pub(super) fn no_such_latent(&self, asked: u64) -> IndexError {
        let excluded = self.manifest.excluded().union(&self.left_out());
        IndexError::NoSuchLatent {
            path: self.path().to_owned(),
            asked,
            held: match (self.ids_end(), excluded.to_string()) {
                (end, none) if none.is_empty() => format!("0 to {}", end - 1),
                (end, all) if all.len() > MAX_TOLD => {
                    format!("0 to {} without {} of them", end - 1, excluded.len())
                }
                (end, all) => format!("0 to {} without {all}", end - 1),
            },
        }
    }

    /// Returns the number behind the last id, counting latents that are left out.
    pub(super) fn ids_end(&self) -> u64 {
        let manifest = &self.manifest;
        manifest.latents + manifest.excluded().len() + self.left_out().len()
    }
}

impl WindowIndex<'_> {
    /// Returns the counts of a window without latents that are left out.
    fn less(&self, entry: &WindowEntry, left_out: &LeftOut) -> Result<WindowEntry, IndexError> {
        let index = self.index();
        let (array, bits) = self.place();
        let (latents, order) = (index.packed(array)?, &index.arrays[array].order);
        let small = &left_out.arrays[array];
        let mut entry = entry.clone();
        let mut last = None;
        for block in small.blocks.iter() {
            for first in (0..block.groups()).map(|group| block.first(group)) {
                let questions = small.questions(latents, order);
                let same = last.is_some_and(|last| questions.common_of(last, first, bits) >= bits);
                last = Some(first);
                if same {
                    continue;
                }
                let asked = questions.words_of(first);
                let Ok(gone) = questions.range(&asked, bits);
                let gone = gone.histogram();
                let held = index.questions(array)?.range(&asked, bits)?.histogram();
                let left = held
                    .n0
                    .checked_sub(gone.n0)
                    .zip(held.n1.checked_sub(gone.n1));
                let left = left.map(|(n0, n1)| Histogram { n0, n1 });
                // No more than the manifest counts, unless it is wrong.
                let fewer = left.and_then(|left| {
                    let unambiguous = held.is_ambiguous() && !left.is_ambiguous();
                    entry.contexts = entry.contexts.checked_sub(gone.total())?;
                    entry.distinct = entry.distinct.checked_sub(u64::from(left.total() == 0))?;
                    entry.ambiguous = entry.ambiguous.checked_sub(u64::from(unambiguous))?;
                    Some(())
                });
                if fewer.is_none() {
                    return Err(index.damaged(
                        "at least as many contexts as its latents have",
                        format!("{held:?} where they have {gone:?}, and {entry:?}"),
                    ));
                }
            }
        }
        Ok(entry)
    }
}
