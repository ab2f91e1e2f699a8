//! Files of images → pixels, in order, a few images at a time: the one reader behind thresholding and
//! behind whole images.

use std::path::{Path, PathBuf};

use super::opened::{Opened, OwnLabels};
use super::pixels::{Form, Pixels, Sides};
use super::recognise::Kind;
use super::{Labels, cifar, folder, idx};
use crate::base::Observer;
use crate::latent::LatentError;

/// Bytes read before they are made into anything, at least one image.
const CHUNK: usize = 1 << 20;

/// An opened input, all of whose headers are checked, and how far it has been read.
pub(in crate::images) struct Reader {
    /// What is named where the whole input is refused.
    path: PathBuf,
    form: Form,
    sides: Sides,
    /// Images of the input, and how many of them are wanted.
    total: usize,
    count: usize,
    /// Images read so far.
    read: usize,
    own: OwnLabels,
    notes: Vec<String>,
    name: String,
    source: Input,
}

/// What the images are read from.
enum Input {
    Idx(idx::Images),
    Cifar(cifar::Records),
    Files(folder::Files),
}

impl Reader {
    /// Opens images; `kind` is what `inputs` were recognised as, and is no array of codes. At most `max_images`
    /// images are read, and the labels are those of these.
    pub(in crate::images) fn open(
        inputs: &[PathBuf],
        kind: Kind,
        form: Form,
        wanted: &Labels,
        max_images: Option<usize>,
    ) -> Result<Self, LatentError> {
        let first = &inputs[0];
        let opened = match kind {
            Kind::IdxImages => idx::open(first, &form, wanted)?.map(Input::Idx),
            Kind::Cifar(flavour) => cifar::open(inputs, flavour, &form, wanted)?.map(Input::Cifar),
            Kind::CifarFolder(flavour) => {
                // Gone since they were recognised.
                let Some((_, batches)) = cifar::batches(first)? else {
                    return Err(LatentError::Empty { path: first.into() });
                };
                cifar::open(&batches, flavour, &form, wanted)?.map(Input::Cifar)
            }
            Kind::Image => folder::open_files(inputs, &form, wanted)?.map(Input::Files),
            Kind::Folder => folder::open(first, &form, wanted)?.map(Input::Files),
            Kind::Npy | Kind::Npz | Kind::Safetensors => {
                return Err(LatentError::format(
                    first,
                    "images: MNIST IDX, CIFAR batches (.bin), image files or a folder of them",
                    format!(
                        "{kind}: codes are no pictures; `bitquilt import` makes latents of them"
                    ),
                ));
            }
        };
        let Opened {
            path,
            sides,
            total,
            labels: mut own,
            notes,
            name,
            source,
        } = opened;
        let count = max_images.map_or(total, |max_images| max_images.min(total));
        if let OwnLabels::Known(labels) = &mut own {
            labels.truncate(count);
        }
        Ok(Self {
            path,
            form,
            sides,
            total,
            count,
            read: 0,
            own,
            notes,
            name,
            source,
        })
    }

    /// Makes `make` of the next images, on all threads, in order; of some, at most `max_images`, and of none
    /// only at the end. `observer` hears of each.
    pub(in crate::images) fn next<T: Send>(
        &mut self,
        max_images: usize,
        observer: &dyn Observer,
        make: impl Fn(Pixels) -> T + Sync,
    ) -> Result<Vec<T>, LatentError> {
        let left = self.count - self.read;
        if left == 0 {
            return Ok(Vec::new());
        }
        observer.check()?;
        let form = &self.form;
        let make = |pixels| make(form.apply(pixels));
        let max_images = max_images.clamp(1, left);
        let made = match &mut self.source {
            Input::Idx(images) => images.next(max_images.min(chunk(images.image_bytes())), make)?,
            Input::Cifar(records) => {
                let max_images = max_images.min(chunk(records.record_bytes()));
                let (made, labels) = records.next(max_images, make)?;
                if let OwnLabels::Growing(all) = &mut self.own {
                    all.extend(labels);
                }
                made
            }
            Input::Files(files) => files.next(max_images, form, observer, make)?,
        };
        self.read += made.len();
        // Whoever wants only the first images does not ask how the input ends.
        if self.read == self.total {
            match &mut self.source {
                Input::Idx(images) => images.end()?,
                Input::Cifar(records) => records.end()?,
                Input::Files(_) => {}
            }
        }
        observer.advance(made.len() as u64);
        Ok(made)
    }

    /// Returns the path that is named where the whole input is refused.
    pub(in crate::images) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the sides of every image that `make` gets.
    pub(in crate::images) fn sides(&self) -> Sides {
        self.sides
    }

    /// Returns the number of images to read, those already read included; at least one.
    pub(in crate::images) fn count(&self) -> usize {
        self.count
    }

    /// Returns the number of images read so far.
    pub(in crate::images) fn read(&self) -> usize {
        self.read
    }

    /// Returns the labels of the images read so far, and perhaps of later ones too.
    pub(in crate::images) fn labels(&self) -> Option<&[i64]> {
        match &self.own {
            OwnLabels::None => None,
            OwnLabels::Known(labels) | OwnLabels::Growing(labels) => Some(labels),
        }
    }

    /// Returns what was chosen, found or skipped on the user's behalf, and what was done to the images read so far.
    pub(in crate::images) fn notes(&self) -> Vec<String> {
        let mut notes = self.notes.clone();
        if let Input::Files(files) = &self.source {
            notes.extend(files.notes(&self.form));
        }
        notes
    }

    /// Returns the input's name, the colours, the size and how many images, where these are not the input's own.
    pub(in crate::images) fn describe(&self) -> String {
        let first = if self.count < self.total {
            format!(", the first {} of {}", self.count, self.total)
        } else {
            String::new()
        };
        format!("{}{}{first}", self.name, self.form.describe())
    }
}

/// Returns the number of images in [`CHUNK`] bytes.
fn chunk(image_bytes: usize) -> usize {
    (CHUNK / image_bytes.max(1)).max(1)
}
