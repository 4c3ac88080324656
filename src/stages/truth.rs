//! Direct simulation of the large system from given starts, for comparison only (`truth.h5`).

use super::{Context, Stage, StageError, conditions, records::Records, sharing::Work};
use crate::{
    config::Input,
    lattice::Lattice,
    rng::{Purpose, stream},
    systems::{System, starts_of},
};
use hdf5::H5Type;

/// The initial state of trajectory number `trajectory`.
pub fn start<S: System>(input: &Input, system: &S, trajectory: usize) -> Lattice<S::Site> {
    let mut rng = stream(input.seed, Purpose::TruthDraw, [trajectory as u64, 0]);
    let (condition, start) = input.truth_start(trajectory);
    let starts = starts_of(system, &input.truth.starts).expect("the input was checked");
    system.under(condition).draw(input.truth_shape(), Some(starts[start]), &mut rng)
}

/// Runs the stage. Trajectory number `(condition * starts + start) * trajectories + i` is the i-th from `truth.starts[start]`.
///
/// # Errors
/// When the kernel or the file system fails.
pub fn truth<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let (seed, shape, choices) = (context.input.seed, context.input.truth_shape(), &context.input.truth);
    let trajectories = context.input.truth_trajectories();
    let records = Records { trajectories, records: choices.records, interval: choices.interval, shape };
    let mut file = context.create(Stage::Truth, "truth.h5")?;
    records.declare::<S>(&mut file)?;
    conditions::declare(&mut file, context.input, "trajectory", trajectories)?;
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
            let mut rng = stream(seed, Purpose::TruthEvolve, [trajectory as u64, 0]);
            let start = start(context.input, system, trajectory);
            let system = &system.under(context.input.truth_start(trajectory).0);
            records.record(system, &start, &mut rng, dynamics)
        },
        |items, block| {
            let numbers = items.clone().map(|trajectory| context.input.truth_start(trajectory).0);
            conditions::write(&file, context.input, items.start, numbers)?;
            records.write::<S>(&file, items.start, &block)
        },
    )?;
    Ok(file.finish()?)
}
