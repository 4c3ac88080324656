//! Direct simulation by coloured sweeps over tiles, which a team of ranks shares: one trajectory at a time, or those
//! from different starts in the lanes of a word.

use crate::{
    config::{Input, Kernel},
    dataset::Writer,
    dynamics::{Dynamics, InLanes, Lanes, Law, Until, Word},
    files::{SweepCheckpoints, TruthFile},
    lattice::{Region, Shape, Window},
    parallel::{DecompositionError, Domain, Ranks, Sweeps, World, tiles_in_lanes},
    stages::{
        live::Live,
        starts::Start,
        watch::{Order, Watch},
    },
    systems::System,
    workflow::{
        Context, Stage, StageError,
        items::{ItemsOverTeams, complete},
        say,
    },
};
use hdf5::H5Type;
use std::path::Path;

/// The most tiles of one lattice that evolve together in the lanes of words, where the input asks for lanes and does not
/// fill them with trajectories: tiles of one lattice that share a word make its early fluctuations too large, which no
/// input should get unasked.
pub fn tiles_together<S: System>(input: &Input, system: &S, tile: Shape) -> Option<usize> {
    let allowed = input.kernel == Kernel::Lanes && input.in_lanes(tile, Until::Time(input.truth.interval));
    tiles_in_lanes(system, input.truth_shape(), tile).filter(|_| allowed && !input.truth_in_lanes())
}

/// Simulates what `file` lacks. Checkpoints are in `folder` meanwhile.
///
/// # Errors
/// When the kernel or the file system fails, or a clean stop is asked for.
pub fn by_sweeps<S: System<Site: H5Type>>(
    context: &Context,
    system: &S,
    file: &TruthFile<Writer>,
    (tile, folder): (Shape, &Path),
) -> Result<(), StageError> {
    let input = context.input;
    let in_words = input.truth_in_lanes();
    let (unit, items) = match in_words {
        true => ("words of trajectories", input.truth_words()),
        false => ("trajectories", input.truth_trajectories()),
    };
    ItemsOverTeams { stage: Stage::Truth, unit, items }.run(context, file.items(), |team, item| {
        let trajectories = if in_words { input.trajectories_of_word(item).collect() } else { vec![item] };
        let system = &system.at_condition(input.truth_start(trajectories[0]).0);
        let shared = Shared { context, system, file, team, tile, folder, item, trajectories };
        match InLanes::<S, 1>::new(system).filter(|_| in_words) {
            Some(law) => shared.in_lanes(&law),
            None => shared.alone(),
        }
    })?;
    if context.leads() {
        std::fs::remove_dir(folder).ok();
    }
    Ok(())
}

/// How a lattice is divided.
type Divide<L, D> = fn(&L, Shape, Shape, f64, &dyn Ranks) -> Result<Sweeps<L, D>, DecompositionError>;

/// One item on one team: a trajectory, or several in lanes.
struct Shared<'a, S> {
    context: &'a Context<'a>,
    system: &'a S,
    file: &'a TruthFile<'a, Writer<'a>>,
    team: &'a World,
    tile: Shape,
    folder: &'a Path,
    item: usize,
    trajectories: Vec<usize>,
}

impl<S: System<Site: H5Type>> Shared<'_, S> {
    /// One trajectory.
    fn alone(&self) -> Result<(), StageError> {
        let (input, system, trajectory) = (self.context.input, self.system, self.trajectories[0]);
        let divide: Divide<S, S::Dynamics> = match tiles_together(input, system, self.tile) {
            Some(_) => Sweeps::in_lanes,
            None => Sweeps::new,
        };
        let start = Start::new(input, system, trajectory);
        self.simulate(
            system,
            divide,
            |origin, shape| start.part(origin, shape),
            |domain, record| {
                let observe = |window: &_| system.observe(window, Region::BOX);
                let sums = domain.sum_over_tiles(self.team, (S::REACH, S::OBSERVABLES.len()), observe);
                self.record(record, domain.block(), &domain.sites(), &sums)
            },
        )
    }

    /// Trajectories in lanes. Those of one word are from different starts, so that those from one start are independent.
    fn in_lanes(&self, law: &InLanes<S, 1>) -> Result<(), StageError> {
        let (input, system, lanes) = (self.context.input, self.system, self.trajectories.len());
        let tile = self.tile;
        let start = |&trajectory: &usize| Start::new(input, system, trajectory);
        let starts: Vec<Start<S::Site>> = self.trajectories.iter().map(start).collect();
        let begin = |origin, shape| {
            let parts: Vec<Vec<S::Site>> = starts.iter().map(|start| start.part(origin, shape)).collect();
            law.pack(shape, &parts.iter().map(|part| &part[..]).collect::<Vec<_>>()).sites
        };
        let observe = |words: &Window<Word<1>>| {
            let mut window = S::open_window(tile, S::REACH);
            let sites = law.unpack(words.values(), lanes);
            let of_lane = |sites: &[S::Site]| {
                window.fill(sites);
                system.observe(&window, Region::BOX)
            };
            sites.chunks_exact(words.values().len()).flat_map(of_lane).collect()
        };
        self.simulate(law, Sweeps::<_, Lanes>::new, begin, |domain, record| {
            let sums = domain.sum_over_tiles(self.team, (S::REACH, lanes * S::OBSERVABLES.len()), observe);
            self.record(record, domain.block(), &law.unpack(&domain.sites(), lanes), &sums)
        })
    }

    /// Advances from the last checkpoint if there is one, otherwise from the state that `begin` returns, to the end or
    /// up to a clean stop.
    fn simulate<L: Law, D: Dynamics<L> + Default + Send>(
        &self,
        law: &L,
        divide: Divide<L, D>,
        begin: impl FnMut([usize; 3], Shape) -> Vec<L::Site>,
        record: impl Fn(&Domain<L::Site>, usize) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let (context, input, team) = (self.context, self.context.input, self.team);
        let (provenance, stream) = (context.provenance(Stage::Truth), (input.seed, self.trajectories[0] as u64));
        let checkpoints = SweepCheckpoints::new(self.folder, self.item, team, &provenance);
        let (_, quantum) = input.sweeps_per_record(law.synchronous_step());
        let sweep_of = |time: f64| (time / quantum).round() as u64;
        let warn = |text: &str| {
            if team.rank() == 0 {
                warn_user(context, text);
            }
        };
        let mut sweeps = divide(law, input.truth_shape(), self.tile, quantum, team)?;
        let mut sweep = checkpoints.read(&mut sweeps, warn).unwrap_or(0);
        if sweep == 0 {
            sweeps.start(team, begin);
            record(sweeps.domain(), 0)?;
        }
        let mut watch = Watch::new(&context.stop, context.options.checkpoint_seconds);
        let schedule = input.truth_schedule();
        let sweeps_in_all = schedule.times.last().map_or(1, |&time| sweep_of(time)).max(1) as f64;
        context.screen.part(sweep as f64 / sweeps_in_all);
        for (next, last_sweep) in schedule.times.into_iter().map(sweep_of).enumerate().skip(1) {
            while sweep < last_sweep {
                sweeps.advance(law, team, stream, sweep..sweep + 1)?;
                sweep += 1;
                context.screen.part(1.0 / sweeps_in_all);
                if sweep == last_sweep {
                    record(sweeps.domain(), next)?;
                }
                let order = watch.look(team);
                if order != Order::Continue {
                    checkpoints.write(sweeps.domain(), sweep)?;
                    watch.restart();
                }
                if order == Order::Stop {
                    return Ok(());
                }
            }
        }
        complete(self.file.items(), team, self.item)?;
        checkpoints.remove();
        Ok(())
    }

    /// Writes the record with this index of each trajectory: this rank's block of sites, one trajectory after another,
    /// and the sums of the observables. Collective in the team.
    fn record(
        &self,
        record: usize,
        block: ([usize; 3], Shape),
        sites: &[S::Site],
        sums: &[f64],
    ) -> Result<(), StageError> {
        let ranks = (self.context.world, self.team);
        let all = self.context.input.truth_shape().sites() as f64;
        let observables: Vec<f64> = sums.iter().map(|sum| sum / all).collect();
        let times = [self.context.input.truth_schedule().times[record]];
        let live = Live { screen: &self.context.screen, stage: Stage::Truth, times: &times };
        live.show::<S>(self.trajectories[0], &observables[..S::OBSERVABLES.len()]);
        let each = observables.chunks_exact(S::OBSERVABLES.len()).zip(sites.chunks_exact(block.1.sites()));
        for (&trajectory, (observables, sites)) in self.trajectories.iter().zip(each) {
            self.file.write_shared(ranks, &[trajectory, record], block, sites, observables)?;
        }
        Ok(())
    }
}

/// A line for the user, whatever the rank; the run continues if the log cannot be written.
fn warn_user(context: &Context, text: &str) {
    if say(context, text).is_err() || !context.leads() {
        eprintln!("tessera: {text}");
    }
}
