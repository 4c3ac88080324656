//! D_s: trajectories of the small system from random starts (`small.h5`).

use crate::{
    files::{
        conditions,
        records::{Records, Trajectory},
    },
    rng::{Purpose, stream},
    systems::System,
    workflow::{Context, Stage, StageError, items::Work},
};
use hdf5::H5Type;

/// Runs the stage.
///
/// # Errors
/// When the kernel or the file system fails.
pub fn simulate<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let input = context.input;
    let (seed, choices, shape) = (input.seed, input.simulate, input.small_shape());
    let records = Records {
        trajectories: choices.trajectories,
        records: choices.snapshots,
        first: choices.first.unwrap_or(0.0),
        interval: choices.interval,
        shape,
    };
    let mut file = context.create(Stage::Simulate, "small.h5")?;
    records.declare::<S>(&mut file)?;
    conditions::declare(&mut file, input, "trajectory", choices.trajectories)?;
    Work {
        stage: Stage::Simulate,
        unit: "trajectories",
        items: choices.trajectories,
        item_bytes: records.trajectory_bytes::<S>(),
    }
    .share_out(
        context,
        &mut file,
        |_| Ok(()),
        S::Dynamics::default,
        |dynamics, (), trajectory| {
            let item = [trajectory as u64, 0];
            let system = &system.at_condition(input.condition_of(trajectory));
            let start = system.draw(shape, None, &mut stream(seed, Purpose::SmallDraw, item));
            let rng = &mut stream(seed, Purpose::SmallEvolve, item);
            records.record(system, start, Trajectory::default(), rng, dynamics, |_, _| Ok(()))
        },
        |file, items, block| {
            let numbers = items.clone().map(|trajectory| input.condition_of(trajectory));
            conditions::write(file, input, items.start, numbers)?;
            records.write::<S>(file, items.start, &block)
        },
    )?;
    Ok(file.finish()?)
}
