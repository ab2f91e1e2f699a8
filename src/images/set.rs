//! Images of one size in memory.

use std::path::PathBuf;

use super::{ImageOptions, ImageStream};
use crate::base::Observer;
use crate::latent::LatentError;

/// N 8-bit images of one size and one number of colours, with optional integer labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    height: usize,
    width: usize,
    colours: usize,
    /// N × height × width × colours, so that colours are innermost.
    pixels: Vec<u8>,
    labels: Option<Vec<i64>>,
    source: String,
    notes: Vec<String>,
}

impl ImageSet {
    /// Makes images of `height` × `width` pixels from their values, N × height × width × colours of them.
    ///
    /// # Errors
    /// [`LatentError::Images`] when a side is 0, `colours` is neither 1 nor 3, or the values are no whole
    /// number of images.
    pub fn new(
        height: usize,
        width: usize,
        colours: usize,
        pixels: Vec<u8>,
    ) -> Result<Self, LatentError> {
        let image = height
            .checked_mul(width)
            .and_then(|sites| sites.checked_mul(colours));
        let whole = image.is_some_and(|image| image > 0 && pixels.len().is_multiple_of(image));
        if !whole || !matches!(colours, 1 | 3) {
            return Err(LatentError::Images {
                sides: format!("{height}x{width}x{colours}"),
                values: pixels.len(),
            });
        }
        Ok(Self {
            height,
            width,
            colours,
            pixels,
            labels: None,
            source: String::new(),
            notes: Vec::new(),
        })
    }

    /// Reads all images of `inputs` that the options ask for: [`ImageStream::open`] and
    /// [`ImageStream::rest`].
    ///
    /// # Errors
    /// As these two have.
    pub fn read(
        inputs: &[PathBuf],
        options: &ImageOptions,
        observer: &dyn Observer,
    ) -> Result<Self, LatentError> {
        ImageStream::open(inputs, options)?.rest(observer)
    }

    /// Returns the same images with a word on where they came from.
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// Returns the same images with one label for each.
    ///
    /// # Errors
    /// [`LatentError::Labels`] when there is not exactly one label for each image.
    pub fn with_labels(mut self, labels: Vec<i64>) -> Result<Self, LatentError> {
        if labels.len() != self.len() {
            return Err(LatentError::Labels {
                latents: self.len(),
                labels: labels.len(),
            });
        }
        self.labels = Some(labels);
        Ok(self)
    }

    /// Returns the same images with what there is to say about how they were read.
    pub(super) fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes = notes;
        self
    }

    /// Returns the number of rows of pixels of each image.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the number of columns of pixels of each image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of values of each pixel: 1 gray, 3 red, green and blue.
    pub fn colours(&self) -> usize {
        self.colours
    }

    /// Returns the number of values, and bytes, of each image: height × width × colours.
    pub fn image_values(&self) -> usize {
        self.height * self.width * self.colours
    }

    /// Returns N, the number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.image_values()
    }

    /// Returns whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// Returns the values of image `id`, height × width × colours. Panics when `id ≥ len()`, as slice indexing does.
    pub fn image(&self, id: usize) -> &[u8] {
        let values = self.image_values();
        &self.pixels[id * values..(id + 1) * values]
    }

    /// Returns the images in order, each as [`ImageSet::image`] has it.
    pub fn images(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.pixels.chunks_exact(self.image_values())
    }

    /// Returns the values of all images, N × height × width × colours.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Returns the values of all images, for whoever needs nothing else.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Returns one label for each image, where the source had them.
    pub fn labels(&self) -> Option<&[i64]> {
        self.labels.as_deref()
    }

    /// Returns where the images came from, in words.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns what was chosen, found or skipped on the user's behalf when [`ImageSet::read`] read them, and what was
    /// done to them, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_no_whole_images_are_refused() {
        assert_eq!(ImageSet::new(2, 3, 1, vec![0; 12]).unwrap().len(), 2);
        assert!(ImageSet::new(2, 3, 1, Vec::new()).unwrap().is_empty());
        for (height, width, colours, values) in [
            (2, 3, 1, 13),
            (2, 3, 2, 12),
            (0, 3, 1, 0),
            (usize::MAX, 3, 3, 9),
        ] {
            let refused = ImageSet::new(height, width, colours, vec![0; values]);
            assert!(matches!(refused, Err(LatentError::Images { .. })));
        }
        let set = ImageSet::new(2, 3, 1, vec![0; 12]).unwrap();
        assert!(set.with_labels(vec![1]).is_err());
    }
}
