//! Direct simulation of the large system from given starts, for comparison only (`truth.h5`).
//!
//! Without a tile each trajectory is one window, exact, and the ranks share the trajectories; a long one is kept
//! between its records. With `truth.tile` the lattice advances by coloured sweeps, and a team of ranks shares each
//! trajectory.

use crate::{
    config::{Input, Kernel, LANES},
    dataset::Writer,
    dynamics::{InLanes, Until},
    files::{
        SweepCheckpoints, TrajectoryCheckpoints, TruthFile,
        truth::{Truth, schedule},
    },
    lattice::{Region, Shape},
    parallel::{Decomposition, Ranks, Sweeps, World, tiles_in_lanes},
    rng::{Purpose, stream},
    sampling::Schedule,
    stages::{health::look_at_trajectories, starts::start, words::announce},
    systems::System,
    workflow::{
        Context, Stage, StageError,
        items::{ItemsOverTeams, ItemsOverThreads, complete},
        say,
    },
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
    let starts = context.input.truth.starts.len().min(LANES);
    let lanes = match context.input.truth_tile() {
        Some(tile) => sweeps_in_lanes(context.input, system, tile),
        None => context.input.truth_in_lanes().then_some(starts),
    };
    announce(context, Stage::Truth, lanes)?;
    let file = TruthFile::create::<S>(context)?;
    if !file.items().resumed() {
        // States that an earlier file's trajectories left: this one lacks their records.
        if context.leads() {
            std::fs::remove_dir_all(context.path(CHECKPOINTS)).ok();
        }
        context.world.barrier();
    }
    match context.input.truth_tile() {
        Some(tile) => by_sweeps(context, system, &file, tile)?,
        None if context.input.truth_in_lanes() => by_words_of_starts(context, system, &file)?,
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
    let (input, schedule) = (context.input, schedule(context.input));
    let (starts, repeats) = (input.truth.starts.len(), input.truth.trajectories);
    ItemsOverThreads {
        stage: Stage::Truth,
        unit: "words of trajectories",
        items: input.system.conditions().len() * repeats,
        item_bytes: starts * schedule.records() * input.truth_shape().sites() * size_of::<S::Site>(),
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
            let mut recorded = Vec::new();
            for trajectories in trajectories.chunks(LANES) {
                let starts: Vec<_> = trajectories.iter().map(|&trajectory| start(input, system, trajectory)).collect();
                let mut rng = stream(input.seed, Purpose::TruthEvolve, [trajectories[0] as u64, 0]);
                recorded.extend(schedule.record_in_lanes(system, &law, &starts, &mut rng)?);
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
    let (input, schedule) = (context.input, schedule(context.input));
    let folder = context.path(CHECKPOINTS);
    let identity = context.provenance(Stage::Truth).identity();
    let seconds = context.options.checkpoint_seconds;
    let checkpoints = TrajectoryCheckpoints { folder: &folder, identity: &identity, stop: &context.stop, seconds };
    ItemsOverThreads {
        stage: Stage::Truth,
        unit: "trajectories",
        items: input.truth_trajectories(),
        item_bytes: schedule.records() * input.truth_shape().sites() * size_of::<S::Site>(),
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
            let start = start(input, system, trajectory);
            let system = &system.at_condition(input.truth_start(trajectory).0);
            let begun = checkpoints.read(trajectory, &mut rng).unwrap_or_default();
            let mut last = Instant::now();
            let recorded = schedule.record(system, start, begun, &mut rng, dynamics, |so_far, rng| {
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

/// The most tiles that evolve together in the lanes of words, where the input asks for lanes: tiles of one lattice that
/// share a word make its early fluctuations too large, which no input should get unasked.
fn sweeps_in_lanes<S: System>(input: &Input, system: &S, tile: Shape) -> Option<usize> {
    let allowed = input.kernel == Kernel::Lanes && input.in_lanes(tile, Until::Time(input.truth.interval));
    tiles_in_lanes(system, input.truth_shape(), tile).filter(|_| allowed)
}

/// Each trajectory by sweeps over tiles, shared by a team of ranks.
fn by_sweeps<S: System<Site: H5Type>>(
    context: &Context,
    system: &S,
    file: &TruthFile<Writer>,
    tile: Shape,
) -> Result<(), StageError> {
    let (input, schedule) = (context.input, schedule(context.input));
    let items = ItemsOverTeams { stage: Stage::Truth, unit: "trajectories", items: input.truth_trajectories() };
    items.run(context, file.items(), |team, trajectory| {
        let system = &system.at_condition(input.truth_start(trajectory).0);
        SharedTrajectory { context, system, schedule: &schedule, file, team, tile, trajectory }.simulate()
    })?;
    if context.leads() {
        std::fs::remove_dir(context.path(CHECKPOINTS)).ok();
    }
    Ok(())
}

/// What the first rank of a team decides between sweeps.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Continue,
    Checkpoint,
    Stop,
}

/// One trajectory on one team.
struct SharedTrajectory<'a, S> {
    context: &'a Context<'a>,
    system: &'a S,
    schedule: &'a Schedule,
    file: &'a TruthFile<'a, Writer<'a>>,
    team: &'a World,
    tile: Shape,
    trajectory: usize,
}

impl<S: System<Site: H5Type>> SharedTrajectory<'_, S> {
    /// Simulates the trajectory, from its last checkpoint if there is one, to its end or up to a clean stop.
    fn simulate(&self) -> Result<(), StageError> {
        let (context, input, team) = (self.context, self.context.input, self.team);
        let provenance = context.provenance(Stage::Truth);
        let checkpoints = SweepCheckpoints::new(&context.path(CHECKPOINTS), self.trajectory, team, &provenance);
        let (per_record, quantum) = input.sweeps_per_record(self.system.synchronous_step());
        let decomposition = Decomposition::new(input.truth_shape(), self.tile, team.size())?;
        let warn = |text: &str| {
            if team.rank() == 0 {
                warn_user(context, text);
            }
        };
        let (lattice, mut sweep) = checkpoints
            .read(&decomposition.tiling, input.truth_shape(), warn)
            .unwrap_or_else(|| (start(input, self.system, self.trajectory), 0));
        let sweeps = match sweeps_in_lanes(input, self.system, self.tile) {
            Some(_) => Sweeps::<S, S::Dynamics>::in_lanes,
            None => Sweeps::new,
        };
        let mut sweeps = sweeps(self.system, &lattice, self.tile, quantum, team)?;
        drop(lattice);
        if sweep == 0 {
            self.record(&sweeps, 0)?;
        }
        let mut last = Instant::now();
        for record in sweep / per_record + 1..self.schedule.records() as u64 {
            while sweep < record * per_record {
                sweeps.advance(self.system, team, (input.seed, self.trajectory as u64), sweep..sweep + 1)?;
                sweep += 1;
                if sweep == record * per_record {
                    self.record(&sweeps, record as usize)?;
                }
                let order = self.order(last);
                if order != Order::Continue {
                    checkpoints.write(sweeps.domain(), sweep)?;
                    last = Instant::now();
                }
                if order == Order::Stop {
                    return Ok(());
                }
            }
        }
        complete(self.file.items(), team, self.trajectory)?;
        checkpoints.remove();
        Ok(())
    }

    /// The first rank looks at the clock and at requests to stop, and decides for the team.
    fn order(&self, last: Instant) -> Order {
        let stop = self.context.stop.requested();
        let due = last.elapsed().as_secs_f64() >= self.context.options.checkpoint_seconds;
        let mut order = [if stop { 2 } else { u8::from(due) }];
        self.team.broadcast(&mut order);
        [Order::Continue, Order::Checkpoint, Order::Stop][usize::from(order[0])]
    }

    /// Writes the state as the record with this index. Collective in the team.
    fn record(&self, sweeps: &Sweeps<S, S::Dynamics>, record: usize) -> Result<(), StageError> {
        let domain = sweeps.domain();
        let observe = |window: &_| self.system.observe(window, Region::BOX);
        let mut observables = domain.sum_over_tiles(self.team, (S::REACH, S::OBSERVABLES.len()), observe);
        let sites = domain.decomposition().lattice.sites() as f64;
        observables.iter_mut().for_each(|sum| *sum /= sites);
        self.file.write_shared((self.context.world, self.team), &[self.trajectory, record], domain, &observables)
    }
}

/// A line for the user, whatever the rank; the run continues if the log cannot be written.
fn warn_user(context: &Context, text: &str) {
    if say(context, text).is_err() || !context.leads() {
        eprintln!("tessera: {text}");
    }
}
