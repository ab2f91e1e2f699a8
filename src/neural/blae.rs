//! The binary latent autoencoder (Eqn 8): images → bits → images.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, no_grad_guard};

use super::checkpoint::{self, Checkpoint};
use super::layers::{self, Builder, Conv, Norm, Parameters, Residual, Standard, Statistics};
use super::quantizer::OSCILLATION;
use super::random::{Purpose, Stream};
use super::{Device, NeuralError, Quantizer};
use crate::eval::{NoiseForm, Triangular};
use crate::latent::images::{ImageSet, ImageStream};
use crate::latent::{Codec, LatentSet, Shape};
use crate::progress::Observer;

/// What a checkpoint of a BL-AE says it is, and how its codec begins.
pub(crate) const KIND: &str = "blae";
/// Most channels of a layer and most residual blocks: far beyond use, and small enough to multiply.
const MOST_WIDTH: usize = 1024;
const MOST_BLOCKS: usize = 64;
/// Longest side of an image.
const MOST_PIXELS: usize = 4096;

/// The network of a BL-AE: images of one size to latents of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlaeConfig {
    /// Rows of pixels.
    pub image_height: usize,
    /// Columns of pixels.
    pub image_width: usize,
    /// Values of a pixel: 1 gray, 3 red, green and blue.
    pub colours: usize,
    /// Rows of the latent. The stride, image / latent, is a power of two and the same in both directions.
    pub latent_height: usize,
    /// Columns of the latent.
    pub latent_width: usize,
    /// Bits of a site, K.
    pub latent_channels: usize,
    /// How numbers become bits.
    pub quantizer: Quantizer,
    /// σ of the noise of Eqn 10 at its full strength (blae).
    pub sigma: f64,
    /// κ of the noise of Eqn 10 (blae).
    pub kappa: f64,
    /// How Eqn 10 is read (blae).
    pub noise_form: NoiseForm,
    /// Slope of ψ(x) = tanh(slope·x) once trained (blae), for numbers x of unit variance in each channel: about
    /// 1.5/slope of them come to lie between −0.95 and 0.95.
    pub slope: f64,
    /// Channels of the layers at the latent's resolution; half as many with each doubling, at least 16.
    pub width: usize,
    /// Residual blocks of the encoder, and of the decoder, at the latent's resolution.
    pub blocks: usize,
}

impl BlaeConfig {
    /// The default network between images of these sides and latents of this shape.
    pub fn new((height, width, colours): (usize, usize, usize), latent: Shape) -> Self {
        Self {
            image_height: height,
            image_width: width,
            colours,
            latent_height: latent.height(),
            latent_width: latent.width(),
            latent_channels: latent.channels(),
            quantizer: Quantizer::default(),
            sigma: 1.0,
            kappa: 2.0,
            noise_form: NoiseForm::default(),
            slope: 3000.0,
            width: 32,
            blocks: 2,
        }
    }

    /// The shape of the latents.
    ///
    /// # Errors
    /// [`NeuralError::Latent`] when it is no shape.
    pub fn shape(&self) -> Result<Shape, NeuralError> {
        Ok(Shape::new(
            self.latent_height,
            self.latent_width,
            self.latent_channels,
        )?)
    }

    /// The noise at its full strength.
    ///
    /// # Errors
    /// [`NeuralError::Noise`] when σ or κ cannot be.
    pub fn noise(&self) -> Result<Triangular, NeuralError> {
        Ok(Triangular::new(self.sigma, self.kappa, self.noise_form)?)
    }

    /// Pixels of a site, in both directions.
    ///
    /// # Errors
    /// [`NeuralError::Setting`] when the images cannot be divided into the latent's sites.
    pub fn stride(&self) -> Result<usize, NeuralError> {
        self.shape()?;
        let (height, width) = (self.image_height, self.image_width);
        let stride = height / self.latent_height;
        let fits = stride * self.latent_height == height
            && stride * self.latent_width == width
            && stride.is_power_of_two();
        if !fits {
            // The latents that would do, finest first.
            let strides = (0..6).map(|power| 1usize << power);
            let fitting: Vec<_> = strides
                .filter(|s| height.is_multiple_of(*s) && width.is_multiple_of(*s))
                .map(|s| format!("{}x{}x{}", height / s, width / s, self.latent_channels))
                .collect();
            return Err(NeuralError::setting(
                format!(
                    "a latent whose rows and columns are those of the images divided by the same power of \
                     two; for {height}x{width} images: {}, or resize the images",
                    fitting.join(", ")
                ),
                format!(
                    "{}x{}x{}",
                    self.latent_height, self.latent_width, self.latent_channels
                ),
            ));
        }
        Ok(stride)
    }

    /// Refuses what no network can be made of.
    fn check(&self) -> Result<(), NeuralError> {
        self.stride()?;
        self.noise()?;
        if !(self.slope.is_finite() && self.slope > 0.0) {
            return Err(NeuralError::setting("a finite slope above 0", self.slope));
        }
        if !matches!(self.colours, 1 | 3) {
            return Err(NeuralError::setting(
                "images of 1 or 3 colours",
                self.colours,
            ));
        }
        for (name, found, most) in [
            ("image height", self.image_height, MOST_PIXELS),
            ("image width", self.image_width, MOST_PIXELS),
            ("latent channels", self.latent_channels, MOST_WIDTH),
            ("width", self.width, MOST_WIDTH),
            ("blocks", self.blocks, MOST_BLOCKS),
        ] {
            if found == 0 && name != "blocks" || found > most {
                return Err(NeuralError::setting(
                    format!("a {name} of 1 to {most}"),
                    found,
                ));
            }
        }
        if self.quantizer == Quantizer::Bsq && self.latent_channels < 2 {
            return Err(NeuralError::setting(
                "at least 2 channels for bsq: one number alone on the unit sphere is its own sign, with no \
                 gradient",
                self.latent_channels,
            ));
        }
        Ok(())
    }
}

/// A BL-AE on a device.
#[derive(Debug)]
pub struct Blae {
    config: BlaeConfig,
    device: Device,
    encoder: Encoder,
    decoder: Decoder,
    parameters: Parameters,
}

/// Strided convolutions, residual blocks, normalisation, one number for each bit, standardised.
#[derive(Debug)]
struct Encoder {
    downs: Vec<Conv>,
    blocks: Vec<Residual>,
    norm: Norm,
    numbers: Conv,
    standard: Standard,
}

/// The encoder reversed: residual blocks, convolutions with pixel shuffle (Shi et al. 2016).
#[derive(Debug)]
struct Decoder {
    first: Conv,
    blocks: Vec<Residual>,
    norm: Norm,
    ups: Vec<Conv>,
}

impl Blae {
    /// A network with random parameters, a function of the seed.
    ///
    /// # Errors
    /// [`NeuralError::Setting`] when the configuration cannot be.
    pub fn new(config: BlaeConfig, seed: u64, device: Device) -> Result<Self, NeuralError> {
        Self::build(config, Builder::fresh(seed, device), device)
    }

    /// Reads a checkpoint; nothing but the file is needed.
    ///
    /// # Errors
    /// [`NeuralError::Checkpoint`], naming the file, what was expected and what was found.
    pub fn load(path: &Path, device: Device) -> Result<Self, NeuralError> {
        Self::from_checkpoint(&mut Checkpoint::read(path, KIND)?, device)
    }

    /// The network of an opened checkpoint.
    pub(crate) fn from_checkpoint(
        checkpoint: &mut Checkpoint,
        device: Device,
    ) -> Result<Self, NeuralError> {
        let config: BlaeConfig = checkpoint.config()?;
        let tensors = checkpoint.take_model();
        let path = checkpoint.path();
        Self::build(config, Builder::from_file(path, tensors, device), device).map_err(|error| {
            match error {
                NeuralError::Setting { expected, found } => {
                    NeuralError::checkpoint(path, expected, found)
                }
                other => other,
            }
        })
    }

    fn build(
        config: BlaeConfig,
        mut builder: Builder,
        device: Device,
    ) -> Result<Self, NeuralError> {
        config.check()?;
        let levels = config.stride()?.trailing_zeros();
        let width_at =
            |level: u32| ((config.width >> (levels - level)).max(config.width.min(16))) as i64;
        let (width, bits) = (config.width as i64, config.latent_channels as i64);
        let colours = config.colours as i64;
        let b = &mut builder;

        let mut downs = Vec::new();
        if levels == 0 {
            downs.push(Conv::new(
                b,
                "encoder.down0",
                (colours, width),
                (3, 1),
                1.0,
            )?);
        }
        for level in 0..levels {
            let from = if level == 0 { colours } else { width_at(level) };
            let name = format!("encoder.down{level}");
            let gain = if level == 0 { 1.0 } else { 2f64.sqrt() };
            downs.push(Conv::new(
                b,
                &name,
                (from, width_at(level + 1)),
                (4, 2),
                gain,
            )?);
        }
        let blocks = |b: &mut Builder, side: &str| {
            (0..config.blocks)
                .map(|block| Residual::new(b, &format!("{side}.block{block}"), width))
                .collect::<Result<Vec<_>, _>>()
        };
        let encoder = Encoder {
            downs,
            blocks: blocks(b, "encoder")?,
            norm: Norm::new(b, "encoder.norm", width)?,
            numbers: Conv::new(b, "encoder.numbers", (width, bits), (1, 1), 1.0)?,
            standard: Standard::new(b, "encoder.standard", bits)?,
        };
        let first = Conv::new(b, "decoder.first", (bits, width), (3, 1), 1.0)?;
        let between = blocks(b, "decoder")?;
        let norm = Norm::new(b, "decoder.norm", width)?;
        let mut ups = Vec::new();
        if levels == 0 {
            ups.push(Conv::new(b, "decoder.up0", (width, colours), (3, 1), 1.0)?);
        }
        for level in (0..levels).rev() {
            let to = if level == 0 { colours } else { width_at(level) };
            let name = format!("decoder.up{level}");
            ups.push(Conv::new(
                b,
                &name,
                (width_at(level + 1), 4 * to),
                (3, 1),
                1.0,
            )?);
        }
        let decoder = Decoder {
            first,
            blocks: between,
            norm,
            ups,
        };
        Ok(Self {
            config,
            device,
            encoder,
            decoder,
            parameters: builder.finish()?,
        })
    }

    /// The network's configuration.
    pub fn config(&self) -> &BlaeConfig {
        &self.config
    }

    /// Where it runs.
    pub fn device(&self) -> Device {
        self.device
    }

    /// What is trained.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The shape of its latents.
    pub fn shape(&self) -> Shape {
        // `check` made the same shape before any layer was.
        #[allow(clippy::expect_used)]
        self.config.shape().expect("checked when built")
    }

    /// The configuration as checkpoints hold it.
    pub(crate) fn config_json(&self) -> serde_json::Value {
        // A struct of numbers and words is always JSON.
        serde_json::to_value(self.config).unwrap_or_default()
    }

    /// How latents say that they are codes of this network: `blae:` and its digest, of the configuration and
    /// every parameter.
    pub fn codec(&self) -> Codec {
        Codec::Other(format!(
            "{KIND}:{}",
            checkpoint::digest(&self.config_json(), &self.parameters)
        ))
    }

    /// What a bit is to the decoder: a 1 this, a 0 its negative.
    pub fn level(&self) -> f32 {
        self.config.quantizer.level(self.config.latent_channels) as f32
    }

    /// Whether images are of the size and colours that the network takes.
    ///
    /// # Errors
    /// [`NeuralError::Setting`], with both sizes.
    pub fn check_images(
        &self,
        (height, width, colours): (usize, usize, usize),
    ) -> Result<(), NeuralError> {
        let own = (
            self.config.image_height,
            self.config.image_width,
            self.config.colours,
        );
        if own == (height, width, colours) {
            return Ok(());
        }
        Err(NeuralError::setting(
            format!(
                "images of {}x{} pixels with {} colours, as the model was trained on",
                own.0, own.1, own.2
            ),
            format!("{height}x{width} with {colours}"),
        ))
    }

    /// Images `ids` as a tensor [N, colours, height, width] of values in 0..1 on the device.
    pub(crate) fn tensor(&self, images: &ImageSet, ids: impl IntoIterator<Item = usize>) -> Tensor {
        let mut bytes = Vec::new();
        let mut count = 0;
        for id in ids {
            bytes.extend_from_slice(images.image(id));
            count += 1;
        }
        let sides = [
            count,
            images.height() as i64,
            images.width() as i64,
            images.colours() as i64,
        ];
        let tensor = Tensor::from_slice(&bytes)
            .view(sides)
            .to_device(self.device.0);
        tensor
            .permute([0, 3, 1, 2])
            .to_kind(Kind::Float)
            .contiguous()
            / 255.0
    }

    /// Images [N, colours, height, width] → what noise is added to, or what is rounded [N, K, H, W].
    pub(crate) fn activation(&self, images: &Tensor) -> Tensor {
        let numbers = self.numbers(images, Statistics::Running);
        self.config
            .quantizer
            .activation(&numbers, self.config.slope)
    }

    /// Images [N, colours, height, width] → the encoder's numbers [N, K, H, W].
    pub(crate) fn numbers(&self, images: &Tensor, statistics: Statistics) -> Tensor {
        let mut x = images * 2.0 - 1.0;
        for (level, down) in self.encoder.downs.iter().enumerate() {
            x = down.forward(&if level == 0 { x } else { x.relu() });
        }
        for block in &self.encoder.blocks {
            x = block.forward(&x);
        }
        let x = self.encoder.norm.forward(&x).relu();
        // Without scale or shift, and behind every weight: numbers of one size, so that the network cannot
        // answer a steeper slope with smaller ones; and centred, so that no channel is always 0 or always 1.
        let numbers = self.encoder.numbers.forward(&x);
        self.encoder.standard.forward(&numbers, statistics)
    }

    /// Codes [N, K, H, W] → images [N, colours, height, width], values in 0..1.
    pub(crate) fn image(&self, codes: &Tensor) -> Tensor {
        let mut x = self.decoder.first.forward(codes);
        for block in &self.decoder.blocks {
            x = block.forward(&x);
        }
        x = self.decoder.norm.forward(&x);
        let strided = self.config.image_height > self.config.latent_height;
        for up in &self.decoder.ups {
            x = up.forward(&x.relu());
            if strided {
                x = x.pixel_shuffle(2);
            }
        }
        x.sigmoid()
    }

    /// The activations of images, N × H·W·K in position order: before rounding, without noise.
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
            if observer.stop_requested() {
                return Err(NeuralError::Stopped);
            }
            let last = images.len().min(first + batch.max(1));
            let activation = self.activation(&self.tensor(images, first..last));
            values.extend(layers::floats(&activation.permute([0, 2, 3, 1])));
            observer.advance((last - first) as u64);
        }
        Ok(values)
    }

    /// Images in memory → latents, with the images' labels and source and this network as codec.
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
        let noise = self.config.noise()?;
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

    /// Images as they are read, `batch` at a time → latents; an input may be larger than memory.
    ///
    /// # Errors
    /// As [`Blae::activations`], and whatever is wrong with the input.
    pub fn encode_stream(
        &self,
        mut images: ImageStream,
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

    /// Latents → images. The codec is not looked at: [`Blae::codec`] tells whether it is this network's.
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
        let config = &self.config;
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

    /// What the decoder makes of any values, N × H·W·K in position order: activations as they are, or with
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
            if observer.stop_requested() {
                return Err(NeuralError::Stopped);
            }
            let count = some.len() / shape.bits();
            let sides =
                [count, shape.height(), shape.width(), shape.channels()].map(|side| side as i64);
            let codes = Tensor::from_slice(some)
                .view(sides)
                .to_device(self.device.0);
            let images = self.image(&codes.permute([0, 3, 1, 2]).contiguous());
            let bytes = (images * 255.0).round().permute([0, 2, 3, 1]);
            pixels.extend(layers::floats(&bytes).iter().map(|value| *value as u8));
            observer.advance(count as u64);
        }
        let config = &self.config;
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
