//! Euler-Maruyama ensembles of the learned models from the initial states of the direct simulation (`prediction.h5`).

use super::{
    Context, Stage, StageError,
    closure::{latent_states, scaling},
    train::{kinds, load},
};
use crate::{
    dataset::{Field, Reader},
    learning::{Closure, device, predict as rollout},
    parallel::Ranks,
};
use ndarray::{Array2, Array3, Axis};

/// Runs the stage. Predicted trajectory `t * replicas + r` starts from the state of trajectory t of the truth.
///
/// # Errors
/// When a model cannot be read, or the file system fails.
pub fn predict(context: &Context) -> Result<(), StageError> {
    let input = context.input;
    let (kinds, seeds, replicas) = (kinds(context), &input.train.seeds, input.predict.replicas);
    let starts = initial_states(context)?;
    let repeated: Vec<usize> = (0..starts.nrows() * replicas).map(|item| item / replicas).collect();
    let starts = starts.select(Axis(0), &repeated);
    let every = input.steps_per_record();
    let steps = every * (input.truth.records - 1);
    let mut file = context.create(Stage::Predict, "prediction.h5")?;
    for (kind, _, _) in &kinds {
        file.declare::<f32>(Field {
            name: kind,
            axes: &["model", "trajectory", "record", "component"],
            extents: &[seeds.len(), starts.nrows(), input.truth.records, starts.ncols()],
            unit: "1",
            meaning: "scaled latent state z; one model a seed of training",
        })?;
    }
    let models = kinds.len() * seeds.len();
    let mut progress = context.progress("predict", models, "models");
    for model in (0..models).filter(|model| model % context.world.size() == context.world.rank()) {
        let (kind, number) = (kinds[model / seeds.len()].0, model % seeds.len());
        let sde = load(context, kind, seeds[number])?;
        let ensemble = rollout(&sde, starts.view(), input.predict.step, steps, every, input.seed, [model as u64, 0])?;
        let by_trajectory = ensemble.permuted_axes([1, 0, 2]).as_standard_layout().to_owned();
        file.write(kind, number, by_trajectory.insert_axis(Axis(0)).view())?;
        progress.advance(1);
    }
    Ok(file.finish()?)
}

/// Scaled latent states of the first record of every trajectory of the truth.
fn initial_states(context: &Context) -> Result<Array2<f32>, StageError> {
    let truth = Reader::open(&context.path("truth.h5"))?;
    let device = device(context.options.device, context.world.node_rank())?;
    let closure = Closure::load(&context.path("closure.safetensors"), device)?;
    let observables: Array3<f64> = truth.read("observables")?;
    let first = observables.select(Axis(1), &[0]);
    let sites = truth.read_record::<i8>("snapshots", 0)?;
    let states = latent_states(context, &closure, &scaling(context)?, sites, first)?;
    Ok(states.index_axis_move(Axis(1), 0))
}
