//! What a BL-AE is made of: sides, latent, quantizer, noise and size; and what cannot be one.

use serde::{Deserialize, Serialize};

use crate::latent::Shape;
use crate::model::{NoiseForm, Triangular};
use crate::neural::{NeuralError, Quantizer};

/// Most channels of a layer and most residual blocks: far beyond use, and small enough to multiply.
const MAX_WIDTH: usize = 1024;
const MAX_BLOCKS: usize = 64;
/// Longest side of an image.
const MAX_PIXELS: usize = 4096;

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
    /// Describes the default network between images of these sides and latents of this shape.
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

    /// Returns the shape of the latents.
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

    /// Returns the noise at its full strength.
    ///
    /// # Errors
    /// [`NeuralError::Noise`] when σ or κ cannot be.
    pub fn noise(&self) -> Result<Triangular, NeuralError> {
        Ok(Triangular::new(self.sigma, self.kappa, self.noise_form)?)
    }

    /// Returns how many pixels a site has in each direction.
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
    pub(in crate::neural) fn check(&self) -> Result<(), NeuralError> {
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
        for (name, found, max) in [
            ("image height", self.image_height, MAX_PIXELS),
            ("image width", self.image_width, MAX_PIXELS),
            ("latent channels", self.latent_channels, MAX_WIDTH),
            ("width", self.width, MAX_WIDTH),
            ("blocks", self.blocks, MAX_BLOCKS),
        ] {
            if found == 0 && name != "blocks" || found > max {
                return Err(NeuralError::setting(
                    format!("a {name} of 1 to {max}"),
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
