//! Where a network runs.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use crate::base::choice;
use crate::neural::NeuralError;

choice! {
    "lowercase",
    /// Which device is asked for.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum DeviceChoice {
        /// The processor.
        #[strum(message = "The processor")]
        Cpu,
        /// The first GPU, or an error where there is none.
        #[strum(message = "The first GPU, or an error where there is none")]
        Cuda,
        /// The first GPU where there is one, else the processor.
        #[default]
        #[strum(message = "The first GPU where there is one, else the processor")]
        Auto,
    }
}

/// A device of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device(pub(in crate::neural) tch::Device);

impl Device {
    /// The processor.
    pub const CPU: Self = Self(tch::Device::Cpu);

    /// Chooses the device that was asked for. For a GPU libtorch's CUDA library is loaded now: nothing links it, so
    /// that programs start on hosts without CUDA. To be called before any other use of libtorch in the process, which
    /// looks for GPUs once.
    ///
    /// # Errors
    /// [`NeuralError::NoCuda`].
    pub fn choose(choice: DeviceChoice) -> Result<Self, NeuralError> {
        let loaded = match choice {
            DeviceChoice::Cpu => return Ok(Self::CPU),
            DeviceChoice::Cuda | DeviceChoice::Auto => load_cuda(),
        };
        let device = match (choice, loaded) {
            (_, Ok(())) if tch::utils::has_cuda() => tch::Device::Cuda(0),
            (DeviceChoice::Cuda, loaded) => {
                let why = loaded.err().unwrap_or_else(|| {
                    "its CUDA libraries are loaded, and find no GPU that they can use".to_owned()
                });
                return Err(NeuralError::NoCuda { why });
            }
            _ => tch::Device::Cpu,
        };
        if device.is_cuda() {
            // Every batch has one shape: the fastest kernels are worth looking for.
            tch::Cuda::cudnn_set_benchmark(true);
        }
        Ok(Self(device))
    }
}

/// Loads `libtorch_cuda.so` from beside the libtorch in use, once; why not, where it cannot be.
fn load_cuda() -> Result<(), String> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    LOADED.get_or_init(load_cuda_now).clone()
}

#[allow(
    unsafe_code,
    reason = "loading a library runs its code; the alternatives are a second build for GPUs, or LD_PRELOAD"
)]
fn load_cuda_now() -> Result<(), String> {
    // Loading a gigabyte of CUDA to find no GPU takes seconds.
    let drivers = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"];
    if !drivers.iter().any(|driver| Path::new(driver).exists()) {
        return Err("this machine has no NVIDIA driver".to_owned());
    }
    // SAFETY: the library is part of the libtorch that this program is linked to and found by the same search path. All
    // that its initialisers do is to register its kernels with the rest of libtorch. It is never unloaded, and nothing is
    // called through the handle.
    match unsafe { libloading::Library::new("libtorch_cuda.so") } {
        Ok(library) => {
            std::mem::forget(library);
            Ok(())
        }
        Err(error) => Err(format!("its CUDA libraries cannot be loaded ({error})")),
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            tch::Device::Cuda(index) => {
                let count = tch::Cuda::device_count();
                write!(f, "cuda:{index} (of {count})")
            }
            _ => write!(f, "cpu, {} threads", tch::get_num_threads()),
        }
    }
}

/// Bounds the threads of one operation on the processor. Results depend on it in the last bits.
pub fn set_threads(threads: u16) {
    tch::set_num_threads(threads.into());
}
