//! IDX images, the format of MNIST: magic 00 00 08 03, three big-endian sides, then the pixels.

use std::path::Path;

use rayon::prelude::*;

use super::checks::name_of;
use super::input::Input;
use super::opened::Opened;
use super::pixels::{self, Form, Pixels};
use super::{Labels, labels};
use crate::latent::LatentError;

/// The images of one file, read so far as `read`.
pub(super) struct Images {
    input: Input,
    count: u32,
    height: u32,
    width: u32,
    read: u32,
}

pub(super) fn open(
    path: &Path,
    form: &Form,
    wanted: &Labels,
) -> Result<Opened<Images>, LatentError> {
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
    // Checked first without a resize: one image is read whole.
    form.check_size(path, height, width, 1, "")?;
    let sides = form.sides(path, height, width, 1)?;

    let mut notes = Vec::new();
    // Its publishers wrote columns as rows, and kept the name.
    if name_of(path).to_lowercase().contains("emnist") && !form.transpose {
        notes
            .push("EMNIST's images lie on their side: transpose=true puts them upright".to_owned());
    }
    let own = labels::Own::BesideImages(path);
    let labels = labels::choose(wanted, own, count as usize, &mut notes)?;
    Ok(Opened {
        path: path.into(),
        sides,
        total: count as usize,
        labels: labels.into(),
        notes,
        name: name_of(path),
        source: Images {
            input,
            count,
            height,
            width,
            read: 0,
        },
    })
}

impl Images {
    pub(super) fn image_bytes(&self) -> usize {
        self.height as usize * self.width as usize
    }

    /// Reads the next `max_images` images, of which there are as many.
    pub(super) fn next<T: Send>(
        &mut self,
        max_images: usize,
        make: impl Fn(Pixels) -> T + Sync,
    ) -> Result<Vec<T>, LatentError> {
        let image_bytes = self.image_bytes();
        let mut bytes = vec![0; max_images * image_bytes];
        for image in bytes.chunks_exact_mut(image_bytes) {
            let what = format!("image {} of {}", self.read, self.count);
            self.input.fill(image, &what)?;
            self.read += 1;
        }
        let made = bytes.par_chunks_exact(image_bytes).map(|image| {
            make(Pixels {
                height: self.height,
                width: self.width,
                channels: 1,
                values: image.iter().map(|byte| pixels::of_byte(*byte)).collect(),
            })
        });
        Ok(made.collect())
    }

    /// Refuses anything after the last image.
    pub(super) fn end(&mut self) -> Result<(), LatentError> {
        self.input.end()
    }
}
