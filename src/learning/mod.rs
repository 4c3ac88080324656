//! Learning the macroscopic equation of motion: closure variables by an autoencoder, then drift and diffusion of the latent
//! stochastic differential equation by maximum likelihood (arXiv 2511.12842, sections 2 and 3).
//!
//! - [`closure`]: encoder of patches into closure variables.
//! - [`sde`]: drift and diffusion networks; [`likelihood`]: their loss; [`trainer`]: their fit.
//! - [`subspace`]: coordinates for components that depend on each other.
//! - [`rollout`]: ensembles of the learned equation; [`calibration`]: is the learned noise right?
//!
//! Arrays go in, models and arrays come out: this module knows nothing of what is simulated, nor of files of data.

pub mod calibration;
pub mod closure;
pub mod device;
pub mod likelihood;
pub mod pairs;
pub mod regression;
pub mod rollout;
pub mod sde;
pub mod subspace;
pub mod trainer;

mod checkpoint;
mod course;
mod descent;
mod error;
mod fused;
mod head;
mod mirror;
mod network;
mod optimiser;
mod parameters;
mod product;
mod split;
mod store;
mod team;

#[cfg(test)]
mod gradient_tests;
#[cfg(test)]
mod path_tests;
#[cfg(test)]
mod training_tests;

pub use calibration::calibration;
pub use checkpoint::Checkpoint;
pub use closure::{Closure, ClosureInput, EncoderKind, Feature, Patches};
pub use course::Run;
pub use device::{DeviceChoice, device};
pub use error::LearningError;
pub use mirror::Mirror;
pub use network::Activation;
pub use pairs::Pairs;
pub use regression::{Affine, Regression};
pub use rollout::{Rollout, predict};
pub use sde::{Sde, SdeInput, SdeModel};
pub use subspace::Subspace;
pub use trainer::{TrainInput, fit};

use serde::{Deserialize, Serialize};

/// What happened in one epoch of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch, from 0.
    pub epoch: usize,
    /// Mean loss over the training samples, while the weights changed.
    pub train_loss: f64,
    /// Mean loss over the validation samples after the epoch; the training loss when nothing is held out.
    pub validation_loss: f64,
    /// Learning rate of the epoch.
    pub learning_rate: f64,
    /// Wall-clock seconds of the epoch, validation included.
    pub seconds: f64,
}
