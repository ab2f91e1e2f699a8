//! CIFAR-10 and CIFAR-100 binary batches: records of one or two label bytes and the red, green and blue
//! planes of a 32×32 image.

use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::Labels;
use super::checks::name_of;
use super::input::Input;
use super::opened::{Opened, OwnLabels, labels_of_records};
use super::options::Level;
use super::pixels::{self, Form, Pixels};
use crate::latent::LatentError;

const SIDE: u32 = 32;
const PLANE: usize = 32 * 32;

/// The data set that a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::images) enum Flavour {
    /// One label, 0 to 9.
    Ten,
    /// Two labels: coarse, 0 to 19, and fine, 0 to 99.
    Hundred,
}

impl Flavour {
    pub(super) const ALL: [Self; 2] = [Self::Ten, Self::Hundred];

    /// Returns "CIFAR-10".
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ten => "CIFAR-10",
            Self::Hundred => "CIFAR-100",
        }
    }

    /// Returns the number of bytes of one record.
    pub(super) fn record(self) -> usize {
        self.max_labels().len() + 3 * PLANE
    }

    /// Returns the largest value of each label byte of a record.
    fn max_labels(self) -> &'static [u8] {
        match self {
            Self::Ten => &[9],
            Self::Hundred => &[19, 99],
        }
    }

    /// Returns the first label of a record that its data set does not have: which byte it is.
    fn wrong_label(self, record: &[u8]) -> Option<usize> {
        let mut labels = record.iter().zip(self.max_labels());
        labels.position(|(label, max)| label > max)
    }
}

/// Returns what a file of `length` bytes that begins with `head` holds, if it is a batch. Where the length fits both
/// data sets and the first labels do too, all labels are looked at.
pub(super) fn flavour(
    path: &Path,
    length: u64,
    head: &[u8],
) -> Result<Option<Flavour>, LatentError> {
    let may_be = |flavour: &Flavour| {
        length > 0
            && length.is_multiple_of(flavour.record() as u64)
            && flavour.wrong_label(head).is_none()
    };
    let mut fitting: Vec<_> = Flavour::ALL.into_iter().filter(may_be).collect();
    if let [_, _] = fitting[..] {
        let mut fits = Vec::new();
        for flavour in fitting {
            if has_only_its_labels(path, flavour)? {
                fits.push(flavour);
            }
        }
        // Where none fits whole, the error is that of a CIFAR-10 batch: it names the record.
        fitting = if fits.is_empty() {
            vec![Flavour::Ten]
        } else {
            fits
        };
    }
    let name = name_of(path);
    match fitting[..] {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        // All images so dark that their pixels may be labels: the names that the archives give are left.
        _ if name.starts_with("data_batch_") || name == "test_batch.bin" => Ok(Some(Flavour::Ten)),
        _ if name == "train.bin" || name == "test.bin" => Ok(Some(Flavour::Hundred)),
        _ => Err(LatentError::format(
            path,
            "a batch of CIFAR-10 or of CIFAR-100: give the records in two files, of other lengths",
            format!("{length} bytes, records of either"),
        )),
    }
}

/// Returns whether every record of a file has labels of this data set.
fn has_only_its_labels(path: &Path, flavour: Flavour) -> Result<bool, LatentError> {
    let mut input = Input::open(path)?;
    let mut record = vec![0; flavour.record()];
    loop {
        match input.read_exact(&mut record) {
            Ok(()) if flavour.wrong_label(&record).is_some() => return Ok(false),
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(true),
            Err(error) => return Err(super::input::read_error(path, error)),
        }
    }
}

/// Returns the training batches of a folder: of CIFAR-10 `data_batch_*.bin`, sorted, or of CIFAR-100 `train.bin`.
pub(super) fn batches(folder: &Path) -> Result<Option<(Flavour, Vec<PathBuf>)>, LatentError> {
    let mut batches = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let name = name_of(&path);
        if name.starts_with("data_batch_") && name.ends_with(".bin") && path.is_file() {
            batches.push(path);
        }
    }
    batches.sort();
    if !batches.is_empty() {
        return Ok(Some((Flavour::Ten, batches)));
    }
    let train = folder.join("train.bin");
    if !train.is_file() {
        return Ok(None);
    }
    let length = fs_err::metadata(&train)?.len();
    // The names of the labels come in the same archive.
    let is_cifar = length > 0 && length.is_multiple_of(Flavour::Hundred.record() as u64)
        || folder.join("fine_label_names.txt").is_file();
    Ok(is_cifar.then(|| (Flavour::Hundred, vec![train])))
}

/// The records of batches, one batch after the other.
pub(super) struct Records {
    /// Files and their records, the next one first.
    files: std::vec::IntoIter<(PathBuf, u64)>,
    open: Option<Batch>,
    flavour: Flavour,
    /// Which of the label bytes is wanted.
    label: usize,
}

/// One batch, read so far as `read`.
struct Batch {
    path: PathBuf,
    input: Input,
    records: u64,
    read: u64,
    flavour: Flavour,
    label: usize,
}

/// Opens batches of one data set. `files` is not empty.
pub(super) fn open(
    files: &[PathBuf],
    flavour: Flavour,
    form: &Form,
    wanted: &Labels,
) -> Result<Opened<Records>, LatentError> {
    let sides = form.sides(&files[0], SIDE, SIDE, 3)?;
    let record = flavour.record() as u64;
    let mut sized = Vec::new();
    for file in files {
        let length = fs_err::metadata(file)?.len();
        if length == 0 {
            return Err(LatentError::Empty { path: file.into() });
        }
        if !length.is_multiple_of(record) {
            let name = flavour.name();
            return Err(LatentError::format(
                file,
                format!("{name} records of {record} bytes each"),
                format!(
                    "{length} bytes, {} left over: the file is truncated, or no {name} batch",
                    length % record
                ),
            ));
        }
        sized.push((file.clone(), length / record));
    }
    let total = sized.iter().map(|(_, records)| *records as usize).sum();
    let mut notes = Vec::new();
    let (labels, label) = labels(flavour, wanted, total, &mut notes)?;
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
        source: Records {
            files: sized.into_iter(),
            open: None,
            flavour,
            label,
        },
    })
}

/// Returns the labels that are wanted, and which byte of a record holds them.
fn labels(
    flavour: Flavour,
    wanted: &Labels,
    count: usize,
    notes: &mut Vec<String>,
) -> Result<(OwnLabels, usize), LatentError> {
    let level = match (flavour, wanted) {
        (Flavour::Hundred, Labels::Auto) => {
            notes.push("fine labels, 0 to 99 (labels=coarse for 0 to 19)".to_owned());
            Level::Fine
        }
        (Flavour::Hundred, Labels::File(path)) => match Level::of(path) {
            Some(level) => level,
            None => return Ok((labels_of_records(wanted, count, notes)?, 0)),
        },
        _ => return Ok((labels_of_records(wanted, count, notes)?, 0)),
    };
    let byte = match level {
        Level::Coarse => 0,
        Level::Fine => 1,
    };
    Ok((OwnLabels::Growing(Vec::new()), byte))
}

impl Records {
    /// Returns the number of bytes of one record.
    pub(super) fn record_bytes(&self) -> usize {
        self.flavour.record()
    }

    /// Reads the next records of one batch, at most `max_images`, with their labels; none after the last.
    pub(super) fn next<T: Send>(
        &mut self,
        max_images: usize,
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
                flavour: self.flavour,
                label: self.label,
            });
        }
        match &mut self.open {
            Some(batch) => batch.next(max_images, make),
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
        max_images: usize,
        make: impl Fn(Pixels) -> T + Sync,
    ) -> Result<(Vec<T>, Vec<i64>), LatentError> {
        let max_images = max_images.min((self.records - self.read) as usize);
        let (flavour, record_bytes) = (self.flavour, self.flavour.record());
        let mut bytes = vec![0; max_images * record_bytes];
        let mut labels = Vec::new();
        for record in bytes.chunks_exact_mut(record_bytes) {
            let index = self.read;
            self.input.fill(record, &format!("record {index}"))?;
            if let Some(wrong) = flavour.wrong_label(record) {
                let (name, label) = (flavour.name(), record[wrong]);
                let ranges = match flavour {
                    Flavour::Ten => "a label of 0 to 9",
                    Flavour::Hundred => "a coarse label of 0 to 19, a fine one of 0 to 99",
                };
                return Err(LatentError::format(
                    &self.path,
                    format!("{name} records, each {ranges} and a 32x32 image"),
                    format!("label {label} in record {index}: is this a {name} batch?"),
                ));
            }
            labels.push(i64::from(record[self.label]));
            self.read += 1;
        }
        let made = bytes
            .par_chunks_exact(record_bytes)
            .map(|record| make(pixels_of(&record[record_bytes - 3 * PLANE..])));
        Ok((made.collect(), labels))
    }
}

/// Lays the values of three planes innermost.
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
