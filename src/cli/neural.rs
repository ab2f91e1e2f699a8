//! What the verbs with a network share: the device, the model's file, the images.

use std::path::{Path, PathBuf};

use clap::Args;

use super::import_options::PixelArgs;
use super::one_of::one_of;
use super::ui::Ui;
use bitquilt::base::Budget;
use bitquilt::base::Observer;
use bitquilt::engine::Session;
use bitquilt::images::import::{Colour, ImportOptions, Labels, LevelOptions};
use bitquilt::images::{ImageOptions, ImageSet};
use bitquilt::index::Index;
use bitquilt::latent::LatentSet;
use bitquilt::neural::{Blae, Device, DeviceChoice, Numbered, Predictor, RunFolder, set_threads};
use bitquilt::window::Condition;

/// Where a network runs
#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    /// Where to run
    #[arg(long, default_value_t, value_name = "DEVICE", value_parser = one_of::<DeviceChoice>())]
    device: DeviceChoice,
}

impl DeviceArgs {
    /// Chooses the device and sets as many threads as were asked for.
    pub(crate) fn device(&self, threads: Option<u16>) -> anyhow::Result<Device> {
        if let Some(threads) = threads {
            set_threads(threads);
        }
        Ok(Device::choose(self.device)?)
    }
}

/// Which images, and how they are read
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    /// Scale each image to height x width pixels
    #[arg(long, value_name = "HxW", value_parser = super::import_options::size)]
    resize: Option<(u32, u32)>,

    /// Colour images: one gray value a pixel, the luma
    #[arg(long)]
    gray: bool,

    #[command(flatten)]
    pixels: PixelArgs,

    /// Only the first N images
    #[arg(long, value_name = "N", value_parser = super::limit::at_least_1)]
    limit: Option<usize>,
}

impl ImagesArgs {
    pub(crate) fn options(&self, labels: Labels) -> ImageOptions {
        ImageOptions {
            resize: self.resize,
            colour: self.gray.then_some(Colour::Gray),
            background: self.pixels.background,
            transpose: self.pixels.transpose,
            labels,
            max_images: self.limit,
            memory: Budget::of_machine(),
        }
    }

    /// Returns the same options for levels of the images themselves.
    pub(crate) fn level_options(&self, levels: Vec<LevelOptions>, labels: Labels) -> ImportOptions {
        ImportOptions {
            levels,
            colour: self.gray.then_some(Colour::Gray),
            background: self.pixels.background,
            transpose: self.pixels.transpose,
            labels,
            memory: Budget::of_machine(),
            ..ImportOptions::default()
        }
    }

    /// Returns how many images are taken, if not all.
    pub(crate) fn limit(&self) -> Option<usize> {
        self.limit
    }
}

/// Says what there is to say about how images were read.
pub(crate) fn tell_notes(images: &ImageSet, ui: &Ui) {
    for note in images.notes() {
        ui.note(format!("note: {note}"));
    }
}

/// Returns the checkpoint that a model's name stands for: a file, or the best of a run's folder.
pub(crate) fn model_file(path: &Path) -> PathBuf {
    if path.is_dir() {
        RunFolder::new(path).best()
    } else {
        path.to_owned()
    }
}

/// Reads a BL-AE from a checkpoint or a run's folder.
pub(crate) fn load_blae(path: &Path, device: Device) -> anyhow::Result<Blae> {
    Ok(Blae::load(&model_file(path), device)?)
}

/// Reads a network over bits from a checkpoint or a run's folder.
pub(crate) fn load_predictor(path: &Path, device: Device) -> anyhow::Result<Predictor> {
    Ok(Predictor::load(&model_file(path), device)?)
}

/// Latents with the numbers of their labels among those of an index.
pub(crate) struct NumberedSet {
    latents: LatentSet,
    labels: Vec<u64>,
}

impl NumberedSet {
    /// Reads the latents of an index, without those that are left out.
    pub(crate) fn of_index(session: &Session, ui: &dyn Observer) -> anyhow::Result<Self> {
        let index = session.index();
        ui.stage("training latents", index.latents(), "latents");
        Self::numbered_by(index, session.training(ui)?)
    }

    /// Reads the latents of a file, of the shape of an index's and with labels where its contexts are bound to them.
    pub(crate) fn read(path: &Path, index: &Index) -> anyhow::Result<Self> {
        let latents = LatentSet::read(path)?;
        if latents.shape() != index.shape() {
            anyhow::bail!(
                "{}: expected {} latents, as {} has, found {}",
                path.display(),
                index.shape(),
                index.path().display(),
                latents.shape()
            );
        }
        if latents.is_empty() {
            anyhow::bail!(
                "{}: expected at least one latent, found none",
                path.display()
            );
        }
        Self::numbered_by(index, latents).map_err(|error| error.context(path.display().to_string()))
    }

    fn numbered_by(index: &Index, latents: LatentSet) -> anyhow::Result<Self> {
        let labels = match (index.condition(), latents.labels()) {
            (Condition::None, _) => vec![0; latents.len()],
            (Condition::Label, Some(labels)) => {
                let numbers = labels.iter().map(|label| index.label_number(*label));
                numbers.collect::<Result<_, _>>()?
            }
            (Condition::Label, None) => anyhow::bail!(
                "expected labels, as the contexts of {} are bound to them, found none",
                index.path().display()
            ),
        };
        Ok(Self { latents, labels })
    }

    /// Returns the first `max_latents` of them, or all where there are fewer.
    pub(crate) fn first(mut self, max_latents: usize) -> anyhow::Result<Self> {
        let count = self.latents.len().min(max_latents);
        let row = self.latents.shape().packed_bytes();
        let packed = self.latents.packed()[..count * row].to_vec();
        self.latents = LatentSet::from_packed(self.latents.shape(), packed)?;
        self.labels.truncate(count);
        Ok(self)
    }

    pub(crate) fn numbered(&self) -> Numbered<'_> {
        Numbered {
            latents: &self.latents,
            labels: &self.labels,
        }
    }
}
