//! Images in order, as many at a time as are wanted.

use std::path::PathBuf;

use super::ImageSet;
use crate::base::{Budget, Observer};
use crate::images::import::{
    Colour, Form, ImportOptions, Labels, Pixels, Purpose, Reader, Size, recognise,
    refuse_what_does_not_fit,
};
use crate::latent::LatentError;

/// Which images to read, and how. An option that does not fit the input is refused, never ignored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageOptions {
    /// Height and width, in pixels, to scale every image to.
    pub resize: Option<(u32, u32)>,
    /// Colour images: all three values of a pixel when `None`, or one of another kind. Gray images have
    /// one value a pixel whatever is chosen.
    pub colour: Option<Colour>,
    /// Image files: red, green and blue of what lies behind transparent pixels; black when `None`.
    pub background: Option<[u8; 3]>,
    /// Rows become columns, before anything is scaled.
    pub transpose: bool,
    /// Where the labels come from.
    pub labels: Labels,
    /// Images to read at most, the first ones; all when `None`.
    pub max_images: Option<usize>,
    /// What the images of one call may take; by default what the machine can give.
    pub memory: Budget,
}

/// An opened input. Size and number of its images are known; they are read when they are asked for.
///
/// It holds no image between two calls, so an input may be larger than memory.
pub struct ImageStream {
    reader: Reader,
    memory: Budget,
}

impl ImageStream {
    /// Opens IDX images, CIFAR batches, image files or a folder of them, and checks every header and
    /// length that can be checked without reading the images.
    ///
    /// # Errors
    /// [`LatentError`], naming the file, what was expected, what was found and what to do; an array of
    /// codes is refused, since codes are no images.
    pub fn open(inputs: &[PathBuf], options: &ImageOptions) -> Result<Self, LatentError> {
        let kind = recognise(inputs)?;
        // The options that the importer has too fit where they fit there.
        let shared = ImportOptions {
            resize: options.resize,
            colour: options.colour,
            background: options.background,
            transpose: options.transpose,
            ..ImportOptions::default()
        };
        if !kind.is_codes() {
            refuse_what_does_not_fit(&inputs[0], kind, &shared)?;
        }
        if options.max_images == Some(0) {
            return Err(LatentError::format(
                &inputs[0],
                "at least one image to read",
                "0",
            ));
        }
        let form = Form {
            size: Size::of(options.resize),
            colour: options.colour,
            background: options.background,
            transpose: options.transpose,
            purpose: Purpose::Bytes,
            memory: options.memory,
        };
        let reader = Reader::open(inputs, kind, form, &options.labels, options.max_images)?;
        Ok(Self {
            reader,
            memory: options.memory,
        })
    }

    /// Returns the number of rows of pixels of each image.
    pub fn height(&self) -> usize {
        self.reader.sides().height as usize
    }

    /// Returns the number of columns of pixels of each image.
    pub fn width(&self) -> usize {
        self.reader.sides().width as usize
    }

    /// Returns the number of values of each pixel: 1 gray, 3 red, green and blue.
    pub fn colours(&self) -> usize {
        self.reader.sides().channels as usize
    }

    /// Returns the number of images to read, at least one, those already read included.
    pub fn count(&self) -> usize {
        self.reader.count()
    }

    /// Returns the number of images that are still to come.
    pub fn left(&self) -> usize {
        self.reader.count() - self.reader.read()
    }

    /// Returns where the images come from, in words.
    pub fn source(&self) -> String {
        self.reader.describe()
    }

    /// Returns what was chosen, found or skipped on the user's behalf, and what was done to the images read so far, one
    /// sentence each. The sentences on the images come last, and change as more are read.
    pub fn notes(&self) -> Vec<String> {
        self.reader.notes()
    }

    /// Reads the next `max_images` images in the input's order, fewer at the end and `None` after it, with their
    /// labels. `observer` hears of each image as it is read.
    ///
    /// Takes `max_images` × height × width × colours bytes; `max_images` = 0 is taken for 1.
    ///
    /// # Errors
    /// [`LatentError`]: a file that is not what its header said, images that do not fit the first one, a
    /// batch that takes more than the options' memory; [`LatentError::Stopped`].
    pub fn next_batch(
        &mut self,
        max_images: usize,
        observer: &dyn Observer,
    ) -> Result<Option<ImageSet>, LatentError> {
        let first = self.reader.read();
        let count = max_images.max(1).min(self.left());
        if count == 0 {
            return Ok(None);
        }
        // Every side fits 26 bits: `Form` refuses larger images.
        let values = self.height() * self.width() * self.colours();
        // A label takes 8 bytes, held twice. While an image is made, a value takes 4 bytes, twice when it
        // is scaled.
        let making = rayon::current_num_threads().min(count) as u64 * values as u64 * 8;
        let kept = (count as u64).saturating_mul(values as u64 + 16);
        let needed = kept.saturating_add(making);
        let what = || format!("{}: {count} images", self.reader.path().display());
        self.memory.check_often(needed, 1 << 26, what)?;
        let bytes = |pixels: Pixels| -> Vec<u8> {
            let values = pixels.values.iter();
            values.map(|value| (value * 255.0).round() as u8).collect()
        };
        let mut pixels = Vec::with_capacity(count * values);
        let end = first + count;
        while self.reader.read() < end {
            let left = end - self.reader.read();
            for image in self.reader.next(left, observer, bytes)? {
                pixels.extend(image);
            }
        }
        let set = ImageSet::new(self.height(), self.width(), self.colours(), pixels)?;
        let set = set.with_source(self.source());
        Ok(Some(match self.reader.labels() {
            Some(labels) => set.with_labels(labels[first..end].to_vec())?,
            None => set,
        }))
    }

    /// Reads all images that are still to come, at once.
    ///
    /// # Errors
    /// As [`ImageStream::next_batch`] has; [`LatentError::Empty`] when none is left.
    pub fn rest(mut self, observer: &dyn Observer) -> Result<ImageSet, LatentError> {
        let left = self.left();
        observer.stage("read", left as u64, "images");
        let images = self.next_batch(left, observer)?;
        let images = images.ok_or_else(|| LatentError::Empty {
            path: self.reader.path().into(),
        })?;
        Ok(images.with_notes(self.notes()))
    }
}
