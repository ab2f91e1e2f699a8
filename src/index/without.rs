//! Latents that an opened index leaves out of its answers: what remains of each context that they took
//! part in.
//!
//! Their contexts are packed again, window by window, and counted against what the index holds. A context
//! of which something remains answers with the rest; one of which nothing does was never seen. Postings
//! are passed over as they are read. So nothing is rebuilt, and nothing is kept but what they touch: at
//! most HWK contexts of each window for each latent.

use std::collections::{BTreeSet, HashMap};

use super::{Histogram, Index, IndexError, StoredLatent};
use crate::base::Budget;
use crate::latent::Ids;
use crate::window::{ContextKey, Frame, Window};

/// Bytes that a context takes in a table of what remains: key, histogram, and the table's own at its
/// emptiest.
const CONTEXT_BYTES: u64 = 2 * (size_of::<(ContextKey, Histogram)>() as u64 + 1);

/// What remains of the contexts of one window.
pub(super) type Rest = HashMap<ContextKey, Histogram>;

/// Latents that are left out.
#[derive(Default)]
pub(super) struct LeftOut {
    pub(super) ids: Ids,
    rests: HashMap<Window, Rest>,
}

impl LeftOut {
    /// Returns what remains of the contexts of a window that are not as the index has them.
    pub(super) fn rest(&self, window: Window) -> Option<&Rest> {
        self.rests.get(&window)
    }
}

impl Index {
    /// Returns the same index without some latents: counts, postings, contexts and latents are from now on what
    /// they would be had these never been indexed, exactly. Nothing on disk changes; the ids of the others
    /// stay. May be asked for again, with more.
    ///
    /// One lookup for each context that the latents took part in: for one MNIST latent and five windows
    /// 10 ms, for a thousand a few seconds. What remains of these contexts is held in memory, half of `memory` at most. For
    /// more, build again with [`BuildOptions::excluded`].
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
        let mut latents = Vec::new();
        for id in ids.iter() {
            latents.push(self.held_latent(id)?);
        }
        let mut rests = HashMap::new();
        let mut entries = Vec::new();
        for window in self.windows() {
            let gone = self.contexts_of(&latents, window.geometry().window())?;
            let keys: Vec<_> = gone.keys().copied().collect();
            let mut entry = window.entry().clone();
            let mut rest = Rest::with_capacity(keys.len());
            for (key, held) in keys.iter().zip(window.lookup_batch(&keys)?) {
                let (held, gone) = (held.unwrap_or_default(), gone[key]);
                let left = held
                    .n0
                    .checked_sub(gone.n0)
                    .zip(held.n1.checked_sub(gone.n1));
                let Some((n0, n1)) = left else {
                    let expected = format!("{gone:?} at least for context {:02x?}", key.as_bytes());
                    return Err(self.damaged(&expected, format!("{held:?}")));
                };
                let left = Histogram { n0, n1 };
                rest.insert(*key, left);
                // No more than the manifest counts, unless it is wrong.
                let less = |number: &mut u64, by: u64| {
                    *number = number.checked_sub(by)?;
                    Some(())
                };
                let unambiguous = held.is_ambiguous() && !left.is_ambiguous();
                let fewer = less(&mut entry.contexts, gone.total())
                    .and_then(|()| less(&mut entry.distinct, u64::from(left.total() == 0)))
                    .and_then(|()| less(&mut entry.ambiguous, u64::from(unambiguous)));
                if fewer.is_none() {
                    return Err(self.damaged(
                        "at least as many contexts as its latents have",
                        format!("{entry:?}"),
                    ));
                }
            }
            entries.push(entry);
            rests.insert(window.geometry().window(), rest);
        }
        let mut left_out = self.left_out.take().unwrap_or_default();
        left_out.ids = left_out.ids.union(ids);
        for (window, rest) in rests {
            left_out.rests.entry(window).or_default().extend(rest);
        }
        self.left_out = Some(left_out);
        self.manifest.windows = entries;
        self.manifest.latents -= ids.len();
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
        let windows = self.manifest.windows.len() as u64;
        let needed = ids
            .len()
            .saturating_mul(bits * windows)
            .saturating_mul(CONTEXT_BYTES);
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
                (end, excluded) => format!("0 to {} without {excluded}", end - 1),
            },
        }
    }

    /// Returns the number behind the last id, counting latents that are left out.
    pub(super) fn ids_end(&self) -> u64 {
        let manifest = &self.manifest;
        manifest.latents + manifest.excluded().len() + self.left_out().len()
    }

    /// Returns how often each context and next bit occurs in some latents.
    fn contexts_of(&self, latents: &[StoredLatent], window: Window) -> Result<Rest, IndexError> {
        let held = self.window(window)?;
        let geometry = held.geometry();
        let mut frame = Frame::new(self.shape(), &[geometry]);
        let mut counts = Rest::new();
        for latent in latents {
            frame.load(latent.packed(), self.given(latent.label())?);
            for position in 0..self.shape().bits() {
                let key = geometry.key(&mut frame, position);
                let histogram = counts.entry(key).or_default();
                match frame.get(position) {
                    false => histogram.n0 += 1,
                    true => histogram.n1 += 1,
                }
            }
        }
        Ok(counts)
    }
}
