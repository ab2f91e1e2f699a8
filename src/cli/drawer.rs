//! How latents become pictures: pixels as they are, codes through the model that made them.

use std::path::Path;
#[cfg(feature = "neural")]
use std::path::PathBuf;

use clap::Args;

#[cfg(feature = "neural")]
use super::neural::{DeviceArgs, load_blae};
#[cfg(feature = "neural")]
use bitquilt::base::Unobserved;
use bitquilt::images::ImageSet;
use bitquilt::latent::{Codec, LatentSet, Level, Shape};
#[cfg(feature = "neural")]
use bitquilt::neural::Blae;
use bitquilt::picture::Picture;
use bitquilt::picture::{self, GridOptions};

/// The model of codes
#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// Draw codes through the BL-AE that made them: a checkpoint, or a run's folder, of which the best is taken
    #[cfg(feature = "neural")]
    #[arg(long, value_name = "BLAE")]
    model: Option<PathBuf>,

    #[cfg(feature = "neural")]
    #[command(flatten)]
    device: DeviceArgs,

    #[cfg(not(feature = "neural"))]
    #[arg(long, hide = true, value_parser = super::no_networks::refused)]
    model: Option<std::convert::Infallible>,

    #[cfg(not(feature = "neural"))]
    #[arg(long, hide = true, value_parser = super::no_networks::refused)]
    device: Option<std::convert::Infallible>,
}

/// What draws latents of one shape and codec.
pub(super) enum Drawer {
    /// Bits are pixels.
    Pixels(Codec),
    /// Bits are codes that nothing here can decode.
    Codes,
    /// Bits are codes of this model.
    #[cfg(feature = "neural")]
    Model(Box<Blae>),
}

impl ModelArgs {
    /// Returns whether a model was named.
    pub(super) fn is_given(&self) -> bool {
        self.model.is_some()
    }

    /// Returns what draws each level of latents of `path`; a model draws codes of one level.
    pub(super) fn drawers(
        &self,
        path: &Path,
        levels: &[Level],
        codecs: &[Codec],
    ) -> anyhow::Result<Vec<Drawer>> {
        if self.is_given() && levels.len() > 1 {
            anyhow::bail!("--model: draws codes of one level: leave it out for a pyramid");
        }
        let each = levels.iter().zip(codecs);
        let each = each.map(|(level, codec)| self.drawer(path, level.shape(), codec));
        each.collect()
    }

    /// Returns the drawer of latents of `path`. A model is refused where its codes are others.
    pub(super) fn drawer(
        &self,
        path: &Path,
        shape: Shape,
        codec: &Codec,
    ) -> anyhow::Result<Drawer> {
        #[cfg(feature = "neural")]
        if let Some(model) = &self.model {
            if matches!(codec, Codec::Threshold | Codec::Thermometer { .. }) {
                anyhow::bail!(
                    "--model {}: the latents of {} are pixels, not codes: leave --model out",
                    model.display(),
                    path.display()
                );
            }
            let blae = load_blae(model, self.device.device(None)?)?;
            let own = blae.codec();
            // Codes that do not name their model are taken at the user's word.
            if shape != blae.shape() || (*codec != Codec::Codes && *codec != own) {
                anyhow::bail!(
                    "--model {}: makes {} codes, {own}; those of {} are {shape}, {codec}: name the model that \
                     made them",
                    model.display(),
                    blae.shape(),
                    path.display()
                );
            }
            return Ok(Drawer::Model(Box::new(blae)));
        }
        let _ = path;
        Ok(match (codec, shape.channels()) {
            (Codec::Threshold, 1 | 3) | (Codec::Thermometer { .. }, _) => {
                Drawer::Pixels(codec.clone())
            }
            _ => Drawer::Codes,
        })
    }
}

/// Images that a model decodes at a time.
#[cfg(feature = "neural")]
const BATCH: usize = 256;

impl Drawer {
    /// Returns whether latents are shown as the images that they stand for.
    pub(super) fn makes_images(&self) -> bool {
        !matches!(self, Self::Codes)
    }

    /// Returns the images that latents stand for; `None` where bits are pixels, which are drawn as they are, or where
    /// there is no model.
    pub(super) fn decoded(&self, set: &LatentSet) -> anyhow::Result<Option<ImageSet>> {
        match self {
            Self::Pixels(_) | Self::Codes => {
                let _ = set;
                Ok(None)
            }
            #[cfg(feature = "neural")]
            Self::Model(blae) => Ok(Some(blae.decode(set, BATCH, &Unobserved)?)),
        }
    }

    /// Draws all latents of a set as one picture.
    pub(super) fn grid(
        &self,
        set: &LatentSet,
        options: &GridOptions,
        path: &Path,
    ) -> anyhow::Result<Picture> {
        let Some(images) = self.decoded(set)? else {
            return Ok(picture::grid(set, options, path)?);
        };
        let columns = options.columns.unwrap_or(picture::square(set.len()));
        Ok(picture::grid_of_images(&images, columns, options.scale)?)
    }

    /// Draws one latent, a pixel of the picture for each pixel of its image; of a code without a model, for each site.
    pub(super) fn one(&self, shape: Shape, packed: &[u8], path: &Path) -> anyhow::Result<Picture> {
        match self {
            Self::Codes => Ok(Picture::of_code(shape, packed)),
            Self::Pixels(codec) => Ok(Picture::of_latent(shape, packed, codec, path)?),
            #[cfg(feature = "neural")]
            Self::Model(blae) => {
                let set = LatentSet::from_packed(shape, packed.to_vec())?;
                let images = blae.decode(&set, BATCH, &Unobserved)?;
                Ok(picture::grid_of_images(&images, 1, 1)?)
            }
        }
    }
}
