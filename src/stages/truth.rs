//! Direct simulation of the large system from given starts, for comparison only (`truth.h5`).

use super::{Context, Stage, StageError, records::Records, sharing::Work};
use crate::{
    rng::{Purpose, stream},
    systems::System,
};
use hdf5::H5Type;

/// Runs the stage. Trajectory number `start * trajectories + i` is the i-th from `truth.starts[start]`.
///
/// # Errors
/// When the kernel or the file system fails.
pub fn truth<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let (seed, shape, choices) = (context.input.seed, context.input.large_shape(), &context.input.truth);
    let trajectories = choices.starts.len() * choices.trajectories;
    let records = Records { trajectories, records: choices.records, interval: choices.interval, shape };
    let mut file = context.create(Stage::Truth, "truth.h5")?;
    records.declare::<S>(&mut file)?;
    Work {
        stage: Stage::Truth,
        unit: "trajectories",
        items: trajectories,
        item_bytes: records.trajectory_bytes::<S>(),
    }
    .share_out(
        context,
        |_| Ok(()),
        S::Dynamics::default,
        |dynamics, (), trajectory| {
            let item = [trajectory as u64, 0];
            let start = choices.starts[trajectory / choices.trajectories];
            let start = system.draw(shape, Some(start), &mut stream(seed, Purpose::TruthDraw, item));
            records.record(system, &start, &mut stream(seed, Purpose::TruthEvolve, item), dynamics)
        },
        |items, block| records.write::<S>(&file, items.start, &block),
    )?;
    Ok(file.finish()?)
}
