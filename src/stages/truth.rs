//! Direct simulation of the large system from given starts, for comparison only (`truth.h5`).
//!
//! Without a tile each trajectory is one window, exact, and trajectories are shared out; a long one is kept between its records.
//! With `truth.tile` the lattice advances by coloured sweeps, and a team of ranks shares each trajectory.

use crate::{
    dataset::Writer,
    files::{
        arrays::shaped, blocks::write_block, checkpoints::Checkpoints, conditions, records::Records,
        unfinished::Unfinished,
    },
    lattice::{Region, Shape},
    parallel::{Decomposition, Ranks, Sweeps, World},
    rng::{Purpose, stream},
    stages::starts::start,
    systems::System,
    workflow::{
        Context, Stage, StageError,
        items::{Teamwork, Work, complete},
        say,
    },
};
use hdf5::H5Type;
use std::time::Instant;

/// Runs the stage. Trajectory number `(condition * starts + start) * trajectories + i` is the i-th from `truth.starts[start]`
/// under that condition.
///
/// # Errors
/// When the kernel or the file system fails, or a clean stop is asked for.
pub fn truth<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let (shape, choices) = (context.input.truth_shape(), &context.input.truth);
    let trajectories = context.input.truth_trajectories();
    let records = Records { trajectories, records: choices.records, first: 0.0, interval: choices.interval, shape };
    let mut file = context.create(Stage::Truth, "truth.h5")?;
    if !file.resumed() {
        // States that an earlier file's trajectories left: this one lacks their records.
        if context.leads() {
            std::fs::remove_dir_all(context.path(CHECKPOINTS)).ok();
        }
        context.world.barrier();
    }
    records.declare::<S>(&mut file)?;
    conditions::declare(&mut file, context.input, "trajectory", trajectories)?;
    match context.input.truth_tile() {
        Some(tile) => in_tiles(context, system, &records, &mut file, tile)?,
        None => whole(context, system, &records, &mut file)?,
    }
    Ok(file.finish()?)
}

/// Each trajectory as one window, exact.
fn whole<S: System<Site: H5Type>>(
    context: &Context,
    system: &S,
    records: &Records,
    file: &mut Writer,
) -> Result<(), StageError> {
    let input = context.input;
    let folder = context.path(CHECKPOINTS);
    let fingerprint = context.provenance(Stage::Truth).fingerprint;
    let seconds = context.options.checkpoint_seconds;
    let unfinished = Unfinished { folder: &folder, fingerprint: &fingerprint, stop: &context.stop, seconds };
    Work {
        stage: Stage::Truth,
        unit: "trajectories",
        items: records.trajectories,
        item_bytes: records.trajectory_bytes::<S>(),
    }
    .share_out(
        context,
        file,
        |_| Ok(()),
        S::Dynamics::default,
        |dynamics, (), trajectory| {
            let mut rng = stream(input.seed, Purpose::TruthEvolve, [trajectory as u64, 0]);
            let start = start(input, system, trajectory);
            let system = &system.at_condition(input.truth_start(trajectory).0);
            let begun = unfinished.read(trajectory, &mut rng);
            let mut last = Instant::now();
            records.record(system, start, begun, &mut rng, dynamics, |so_far, rng| {
                unfinished.keep(trajectory, so_far, rng, &mut last)
            })
        },
        |file, items, block| {
            let numbers = items.clone().map(|trajectory| input.truth_start(trajectory).0);
            conditions::write(file, input, items.start, numbers)?;
            records.write::<S>(file, items.start, &block)
        },
    )?;
    context.world.barrier();
    if context.leads() {
        std::fs::remove_dir_all(folder).ok();
    }
    Ok(())
}

/// What the first rank of a team decides between sweeps.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    GoOn,
    Checkpoint,
    Stop,
}

/// Each trajectory by sweeps over tiles, shared by a team of ranks.
fn in_tiles<S: System<Site: H5Type>>(
    context: &Context,
    system: &S,
    records: &Records,
    file: &mut Writer,
    tile: Shape,
) -> Result<(), StageError> {
    if context.leads() {
        records.write_times(file)?;
        let numbers = (0..records.trajectories).map(|trajectory| context.input.truth_start(trajectory).0);
        conditions::write(file, context.input, 0, numbers)?;
    }
    Teamwork { stage: Stage::Truth, unit: "trajectories", items: records.trajectories }.share_out(
        context,
        file,
        |file, team, trajectory| {
            let system = &system.at_condition(context.input.truth_start(trajectory).0);
            Run { context, system, records, file, team, tile, trajectory }.simulate()
        },
    )?;
    if context.leads() {
        std::fs::remove_dir(context.path(CHECKPOINTS)).ok();
    }
    Ok(())
}

const CHECKPOINTS: &str = "truth.checkpoints";

/// One trajectory on one team.
struct Run<'a, S> {
    context: &'a Context<'a>,
    system: &'a S,
    records: &'a Records,
    file: &'a Writer<'a>,
    team: &'a World,
    tile: Shape,
    trajectory: usize,
}

impl<S: System<Site: H5Type>> Run<'_, S> {
    /// Simulates the trajectory, from its last checkpoint if there is one, to its end or up to a clean stop.
    fn simulate(&self) -> Result<(), StageError> {
        let (context, input, team) = (self.context, self.context.input, self.team);
        let provenance = context.provenance(Stage::Truth);
        let checkpoints = Checkpoints::new(&context.path(CHECKPOINTS), self.trajectory, team, &provenance);
        let (per_record, quantum) = input.sweeps_per_record(self.system.synchronous_step());
        let decomposition = Decomposition::new(self.records.shape, self.tile, team.size())?;
        let warn = |text: &str| {
            if team.rank() == 0 {
                say_aloud(context, &format!("checkpoint {text}; it is not used"));
            }
        };
        let (lattice, mut sweep) = checkpoints
            .read(&decomposition.tiling, self.records.shape, warn)
            .unwrap_or_else(|| (start(input, self.system, self.trajectory), 0));
        let mut sweeps = Sweeps::<S, S::Dynamics>::new(self.system, &lattice, self.tile, quantum, team)?;
        drop(lattice);
        if sweep == 0 {
            self.record(&sweeps, 0)?;
        }
        let mut last = Instant::now();
        for record in sweep / per_record + 1..self.records.records as u64 {
            while sweep < record * per_record {
                sweeps.advance(self.system, team, (input.seed, self.trajectory as u64), sweep..sweep + 1)?;
                sweep += 1;
                if sweep == record * per_record {
                    self.record(&sweeps, record as usize)?;
                }
                let order = self.order(last);
                if order != Order::GoOn {
                    checkpoints.write(sweeps.domain(), sweep)?;
                    last = Instant::now();
                }
                if order == Order::Stop {
                    return Ok(());
                }
            }
        }
        complete(self.file, team, self.trajectory)?;
        checkpoints.remove();
        Ok(())
    }

    /// The first rank looks at the clock and at requests to stop, and decides for the team.
    fn order(&self, last: Instant) -> Order {
        let stop = self.context.stop.requested();
        let due = last.elapsed().as_secs_f64() >= self.context.options.checkpoint_seconds;
        let mut order = [if stop { 2 } else { u8::from(due) }];
        self.team.broadcast(&mut order);
        [Order::GoOn, Order::Checkpoint, Order::Stop][usize::from(order[0])]
    }

    /// Writes the state as record number `record`. Collective in the team.
    fn record(&self, sweeps: &Sweeps<S, S::Dynamics>, record: usize) -> Result<(), StageError> {
        let domain = sweeps.domain();
        let count = S::OBSERVABLES.len();
        let observe = |window: &_| self.system.observe(window, Region::BOX);
        let mut observables = domain.sum_over_tiles(self.team, (S::REACH, count), observe);
        observables.iter_mut().for_each(|sum| *sum /= self.records.shape.sites() as f64);
        if self.team.rank() == 0 {
            self.file.write_at("observables", &[self.trajectory, record], shaped(&[1, 1, count], &observables))?;
        }
        write_block(self.file, (self.context.world, self.team), "snapshots", &[self.trajectory, record], domain)
    }
}

/// A line for the user, whatever the rank; the run goes on if the log cannot be written.
fn say_aloud(context: &Context, text: &str) {
    if say(context, text).is_err() || !context.leads() {
        eprintln!("tessera: {text}");
    }
}
