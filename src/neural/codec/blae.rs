//! The network of the binary latent autoencoder (Eqn 8): its layers, its checkpoint, and what it computes on tensors.

use std::path::Path;

use tch::{Kind, Tensor};

use crate::images::ImageSet;
use crate::latent::{Codec, Shape};
use crate::neural::kit::checkpoint::{self, Checkpoint, json_of};
use crate::neural::kit::layers::{Conv, Norm, Residual, Standard, Statistics};
use crate::neural::kit::parameters::{Builder, Parameters};
use crate::neural::{BlaeConfig, Device, NeuralError};

/// What a checkpoint of a BL-AE says it is, and how its codec begins.
pub(crate) const KIND: &str = "blae";
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
    /// Makes a network with random parameters, a function of the seed.
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

    /// Rebuilds the network of an opened checkpoint.
    pub(crate) fn from_checkpoint(
        checkpoint: &mut Checkpoint,
        device: Device,
    ) -> Result<Self, NeuralError> {
        let config: BlaeConfig = checkpoint.config()?;
        let tensors = checkpoint.take_model();
        let path = checkpoint.path();
        Self::build(config, Builder::from_file(path, tensors, device), device)
            .map_err(|error| error.of(path))
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

    /// Returns the network's configuration.
    pub fn config(&self) -> &BlaeConfig {
        &self.config
    }

    /// Returns the device that the network runs on.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Returns the parameters that are trained.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Returns the shape of its latents.
    pub fn shape(&self) -> Shape {
        // `check` made the same shape before any layer was.
        #[allow(clippy::expect_used)]
        self.config.shape().expect("checked when built")
    }

    /// Returns the configuration as checkpoints hold it.
    pub(crate) fn config_json(&self) -> serde_json::Value {
        json_of(&self.config)
    }

    /// Returns the codec of latents that are codes of this network: `blae:` and its digest, of the configuration and
    /// every parameter and statistic.
    pub fn codec(&self) -> Codec {
        Codec::Other(format!(
            "{KIND}:{}",
            checkpoint::digest(&self.config_json(), &self.parameters)
        ))
    }

    /// Returns the number that a 1 is to the decoder; a 0 is its negative.
    pub fn level(&self) -> f32 {
        self.config.quantizer.level(self.config.latent_channels) as f32
    }

    /// Checks that images are of the size and colours that the network takes.
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

    /// Returns images `ids` as a tensor [N, colours, height, width] of values in 0..1 on the device.
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

    /// Computes what noise is added to, or what is rounded: images [N, colours, height, width] → [N, K, H, W].
    pub(crate) fn activation(&self, images: &Tensor) -> Tensor {
        let numbers = self.numbers(images, Statistics::Running);
        self.config
            .quantizer
            .activation(&numbers, self.config.slope)
    }

    /// Computes the encoder's numbers: images [N, colours, height, width] → [N, K, H, W].
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

    /// Decodes codes [N, K, H, W] to images [N, colours, height, width], values in 0..1.
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
}
