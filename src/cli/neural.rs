//! What the verbs with a network share: the device, the model's file, the images.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use super::import_options::PixelArgs;
use super::training_of;
use super::ui::Ui;
use crate::index::Index;
use crate::latent::LatentSet;
use crate::latent::images::{ImageOptions, ImageSet};
use crate::latent::import::{Colour, Labels};
use crate::neural::{Blae, Device, DeviceChoice, Numbered, Predictor, RunFolder, set_threads};
use crate::progress::Observer;
use crate::system;
use crate::window::Condition;

/// Set in the process that was started with CUDA's libraries, so that it does not start another.
const CUDA_LOADED: &str = "BITQUILT_CUDA_LOADED";

/// Where a network runs
#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    /// Where to run: cpu, cuda, or auto, which takes a GPU where there is one
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
}

impl DeviceArgs {
    /// The device, with as many threads as were asked for. Does not return where the program has to start
    /// again with CUDA's libraries.
    pub(crate) fn device(&self, threads: Option<u16>) -> anyhow::Result<Device> {
        if self.device != DeviceChoice::Cpu {
            load_cuda();
        }
        if let Some(threads) = threads {
            set_threads(threads);
        }
        Ok(Device::choose(self.device)?)
    }
}

/// Starts the program again with libtorch_cuda.so preloaded, where it lies beside libtorch and can be loaded.
///
/// The binary does not link that library: on hosts without CUDA it would not start. libtorch finds a GPU only
/// if the library is in the process before its first use, and loading one at run time takes unsafe code. So
/// the dynamic linker does it. Returns where there is nothing to load.
fn load_cuda() {
    let has_driver = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"]
        .iter()
        .any(|device| Path::new(device).exists());
    if !has_driver || std::env::var_os(CUDA_LOADED).is_some() {
        return;
    }
    // Which libtorch this process has mapped: the sixth column is the path.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    if maps.contains("/libtorch_cuda.so") {
        return;
    }
    let mapped = maps.lines().find_map(|line| {
        let path = &line[line.find('/')?..];
        path.ends_with("/libtorch_cpu.so").then(|| Path::new(path))
    });
    let library = mapped.map(|path| path.with_file_name("libtorch_cuda.so"));
    let (Some(library), Ok(program)) = (
        library.filter(|path| path.exists()),
        std::env::current_exe(),
    ) else {
        return;
    };
    let mut preload = OsString::from(library);
    if let Some(others) = std::env::var_os("LD_PRELOAD") {
        preload.push(":");
        preload.push(others);
    }
    let again = || {
        let mut command = Command::new(&program);
        command.env("LD_PRELOAD", &preload).env(CUDA_LOADED, "1");
        command
    };
    // A library that misses one of its own ends the program before main: try it on another process.
    let tried = again()
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if tried.is_ok_and(|status| status.success()) {
        // Returns only when it fails; then there is no CUDA, as `Device::choose` will find.
        let _ = again().args(std::env::args_os().skip(1)).exec();
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
    #[arg(long, value_name = "N", value_parser = super::decode::at_least_1)]
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
            most: self.limit,
        }
    }
}

/// Says what there is to say about how images were read.
pub(crate) fn tell_notes(images: &ImageSet, ui: &Ui) {
    for note in images.notes() {
        ui.note(format!("note: {note}"));
    }
}

/// The checkpoint that a model's name stands for: a file, or the best of a run's folder.
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
    /// The latents of an index, without those that are left out.
    pub(crate) fn of_index(index: &Index, ui: &dyn Observer) -> anyhow::Result<Self> {
        let row = index.shape().packed_bytes() as u64 + 16;
        let (needed, available) = (
            index.latents().saturating_mul(row),
            system::available_memory(),
        );
        if needed > available {
            anyhow::bail!(
                "{}: its latents take {} of memory, {} are available: train on an index of fewer",
                index.path().display(),
                indicatif::BinaryBytes(needed),
                indicatif::BinaryBytes(available)
            );
        }
        ui.stage("training latents", index.latents(), "latents");
        Self::numbered_by(index, training_of(index, ui)?)
    }

    /// The latents of a file, of the shape of an index's and with labels where its contexts are bound to them.
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

    /// The first of them.
    pub(crate) fn first(mut self, most: usize) -> anyhow::Result<Self> {
        let count = self.latents.len().min(most);
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
