//! Verification of an index: the files are what was written, and what they say is true.
//!
//! The proof needs no second count: [`prove`] reads the context of every entry of an array from the latents.

use std::collections::HashMap;

use rayon::prelude::*;

use super::array::{Disproof, prefixes_of, prove};
use super::labels::Labels;
use super::manifest::Source;
use super::{Histogram, Index, IndexError, WindowIndex};
use crate::base::{Budget, Observer};
use crate::latent::LatentSet;
use crate::window::{Condition, Context, Frame};

/// Distinct contexts held at a time by [`Index::verify_by_recount`], about 64 bytes each.
const RECOUNT: u64 = 1 << 23;

/// The latents on disk.
struct Stored {
    /// By id, zeros in the place of those that are not indexed.
    set: LatentSet,
    /// Those that are and are not left out, ascending.
    ids: Vec<u32>,
}

impl Index {
    /// Proves the index: checksums of every file, then every entry of every array against the latents. Where latents were left
    /// out ([`Index::without`]), proves that the rest is what the other latents alone would have given.
    ///
    /// Time O(bits of the database + occurrences of every array); the latents are held in `memory`.
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
        self.verify_latents(memory)?;
        for array in 0..self.arrays.len() {
            self.verify_array(array, observer)?;
        }
        Ok(())
    }

    fn verify_array(&self, number: usize, observer: &dyn Observer) -> Result<(), IndexError> {
        let array = &self.arrays[number];
        let direction = array.id;
        let indexed = self.manifest().arrays[number]
            .windows
            .first()
            .map_or(0, |window| window.contexts);
        observer.stage(&format!("{direction}: entries"), indexed, "contexts");
        let listed = self.manifest().arrays[number].blocks;
        if listed != array.blocks() as u64 {
            let expected = format!("{listed} blocks of array {direction}");
            return Err(self.damaged(&expected, array.blocks()));
        }
        let windows: Vec<_> = self
            .all_windows()
            .filter(|window| window.place().0 == number)
            .collect();
        let names: Vec<_> = windows
            .iter()
            .map(|window| window.geometry().window())
            .collect();
        let level = array.order.level();
        let (bits, end) = (level.bits() as u64, self.ids_end());
        let start = level.start() as u64;
        let excluded = self.manifest().excluded();
        let proved = prove(
            &self.questions(number)?,
            &prefixes_of(&array.order, &names),
            |occurrence| occurrence / bits < end && !excluded.contains(occurrence / bits),
            |occurrence| !self.is_left_out(occurrence / bits),
            observer,
        );
        let held = proved.map_err(|disproof| match disproof {
            Disproof::Unread(error) => error,
            Disproof::Order { occurrence } => {
                let place = format!(
                    "latent {} position {}",
                    occurrence / bits,
                    start + occurrence % bits
                );
                self.damaged(&format!("entries of array {direction} that ascend"), place)
            }
            Disproof::Separator { block } => {
                let expected = format!("a separator before block {block} of array {direction}");
                self.damaged(&expected, "one that is not between it and the block before")
            }
            Disproof::Entry { occurrence } => {
                let place = format!(
                    "latent {} position {}",
                    occurrence / bits,
                    start + occurrence % bits
                );
                self.damaged(
                    &format!("an occurrence of the bit that array {direction} says"),
                    place,
                )
            }
        })?;
        let expected = (end - excluded.len()) * bits;
        if held.entries != expected {
            let expected = format!("{expected} entries of array {direction}");
            return Err(self.damaged(&expected, held.entries));
        }
        // Indexes of older programs say none.
        let content = self.manifest().arrays[number].content;
        if let Some(content) = content.filter(|content| *content != held.content) {
            let expected = format!("content sum {content} of array {direction}");
            return Err(self.damaged(&expected, held.content));
        }
        for (window, found) in windows.iter().zip(held.totals) {
            let told = window.entry();
            let told = told.map(|entry| (entry.distinct, entry.ambiguous));
            if told != Some(found) {
                return Err(self.damaged(
                    &format!(
                        "{:?} contexts, distinct and ambiguous",
                        told.unwrap_or_default()
                    ),
                    format!("{found:?} at window {}", window.geometry().window()),
                ));
            }
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
    fn verify_by_recount(
        &self,
        Stored { set, ids }: &Stored,
        observer: &dyn Observer,
    ) -> Result<(), IndexError> {
        let expected = self.entry().map_or(0, |entry| entry.distinct);
        let passes = expected.div_ceil(RECOUNT).max(1);
        let name = format!("{}: recount", self.geometry().window());
        observer.stage(&name, passes * ids.len() as u64, "latents");
        let in_pass = |context: &Context, pass| {
            let bytes: Vec<u8> = context
                .words()
                .iter()
                .flat_map(|word| word.to_le_bytes())
                .collect();
            passes == 1 || xxhash_rust::xxh3::xxh3_64(&bytes) % passes == pass
        };
        let mut frame = Frame::new(set.shape(), &[self.geometry()]);
        let mut distinct = 0;
        for pass in 0..passes {
            let mut counts: HashMap<Context, Histogram> = HashMap::new();
            for id in ids {
                observer.check()?;
                self.index()
                    .held_labels()
                    .load(&mut frame, set, *id as usize);
                for position in self.geometry().positions() {
                    let context = self.geometry().lay_out(&frame, position);
                    if in_pass(&context, pass) {
                        let histogram = counts.entry(context).or_default();
                        if frame.get(position) {
                            histogram.n1 += 1;
                        } else {
                            histogram.n0 += 1;
                        }
                    }
                }
                observer.advance(1);
            }
            distinct += counts.len() as u64;
            counts.par_iter().try_for_each(|(context, counted)| {
                let found = self.lookup(context)?;
                if found == Some(*counted) {
                    return Ok(());
                }
                Err(self.index().damaged(
                    &format!("{counted:?} for context {context:02x?}"),
                    format!("{found:?} at window {}", self.geometry().window()),
                ))
            })?;
        }
        if distinct != expected {
            let found = format!("{expected} at window {}", self.geometry().window());
            return Err(self.index().damaged(&format!("{distinct} contexts"), found));
        }
        Ok(())
    }
}
