//! Images → codes → images: a trained BL-AE at work, in batches and as a stream.

use tch::{Tensor, no_grad_guard};

use super::quantizer::OSCILLATION;
use crate::base::Observer;
use crate::images::{ImageSet, ImageStream};
use crate::latent::LatentSet;
use crate::neural::kit::parameters;
use crate::neural::kit::random::{Purpose, Stream};
use crate::neural::{Blae, NeuralError};

impl Blae {
    /// Computes the activations of images, N × H·W·K in position order: before rounding, without noise.
    ///
    /// # Errors
    /// [`NeuralError::Setting`] when the images are not of the network's size; [`NeuralError::Stopped`].
    pub fn activations(
        &self,
        images: &ImageSet,
        batch: usize,
        observer: &dyn Observer,
    ) -> Result<Vec<f32>, NeuralError> {
        self.check_images((images.height(), images.width(), images.colours()))?;
        let _guard = no_grad_guard();
        let mut values = Vec::with_capacity(images.len() * self.shape().bits());
        for first in (0..images.len()).step_by(batch.max(1)) {
            observer.check()?;
            let last = images.len().min(first + batch.max(1));
            let activation = self.activation(&self.tensor(images, first..last));
            values.extend(parameters::floats(&activation.permute([0, 2, 3, 1])));
            observer.advance((last - first) as u64);
        }
        Ok(values)
    }

    /// Encodes images in memory; the latents have the images' labels and source and this network as codec.
    ///
    /// # Errors
    /// As [`Blae::activations`].
    pub fn encode(
        &self,
        images: &ImageSet,
        batch: usize,
        observer: &dyn Observer,
    ) -> Result<LatentSet, NeuralError> {
        let set = self.bits_of(&self.activations(images, batch, observer)?)?;
        let set = set.with_source(images.source());
        Ok(match images.labels() {
            Some(labels) => set.with_labels(labels.to_vec())?,
            None => set,
        })
    }

    /// Activations, whole latents of them in position order → bits, with this network as codec.
    ///
    /// # Errors
    /// [`NeuralError::Setting`] when they are no whole number of latents.
    pub fn bits_of(&self, activations: &[f32]) -> Result<LatentSet, NeuralError> {
        self.check_values(activations)?;
        let mut set = LatentSet::new(self.shape());
        for latent in activations.chunks_exact(self.shape().bits()) {
            set.push_bits(latent.iter().map(|value| *value > 0.0))?;
        }
        Ok(set.with_codec(self.codec()))
    }

    /// Activations with the noise of training at its full strength, a function of the seed.
    ///
    /// # Errors
    /// [`NeuralError::Noise`] when the configuration's noise cannot be.
    pub fn with_noise(&self, activations: &[f32], seed: u64) -> Result<Vec<f32>, NeuralError> {
        let noise = self.config().noise()?;
        let mut stream = Stream::new(seed, Purpose::Noise, 0);
        let noisy = activations.iter().map(|activation| {
            let drawn = noise.value(stream.symmetric().into()) * OSCILLATION / 2.0;
            activation + drawn as f32
        });
        Ok(noisy.collect())
    }

    fn check_values(&self, values: &[f32]) -> Result<(), NeuralError> {
        let bits = self.shape().bits();
        if values.len().is_multiple_of(bits) {
            return Ok(());
        }
        let expected = format!("values for whole latents of {bits} bits");
        Err(NeuralError::setting(expected, values.len()))
    }

    /// Encodes images as they are read, `batch` at a time; an input may be larger than memory.
    ///
    /// # Errors
    /// As [`Blae::activations`], and whatever is wrong with the input.
    pub fn encode_stream(
        &self,
        images: &mut ImageStream,
        batch: usize,
        observer: &dyn Observer,
    ) -> Result<LatentSet, NeuralError> {
        self.check_images((images.height(), images.width(), images.colours()))?;
        observer.stage("encode", images.left() as u64, "images");
        let mut all: Option<LatentSet> = None;
        while let Some(images) = images.next_batch(batch, observer)? {
            // The stream tells of its progress as it reads.
            let set = self.encode(&images, batch, &Silent(observer))?;
            match &mut all {
                Some(all) => all.append(&set)?,
                None => all = Some(set),
            }
        }
        let all = all.unwrap_or_else(|| LatentSet::new(self.shape()).with_codec(self.codec()));
        Ok(all.with_source(images.source()))
    }

    /// Decodes latents to images. The codec is not looked at: [`Blae::codec`] tells whether it is this network's.
    ///
    /// # Errors
    /// [`NeuralError::Latent`] when the latents are of another shape; [`NeuralError::Stopped`].
    pub fn decode(
        &self,
        set: &LatentSet,
        batch: usize,
        observer: &dyn Observer,
    ) -> Result<ImageSet, NeuralError> {
        if set.shape() != self.shape() {
            return Err(NeuralError::setting(
                format!("{} latents, as the model has them", self.shape()),
                set.shape(),
            ));
        }
        let level = self.level();
        let batch = batch.max(1);
        let mut pixels = Vec::new();
        for first in (0..set.len()).step_by(batch) {
            let ids = first..set.len().min(first + batch);
            let bits = ids.flat_map(|id| set.latent(id).iter().by_vals());
            let values: Vec<f32> = bits.map(|bit| if bit { level } else { -level }).collect();
            pixels.extend(self.decode_values(&values, batch, observer)?.into_pixels());
        }
        let config = self.config();
        let images = ImageSet::new(
            config.image_height,
            config.image_width,
            config.colours,
            pixels,
        )?;
        Ok(match set.labels() {
            Some(labels) => images.with_labels(labels.to_vec())?,
            None => images,
        })
    }

    /// Returns what the decoder makes of any values, N × H·W·K in position order: activations as they are, or with
    /// noise, or ±[`Blae::level`].
    ///
    /// # Errors
    /// [`NeuralError::Setting`] when the values are no whole number of latents; [`NeuralError::Stopped`].
    pub fn decode_values(
        &self,
        values: &[f32],
        batch: usize,
        observer: &dyn Observer,
    ) -> Result<ImageSet, NeuralError> {
        let shape = self.shape();
        self.check_values(values)?;
        let _guard = no_grad_guard();
        let mut pixels = Vec::new();
        for some in values.chunks(shape.bits() * batch.max(1)) {
            observer.check()?;
            let count = some.len() / shape.bits();
            let sides =
                [count, shape.height(), shape.width(), shape.channels()].map(|side| side as i64);
            let codes = Tensor::from_slice(some)
                .view(sides)
                .to_device(self.device().0);
            let images = self.image(&codes.permute([0, 3, 1, 2]).contiguous());
            let bytes = (images * 255.0).round().permute([0, 2, 3, 1]);
            pixels.extend(parameters::floats(&bytes).iter().map(|value| *value as u8));
            observer.advance(count as u64);
        }
        let config = self.config();
        Ok(ImageSet::new(
            config.image_height,
            config.image_width,
            config.colours,
            pixels,
        )?)
    }
}

/// Passes on whether to stop, and nothing else.
struct Silent<'a>(&'a dyn Observer);

impl Observer for Silent<'_> {
    fn stage(&self, _name: &str, _total: u64, _unit: &str) {}

    fn advance(&self, _done: u64) {}

    fn stop_requested(&self) -> bool {
        self.0.stop_requested()
    }
}
