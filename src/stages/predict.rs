//! Euler-Maruyama ensembles of the learned models from the initial states of the direct simulation (`prediction.h5`).

use crate::{
    config::Input,
    dataset::Writer,
    files::{PredictionFile, arrays::joined},
    lattice::{Region, Shape, Window},
    learning::{Closure, Feature, Rollout, Sde, sde::rollout::GROUP},
    parallel::{Alone, Decomposition, Domain, Ranks, total_over},
    sampling::intensive,
    scores::ModelKind,
    stages::{
        draws::{BLOCK_RECORDS, Drawn},
        engines::device,
        latent::latent_states,
        rollouts::Rollouts,
        starts::Start,
    },
    systems::System,
    workflow::{Context, StageError, say},
};
use hdf5::H5Type;
use ndarray::{Array2, Array3, ArrayD, ArrayView2, Axis, IxDyn, s};
use rayon::prelude::*;
use std::{convert::Infallible, ops::Range, time::Instant};
use tch::Device;

/// Bytes of records that a rank holds before it writes them.
const BLOCK_BYTES: usize = 64 << 20;
/// Most sites of a state that is built for a prediction alone.
const START_SITES: usize = 1 << 22;
/// Share of rejected steps of a reversible equation above which its dynamics are too slow to be believed.
const TOO_OFTEN: f64 = 0.1;
/// Groups of trajectories that move together on an accelerator. On a processor each group is a thread's work.
const ACCELERATOR_GROUPS: usize = 256;

/// Trajectories that one model rolls out together.
#[derive(Clone)]
struct Batch {
    kind: ModelKind,
    /// Index of the model among those of its kind, and its seed.
    model: usize,
    seed: u64,
    condition: usize,
    trajectories: Range<usize>,
    /// Stream of the noise of the first group.
    stream: [u64; 2],
    /// Indices of the groups among those of all models.
    groups: Range<usize>,
}

/// Rolls out the models (`ours_<seed>.safetensors`, ...) and writes `prediction.h5`, and `prediction_<side>.h5` for
/// each of `predict.sides`. Predicted trajectory `t * replicas + r` starts from the state of trajectory t of the truth.
/// Records are written in blocks of time, so that memory does not grow with the length of the trajectories.
///
/// # Errors
/// When a model cannot be read, or the file system fails.
pub fn predict<S: System<Site: H5Type, Feature: Feature>>(context: &Context, system: &S) -> Result<(), StageError> {
    let input = context.input;
    let step = input.predict.step;
    if let Some(longest) = input.longest_step().filter(|&longest| step > longest) {
        say(
            context,
            &format!(
                "warning: predict.step = {step} is too long. Several parts move in one lattice, and the pair of one does not \
                 feel what the others change: beyond a quarter of a pair, predictions relax too fast and fluctuate too \
                 much. Make it {longest} or less"
            ),
        )?;
    }
    let sides: Vec<Option<usize>> = input.predicted_sides().collect();
    let (how, mut sizes) = (Rollouts::of(context, &sides)?, Vec::new());
    for side in sides {
        let draws = if side.is_none() { Drawn::of(context)? } else { Drawn::default() };
        let starts = initial_states(context, system, side)?;
        let repeated: Vec<usize> =
            (0..starts.nrows() * input.predict.replicas).map(|t| t / input.predict.replicas).collect();
        let starts = starts.select(Axis(0), &repeated);
        let file = PredictionFile::create(context, side, starts.dim(), draws.draws)?;
        sizes.push(Size { side, starts, draws, file });
    }
    let (start_of_work, mut rejected) = (Instant::now(), [0.0; 2]);
    for size in &sizes {
        let shares = size.roll_out(context, &how)?;
        rejected = [rejected[0] + shares.iter().sum::<f64>(), rejected[1] + shares.len() as f64];
    }
    context.worked.set(start_of_work.elapsed().as_secs_f64());
    context.stop_together()?;
    total_over(context.world, &mut rejected);
    let share = rejected[0] / rejected[1].max(1.0);
    if share > TOO_OFTEN {
        say(
            context,
            &format!(
                "warning: {:.0} % of the steps of the reversible equations were rejected, which slows their dynamics; make \
                 predict.step smaller",
                100.0 * share
            ),
        )?;
    }
    sizes.into_iter().try_for_each(|size| size.file.finish())
}

/// A size that is predicted: that of the direct simulation, or another side.
struct Size<'c> {
    side: Option<usize>,
    /// Of all trajectories, `[trajectory, component]`.
    starts: Array2<f32>,
    draws: Drawn,
    file: PredictionFile<Writer<'c>>,
}

impl Size<'_> {
    /// Rolls out what is not written yet, until a stop is asked for. Returns the share of rejected steps of each
    /// trajectory.
    fn roll_out(&self, context: &Context, how: &Rollouts) -> Result<Vec<f64>, StageError> {
        let (groups, at_once) = match device(context)? {
            Device::Cpu => (1, rayon::current_num_threads()),
            _ => (ACCELERATOR_GROUPS, 1),
        };
        let all = groups_of_all_models(context, self.starts.nrows());
        let unwritten = self.file.pending(all.len() + self.draws.items())?;
        let (pending, of_draws) = unwritten.split_at(unwritten.partition_point(|&item| item < all.len()));
        let own = &pending[context.world.share(pending.len())];
        let batches = merged(own.iter().map(|&group| all[group].clone()), groups);
        let block =
            (BLOCK_BYTES / (size_of::<f32>() * self.starts.ncols() * GROUP * groups * at_once)).clamp(1, BLOCK_RECORDS);
        let mut progress = context.progress("predict", own.len(), "groups of trajectories");
        let mut rejected = Vec::new();
        for batches in batches.chunks(at_once) {
            if context.stop.requested() {
                break;
            }
            let Some(shares) = self.batches(context, how, batches, block)? else { break };
            rejected.extend(shares);
            let groups: Vec<Range<usize>> = batches.iter().map(|batch| batch.groups.clone()).collect();
            self.file.mark(&groups)?;
            progress.advance(groups.iter().map(Range::len).sum());
        }
        drop(progress);
        let own = &of_draws[context.world.share(of_draws.len())];
        self.draws.roll_out(context, &self.file, (how, self.starts.view()), (all.len(), own))?;
        Ok(rejected)
    }

    /// Rolls some batches out, side by side, and writes their records in blocks of at most `block`. Returns the share of
    /// rejected steps of each trajectory; `None` if a stop was asked for before the end.
    fn batches(
        &self,
        context: &Context,
        how: &Rollouts,
        batches: &[Batch],
        block: usize,
    ) -> Result<Option<Vec<f64>>, StageError> {
        let (starts, file) = (&self.starts, &self.file);
        let mut rollouts = Vec::new();
        for batch in batches {
            let initial = starts.slice(s![batch.trajectories.clone(), ..]);
            let first = initial.insert_axis(Axis(1)).insert_axis(Axis(0));
            file.write(batch.kind, [batch.model, batch.trajectories.start, 0], first)?;
            rollouts.push(batch.rollout((context, how), self.side, initial)?);
        }
        let all = context.input.truth_schedule().records();
        for record in (1..all).step_by(block) {
            if context.stop.requested() {
                return Ok(None);
            }
            let count = block.min(all - record);
            let records: Vec<_> =
                rollouts.par_iter_mut().map(|rollout| rollout.records(count)).collect::<Result<_, _>>()?;
            for (batch, records) in batches.iter().zip(records) {
                let records = records.permuted_axes([1, 0, 2]).insert_axis(Axis(0)).as_standard_layout().to_owned();
                file.write(batch.kind, [batch.model, batch.trajectories.start, record], records.view())?;
            }
        }
        for (batch, rollout) in batches.iter().zip(&rollouts) {
            let shares: Vec<f32> = rollout.share_at_walls().into_iter().map(|share| share as f32).collect();
            let shares = ArrayView2::from_shape((1, shares.len()), &shares).expect("one share a trajectory");
            file.write_at_walls(batch.kind, [batch.model, batch.trajectories.start], shares)?;
        }
        Ok(Some(rollouts.iter().flat_map(Rollout::share_rejected).collect()))
    }
}

/// Every group of trajectories on its own, model by model, condition by condition: what progress is counted in, on any
/// device.
fn groups_of_all_models(context: &Context, trajectories: usize) -> Vec<Batch> {
    let conditions = context.input.system.conditions().len();
    let under_each = trajectories / conditions;
    let groups_each = under_each.div_ceil(GROUP);
    let models = context
        .input
        .model_kinds()
        .into_iter()
        .flat_map(|kind| context.input.train.seeds.iter().enumerate().map(move |model| (kind, model)));
    let mut groups = Vec::new();
    for (stream, (kind, (model, &seed))) in models.enumerate() {
        for condition in 0..conditions {
            for group in 0..groups_each {
                let within = |group: usize| condition * under_each + (group * GROUP).min(under_each);
                groups.push(Batch {
                    kind,
                    model,
                    seed,
                    condition,
                    trajectories: within(group)..within(group + 1),
                    stream: [stream as u64, (condition * groups_each + group) as u64],
                    groups: groups.len()..groups.len() + 1,
                });
            }
        }
    }
    groups
}

/// Batches of at most `most` groups that follow each other and have one equation.
fn merged(groups: impl Iterator<Item = Batch>, most: usize) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for group in groups {
        match batches.last_mut() {
            Some(last)
                if last.groups.len() < most
                    && last.groups.end == group.groups.start
                    && (last.stream[0], last.condition) == (group.stream[0], group.condition) =>
            {
                last.groups.end = group.groups.end;
                last.trajectories.end = group.trajectories.end;
            }
            _ => batches.push(group),
        }
    }
    batches
}

impl Batch {
    /// The model under its condition, about to leave the `initial` states of a system with this side.
    fn rollout(
        &self,
        (context, how): (&Context, &Rollouts),
        side: Option<usize>,
        initial: ArrayView2<f32>,
    ) -> Result<Rollout<Sde>, StageError> {
        let (input, device) = (context.input, device(context)?);
        let mut model = Sde::load(&context.path(&self.kind.file(self.seed)), device)?;
        if input.system.is_family() {
            model = model.at_condition(&input.system.conditions()[self.condition].0)?;
        }
        how.start((input, side), (self.kind, model), self.condition, initial, self.stream)
    }
}

/// Latent states in which the trajectories of the direct simulation start, or trajectories of systems with another side.
/// Of a system that is too large to be built they are those of a smaller one, with deviations from the mean of their
/// start as small as the larger number of sites makes them.
fn initial_states<S: System<Site: H5Type, Feature: Feature>>(
    context: &Context,
    system: &S,
    side: Option<usize>,
) -> Result<Array2<f32>, StageError> {
    let input = context.input;
    let shape = side.map_or(input.truth_shape(), |side| largest_built(input, side));
    let tile = input.truth_tile().filter(|_| side.is_none());
    let closure = Closure::load(&context.path("closure.safetensors"), device(context)?)?;
    let mut window: Option<Window<S::Site>> = None;
    let trajectories = input.truth_trajectories();
    let (mut sites, mut observables) = (Vec::new(), Vec::new());
    for trajectory in 0..trajectories {
        let system = &system.at_condition(input.truth_start(trajectory).0);
        let start = Start::of_shape(input, system, trajectory, (shape, tile.unwrap_or(shape)));
        if let Some(tile) = tile.filter(|_| closure.variables() == 0) {
            observables.push(observed_in_tiles(context, system, &start, tile)?);
            continue;
        }
        let lattice = start.whole();
        let window = window.get_or_insert_with(|| S::closed_window(shape));
        window.load(&lattice, [0; 3]);
        observables.push(intensive(system, window));
        if closure.variables() > 0 {
            sites.push(lattice.sites);
        }
    }
    let observables = Array3::from_shape_vec((trajectories, 1, S::OBSERVABLES.len()), joined(&observables))
        .expect("one row of observables a trajectory");
    let sites =
        || Ok(ArrayD::from_shape_vec(IxDyn(&[trajectories, shape.sites()]), joined(&sites)).expect("whole lattices"));
    let mut states =
        latent_states(context, (system, &closure), (observables, shape), sites)?.index_axis_move(Axis(1), 0);
    if let Some(side) = side {
        let narrower = (shape.sites() as f64 / input.system.shape(side).sites() as f64).sqrt() as f32;
        for mut alike in states.axis_chunks_iter_mut(Axis(0), input.truth.trajectories) {
            let mean = alike.mean_axis(Axis(0)).expect("a start has trajectories");
            alike.zip_mut_with(&mean, |state, mean| *state = mean + narrower * (*state - mean));
        }
    }
    Ok(states)
}

/// The shape of a system with this side, or of the largest smaller one whose states may be built.
fn largest_built(input: &Input, side: usize) -> Shape {
    let halved = |side: &usize| Some((side / 2).next_multiple_of(input.lattice.patch)).filter(|half| half < side);
    let shapes = std::iter::successors(Some(side), halved).map(|side| input.system.shape(side));
    let built = |shape: &Shape| shape.sites() <= START_SITES;
    shapes.clone().find(built).or(shapes.last()).expect("there is one side at least")
}

/// The observables of an initial state, per site, of which every rank draws its share. Collective.
fn observed_in_tiles<S: System>(
    context: &Context,
    system: &S,
    start: &Start<S::Site>,
    tile: Shape,
) -> Result<Vec<f64>, StageError> {
    let (shape, world) = (context.input.truth_shape(), context.world);
    let shared = Decomposition::new(shape, tile, world.size()).map(|shared| (shared, world as &dyn Ranks));
    let (decomposition, ranks) =
        shared.or_else(|_| Decomposition::new(shape, tile, 1).map(|one| (one, &Alone as _)))?;
    let mut domain = Domain::new(decomposition.bounded(S::BOUNDARY), ranks.rank(), S::REACH);
    let Ok(()) = domain.fill(|origin, shape| Ok::<_, Infallible>(start.part(origin, shape)));
    domain.share_edges(ranks);
    let observe = |window: &_| system.observe(window, Region::BOX);
    let sums = domain.sum_over_tiles(ranks, (S::REACH, S::OBSERVABLES.len()), observe);
    Ok(sums.into_iter().map(|sum| sum / shape.sites() as f64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Models 0 and 1 with five groups each, one condition; group 3 is written.
    #[test]
    fn batches_join_groups_that_follow_each_other_of_one_model() {
        let group = |group: usize| Batch {
            kind: ModelKind::Ours,
            model: group / 5,
            seed: 1,
            condition: 0,
            trajectories: group % 5 * GROUP..(group % 5 + 1) * GROUP,
            stream: [(group / 5) as u64, (group % 5) as u64],
            groups: group..group + 1,
        };
        let pending = || (0..10).filter(|&group| group != 3).map(group);
        let found = |most| merged(pending(), most).iter().map(|batch| batch.groups.clone()).collect::<Vec<_>>();
        assert_eq!(found(1).len(), 9);
        assert_eq!(found(2), [0..2, 2..3, 4..5, 5..7, 7..9, 9..10]);
        assert_eq!(found(256), [0..3, 4..5, 5..10]);
        let last = &merged(pending(), 256)[2];
        assert_eq!((last.trajectories.clone(), last.stream), (0..5 * GROUP, [1, 0]));
    }
}
