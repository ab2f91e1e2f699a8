//! Images → bits: a value at or above the threshold is a 1.

use std::path::PathBuf;

use super::checks::check_memory;
use super::pixels::{Form, Pixels, Purpose, Sides};
use super::reader::Reader;
use super::recognise::Kind;
use super::{ImportOptions, Imported};
use crate::base::Observer;
use crate::latent::{Codec, LatentError, LatentSet, Shape};

/// The threshold where none is given.
const HALF: f32 = 0.5;

/// Imports images; `inputs` is not empty and was recognised as `kind`.
pub(super) fn import(
    inputs: &[PathBuf],
    kind: Kind,
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let threshold = options.threshold.unwrap_or(HALF);
    if !(threshold > 0.0 && threshold <= 1.0) {
        let expected = "a threshold above 0 and at most 1";
        return Err(LatentError::format(&inputs[0], expected, threshold));
    }
    let form = Form {
        resize: options.resize,
        colour: options.colour,
        background: options.background,
        transpose: options.transpose,
        purpose: Purpose::Bits,
        memory: options.memory,
    };
    let mut reader = Reader::open(inputs, kind, form, &options.labels, None)?;
    let Sides {
        height,
        width,
        channels,
    } = reader.sides();
    // `Form` has refused more bits than a shape may have.
    let shape = Shape::new(height as usize, width as usize, channels as usize)?;
    check_memory(reader.path(), reader.count() as u64, shape, options.memory)?;

    observer.stage("import", reader.count() as u64, "latents");
    let mut set = LatentSet::new(shape);
    let bits = |pixels: Pixels| -> Vec<bool> {
        let values = pixels.values.iter();
        values.map(|value| *value >= threshold).collect()
    };
    while set.len() < reader.count() {
        for image in reader.next(reader.count(), observer, bits)? {
            set.push_bits(image)?;
        }
    }
    let source = format!("{}, threshold {threshold}", reader.describe());
    let mut set = set.with_codec(Codec::Threshold).with_source(source);
    if let Some(labels) = reader.labels() {
        set = set.with_labels(labels.to_vec())?;
    }
    let notes = reader.notes();
    Ok(Imported { set, notes })
}
