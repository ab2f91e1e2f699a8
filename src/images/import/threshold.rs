//! Images → bits: a value at or above the threshold is a 1.

use std::path::PathBuf;

use super::checks::check_memory;
use super::pixels::{Form, Pixels, Purpose, Sides, Size};
use super::quantiles::quantiles;
use super::reader::Reader;
use super::recognise::Kind;
use super::{ImportOptions, Imported, Thresholds};
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
    if options.levels.is_empty() {
        let threshold = options.threshold.unwrap_or(HALF);
        let size = options.resize;
        return grid(
            inputs,
            kind,
            options,
            Size::of(size),
            &[threshold],
            observer,
        );
    }
    for (name, given) in [
        ("`threshold`", options.threshold.is_some()),
        ("`resize`", options.resize.is_some()),
    ] {
        if given {
            let expected = format!("levels of their own size and thresholds: leave {name} out");
            return Err(LatentError::format(&inputs[0], expected, name));
        }
    }
    // Each level reads the images anew, so that one image is unpacked at a time.
    let levels = options.levels.iter().map(|level| {
        let size = Size::Means((level.height, level.width));
        let thresholds = match &level.thresholds {
            Thresholds::At(thresholds) => thresholds.clone(),
            Thresholds::Quantiles(count) => {
                let form = form(options, size);
                let mut reader = Reader::open(inputs, kind, form, &options.labels, None)?;
                quantiles(&mut reader, *count, observer)?
            }
        };
        grid(inputs, kind, options, size, &thresholds, observer)
    });
    let levels = levels.collect::<Result<Vec<_>, _>>()?;
    let notes = levels.first().map(|level| level.notes.clone());
    let sources: Vec<String> = levels
        .iter()
        .map(|level| format!("{} ({})", level.set.shape(), level.set.source()))
        .collect();
    let levels: Vec<_> = levels.into_iter().map(|level| level.set).collect();
    let set = LatentSet::pyramids(&levels)?;
    Ok(Imported {
        set: set.with_source(sources.join("; ")),
        notes: notes.unwrap_or_default(),
    })
}

fn form(options: &ImportOptions, size: Size) -> Form {
    Form {
        size,
        colour: options.colour,
        background: options.background,
        transpose: options.transpose,
        purpose: Purpose::Bits,
        memory: options.memory,
    }
}

/// Imports images as grids of one size, with one bit of each value for each threshold.
fn grid(
    inputs: &[PathBuf],
    kind: Kind,
    options: &ImportOptions,
    size: Size,
    thresholds: &[f32],
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    if let Some(wrong) = thresholds
        .iter()
        .find(|threshold| !(**threshold > 0.0 && **threshold <= 1.0))
    {
        let expected = "a threshold above 0 and at most 1";
        return Err(LatentError::format(&inputs[0], expected, wrong));
    }
    let mut reader = Reader::open(inputs, kind, form(options, size), &options.labels, None)?;
    let Sides {
        height,
        width,
        channels,
    } = reader.sides();
    // `Form` has refused more values than a shape may have bits.
    let channels = channels as usize * thresholds.len();
    let shape = Shape::new(height as usize, width as usize, channels)?;
    check_memory(reader.path(), reader.count() as u64, shape, options.memory)?;

    observer.stage("import", reader.count() as u64, "latents");
    let mut set = LatentSet::new(shape);
    let bits = |pixels: Pixels| -> Vec<bool> {
        let of = |value: &f32| {
            let value = *value;
            thresholds.iter().map(move |threshold| value >= *threshold)
        };
        pixels.values.iter().flat_map(of).collect()
    };
    while set.len() < reader.count() {
        for image in reader.next(reader.count(), observer, bits)? {
            set.push_bits(image)?;
        }
    }
    let (codec, words) = match thresholds {
        [only] => (Codec::Threshold, format!("threshold {only}")),
        several => {
            let words: Vec<String> = several.iter().map(f32::to_string).collect();
            let thresholds = several.len();
            (
                Codec::Thermometer { thresholds },
                format!("thresholds {}", words.join(", ")),
            )
        }
    };
    let source = format!("{}, {words}", reader.describe());
    let mut set = set.with_codec(codec).with_source(source);
    if let Some(labels) = reader.labels() {
        set = set.with_labels(labels.to_vec())?;
    }
    let notes = reader.notes();
    Ok(Imported { set, notes })
}
