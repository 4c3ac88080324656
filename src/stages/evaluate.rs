//! Metrics of prediction against truth (`metrics.json`), and the truth in latent coordinates (`evaluation.h5`).

use crate::{
    files::{EvaluationFile, TruthFile, evidence, latent::LatentFile, trainings::trainings},
    learning::{Closure, Feature, Sde, sde::calibration},
    parallel::Ranks,
    scores::{self, Evidence, LearnedEquation, ModelKind},
    stages::{engines::device, latent::latent_states, two_steps::two_steps},
    systems::System,
    workflow::{Context, StageError, say},
};
use hdf5::H5Type;

/// Most pairs that the drift of an equation of one component is looked at.
const EQUATION_PAIRS: usize = 100_000;

/// Encodes the trajectories of `truth.h5` into `evaluation.h5`, and writes the scores of the predictions to
/// `metrics.json`.
///
/// # Errors
/// When a file cannot be read or written.
pub fn evaluate<S: System<Site: H5Type, Feature: Feature>>(context: &Context, system: &S) -> Result<(), StageError> {
    encode_truth(context, system)?;
    if !context.leads() {
        return Ok(());
    }
    let mut evidence = Evidence {
        pairs: evidence::pairs(context)?,
        equations: equations(context)?,
        calibrations: trainings(context)?
            .into_iter()
            .map(|training| (training.kind, training.seed, training.calibration))
            .collect(),
        ..evidence::ensembles(context)?
    };
    evidence.trust.two_steps = two_steps(context, system)?;
    let metrics = scores::metrics(&evidence, &scores::with_those_of_system(system.scores()))?;
    for warning in scores::warnings(&metrics) {
        say(context, &format!("warning: {warning}"))?;
    }
    context.write_json("metrics.json", &metrics)
}

/// What each model of an equation of one component says at the states of its pairs; nothing of other equations.
fn equations(context: &Context) -> Result<Vec<LearnedEquation>, StageError> {
    let input = context.input;
    let pairs = LatentFile::open(context)?.pairs(context, ModelKind::Ours, 0..input.pairs().min(EQUATION_PAIRS))?;
    if pairs.components() > 1 || input.system.is_family() {
        return Ok(Vec::new());
    }
    let models =
        input.model_kinds().into_iter().flat_map(|kind| input.train.seeds.iter().map(move |&seed| (kind, seed)));
    let equation = |(kind, seed): (ModelKind, u64)| -> Result<LearnedEquation, StageError> {
        let model = Sde::load(&context.path(&kind.file(seed)), device(context)?)?;
        Ok(LearnedEquation {
            kind,
            z: pairs.z.iter().map(|&z| z.into()).collect(),
            drift: calibration::drift(&model, &pairs)?.into_iter().map(f64::from).collect(),
            noise: calibration::noise(&model, &pairs)?.into_iter().map(f64::from).collect(),
        })
    };
    models.map(equation).collect()
}

fn encode_truth<S: System<Site: H5Type, Feature: Feature>>(context: &Context, system: &S) -> Result<(), StageError> {
    let truth = TruthFile::open(context)?;
    let device = device(context)?;
    let closure = Closure::load(&context.path("closure.safetensors"), device)?;
    let (shape, share) = (context.input.truth_shape(), context.world.share(context.input.truth_trajectories()));
    let mut progress = context.progress("evaluate", share.len(), "trajectories");
    let file = EvaluationFile::create(context, closure.variables(), truth.times()?.view())?;
    for trajectory in share {
        let items = trajectory..trajectory + 1;
        let observables = truth.observables(items.clone())?;
        let sites = || truth.snapshots(items);
        let states = latent_states(context, (system, &closure), (observables, shape), sites)?;
        file.write(trajectory, states.view())?;
        progress.advance(1);
    }
    file.finish()
}
