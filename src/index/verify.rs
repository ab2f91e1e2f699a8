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
use super::{Histogram, Index, IndexError, Postings, WindowIndex};
use crate::base::{Budget, Observer};
use crate::latent::LatentSet;
use crate::window::{Condition, ContextKey, Frame};

/// Contexts checked at a time: shared out over the threads while the scan waits.
const BATCH: usize = 1 << 14;

/// Distinct contexts held at a time by [`Index::verify_by_recount`], about 64 bytes each.
const RECOUNT: u64 = 1 << 23;

/// The latents on disk.
struct Stored {
    /// By id, zeros in the place of those that are not indexed.
    set: LatentSet,
    /// Those that are and are not left out, ascending.
    ids: Vec<u32>,
}

impl Stored {
    fn holds(&self, id: u64) -> bool {
        let same = |id: u32| self.ids.binary_search(&id).is_ok();
        u32::try_from(id).is_ok_and(same)
    }
}

impl Index {
    /// Proves the index: checksums of every file, then every posting against the latents. Where latents were left
    /// out ([`Index::without`]), proves that the rest is what the other latents alone would have given.
    ///
    /// Time O(bits of the database + occurrences of every window); the latents are held in `memory`.
    ///
    /// ```
    /// use bitquilt::Budget;
    /// # use bitquilt::{BuildOptions, Index, LatentSet, Shape, Unobserved, build};
    /// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
    /// # for bits in ["101100", "111010"] {
    /// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
    /// # }
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("index");
    /// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
    /// let index = Index::open(&path)?;
    /// assert!(index.verify(Budget::of_machine(), &Unobserved).is_ok());
    ///
    /// // A changed byte in any file is found.
    /// let mut files = index.manifest().files.iter();
    /// let file = files.find(|file| file.bytes > 0).ok_or("every file is empty")?;
    /// let file = path.join(&file.name);
    /// let mut bytes = std::fs::read(&file)?;
    /// bytes[0] ^= 1;
    /// std::fs::write(&file, bytes)?;
    /// assert!(index.verify(Budget::of_machine(), &Unobserved).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`IndexError::Damaged`], naming the file or what was found; [`IndexError::Memory`]; [`IndexError::Stopped`].
    pub fn verify(&self, memory: Budget, observer: &dyn Observer) -> Result<(), IndexError> {
        self.verify_files(observer)?;
        let set = self.verify_latents(memory)?;
        for window in self.windows() {
            window.verify_postings(&set, observer)?;
        }
        Ok(())
    }

    /// Counts every window again from the latents, in a hash table, and compares: a second way to the
    /// same histograms that shares nothing with the sort. In passes over the latents when the table
    /// would pass about half a gigabyte; the latents are held in `memory`.
    ///
    /// # Errors
    /// As [`Index::verify`].
    pub fn verify_by_recount(
        &self,
        memory: Budget,
        observer: &dyn Observer,
    ) -> Result<(), IndexError> {
        let set = self.verify_latents(memory)?;
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

    /// Returns the latents on disk; zeros in the place of those that are not indexed.
    fn verify_latents(&self, memory: Budget) -> Result<Stored, IndexError> {
        let mut packed = Vec::new();
        let mut labels = Vec::new();
        let mut ids = Vec::new();
        let excluded = self.manifest().excluded();
        let end = self.ids_end();
        // Packed rows, labels and ids; rows once more when they become a set.
        let row = 2 * self.shape().packed_bytes() as u64 + 12;
        let what = format!("{}: {end} latents", self.path().display());
        memory.check(end.saturating_mul(row), what)?;
        let mut expected = (0..end).filter(|id| !excluded.contains(*id));
        for entry in self.stored_latents()? {
            let (id, latent) = entry?;
            match expected.next() {
                Some(expected) if id == expected => {}
                Some(expected) => {
                    return Err(self.damaged(&format!("latent {expected}"), format!("latent {id}")));
                }
                None => {
                    return Err(self.damaged("no further latent", format!("latent {id}")));
                }
            }
            // Ids are below 2³²: `stored_latents` reads them from 4 bytes.
            packed.resize(id as usize * self.shape().packed_bytes(), 0);
            packed.extend_from_slice(latent.packed());
            labels.resize(id as usize, 0);
            labels.push(latent.label().unwrap_or_default());
            ids.push(id as u32);
        }
        if let Some(missing) = expected.next() {
            return Err(self.damaged(&format!("latent {missing}"), "no further one"));
        }
        packed.resize(end as usize * self.shape().packed_bytes(), 0);
        labels.resize(end as usize, 0);
        self.verify_sources(&packed)?;
        let set = LatentSet::from_packed(self.shape(), packed)?;
        let kept = |id: &u32| !self.is_left_out(u64::from(*id));
        let held: Vec<_> = ids.iter().copied().filter(kept).collect();
        if self.condition() == Condition::None {
            return Ok(Stored { set, ids: held });
        }
        let set = set.with_labels(labels)?;
        let mut found = Labels::of(&set, &ids);
        found.retain(Labels::of(&set, &held).as_slice());
        if found != *self.held_labels() {
            let expected = format!("latents with labels {}", self.held_labels());
            return Err(self.damaged(&expected, found));
        }
        Ok(Stored { set, ids: held })
    }

    /// Checks that the latents are those of the files that the manifest names, for each file of which no latent was
    /// excluded.
    fn verify_sources(&self, packed: &[u8]) -> Result<(), IndexError> {
        let mut rest = packed;
        let excluded = self.manifest().excluded();
        let mut first = 0u64;
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
            let ids = first..first.saturating_add(source.latents);
            first = ids.end;
            rest = behind;
            if excluded.iter().any(|id| ids.contains(&id)) {
                continue;
            }
            let found = Source::of_packed(self.shape(), own, source.name.clone());
            if found != *source {
                let expected = format!("latents of {} with hash {}", source.name, source.xxh3_128);
                return Err(self.damaged(&expected, found.xxh3_128));
            }
        }
        Ok(())
    }
}

impl WindowIndex<'_> {
    fn verify_postings(&self, stored: &Stored, observer: &dyn Observer) -> Result<(), IndexError> {
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
                || Frame::new(stored.set.shape(), &[self.geometry()]),
                |frame, (key, record)| -> Result<(), IndexError> {
                    observer.check()?;
                    let Some(histogram) = self.answer(key, record) else {
                        return Ok(());
                    };
                    for bit in [false, true] {
                        let postings = self.read_list(*record.list(bit), histogram.count(bit));
                        self.verify_list(stored, frame, key, bit, postings)?;
                    }
                    observer.advance(histogram.total());
                    Ok(())
                },
            )?;
            let answers = batch
                .iter()
                .filter_map(|(key, record)| self.answer(key, record));
            for histogram in answers {
                // A damaged record may count anything; sums that stop at the top are not those that are expected.
                total.n0 = total.n0.saturating_add(histogram.n0);
                total.n1 = total.n1.saturating_add(histogram.n1);
                ambiguous += u64::from(histogram.is_ambiguous());
                distinct += 1;
            }
        }
        let occurrences = stored.ids.len() as u64 * stored.set.shape().bits() as u64;
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

    /// Checks that every posting of one list has that context and that next bit, and that they ascend.
    fn verify_list(
        &self,
        stored: &Stored,
        frame: &mut Frame,
        key: &ContextKey,
        bit: bool,
        postings: Postings<'_>,
    ) -> Result<(), IndexError> {
        let mut last = None;
        let mut loaded = None;
        for posting in postings {
            let posting = posting?;
            let id = posting.latent as usize;
            let indexed = stored.holds(posting.latent);
            if indexed && loaded != Some(id) {
                self.index().held_labels().load(frame, &stored.set, id);
                loaded = Some(id);
            }
            let holds = indexed
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
        Stored { set, ids }: &Stored,
        observer: &dyn Observer,
    ) -> Result<(), IndexError> {
        let passes = self.entry().distinct.div_ceil(RECOUNT).max(1);
        let name = format!("{}: recount", self.geometry().window());
        observer.stage(&name, passes * ids.len() as u64, "latents");
        let in_pass = |key: &ContextKey, pass| {
            passes == 1 || xxhash_rust::xxh3::xxh3_64(key.as_bytes()) % passes == pass
        };
        let mut frame = Frame::new(set.shape(), &[self.geometry()]);
        for pass in 0..passes {
            let mut counts: HashMap<ContextKey, Histogram> = HashMap::new();
            for id in ids {
                observer.check()?;
                self.index()
                    .held_labels()
                    .load(&mut frame, set, *id as usize);
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
