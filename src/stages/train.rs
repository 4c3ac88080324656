//! Drift and diffusion of the latent state, one model a seed, ours and the baseline (`ours_<seed>.safetensors`, ...).

use super::{Context, Stage, StageError};
use crate::{
    dataset::Reader,
    learning::{EpochRecord, Pairs, calibration, fit},
};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

/// How one model was trained; `training.json` lists them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Training {
    /// "ours" or "baseline".
    pub kind: String,
    /// Seed of weights and batches.
    pub seed: u64,
    /// lambda in the loss.
    pub covariance_factor: f64,
    /// Variance of the normalised residuals of each latent component; 1 when the diffusion is right.
    pub calibration: Vec<f64>,
    /// Losses by epoch.
    pub curve: Vec<EpochRecord>,
}

/// The file of a model.
pub fn model_file(kind: &str, seed: u64) -> String {
    format!("{kind}_{seed}.safetensors")
}

/// The kinds of model that an input asks for, with lambda and the increments they learn from.
pub fn kinds(context: &Context) -> Vec<(&'static str, f64, &'static str)> {
    let mut kinds = vec![("ours", context.input.covariance_factor(), "increment")];
    if context.input.train.baseline {
        kinds.push(("baseline", 1.0, "increment_baseline"));
    }
    kinds
}

/// Runs the stage.
///
/// # Errors
/// When training or the file system fails.
pub fn train(context: &Context) -> Result<(), StageError> {
    let choices = &context.input.train;
    let latent = Reader::open(&context.path("latent.h5"))?;
    let source = Reader::open(&context.path("pairs.h5"))?;
    let duration: Array1<f64> = source.read("duration")?;
    let trajectory: Array1<u32> = source.read("trajectory")?;
    let device = context.device()?;
    let kinds = kinds(context);
    let epochs = choices.fit.epochs * kinds.len() * choices.seeds.len();
    let mut progress = context.progress("train", epochs, "epochs");
    let mut trainings = Vec::new();
    for (kind, covariance_factor, increment) in kinds {
        let pairs = Pairs {
            z: latent.read::<f32, ndarray::Ix2>("state")?,
            increment: latent.read::<f32, ndarray::Ix2>(increment)? as Array2<f32>,
            dt: duration.mapv(|time| time as f32),
            trajectory: trajectory.clone(),
        };
        for &seed in &choices.seeds {
            let (model, curve) =
                fit(&pairs, covariance_factor, &choices.model, &choices.fit, seed, context.world, device, &mut |_| {
                    progress.advance(1)
                })?;
            let calibration = calibration(&model, &pairs, covariance_factor)?;
            if context.leads() {
                let metadata = context.provenance(Stage::Train).json(&[]);
                model.save(&context.path(&model_file(kind, seed)), &metadata)?;
            }
            trainings.push(Training { kind: kind.into(), seed, covariance_factor, calibration, curve });
        }
    }
    context.write_text("training.json", &serde_json::to_string_pretty(&trainings).unwrap_or_default())
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
