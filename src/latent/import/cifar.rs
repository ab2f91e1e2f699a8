//! CIFAR-10 binary batches: records of one label byte and the red, green and blue planes of a
//! 32×32 image.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::input::Input;
use super::pixels::{self, Form, Pixels};
use super::reader::{Opened, Source, labels_of_records};
use super::{Labels, name_of};
use crate::latent::LatentError;

const SIDE: u32 = 32;
const PLANE: usize = 32 * 32;
/// Bytes of one record.
pub(super) const RECORD: u64 = 1 + 3 * 32 * 32;

/// The training batches of a folder, `data_batch_*.bin`, sorted.
pub(super) fn batches(folder: &Path) -> Result<Vec<PathBuf>, LatentError> {
    let mut batches = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let name = name_of(&path);
        if name.starts_with("data_batch_") && name.ends_with(".bin") && path.is_file() {
            batches.push(path);
        }
    }
    batches.sort();
    Ok(batches)
}

/// The records of batches, one batch after the other.
pub(super) struct Records {
    /// Files and their records, the next one first.
    files: std::vec::IntoIter<(PathBuf, u64)>,
    open: Option<Batch>,
}

/// One batch, read so far as `read`.
struct Batch {
    path: PathBuf,
    input: Input,
    records: u64,
    read: u64,
}

/// Opens batches. `files` is not empty.
pub(super) fn open(files: &[PathBuf], form: &Form, wanted: &Labels) -> Result<Opened, LatentError> {
    let sides = form.sides(&files[0], SIDE, SIDE, 3)?;
    let mut sized = Vec::new();
    for file in files {
        let length = fs_err::metadata(file)?.len();
        if length == 0 {
            return Err(LatentError::Empty { path: file.into() });
        }
        if !length.is_multiple_of(RECORD) {
            return Err(LatentError::format(
                file,
                format!("CIFAR-10 records of {RECORD} bytes each"),
                format!(
                    "{length} bytes, {} left over: the file is truncated, or no CIFAR-10 batch",
                    length % RECORD
                ),
            ));
        }
        sized.push((file.clone(), length / RECORD));
    }
    let total = sized.iter().map(|(_, records)| *records as usize).sum();
    let mut notes = Vec::new();
    let labels = labels_of_records(wanted, total, &mut notes)?;
    let name = match files {
        [first, _, .., last] if files.len() > 3 => {
            format!(
                "{} to {}, {} files",
                name_of(first),
                name_of(last),
                files.len()
            )
        }
        _ => files
            .iter()
            .map(|file| name_of(file))
            .collect::<Vec<_>>()
            .join(" + "),
    };
    Ok(Opened {
        path: files[0].clone(),
        sides,
        total,
        labels,
        notes,
        name,
        source: Source::Cifar(Records {
            files: sized.into_iter(),
            open: None,
        }),
    })
}

impl Records {
    /// The next records of one batch, at most `most`, with their labels; none after the last.
    pub(super) fn next<T: Send>(
        &mut self,
        most: usize,
        make: impl Fn(Pixels) -> T + Sync,
    ) -> Result<(Vec<T>, Vec<i64>), LatentError> {
        if self
            .open
            .as_ref()
            .is_none_or(|batch| batch.read == batch.records)
        {
            self.end()?;
            let Some((path, records)) = self.files.next() else {
                return Ok((Vec::new(), Vec::new()));
            };
            let input = Input::open(&path)?;
            self.open = Some(Batch {
                path,
                input,
                records,
                read: 0,
            });
        }
        match &mut self.open {
            Some(batch) => batch.next(most, make),
            None => Ok((Vec::new(), Vec::new())),
        }
    }

    /// Refuses anything after the last record of the batch.
    pub(super) fn end(&mut self) -> Result<(), LatentError> {
        self.open
            .take()
            .map_or(Ok(()), |mut batch| batch.input.end())
    }
}

impl Batch {
    fn next<T: Send>(
        &mut self,
        most: usize,
        make: impl Fn(Pixels) -> T + Sync,
    ) -> Result<(Vec<T>, Vec<i64>), LatentError> {
        let most = most.min((self.records - self.read) as usize);
        let mut bytes = vec![0; most * RECORD as usize];
        let mut labels = Vec::new();
        for record in bytes.chunks_exact_mut(RECORD as usize) {
            let index = self.read;
            self.input.fill(record, &format!("record {index}"))?;
            let label = record[0];
            if label > 9 {
                return Err(LatentError::format(
                    &self.path,
                    "CIFAR-10 records, each a label of 0 to 9 and a 32x32 image",
                    format!("label {label} in record {index}: is this a CIFAR-10 batch?"),
                ));
            }
            labels.push(i64::from(label));
            self.read += 1;
        }
        let made = bytes
            .par_chunks_exact(RECORD as usize)
            .map(|record| make(pixels_of(&record[1..])));
        Ok((made.collect(), labels))
    }
}

/// Three planes → values innermost.
fn pixels_of(planes: &[u8]) -> Pixels {
    let values = (0..PLANE)
        .flat_map(|site| [0, 1, 2].map(|channel| pixels::of_byte(planes[channel * PLANE + site])))
        .collect();
    Pixels {
        height: SIDE,
        width: SIDE,
        channels: 3,
        values,
    }
}
