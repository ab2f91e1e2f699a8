//! Samples files of one run that was shared out by sample numbers, put together again.

use std::path::{Path, PathBuf};

use super::SamplesError;
use crate::base::Budget;
use crate::latent::tensors::TensorFile;

/// The number of each attempt.
const NUMBERS: &str = "attempt.index";

/// Puts samples files of one run together, in order of their sample numbers, as the file that one search for all of them writes. Returns how
/// many samples and how many attempts it holds. All are in memory at once, twice.
///
/// # Errors
/// [`SamplesError::Format`] for a file that is none, or that another request gave; for one whose samples another has too.
/// [`SamplesError::Latent`]; `output` is then as it was before.
pub fn join(
    parts: &[PathBuf],
    output: &Path,
    memory: Budget,
) -> Result<(usize, usize), SamplesError> {
    let mut files = Vec::new();
    for path in parts {
        let file = TensorFile::read(path, memory)?;
        let numbers = numbers(&file).ok_or_else(|| SamplesError::Format {
            path: path.clone(),
            expected: format!("a samples file, with {NUMBERS} that ascend"),
            found: "another file".to_owned(),
        })?;
        files.push((numbers, path, file));
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    let mut files = files.into_iter();
    let Some((numbers, _, mut whole)) = files.next() else {
        return Err(SamplesError::Format {
            path: output.to_owned(),
            expected: "at least one samples file to put together".to_owned(),
            found: "none".to_owned(),
        });
    };
    let mut last = numbers.last().copied();
    for (numbers, path, file) in files {
        let wrong = |expected: &str, found: &str| SamplesError::Format {
            path: path.clone(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
        if file.metadata != whole.metadata || !fits(&file, &whole) {
            return Err(wrong(
                "samples of the same run as those before",
                "those of another request or seed",
            ));
        }
        if numbers.first().is_some_and(|first| Some(*first) <= last) {
            return Err(wrong(
                "sample numbers behind those before",
                "some of them again",
            ));
        }
        last = numbers.last().copied().or(last);
        for (name, tensor) in file.tensors {
            if let Some(own) = whole.tensors.get_mut(&name) {
                own.shape[0] += tensor.shape[0];
                own.bytes.extend(tensor.bytes);
            }
        }
    }
    let rows = |name: &str| {
        let tensor = whole.tensors.get(name);
        tensor.and_then(|tensor| tensor.shape.first().copied())
    };
    let held = (rows("sample").unwrap_or(0), rows(NUMBERS).unwrap_or(0));
    whole.write(output)?;
    Ok(held)
}

/// Returns the sample numbers of a samples file, ascending; `None` where it is none.
fn numbers(file: &TensorFile) -> Option<Vec<u64>> {
    let tensor = file.tensors.get(NUMBERS)?;
    let (numbers, rest) = tensor.bytes.as_chunks::<8>();
    let numbers: Vec<u64> = numbers
        .iter()
        .map(|number| u64::from_le_bytes(*number))
        .collect();
    let has_rows = file.tensors.values().all(|tensor| !tensor.shape.is_empty());
    (rest.is_empty() && has_rows && numbers.is_sorted_by(|a, b| a < b)).then_some(numbers)
}

/// Returns whether two files have the same tensors but for how many rows each has.
fn fits(file: &TensorFile, other: &TensorFile) -> bool {
    let same = file.tensors.iter().zip(&other.tensors);
    file.tensors.len() == other.tensors.len()
        && same
            .into_iter()
            .all(|((name, tensor), (other_name, other))| {
                (name, tensor.dtype, &tensor.shape[1..])
                    == (other_name, other.dtype, &other.shape[1..])
            })
}
