//! How models were trained (`training.json`).

use crate::{
    config::models::ModelKind,
    learning::EpochRecord,
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
    /// Density of the normalised residuals of each latent component, see [`calibration::edges`].
    #[serde(default)]
    pub residuals: Vec<Vec<f64>>,
    /// Losses by epoch.
    pub curve: Vec<EpochRecord>,
}

/// What `training.json` holds.
///
/// # Errors
/// When it cannot be read.
pub fn trainings(context: &Context) -> Result<Vec<Training>, StageError> {
    let path = context.path("training.json");
    std::fs::read_to_string(&path)
        .and_then(|text| serde_json::from_str(&text).map_err(std::io::Error::other))
        .map_err(|source| StageError::Io { action: "read", path, source })
}
