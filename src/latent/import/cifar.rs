//! CIFAR-10 binary batches: records of one label byte and the red, green and blue planes of a
//! 32×32 image.

use std::path::{Path, PathBuf};

use super::input::Input;
use super::labels::{self, Own};
use super::pixels::{self, Pixels, Rule};
use super::{ImportOptions, Imported, check_memory, name_of, stop_if_asked};
use crate::latent::{Codec, LatentError, LatentSet};
use crate::progress::Observer;

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

/// Imports batches one after the other. `files` is not empty.
pub(super) fn import(
    files: &[PathBuf],
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let rule = Rule::new(&files[0], options)?;
    let shape = rule.shape(&files[0], SIDE, SIDE, 3)?;
    let mut count = 0;
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
        count += length / RECORD;
    }
    check_memory(&files[0], count, shape)?;

    observer.stage("import", count, "latents");
    let mut set = LatentSet::new(shape);
    let mut classes = Vec::new();
    for file in files {
        let mut input = Input::open(file)?;
        let mut record = [0; RECORD as usize];
        for index in 0..fs_err::metadata(file)?.len() / RECORD {
            stop_if_asked(observer)?;
            input.fill(&mut record, &format!("record {index}"))?;
            let label = record[0];
            if label > 9 {
                return Err(LatentError::format(
                    file,
                    "CIFAR-10 records, each a label of 0 to 9 and a 32x32 image",
                    format!("label {label} in record {index}: is this a CIFAR-10 batch?"),
                ));
            }
            set.push_bits(rule.bits(pixels_of(&record[1..])))?;
            classes.push(i64::from(label));
            observer.advance(1);
        }
        input.end()?;
    }

    let mut notes = Vec::new();
    let own = Own::Read(classes);
    let labels = labels::choose(&options.labels, own, set.len(), &mut notes)?;
    let names = match files {
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
    set = set
        .with_codec(Codec::Threshold)
        .with_source(names + &rule.describe());
    if let Some(labels) = labels {
        set = set.with_labels(labels)?;
    }
    Ok(Imported { set, notes })
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
