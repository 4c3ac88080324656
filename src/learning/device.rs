//! The device that tensors live on. One binary serves machines with and without an accelerator: the CUDA half of
//! libtorch is loaded at run time, before the first tensor exists.

use crate::learning::LearningError;
use serde::{Deserialize, Serialize};
use std::{str::FromStr, sync::OnceLock};
use tch::{Cuda, Device};

/// The device that an input asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The processor.
    Cpu,
    /// An NVIDIA accelerator; an error where there is none.
    Cuda,
    /// An accelerator where there is one, else the processor.
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
                reason: "it is one of cpu, cuda and auto".into(),
            }),
        }
    }
}

/// The device for the rank `node_rank` of its node; ranks take the node's accelerators in turn.
///
/// Call it before anything else of this module: libtorch asks for its CUDA half only once.
///
/// # Errors
/// [`LearningError::NoCuda`] when CUDA is asked for and libtorch's CUDA half, the driver or a device is absent.
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

/// Number of accelerators, at least 1, or why there is none.
fn accelerators() -> Result<usize, String> {
    static CUDA_HALF: OnceLock<Result<(), String>> = OnceLock::new();
    CUDA_HALF.get_or_init(load_cuda_half).clone()?;
    match Cuda::device_count() {
        count if count > 0 && Cuda::is_available() => Ok(count as usize),
        _ => Err("libtorch finds no CUDA device (look at nvidia-smi and CUDA_VISIBLE_DEVICES)".into()),
    }
}

/// Loads libtorch_cuda.so for good, found along the run path of this binary, that is beside libtorch itself.
fn load_cuda_half() -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: libtorch's own library; its initialisers register the CUDA back end and touch nothing of ours.
    match unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            std::mem::forget(library);
            Ok(())
        }
        Err(error) => Err(format!("libtorch_cuda.so cannot be loaded ({error})")),
    }
}
