//! Metrics of prediction against truth (`metrics.json`), and the truth in latent coordinates (`evaluation.h5`).

use crate::{
    dataset::{Field, Reader},
    files::latent::units,
    learning::{Closure, Feature},
    parallel::Ranks,
    scores::metrics,
    stages::latent::latent_states,
    systems::System,
    workflow::{Context, Stage, StageError},
};
use hdf5::H5Type;

/// Runs the stage.
///
/// # Errors
/// When a file cannot be read or written.
pub fn evaluate<S: System<Site: H5Type, Feature: Feature>>(context: &Context, _system: &S) -> Result<(), StageError> {
    encode_truth::<S>(context)?;
    if context.leads() {
        let metrics = metrics(context, S::OBSERVABLES)?;
        context.write_text("metrics.json", &serde_json::to_string_pretty(&metrics).unwrap_or_default())?;
    }
    Ok(())
}

fn encode_truth<S: System<Site: H5Type, Feature: Feature>>(context: &Context) -> Result<(), StageError> {
    let truth = Reader::open(&context.path("truth.h5"))?;
    let device = context.device()?;
    let closure = Closure::load(&context.path("closure.safetensors"), device)?;
    let extents = truth.extents("observables")?;
    let share = context.world.share(extents[0]);
    let mut progress = context.progress("evaluate", share.len(), "trajectories");
    let components = extents[2] + closure.variables();
    let mut file = context.create(Stage::Evaluate, "evaluation.h5")?;
    file.declare::<f32>(Field {
        name: "truth",
        axes: &["trajectory", "record", "component"],
        extents: &[extents[0], extents[1], components],
        unit: &units(S::OBSERVABLES, closure.variables()),
        meaning: "latent state z of the direct simulation",
    })?;
    let times: ndarray::Array1<f64> = truth.read("time")?;
    file.declare::<f64>(Field {
        name: "time",
        axes: &["record"],
        extents: &[extents[1]],
        unit: S::TIME_UNIT,
        meaning: "time of each record",
    })?;
    for trajectory in share {
        let items = trajectory..trajectory + 1;
        let observables = truth.read_items::<f64>("observables", items.clone())?;
        let observables = observables.into_dimensionality().expect("observables have three axes");
        let sites = || Ok(truth.read_items("snapshots", items)?);
        let states = latent_states::<S>(context, &closure, observables, sites)?;
        file.write("truth", trajectory, states.view())?;
        progress.advance(1);
    }
    if context.leads() {
        file.write("time", 0, times.view())?;
    }
    Ok(file.finish()?)
}
