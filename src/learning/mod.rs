//! Learning the macroscopic equation of motion: closure variables by an autoencoder, then drift and diffusion of the latent
//! stochastic differential equation by maximum likelihood (arXiv 2511.12842, sections 2 and 3).
//!
//! - [`closure`]: encoder of patches into closure variables.
//! - [`sde`]: drift and diffusion networks; [`likelihood`]: their loss; [`trainer`]: their fit.
//! - [`Coordinates`]: between physical states and those of the networks.
//! - [`rollout`]: ensembles of the learned equation; [`calibration`]: is the learned noise right?
//!
//! Arrays go in, models and arrays come out: this module knows nothing of what is simulated, nor of files of data.

pub mod closure;
pub mod device;
pub mod regression;
pub mod sde;
pub mod train;

mod error;
mod tensor;

pub use closure::{Closure, ClosureInput, EncoderKind, Feature, Patches};
pub use device::{DeviceChoice, device};
pub use error::LearningError;
pub use regression::{Affine, Regression};
pub use sde::{
    Coordinates, Diffusion, Drift, Factor, InputWidth, MakeDiffusion, MakeDrift, Mirror, Pairs, Sde, SdeInput,
    SdeModel,
    calibration::calibration,
    fit::fit,
    rollout::{Rollout, predict},
};
pub use train::{
    checkpoint::Checkpoint,
    epochs::Run,
    input::{EpochRecord, TrainInput},
    network::{Activation, Mlp},
    parameters::{Layout, Start},
};
