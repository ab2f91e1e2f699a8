//! Sorted occurrences of one window → SST files of contexts and of posting runs.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::IndexError;
use super::occurrence::OccurrenceLayout;
use super::postings::{MIN_RUN_POSTINGS, RunWriter};
use super::record::{ContextRecord, List, MAX_RECORD_BYTES};
use super::sort::Sorted;
use super::store::{Family, SstOptions, SstWriter};
use crate::base::Observer;
use crate::window::Window;

/// What was written for one window.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// SST files of `context:<window>`.
    pub(super) contexts: Vec<PathBuf>,
    /// SST files of `postings:<window>`.
    pub(super) postings: Vec<PathBuf>,
    /// Contexts with a record.
    pub(super) distinct: u64,
    /// Those that go on both ways.
    pub(super) ambiguous: u64,
}

/// Writes every part of `sorted` into `folder`, parts in parallel.
pub(super) fn write_window<const W: usize>(
    sorted: &Sorted<W>,
    layout: OccurrenceLayout,
    window: Window,
    folder: &Path,
    observer: &dyn Observer,
) -> Result<Written, IndexError> {
    // Run numbers of a part start where those of the part before can no longer reach.
    let sizes = sorted.part_sizes();
    let first_runs = sizes.iter().scan(0, |next, size| {
        let first = *next;
        *next += size / MIN_RUN_POSTINGS + 1;
        Some(first)
    });
    let parts: Vec<_> = first_runs.enumerate().collect();
    let written = parts
        .into_par_iter()
        .map(|(part, first_run)| {
            PartWriter::new(layout, window, folder, part).write(sorted, part, first_run, observer)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut all = Written::default();
    for part in written {
        all.contexts.extend(part.contexts);
        all.postings.extend(part.postings);
        all.distinct += part.distinct;
        all.ambiguous += part.ambiguous;
    }
    Ok(all)
}

/// Writes one part: one SST file of contexts and one of posting runs.
struct PartWriter {
    layout: OccurrenceLayout,
    context_options: SstOptions,
    posting_options: SstOptions,
    contexts: PathBuf,
    postings: PathBuf,
}

impl PartWriter {
    fn new(layout: OccurrenceLayout, window: Window, folder: &Path, part: usize) -> Self {
        Self {
            layout,
            context_options: SstOptions::new(Family::Context(window)),
            posting_options: SstOptions::new(Family::Postings(window)),
            contexts: folder.join(format!("context-{part:04}.sst")),
            postings: folder.join(format!("postings-{part:04}.sst")),
        }
    }

    fn write<const W: usize>(
        &self,
        sorted: &Sorted<W>,
        part: usize,
        first_run: u64,
        observer: &dyn Observer,
    ) -> Result<Written, IndexError> {
        let mut contexts = SstWriter::create(&self.context_options, self.contexts.clone());
        let mut postings = SstWriter::create(&self.posting_options, self.postings.clone());
        let mut runs = RunWriter::new(first_run, |number, bytes: &[u8]| {
            postings.put(&number.to_be_bytes(), bytes)
        });
        let mut written = Written::default();
        // The context under work: its key, its list of 0s once that is complete, its last next bit.
        let mut current: Option<([u64; W], Option<List>)> = None;
        let mut unreported = 0u64;

        let mut end_context = |key: [u64; W],
                               zero: Option<List>,
                               last: List,
                               written: &mut Written|
         -> Result<(), IndexError> {
            let record = match zero {
                Some(zero) => ContextRecord { zero, one: last },
                None => ContextRecord {
                    zero: last,
                    one: List::Empty,
                },
            };
            written.distinct += 1;
            written.ambiguous += u64::from(record.histogram().is_ambiguous());
            let mut buffer = [0; MAX_RECORD_BYTES];
            contexts.put(self.layout.key(&key).as_bytes(), record.encode(&mut buffer))
        };

        sorted.merge(part, |occurrence| -> Result<(), IndexError> {
            let (bit, number) = self.layout.tail(occurrence);
            let key = self.layout.key_only(*occurrence);
            match &mut current {
                Some((open, zero)) if *open == key => {
                    if bit && zero.is_none() {
                        *zero = Some(runs.end_list());
                    }
                }
                _ => {
                    if let Some((open, zero)) = current.take() {
                        let last = runs.end_list();
                        end_context(open, zero, last, &mut written)?;
                    }
                    current = Some((key, bit.then_some(List::Empty)));
                }
            }
            runs.push(number)?;
            unreported += 1;
            if unreported == 1 << 16 {
                observer.advance(unreported);
                unreported = 0;
                observer.check()?;
            }
            Ok(())
        })?;
        if let Some((open, zero)) = current.take() {
            let last = runs.end_list();
            end_context(open, zero, last, &mut written)?;
        }
        observer.advance(unreported);
        runs.finish()?;
        written.contexts.extend(contexts.finish()?);
        written.postings.extend(postings.finish()?);
        Ok(written)
    }
}
