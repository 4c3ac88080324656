//! Metrics of prediction against truth (`metrics.json`), and the truth in latent coordinates (`evaluation.h5`).

use crate::{
    dataset::Field,
    files::{TruthFile, latent::scaling},
    learning::{Closure, Feature},
    parallel::Ranks,
    scores::metrics,
    stages::latent::latent_states,
    systems::System,
    workflow::{Context, Stage, StageError},
};
use hdf5::H5Type;

/// Encodes the trajectories of `truth.h5` into `evaluation.h5`, and writes the scores of the predictions to `metrics.json`.
///
/// # Errors
/// When a file cannot be read or written.
pub fn evaluate<S: System<Site: H5Type, Feature: Feature>>(context: &Context, _system: &S) -> Result<(), StageError> {
    encode_truth::<S>(context)?;
    if context.leads() {
        let metrics = metrics(context, S::OBSERVABLES)?;
        context.write_json("metrics.json", &metrics)?;
    }
    Ok(())
}

fn encode_truth<S: System<Site: H5Type, Feature: Feature>>(context: &Context) -> Result<(), StageError> {
    let truth = TruthFile::open(context)?;
    let device = context.device()?;
    let closure = Closure::load(&context.path("closure.safetensors"), device)?;
    let scaling = scaling(context)?;
    let (trajectories, records) = (context.input.truth_trajectories(), context.input.truth.records);
    let share = context.world.share(trajectories);
    let mut progress = context.progress("evaluate", share.len(), "trajectories");
    let components = S::OBSERVABLES.len() + closure.variables();
    let mut file = context.create(Stage::Evaluate, "evaluation.h5")?;
    file.declare::<f32>(Field {
        name: "truth",
        axes: &["trajectory", "record", "component"],
        extents: &[trajectories, records, components],
        unit: "1",
        meaning: "scaled latent state z of the direct simulation",
    })?;
    file.declare::<f64>(Field {
        name: "time",
        axes: &["record"],
        extents: &[records],
        unit: S::TIME_UNIT,
        meaning: "time of each record",
    })?;
    for trajectory in share {
        let items = trajectory..trajectory + 1;
        let observables = truth.observables(items.clone())?;
        let sites = || truth.snapshots(items);
        let states = latent_states::<S>(context, &closure, &scaling, observables, sites)?;
        file.write("truth", trajectory, states.view())?;
        progress.advance(1);
    }
    if context.leads() {
        file.write("time", 0, truth.times()?.view())?;
    }
    Ok(file.finish()?)
}
