//! Learning the macroscopic equation of motion: closure variables by an autoencoder, then drift and diffusion of the
//! latent stochastic differential equation by maximum likelihood (arXiv 2511.12842, sections 2 and 3).
//!
//! - [`closure`]: encoder of patches into closure variables.
//! - [`sde`]: drift and diffusion; [`fit()`]: their training on [`Pairs`].
//! - [`Coordinates`]: the map between physical states and the states of the networks.
//! - [`predict`]: ensembles of the learned equation. [`sde::calibration`]: is the learned noise right?
//!
//! Arrays go in, models and arrays come out. This module knows neither the simulated system nor the data files.
//!
//! # Example
//!
//! Learns dz = -z dt + dB / 2 from increments over a time of 0.1. `examples/learn_ou.rs` has two components.
//!
//! ```
//! use ndarray::Array1;
//! use rand::Rng;
//! use rand_distr::StandardNormal;
//! use tch::{Device, Tensor};
//! use tessera::{
//!     learning::{Pairs, TrainingContext, SdeInput, SdeModel, TrainInput, fit},
//!     parallel::Alone,
//!     rng::{Purpose, stream},
//! };
//!
//! let (count, dt, mut rng) = (5_000, 0.1_f32, stream(1, Purpose::Bench, [0, 0]));
//! let z = Array1::from_shape_simple_fn(count, || 2.0 * rng.random::<f32>() - 1.0);
//! let increment = z.mapv(|z| -z * dt + 0.5 * dt.sqrt() * rng.sample::<f32, _>(StandardNormal));
//! let pairs = Pairs {
//!     z: z.insert_axis(ndarray::Axis(1)),
//!     increment: increment.insert_axis(ndarray::Axis(1)),
//!     compensator: None,
//!     deviation: None,
//!     dt: Array1::from_elem(count, dt),
//!     trajectory: (0..count as u32).map(|row| row / 100).collect(),
//!     condition: None,
//! }; let model = SdeInput { drift: "linear".into(), diffusion: "constant".into(), ..SdeInput::default() }; let train =
//! TrainInput { epochs: 5, batch: 100, learning_rate: 2e-2, decay: 0.5, refit: true, ..TrainInput::default() }; let
//! (sde, _) = fit(&pairs, 1.0, &model, &train, &TrainingContext::new(1, &Alone, Device::Cpu), &mut |_| ())?; let z =
//! Tensor::from_slice(&[1.0_f32]).view([1, 1]); assert!((sde.drift(&z).double_value(&[0, 0]) + 1.0).abs() < 0.15);
//! assert!((sde.diffusion(&z).double_value(&[0, 0, 0]) - 0.5).abs() < 0.05);
//! # Ok::<(), tessera::learning::LearningError>(())
//! ```

pub mod closure;
pub mod device;
pub mod regression;
pub mod sde;
pub mod train;

mod error;
mod tensor;

pub use closure::{Closure, ClosureInput, EncoderKind, Feature, LibraryFunction, Patches};
pub use device::{DeviceChoice, device};
pub use error::LearningError;
pub use regression::{Affine, Regression};
pub use sde::{
    Coordinates, Diffusion, Drift, Factor, InputWidth, Label, Labels, MakeDiffusion, MakeDrift, Pairs, Sde, SdeInput,
    SdeModel, SymmetryGroup,
    calibration::calibration,
    draws::{DriftDraws, draws},
    fit::{divided, fit},
    held_out::{HeldOut, held_out},
    rollout::{Rollout, predict},
};
pub use train::{
    checkpoint::Checkpoint,
    epochs::TrainingContext,
    input::{EpochRecord, TrainInput},
    network::{Activation, Mlp},
    parameters::{Layout, Start},
};
