//! Euler-Maruyama ensembles of the learned models from the initial states of the direct simulation (`prediction.h5`).

use super::{
    Context, Stage, StageError,
    latent::{latent_states, scaling},
    records::intensive,
    sharing::{Work, joined},
    train::{kinds, model_file},
    truth::start,
};
use crate::{
    dataset::Field,
    learning::{Closure, Feature, Sde, predict as rollout},
    systems::System,
};
use hdf5::H5Type;
use ndarray::{Array2, Array3, ArrayD, Axis, IxDyn, s};

/// Trajectories that move together; small enough that all threads have work.
const GROUP: usize = 256;

/// Runs the stage. Predicted trajectory `t * replicas + r` starts from the state of trajectory t of the truth.
///
/// # Errors
/// When a model cannot be read, or the file system fails.
pub fn predict<S: System<Site: H5Type, Feature: Feature>>(context: &Context, system: &S) -> Result<(), StageError> {
    let input = context.input;
    let (kinds, seeds, replicas) = (kinds(context), &input.train.seeds, input.predict.replicas);
    let starts = initial_states(context, system)?;
    let repeated: Vec<usize> = (0..starts.nrows() * replicas).map(|item| item / replicas).collect();
    let starts = starts.select(Axis(0), &repeated);
    let (trajectories, components) = starts.dim();
    let every = input.steps_per_record();
    let steps = every * (input.truth.records - 1);
    let mut file = context.create(Stage::Predict, "prediction.h5")?;
    for (kind, _, _) in &kinds {
        file.declare::<f32>(Field {
            name: kind,
            axes: &["model", "trajectory", "record", "component"],
            extents: &[seeds.len(), trajectories, input.truth.records, components],
            unit: "1",
            meaning: "scaled latent state z; one model a seed of training",
        })?;
    }
    let conditions = input.system.conditions();
    let under_each = trajectories / conditions.len().max(1);
    let groups_each = under_each.div_ceil(GROUP);
    let groups = groups_each * conditions.len().max(1);
    let place = |item: usize| {
        let (model, group) = (item / groups, item % groups);
        let (first, within) = (group / groups_each * under_each, group % groups_each * GROUP);
        let range = first + within..first + (within + GROUP).min(under_each);
        (model, group, kinds[model / seeds.len()].0, model % seeds.len(), range)
    };
    let (device, choices, seed) = (context.device()?, input.predict, input.seed);
    let models: Vec<_> = (0..kinds.len() * seeds.len())
        .map(|model| context.path(&model_file(kinds[model / seeds.len()].0, seeds[model % seeds.len()])))
        .collect();
    Work {
        stage: Stage::Predict,
        unit: "groups of trajectories",
        items: models.len() * groups,
        item_bytes: 4 * GROUP * input.truth.records * components,
    }
    .share_out(
        context,
        |_| Ok(()),
        || (),
        |(), (), item| {
            let (model, group, _, _, range) = place(item);
            let mut sde = Sde::load(&models[model], device)?;
            if let Some(&condition) = conditions.get(group / groups_each) {
                sde = sde.given(condition)?;
            }
            let stream = [model as u64, group as u64];
            let states = rollout(&sde, starts.slice(s![range, ..]), choices.step, steps, every, seed, stream)?;
            Ok(states.permuted_axes([1, 0, 2]).as_standard_layout().to_owned())
        },
        |items, block| {
            for (item, states) in items.zip(block) {
                let (_, _, kind, number, range) = place(item);
                file.write_at(kind, &[number, range.start], states.insert_axis(Axis(0)).view())?;
            }
            Ok(())
        },
    )?;
    Ok(file.finish()?)
}

/// Scaled latent states in which the trajectories of the direct simulation start.
fn initial_states<S: System<Site: H5Type, Feature: Feature>>(
    context: &Context,
    system: &S,
) -> Result<Array2<f32>, StageError> {
    let (input, shape) = (context.input, context.input.truth_shape());
    let closure = Closure::load(&context.path("closure.safetensors"), context.device()?)?;
    let mut window = S::closed_window(shape);
    let trajectories = input.truth_trajectories();
    let (mut sites, mut observables) = (Vec::new(), Vec::new());
    for trajectory in 0..trajectories {
        let system = &system.under(input.truth_start(trajectory).0);
        let lattice = start(input, system, trajectory);
        window.load(&lattice, [0; 3]);
        observables.push(intensive(system, &window));
        sites.push(lattice.sites);
    }
    let sites =
        ArrayD::from_shape_vec(IxDyn(&[trajectories, 1, shape.sites()]), joined(&sites)).expect("whole lattices");
    let observables = Array3::from_shape_vec((trajectories, 1, S::OBSERVABLES.len()), joined(&observables))
        .expect("one row of observables a trajectory");
    let states = latent_states::<S>(context, &closure, &scaling(context)?, sites, observables);
    Ok(states.index_axis_move(Axis(1), 0))
}
