//! What scores and pages look at, read from the files of a run directory.

use crate::{
    config::models::kinds,
    dataset::Reader,
    files::{PairsFile, latent::scaling},
    scores::{Choices, Evidence, ModelKind, PairsEvidence},
    workflow::{Context, StageError},
};
use ndarray::{Array2, Ix3, Ix4};

/// Truth and predictions (`evaluation.h5`, `prediction.h5`), with no pairs and no fields of the models.
///
/// # Errors
/// When a file is missing or has another layout.
pub fn ensembles(context: &Context) -> Result<Evidence, StageError> {
    let input = context.input;
    let scaling = scaling(context)?;
    let evaluation = Reader::open(&context.path("evaluation.h5"))?;
    let prediction = Reader::open(&context.path("prediction.h5"))?;
    let models = kinds(input).into_iter().map(|(name, _, _)| {
        let scaled = prediction.read::<f32, Ix4>(name)?.mapv(f64::from);
        Ok((model_kind(name), scaled * &scaling.scale + &scaling.offset))
    });
    Ok(Evidence {
        observables: input.system.observables(),
        truth: evaluation.read::<f32, Ix3>("truth")?.mapv(f64::from) * &scaling.scale + &scaling.offset,
        models: models.collect::<Result<_, StageError>>()?,
        times: evaluation.read::<f64, ndarray::Ix1>("time")?.to_vec(),
        least: scaling.offset.clone(),
        range: scaling.scale.clone(),
        conditions: input.system.conditions().to_vec(),
        starts: input.truth.starts.len(),
        symmetries: input.system.symmetries(),
        sites: input.truth_shape().sites(),
        pairs: PairsEvidence::default(),
        equations: Vec::new(),
        calibrations: Vec::new(),
        choices: Choices {
            seed: input.seed,
            equilibrium: input.evaluate.equilibrium,
            resamples: input.evaluate.resamples,
            discrepancy: input.evaluate.discrepancy,
        },
    })
}

/// The training pairs (`latent.h5`, `pairs.h5`).
///
/// # Errors
/// When a file is missing or has another layout.
pub fn pairs(context: &Context) -> Result<PairsEvidence, StageError> {
    let input = context.input;
    let latent = Reader::open(&context.path("latent.h5"))?;
    let source = PairsFile::open(context)?;
    let scaling = scaling(context)?;
    let read = |name| -> Result<Array2<f64>, StageError> { Ok(latent.read::<f32, _>(name)?.mapv(f64::from)) };
    Ok(PairsEvidence {
        count: input.pairs(),
        state: read("state")? * &scaling.scale + &scaling.offset,
        increment: read("increment")? * &scaling.scale,
        duration: source.durations(0..input.pairs())?,
        trajectory: source.trajectories(0..input.pairs())?,
        patches: input.patches(),
        of_simulated_size: input.truth_shape() == input.large_shape(),
        shared: !input.train.disjoint,
    })
}

/// The kind of a model from its name in files.
pub fn model_kind(name: &str) -> ModelKind {
    if name == "ours" { ModelKind::Ours } else { ModelKind::Baseline }
}
