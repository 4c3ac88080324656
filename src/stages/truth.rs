//! Direct simulation of the large system from given starts, for comparison only (`truth.h5`).
//!
//! Without a tile each trajectory is one window, exact, and the ranks share the trajectories; a long one is kept
//! between its records. With `truth.tile` the lattice advances by coloured sweeps, and a team of ranks shares each
//! trajectory. Trajectories from different starts share words in both cases.

use crate::{
    config::LANES,
    dataset::Writer,
    dynamics::InLanes,
    files::{TrajectoryCheckpoints, TruthFile, truth::Truth},
    parallel::Ranks,
    rng::{Purpose, stream},
    stages::{
        health::look_at_trajectories,
        live::Live,
        starts::Start,
        truth_sweeps::{by_sweeps, tiles_together},
        words::announce,
    },
    systems::System,
    workflow::{Context, Stage, StageError, items::ItemsOverThreads},
};
use hdf5::H5Type;
use std::time::Instant;

/// Folder of the checkpoints of trajectories under way.
const CHECKPOINTS: &str = "truth.checkpoints";

/// Simulates the large system from the starts of the input and writes `truth.h5`. Checkpoints are in
/// `truth.checkpoints` until then.
///
/// # Errors
/// When the kernel or the file system fails, or a clean stop is asked for.
pub fn truth<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let input = context.input;
    let starts = input.truth_in_lanes().then(|| input.truth.starts.len().min(LANES));
    let tiles = input.truth_tile().and_then(|tile| tiles_together(input, system, tile));
    announce(context, Stage::Truth, starts.or(tiles))?;
    let file = TruthFile::create::<S>(context)?;
    if !file.items().resumed() {
        // States that an earlier file's trajectories left: this one lacks their records.
        if context.leads() {
            std::fs::remove_dir_all(context.path(CHECKPOINTS)).ok();
        }
        context.world.barrier();
    }
    match input.truth_tile() {
        Some(tile) => by_sweeps(context, system, &file, (tile, &context.path(CHECKPOINTS)))?,
        None if input.truth_in_lanes() => by_words_of_starts(context, system, &file)?,
        None => exact(context, system, &file)?,
    }
    file.finish()?;
    look_at_trajectories::<Truth>(context)
}

/// Trajectories from different starts in the lanes of a word, exact. Those from the same start never share a word, so
/// that they are independent.
fn by_words_of_starts<S: System<Site: H5Type>>(
    context: &Context,
    system: &S,
    file: &TruthFile<Writer>,
) -> Result<(), StageError> {
    let (input, schedule) = (context.input, context.input.truth_schedule());
    let (starts, repeats) = (input.truth.starts.len(), input.truth.trajectories);
    let live = Live { screen: &context.screen, stage: Stage::Truth, times: &schedule.times };
    ItemsOverThreads {
        stage: Stage::Truth,
        unit: "words of trajectories",
        items: input.truth_words(),
        item_bytes: starts * (schedule.kept.len() + 1) * input.truth_shape().sites() * size_of::<S::Site>(),
        at_once: 1,
    }
    .run(
        context,
        file.items(),
        |_| Ok(()),
        || (),
        |(), (), words| {
            let word = words.start;
            let system = &system.at_condition(word / repeats);
            let law = InLanes::<S, 1>::new(system).expect("a law in lanes has them");
            let trajectories: Vec<usize> = input.trajectories_of_word(word).collect();
            let (mut recorded, starts_of_word) = (Vec::new(), trajectories.len() as f64);
            for trajectories in trajectories.chunks(LANES) {
                let starts: Vec<_> =
                    trajectories.iter().map(|&trajectory| Start::new(input, system, trajectory).whole()).collect();
                let mut rng = stream(input.seed, Purpose::TruthEvolve, [trajectories[0] as u64, 0]);
                let share = trajectories.len() as f64 / starts_of_word;
                recorded.extend(schedule.record_in_lanes(system, &law, &starts, &mut rng, |so_far| {
                    live.seen::<S>(share, trajectories[0], &so_far[0].observables);
                })?);
            }
            Ok(vec![recorded])
        },
        |words, block| {
            for (word, recorded) in words.zip(block) {
                for (trajectory, recorded) in input.trajectories_of_word(word).zip(recorded) {
                    file.write(trajectory, &[recorded])?;
                }
            }
            Ok(())
        },
    )
}

/// Each trajectory as one window, exact.
fn exact<S: System<Site: H5Type>>(context: &Context, system: &S, file: &TruthFile<Writer>) -> Result<(), StageError> {
    let (input, schedule) = (context.input, context.input.truth_schedule());
    let folder = context.path(CHECKPOINTS);
    let identity = context.provenance(Stage::Truth).identity();
    let seconds = context.options.checkpoint_seconds;
    let live = Live { screen: &context.screen, stage: Stage::Truth, times: &schedule.times };
    let checkpoints = TrajectoryCheckpoints { folder: &folder, identity: &identity, stop: &context.stop, seconds };
    ItemsOverThreads {
        stage: Stage::Truth,
        unit: "trajectories",
        items: input.truth_trajectories(),
        item_bytes: (schedule.kept.len() + 1) * input.truth_shape().sites() * size_of::<S::Site>(),
        at_once: 1,
    }
    .run(
        context,
        file.items(),
        |_| Ok(()),
        S::Dynamics::default,
        |dynamics, (), trajectories| {
            let trajectory = trajectories.start;
            let mut rng = stream(input.seed, Purpose::TruthEvolve, [trajectory as u64, 0]);
            let start = Start::new(input, system, trajectory).whole();
            let system = &system.at_condition(input.truth_start(trajectory).0);
            let begun = checkpoints.read(trajectory, &mut rng).unwrap_or_default();
            let mut last = Instant::now();
            let recorded = schedule.record(system, start, begun, &mut rng, dynamics, |so_far, rng| {
                live.seen::<S>(1.0, trajectory, &so_far.observables);
                checkpoints.write_if_due(trajectory, so_far, rng, &mut last)
            });
            Ok(vec![recorded?])
        },
        |items, block| file.write(items.start, &block),
    )?;
    context.world.barrier();
    if context.leads() {
        std::fs::remove_dir_all(folder).ok();
    }
    Ok(())
}
