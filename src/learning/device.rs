//! The device that tensors live on. One binary serves machines with and without an accelerator: the CUDA half of
//! libtorch is loaded at run time, before the first tensor exists.

use crate::learning::LearningError;
use serde::{Deserialize, Serialize};
use std::{str::FromStr, sync::OnceLock};
use tch::{Cuda, Device};

/// Which device to compute on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The processor.
    Cpu,
    /// An NVIDIA accelerator. Without one the run fails.
    Cuda,
    /// An accelerator if there is one, otherwise the processor.
    #[default]
    Auto,
}

impl FromStr for DeviceChoice {
    type Err = LearningError;

    fn from_str(name: &str) -> Result<Self, LearningError> {
        match name {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "auto" => Ok(Self::Auto),
            _ => Err(LearningError::Input {
                name: "device",
                value: format!("\"{name}\""),
                reason: "choose cpu, cuda or auto".into(),
            }),
        }
    }
}

/// The device of the rank with index `node_rank` on its node. The ranks of a node take its accelerators in turn.
///
/// Call it before anything else of this module, because libtorch looks for its CUDA half only once.
///
/// # Errors
/// [`LearningError::NoCuda`] for [`DeviceChoice::Cuda`] without libtorch's CUDA half, a driver or a device.
pub fn device(choice: DeviceChoice, node_rank: usize) -> Result<Device, LearningError> {
    if choice == DeviceChoice::Cpu {
        return Ok(Device::Cpu);
    }
    match accelerators() {
        Ok(count) => Ok(Device::Cuda(node_rank % count)),
        Err(_) if choice == DeviceChoice::Auto => Ok(Device::Cpu),
        Err(reason) => Err(LearningError::NoCuda { reason }),
    }
}

/// Number of accelerators, at least 1.
///
/// # Errors
/// Why there is none.
fn accelerators() -> Result<usize, String> {
    static CUDA_HALF: OnceLock<Result<(), String>> = OnceLock::new();
    CUDA_HALF.get_or_init(load_cuda_half).clone()?;
    match Cuda::device_count() {
        count if count > 0 && Cuda::is_available() => Ok(count as usize),
        _ => Err("libtorch finds no CUDA device; check nvidia-smi and CUDA_VISIBLE_DEVICES".into()),
    }
}

/// Loads libtorch_cuda.so for the rest of the run. It lies beside libtorch, on the run path of this binary.
fn load_cuda_half() -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the initialisers of this library register libtorch's CUDA back end and touch nothing else.
    match unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            std::mem::forget(library);
            Ok(())
        }
        Err(error) => Err(format!("libtorch_cuda.so cannot be loaded ({error})")),
    }
}
