//! Drift and diffusion of the latent state, one model a seed, ours and the baseline (`ours_<seed>.safetensors`, ...).

use super::{Context, Stage, StageError, run::say};
use crate::{
    dataset::Reader,
    learning::{Checkpoint, EpochRecord, Pairs, Run, calibration, fit},
    parallel::Ranks,
};
use hdf5::H5Type;
use ndarray::{Array, Array1, Dimension};
use serde::{Deserialize, Serialize};
use std::{ops::Range, path::PathBuf};

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

/// Runs the stage. Each rank reads and works on its own share of the pairs.
///
/// # Errors
/// When training or the file system fails.
pub fn train(context: &Context) -> Result<(), StageError> {
    let choices = &context.input.train;
    let latent = Reader::open(&context.path("latent.h5"))?;
    let source = Reader::open(&context.path("pairs.h5"))?;
    let share = context.world.share(context.input.pairs());
    let device = context.device()?;
    let identity = context.provenance(Stage::Train).fingerprint;
    let say = |text: &str| {
        say(context, text).ok();
    };
    let kinds = kinds(context);
    let epochs = choices.fit.epochs * kinds.len() * choices.seeds.len();
    let mut progress = context.progress("train", epochs, "epochs");
    let mut trainings = Vec::new();
    for (kind, covariance_factor, increment) in kinds {
        let pairs = read_pairs(&latent, &source, increment, share.clone())?;
        for &seed in &choices.seeds {
            let (path, identity) = (checkpoint_file(context, kind, seed), format!("{identity} {kind} {seed}"));
            let checkpoint = Some(Checkpoint { path: &path, identity: &identity, say: &say });
            let run = Run { seed, ranks: context.world, device, checkpoint };
            let (model, curve) =
                fit(&pairs, covariance_factor, &choices.model, &choices.fit, &run, &mut |_| progress.advance(1))?;
            let calibration = calibration(&model, &pairs, covariance_factor, context.world)?;
            if context.leads() {
                let metadata = context.provenance(Stage::Train).json(&[]);
                model.save(&context.path(&model_file(kind, seed)), &metadata)?;
            }
            trainings.push(Training { kind: kind.into(), seed, covariance_factor, calibration, curve });
        }
    }
    context.write_text("training.json", &serde_json::to_string_pretty(&trainings).unwrap_or_default())?;
    // Checkpoints of finished models stay until here: a stage that is killed late repeats no training.
    for training in trainings.iter().filter(|_| context.leads()) {
        std::fs::remove_file(checkpoint_file(context, &training.kind, training.seed)).ok();
    }
    Ok(())
}

/// The state of a training under way, beside its model file.
fn checkpoint_file(context: &Context, kind: &str, seed: u64) -> PathBuf {
    context.path(&model_file(kind, seed)).with_extension("checkpoint")
}

/// Some of the training pairs, with the increments of one kind.
fn read_pairs(latent: &Reader, source: &Reader, increment: &str, rows: Range<usize>) -> Result<Pairs, StageError> {
    let duration: Array1<f64> = items(source, "duration", &rows)?;
    Ok(Pairs {
        z: items(latent, "state", &rows)?,
        increment: items(latent, increment, &rows)?,
        dt: duration.mapv(|time| time as f32),
        trajectory: items(source, "trajectory", &rows)?,
        condition: None,
    })
}

fn items<T: H5Type, D: Dimension>(file: &Reader, name: &str, rows: &Range<usize>) -> Result<Array<T, D>, StageError> {
    let values = file.read_items(name, rows.clone())?;
    Ok(values.into_dimensionality().expect("the stage before this one wrote as many axes"))
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
