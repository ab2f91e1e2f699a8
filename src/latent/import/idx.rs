//! IDX images, the format of MNIST: magic 00 00 08 03, three big-endian sides, then the pixels.

use std::path::Path;

use super::input::Input;
use super::pixels::{self, Pixels, Rule};
use super::{ImportOptions, Imported, check_memory, labels, name_of, stop_if_asked};
use crate::latent::{Codec, LatentError, LatentSet};
use crate::progress::Observer;

pub(super) fn import(
    path: &Path,
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<Imported, LatentError> {
    let rule = Rule::new(path, options)?;
    let mut input = Input::open(path)?;
    let mut header = [0; 16];
    input.fill(&mut header, "an IDX header")?;
    let side = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let (count, height, width) = (side(4), side(8), side(12));
    if count == 0 {
        return Err(LatentError::Empty { path: path.into() });
    }
    // Two sides of 32 bits fit 64.
    let image_bytes = u64::from(height) * u64::from(width);
    let expected = image_bytes
        .checked_mul(count.into())
        .and_then(|bytes| bytes.checked_add(16));
    let meaning = format!("a header of 16 and {count} images of {height}x{width}");
    input.expect_length(expected, &meaning)?;
    // Checked first without --resize: one image is read whole.
    super::shape_of(path, height.into(), width.into(), 1, "")?;
    let shape = rule.shape(path, height, width, 1)?;
    check_memory(path, count.into(), shape)?;

    let mut notes = Vec::new();
    let own = labels::Own::BesideImages(path);
    let labels = labels::choose(&options.labels, own, count as usize, &mut notes)?;
    observer.stage("import", count.into(), "latents");
    let mut set = LatentSet::new(shape);
    let mut image = vec![0; image_bytes as usize];
    for index in 0..count {
        stop_if_asked(observer)?;
        input.fill(&mut image, &format!("image {index} of {count}"))?;
        let values = image.iter().map(|byte| pixels::of_byte(*byte)).collect();
        set.push_bits(rule.bits(Pixels {
            height,
            width,
            channels: 1,
            values,
        }))?;
        observer.advance(1);
    }
    input.end()?;

    let mut set = set
        .with_codec(Codec::Threshold)
        .with_source(name_of(path) + &rule.describe());
    if let Some(labels) = labels {
        set = set.with_labels(labels)?;
    }
    Ok(Imported { set, notes })
}
