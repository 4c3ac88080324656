//! `tessera fit`: an equation from a user's own pairs or trajectories, with predictions, scores and a page. No system
//! is needed.
//!
//! The folder gets `ours_<seed>.safetensors`, `training.json` and `report.html`, and with test trajectories also
//! `prediction.h5` and `metrics.json`. A model that was trained with the same data and choices is not trained again.

mod page;
mod predict;
mod test;

use crate::{
    config::FitInput,
    dataset::Provenance,
    files::{
        own::{Content, OwnData, OwnDataError},
        trainings::Training,
    },
    learning::{Checkpoint, Pairs, Sde, TrainingContext, fit, sde::calibration},
    parallel::{Alone, World},
    scores::ModelKind,
    storage::{create_folder, read_json, write_json, write_whole},
    workflow::{StageError, checksum},
};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tch::Device;
use test::Test;

/// Fewest trajectories of which some are kept for the test.
const FEWEST: usize = 5;

/// What is learned from, and where results go.
pub struct OwnRun<'a> {
    /// Pairs or trajectories.
    pub data: &'a Path,
    /// Trajectories to compare with.
    pub test: Option<&'a Path>,
    /// All choices.
    pub choices: &'a FitInput,
    /// Folder of the results.
    pub out: &'a Path,
    /// The ranks; one.
    pub world: &'a World,
    /// Device of training and prediction.
    pub device: Device,
    /// Threads of the training.
    pub threads: usize,
}

impl From<OwnDataError> for StageError {
    fn from(error: OwnDataError) -> Self {
        Self::Engine(error.into())
    }
}

/// Learns, predicts and scores; the result is a summary of a few lines.
///
/// # Errors
/// When the data cannot be learned from, or the file system refuses.
pub fn fit_own(run: &OwnRun) -> Result<String, StageError> {
    run.choices.check().map_err(|reason| StageError::Engine(reason.into()))?;
    create_folder(run.out)?;
    let data = OwnData::read(run.data)?;
    let kept = kept_for_test(&data, run);
    let pairs = data.pairs(|trajectory| !kept.contains(&trajectory))?;
    let provenance = provenance(run)?;
    let trainings = train(run, &data, &pairs, &provenance)?;
    let test = match (run.test, &data.content) {
        (Some(path), _) => {
            let given = OwnData::read(path)?;
            let Content::Trajectories(trajectories) = given.content else {
                let reason = format!("{} holds pairs; a test needs trajectories", path.display());
                return Err(StageError::Engine(reason.into()));
            };
            Some(Test::of(trajectories, &data.labels)?)
        }
        (None, Content::Trajectories(all)) if !kept.is_empty() => Some(Test::of(all.chosen(&kept), &data.labels)?),
        _ => None,
    };
    let mut summary = format!(
        "{} pairs of {} component(s), K = {}\nmodels: {}\n",
        pairs.dt.len(),
        pairs.components(),
        data.patches,
        run.choices.seeds.iter().map(|&seed| path(run, seed).display().to_string()).collect::<Vec<_>>().join(", ")
    );
    let evidence = test.as_ref().map(|test| predict::evidence(run, (&data, &pairs), test, &provenance)).transpose()?;
    summary += &page::write(run, (&data, &pairs), &trainings, test.as_ref().zip(evidence.as_ref()))?;
    Ok(summary)
}

/// Trajectories that are kept for the test, evenly spread: none with a test file.
fn kept_for_test(data: &OwnData, run: &OwnRun) -> Vec<usize> {
    match &data.content {
        Content::Trajectories(all) if run.test.is_none() && all.count() >= FEWEST => {
            let kept = (run.choices.test_share * all.count() as f64).round() as usize;
            (0..kept).map(|index| (2 * index + 1) * all.count() / (2 * kept)).collect()
        }
        _ => Vec::new(),
    }
}

/// The model of a seed.
fn path(run: &OwnRun, seed: u64) -> PathBuf {
    run.out.join(ModelKind::Ours.file(seed))
}

/// The choices, with the hash of the data.
fn provenance(run: &OwnRun) -> Result<Provenance, StageError> {
    let refused = |error: toml::ser::Error| StageError::Engine(error.into());
    let choices = toml::to_string(run.choices).map_err(refused)?;
    let train = toml::to_string(&FitInput {
        predict: Default::default(),
        evaluate: Default::default(),
        seed: 0,
        ..run.choices.clone()
    });
    let data = checksum::of_file(run.data, &Alone)?;
    let split = run.test.is_some();
    let all = format!("{} {data} {split}", train.map_err(refused)?);
    let fingerprint = checksum::hexadecimal(&Sha256::digest(all));
    Ok(Provenance { input: choices, stage: "fit".into(), seed: run.choices.seed, fingerprint, sources: data })
}

/// Trains the models that are not there yet.
fn train(run: &OwnRun, data: &OwnData, pairs: &Pairs, provenance: &Provenance) -> Result<Vec<Training>, StageError> {
    let listed = run.out.join("training.json");
    let before: Vec<Training> = read_json(&listed).unwrap_or_default();
    let mut trainings = Vec::new();
    for &seed in &run.choices.seeds {
        let file = path(run, seed);
        let same =
            Sde::description(&file).is_ok_and(|found| found["provenance"]["fingerprint"] == *provenance.fingerprint);
        if let Some(known) = before.iter().find(|known| same && known.seed == seed) {
            println!("seed {seed}: complete, skipped");
            trainings.push(known.clone());
            continue;
        }
        let checkpoint = file.with_extension("checkpoint");
        let say = |text: &str| println!("{text}");
        let identity = format!("{} {seed}", provenance.identity());
        let context = TrainingContext {
            threads: run.threads,
            checkpoint: Some(Checkpoint { path: &checkpoint, identity: &identity, say: &say }),
            ..TrainingContext::new(seed, &Alone, run.device)
        };
        let epochs = run.choices.fit.epochs;
        let mut observer = |record: &crate::learning::EpochRecord| {
            if (record.epoch + 1).is_multiple_of(epochs.div_ceil(10)) {
                println!("seed {seed}, epoch {} of {epochs}: loss {:.4}", record.epoch + 1, record.validation_loss);
            }
        };
        let (model, curve) = fit(pairs, data.patches, &run.choices.model, &run.choices.fit, &context, &mut observer)?;
        let model = model.labelled(data.labels.clone())?;
        let found = calibration::calibration(&model, pairs, data.patches, &Alone)?;
        model.save(&file, &provenance.json(&[("patches", data.patches.into())]))?;
        std::fs::remove_file(&checkpoint).ok();
        let (calibration, residuals) = (found.variance, found.density);
        let covariance_factor = data.patches;
        let (kind, held_out) = (ModelKind::Ours, None);
        trainings.push(Training { kind, seed, covariance_factor, calibration, residuals, held_out, curve });
    }
    write_json(&listed, &trainings)?;
    Ok(trainings)
}

/// The models, in the order of their seeds.
fn models(run: &OwnRun) -> Result<Vec<Sde>, StageError> {
    let load = |&seed: &u64| Ok(Sde::load(&path(run, seed), run.device)?);
    run.choices.seeds.iter().map(load).collect()
}

/// Writes a small file of the folder.
fn write_text(run: &OwnRun, name: &str, text: &str) -> Result<(), StageError> {
    Ok(write_whole(&run.out.join(name), text)?)
}
