//! D_s: trajectories of the small system from random starts (`small.h5`).

use crate::{
    files::{SmallFile, small::schedule},
    rng::{Purpose, stream},
    sampling::Trajectory,
    systems::System,
    workflow::{Context, Stage, StageError, items::ItemsOverThreads},
};
use hdf5::H5Type;

/// Simulates the small system, each trajectory on one thread, and writes `small.h5`. Reads no file.
///
/// # Errors
/// When the kernel or the file system fails, or a clean stop is asked for.
pub fn simulate<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let (input, seed, shape) = (context.input, context.input.seed, context.input.small_shape());
    let schedule = schedule(input);
    let file = SmallFile::create::<S>(context)?;
    ItemsOverThreads {
        stage: Stage::Simulate,
        unit: "trajectories",
        items: input.simulate.trajectories,
        item_bytes: schedule.records * shape.sites() * size_of::<S::Site>(),
    }
    .run(
        context,
        file.items(),
        |_| Ok(()),
        S::Dynamics::default,
        |dynamics, (), trajectory| {
            let item = [trajectory as u64, 0];
            let system = &system.at_condition(input.condition_of(trajectory));
            let start = system.draw(shape, None, &mut stream(seed, Purpose::SmallDraw, item));
            let rng = &mut stream(seed, Purpose::SmallEvolve, item);
            schedule.record(system, start, Trajectory::default(), rng, dynamics, |_, _| Ok(()))
        },
        |items, block| file.write(items.start, &block),
    )?;
    file.finish()
}
