//! How models were trained (`training.json`).

use crate::{
    learning::{EpochRecord, HeldOut},
    scores::ModelKind,
    workflow::{Context, StageError},
};
use serde::{Deserialize, Serialize};

/// How one model was trained; `training.json` lists them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Training {
    /// How it takes the increments.
    pub kind: ModelKind,
    /// Seed of weights and batches.
    pub seed: u64,
    /// lambda in the loss.
    pub covariance_factor: f64,
    /// Variance of the normalised residuals of each latent component; 1 when the diffusion is right.
    pub calibration: Vec<f64>,
    /// Density of the normalised residuals of each latent component, see [`crate::learning::sde::calibration::edges`].
    #[serde(default)]
    pub residuals: Vec<Vec<f64>>,
    /// Coverage of the held-out pairs.
    #[serde(default)]
    pub held_out: Option<HeldOut>,
    /// Losses by epoch.
    pub curve: Vec<EpochRecord>,
}

/// What `training.json` holds.
///
/// # Errors
/// When it cannot be read.
pub fn trainings(context: &Context) -> Result<Vec<Training>, StageError> {
    context.read_json("training.json")
}
