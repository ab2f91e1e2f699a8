//! Verification of an index: the files are what was written, and what they say is true.
//!
//! The proof needs no second count. Every posting of every (context, bit) is recomputed from the
//! latents: it must lie on the grid, have that context and that next bit. Postings of a list ascend,
//! so they differ; contexts differ, so no occurrence is listed twice. If then as many postings are
//! found as there are occurrences, every occurrence is listed exactly once and under its own context:
//! counts are exact (P1), postings complete and true (P5).

use std::collections::HashMap;

use rayon::prelude::*;

use super::labels::Labels;
use super::manifest::Source;
use super::{Histogram, Index, IndexError, WindowIndex};
use crate::latent::LatentSet;
use crate::progress::Observer;
use crate::window::{Condition, ContextKey, Frame};

/// Contexts checked at a time: shared out over the threads while the scan waits.
const BATCH: usize = 1 << 14;

/// Distinct contexts held at a time by [`Index::verify_by_recount`], about 64 bytes each.
const RECOUNT: u64 = 1 << 23;

impl Index {
    /// Proves the index: checksums of every file, then every posting against the latents.
    ///
    /// Time O(bits of the database + occurrences of every window); memory for the latents.
    ///
    /// # Errors
    /// [`IndexError::Damaged`], naming the file or what was found; [`IndexError::Stopped`].
    pub fn verify(&self, observer: &dyn Observer) -> Result<(), IndexError> {
        self.verify_files(observer)?;
        let set = self.verify_latents()?;
        for window in self.windows() {
            window.verify_postings(&set, observer)?;
        }
        Ok(())
    }

    /// Counts every window again from the latents, in a hash table, and compares: a second way to the
    /// same histograms that shares nothing with the sort. In passes over the latents when the table
    /// would pass about half a gigabyte.
    ///
    /// # Errors
    /// As [`Index::verify`].
    pub fn verify_by_recount(&self, observer: &dyn Observer) -> Result<(), IndexError> {
        let set = self.verify_latents()?;
        for window in self.windows() {
            window.verify_by_recount(&set, observer)?;
        }
        Ok(())
    }

    fn verify_files(&self, observer: &dyn Observer) -> Result<(), IndexError> {
        let files = &self.manifest().files;
        observer.stage("checksums", files.len() as u64, "files");
        files.par_iter().try_for_each(|file| {
            let checked = file.check(self.path());
            observer.advance(1);
            checked
        })
    }

    fn verify_latents(&self) -> Result<LatentSet, IndexError> {
        let mut packed = Vec::new();
        let mut labels = Vec::new();
        let mut next = 0;
        for entry in self.scan_latents()? {
            let (id, latent) = entry?;
            if id != next {
                return Err(self.damaged(&format!("latent {next}"), format!("latent {id}")));
            }
            packed.extend_from_slice(latent.packed());
            labels.extend(latent.label());
            next += 1;
        }
        if next != self.latents() {
            return Err(self.damaged(&format!("{} latents", self.latents()), next));
        }
        self.verify_sources(&packed)?;
        let set = LatentSet::from_packed(self.shape(), packed)?;
        if self.condition() == Condition::None {
            return Ok(set);
        }
        let set = set.with_labels(labels)?;
        let found = Labels::of(&set);
        if found != *self.held_labels() {
            let expected = format!("latents with labels {}", self.held_labels());
            return Err(self.damaged(&expected, found));
        }
        Ok(set)
    }

    /// The latents are those of the files that the manifest names.
    fn verify_sources(&self, packed: &[u8]) -> Result<(), IndexError> {
        let mut rest = packed;
        for source in &self.manifest().sources {
            let bytes = source
                .latents
                .saturating_mul(self.shape().packed_bytes() as u64);
            let split = usize::try_from(bytes)
                .ok()
                .and_then(|at| rest.split_at_checked(at));
            let Some((own, behind)) = split else {
                let expected = format!("{} latents of {}", source.latents, source.name);
                return Err(self.damaged(&expected, "fewer"));
            };
            let found = Source::of_packed(self.shape(), own, source.name.clone());
            if found != *source {
                let expected = format!("latents of {} with hash {}", source.name, source.xxh3_128);
                return Err(self.damaged(&expected, found.xxh3_128));
            }
            rest = behind;
        }
        Ok(())
    }
}

impl WindowIndex<'_> {
    fn verify_postings(&self, set: &LatentSet, observer: &dyn Observer) -> Result<(), IndexError> {
        let name = format!("{}: postings", self.geometry().window());
        observer.stage(&name, self.entry().contexts, "contexts");
        let mut entries = self.scan()?;
        let mut total = Histogram::default();
        let (mut distinct, mut ambiguous) = (0u64, 0u64);
        loop {
            let batch = entries
                .by_ref()
                .take(BATCH)
                .collect::<Result<Vec<_>, _>>()?;
            if batch.is_empty() {
                break;
            }
            batch.par_iter().try_for_each_init(
                || Frame::new(set.shape(), &[self.geometry()]),
                |frame, (key, record)| {
                    if observer.stop_requested() {
                        return Err(IndexError::Stopped);
                    }
                    for bit in [false, true] {
                        self.verify_list(set, frame, key, bit, *record.list(bit))?;
                    }
                    observer.advance(record.histogram().total());
                    Ok(())
                },
            )?;
            for (_, record) in &batch {
                let histogram = record.histogram();
                total.n0 += histogram.n0;
                total.n1 += histogram.n1;
                ambiguous += u64::from(histogram.is_ambiguous());
            }
            distinct += batch.len() as u64;
        }
        let occurrences = set.len() as u64 * set.shape().bits() as u64;
        let entry = self.entry();
        let expected = (occurrences, entry.contexts, entry.distinct, entry.ambiguous);
        let found = (total.total(), total.total(), distinct, ambiguous);
        if expected != found {
            return Err(self.index().damaged(
                &format!("{expected:?} occurrences, contexts, distinct, ambiguous"),
                format!("{found:?} at window {}", self.geometry().window()),
            ));
        }
        Ok(())
    }

    /// Every posting of one list has that context and that next bit, and they ascend.
    fn verify_list(
        &self,
        set: &LatentSet,
        frame: &mut Frame,
        key: &ContextKey,
        bit: bool,
        list: super::record::List,
    ) -> Result<(), IndexError> {
        let mut last = None;
        let mut loaded = None;
        for posting in self.read_list(list) {
            let posting = posting?;
            let id = posting.latent as usize;
            let on_grid = posting.latent < set.len() as u64;
            if on_grid && loaded != Some(id) {
                self.index().held_labels().load(frame, set, id);
                loaded = Some(id);
            }
            let holds = on_grid
                && last < Some(posting)
                && frame.get(posting.position) == bit
                && self.geometry().key(frame, posting.position) == *key;
            if !holds {
                return Err(self.index().damaged(
                    &format!("an occurrence of context {:02x?}", key.as_bytes()),
                    format!("{posting:?} at window {}", self.geometry().window()),
                ));
            }
            last = Some(posting);
        }
        Ok(())
    }

    fn verify_by_recount(
        &self,
        set: &LatentSet,
        observer: &dyn Observer,
    ) -> Result<(), IndexError> {
        let passes = self.entry().distinct.div_ceil(RECOUNT).max(1);
        let name = format!("{}: recount", self.geometry().window());
        observer.stage(&name, passes * set.len() as u64, "latents");
        let in_pass = |key: &ContextKey, pass| {
            passes == 1 || xxhash_rust::xxh3::xxh3_64(key.as_bytes()) % passes == pass
        };
        let mut frame = Frame::new(set.shape(), &[self.geometry()]);
        for pass in 0..passes {
            let mut counts: HashMap<ContextKey, Histogram> = HashMap::new();
            for id in 0..set.len() {
                if observer.stop_requested() {
                    return Err(IndexError::Stopped);
                }
                self.index().held_labels().load(&mut frame, set, id);
                for position in 0..set.shape().bits() {
                    let key = self.geometry().key(&mut frame, position);
                    if in_pass(&key, pass) {
                        let histogram = counts.entry(key).or_default();
                        if frame.get(position) {
                            histogram.n1 += 1;
                        } else {
                            histogram.n0 += 1;
                        }
                    }
                }
                observer.advance(1);
            }
            for entry in self.contexts()? {
                let (key, found) = entry?;
                if !in_pass(&key, pass) {
                    continue;
                }
                let counted = counts.remove(&key);
                if counted != Some(found) {
                    return Err(self.index().damaged(
                        &format!("{counted:?} for context {:02x?}", key.as_bytes()),
                        format!("{found:?} at window {}", self.geometry().window()),
                    ));
                }
            }
            if let Some((key, counted)) = counts.into_iter().next() {
                return Err(self.index().damaged(
                    &format!("{counted:?} for context {:02x?}", key.as_bytes()),
                    format!("no record at window {}", self.geometry().window()),
                ));
            }
        }
        Ok(())
    }
}
