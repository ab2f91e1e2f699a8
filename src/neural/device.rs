//! Where a network runs.

use std::fmt;
use std::str::FromStr;

use super::NeuralError;

/// Which device is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The processor.
    Cpu,
    /// The first GPU, or an error where there is none.
    Cuda,
    /// The first GPU where there is one, else the processor.
    #[default]
    Auto,
}

impl FromStr for DeviceChoice {
    type Err = NeuralError;

    fn from_str(text: &str) -> Result<Self, NeuralError> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "auto" => Ok(Self::Auto),
            _ => Err(NeuralError::setting("a device: cpu, cuda or auto", text)),
        }
    }
}

/// A device that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device(pub(super) tch::Device);

impl Device {
    /// The processor.
    pub const CPU: Self = Self(tch::Device::Cpu);

    /// The device that was asked for. A GPU counts only when libtorch_cuda.so is in the process: the
    /// binary does not link it, so that it starts on hosts without CUDA (`cli` loads it first).
    ///
    /// # Errors
    /// [`NeuralError::NoCuda`].
    pub fn choose(choice: DeviceChoice) -> Result<Self, NeuralError> {
        let device = match choice {
            DeviceChoice::Cpu => tch::Device::Cpu,
            DeviceChoice::Auto => tch::Device::cuda_if_available(),
            DeviceChoice::Cuda if tch::utils::has_cuda() => tch::Device::Cuda(0),
            DeviceChoice::Cuda => {
                return Err(NeuralError::NoCuda {
                    why: "no NVIDIA driver, no GPU, or a libtorch without its CUDA libraries",
                });
            }
        };
        if device.is_cuda() {
            // Every batch has one shape: the fastest kernels are worth looking for.
            tch::Cuda::cudnn_set_benchmark(true);
        }
        Ok(Self(device))
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
