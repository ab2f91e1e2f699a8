//! The proof of an array: every occurrence is there once, where its context belongs.
//!
//! Entries ascend strictly by context, next bit and number, all of them read from the latents; so no two are the same
//! occurrence. If then as many are found as there are, every occurrence is listed exactly once and among those of its own
//! context: counts are exact (P1) and postings complete and true (P5), at every window.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::content::ContentSum;
use super::distinct::Distinct;
use super::question::{Blocks, Questions};
use crate::base::{Observer, Stopped};

/// Blocks that are proved at a time by one thread.
const BLOCKS: usize = 64;

/// Why an array is not what it should be.
#[derive(Debug)]
pub(in crate::index) enum Disproof<E> {
    /// An entry that is not behind the one before it.
    Order {
        /// The occurrence.
        occurrence: u64,
    },
    /// An occurrence that is none of the index, or that another bit follows.
    Entry {
        /// The occurrence.
        occurrence: u64,
    },
    /// A block whose separator does not separate it from the one before.
    Separator {
        /// Its number.
        block: usize,
    },
    /// What kept it from being read.
    Unread(E),
}

impl<E: From<Stopped>> From<Stopped> for Disproof<E> {
    fn from(stopped: Stopped) -> Self {
        Self::Unread(E::from(stopped))
    }
}

/// What an array was proved to hold.
pub(in crate::index) struct Held {
    pub(in crate::index) entries: u64,
    /// For each prefix the different contexts, and those of them that both bits followed.
    pub(in crate::index) totals: Vec<(u64, u64)>,
    pub(in crate::index) content: ContentSum,
}

/// What some blocks hold.
struct Proved {
    ends: Option<(u64, u64)>,
    /// Contexts of occurrences that count, and the first and the last of these.
    distinct: Distinct,
    counted: Option<(u64, u64)>,
    entries: u64,
    content: ContentSum,
}

/// Proves an array. `is_indexed` says whether an occurrence is of a latent that the array holds, `counts` whether it is of one
/// that is not left out; different contexts are those that count, for each of `prefixes`.
pub(in crate::index) fn prove<B>(
    questions: &Questions<'_, B>,
    prefixes: &[usize],
    is_indexed: impl Fn(u64) -> bool + Sync,
    counts: impl Fn(u64) -> bool + Sync,
    observer: &dyn Observer,
) -> Result<Held, Disproof<B::Error>>
where
    B: Blocks + Sync,
    B::Error: From<Stopped> + Send,
{
    let blocks = questions.directory.blocks();
    let runs: Vec<_> = (0..blocks)
        .step_by(BLOCKS)
        .map(|start| start..(start + BLOCKS).min(blocks))
        .collect();
    let proved = runs.into_par_iter().map(|run| {
        observer.check()?;
        let mut proved = Proved {
            ends: None,
            distinct: Distinct::new(prefixes),
            counted: None,
            entries: 0,
            content: ContentSum::default(),
        };
        for number in run {
            let block = questions.blocks.block(number).map_err(Disproof::Unread)?;
            let all = block.occurrences();
            questions.prove_separator(number, &all)?;
            for group in 0..block.groups() {
                let [start, end] = [group, group + 1].map(|group| block.before(group).0 as usize);
                for occurrence in &all[start..end] {
                    questions.prove_entry(
                        &mut proved,
                        *occurrence,
                        block.bit(group),
                        &is_indexed,
                        &counts,
                    )?;
                }
            }
            let held = questions.directory.before(number + 1).entries
                - questions.directory.before(number).entries;
            observer.advance(held);
        }
        Ok(proved)
    });
    let proved = proved.collect::<Result<Vec<Proved>, Disproof<B::Error>>>()?;
    let mut distinct = Distinct::new(prefixes);
    let mut content = ContentSum::default();
    let (mut last, mut last_counted, mut entries) = (None, None, 0);
    for part in &proved {
        if let (Some(last), Some((first, _))) = (last, part.ends)
            && questions.order_of(last, first) != Ordering::Less
        {
            return Err(Disproof::Order { occurrence: first });
        }
        last = part.ends.map(|(_, last)| last).or(last);
        if let Some((first, own_last)) = part.counted {
            let common = last_counted.map_or(0, |last| {
                questions.latents.common(questions.readers, last, first)
            });
            distinct.append(&part.distinct, common);
            last_counted = Some(own_last);
        }
        entries += part.entries;
        content.append(&part.content);
    }
    Ok(Held {
        entries,
        totals: distinct.totals(),
        content,
    })
}

impl<B: Blocks> Questions<'_, B> {
    fn prove_entry(
        &self,
        proved: &mut Proved,
        occurrence: u64,
        bit: bool,
        is_indexed: impl Fn(u64) -> bool,
        counts: impl Fn(u64) -> bool,
    ) -> Result<(), Disproof<B::Error>> {
        if !is_indexed(occurrence) || self.latents.bit(occurrence) != bit {
            return Err(Disproof::Entry { occurrence });
        }
        if let Some((_, last)) = proved.ends
            && self.order_of(last, occurrence) != Ordering::Less
        {
            return Err(Disproof::Order { occurrence });
        }
        proved.ends = Some((
            proved.ends.map_or(occurrence, |(first, _)| first),
            occurrence,
        ));
        proved.entries += 1;
        proved.content.push(occurrence);
        if counts(occurrence) {
            let common = proved.counted.map_or(0, |(_, last)| {
                self.latents.common(self.readers, last, occurrence)
            });
            proved.distinct.add(common, !bit, bit);
            proved.counted = Some((
                proved.counted.map_or(occurrence, |(first, _)| first),
                occurrence,
            ));
        }
        Ok(())
    }

    /// Proves that a block's separator is larger than the last entry before it and no larger than its first one.
    fn prove_separator(&self, number: usize, all: &[u64]) -> Result<(), Disproof<B::Error>> {
        let spell = |occurrence: &u64| self.latents.spell(self.readers, *occurrence);
        let before = match number.checked_sub(1) {
            Some(before) => self
                .blocks
                .block(before)
                .map_err(Disproof::Unread)?
                .occurrences(),
            None => Vec::new(),
        };
        let separator = self.directory.separator(number);
        let above = before
            .last()
            .is_none_or(|last| spell(last).as_slice() < separator);
        let below = all
            .first()
            .is_some_and(|first| separator <= spell(first).as_slice());
        match above && below {
            true => Ok(()),
            false => Err(Disproof::Separator { block: number }),
        }
    }

    /// How two occurrences are ordered in the array.
    fn order_of(&self, one: u64, other: u64) -> Ordering {
        let (a, b) = (self.latents.standing(one), self.latents.standing(other));
        let words = self
            .readers
            .iter()
            .map(|reader| a.read(reader).cmp(&b.read(reader)));
        let contexts = words.fold(Ordering::Equal, Ordering::then);
        contexts
            .then(self.latents.bit(one).cmp(&self.latents.bit(other)))
            .then(one.cmp(&other))
    }
}
