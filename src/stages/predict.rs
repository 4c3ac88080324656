//! Euler-Maruyama ensembles of the learned models from the initial states of the direct simulation (`prediction.h5`).

use crate::{
    dataset::Writer,
    files::{PredictionFile, arrays::joined},
    lattice::{Region, Shape, Window},
    learning::{Closure, Feature, Rollout, Sde, sde::rollout::GROUP},
    parallel::{Alone, Decomposition, Domain, Ranks, total_over},
    sampling::intensive,
    scores::ModelKind,
    stages::{
        draws::{Drawn, noise_seed},
        engines::device,
        latent::latent_states,
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
    condition: Option<f64>,
    trajectories: Range<usize>,
    /// Stream of the noise of the first group.
    stream: [u64; 2],
    /// Indices of the groups among those of all models.
    groups: Range<usize>,
}

/// Rolls out the models (`ours_<seed>.safetensors`, ...) and writes `prediction.h5`. Predicted trajectory
/// `t * replicas + r` starts from the state of trajectory t of the truth. Records are written in blocks of time, so that
/// memory does not grow with the length of the trajectories.
///
/// # Errors
/// When a model cannot be read, or the file system fails.
pub fn predict<S: System<Site: H5Type, Feature: Feature>>(context: &Context, system: &S) -> Result<(), StageError> {
    let (input, device) = (context.input, device(context)?);
    let starts = initial_states(context, system)?;
    let repeated: Vec<usize> =
        (0..starts.nrows() * input.predict.replicas).map(|t| t / input.predict.replicas).collect();
    let starts = starts.select(Axis(0), &repeated);
    let components = starts.ncols();
    let drawn = Drawn::of(context)?;
    let file = PredictionFile::create(context, starts.dim(), drawn.draws)?;
    let (groups, at_once) =
        if device == Device::Cpu { (1, rayon::current_num_threads()) } else { (ACCELERATOR_GROUPS, 1) };
    let all = groups_of_all_models(context, starts.nrows());
    let unwritten = file.pending(all.len() + drawn.items())?;
    let (pending, of_draws) = unwritten.split_at(unwritten.partition_point(|&item| item < all.len()));
    let own = &pending[context.world.share(pending.len())];
    let batches = merged(own.iter().map(|&group| all[group].clone()), groups);
    let block = (BLOCK_BYTES / (size_of::<f32>() * components * GROUP * groups * at_once)).max(1);
    let (start_of_work, mut rejected) = (Instant::now(), [0.0; 2]);
    let mut progress = context.progress("predict", own.len(), "groups of trajectories");
    for batches in batches.chunks(at_once) {
        if context.stop.requested() {
            break;
        }
        let shares = roll_out(context, &file, batches, starts.view(), block)?;
        rejected = [rejected[0] + shares.iter().sum::<f64>(), rejected[1] + shares.len() as f64];
        let groups: Vec<Range<usize>> = batches.iter().map(|batch| batch.groups.clone()).collect();
        file.mark(&groups)?;
        progress.advance(groups.iter().map(Range::len).sum());
    }
    drop(progress);
    drawn.roll_out(context, &file, starts.view(), (all.len(), &of_draws[context.world.share(of_draws.len())]))?;
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
    file.finish()
}

/// Rolls some batches out, side by side, and writes their records in blocks of at most `block`. `starts` are those of
/// all trajectories. Returns the share of rejected steps of each trajectory.
fn roll_out(
    context: &Context,
    file: &PredictionFile<Writer>,
    batches: &[Batch],
    starts: ArrayView2<f32>,
    block: usize,
) -> Result<Vec<f64>, StageError> {
    let mut rollouts = Vec::new();
    for batch in batches {
        let initial = starts.slice(s![batch.trajectories.clone(), ..]);
        let first = initial.insert_axis(Axis(1)).insert_axis(Axis(0));
        file.write(batch.kind, [batch.model, batch.trajectories.start, 0], first)?;
        rollouts.push(batch.rollout(context, initial)?);
    }
    let all = context.input.truth_schedule().records();
    for record in (1..all).step_by(block) {
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
    Ok(rollouts.iter().flat_map(Rollout::share_rejected).collect())
}

/// Every group of trajectories on its own, model by model, condition by condition: what progress is counted in, on any
/// device.
fn groups_of_all_models(context: &Context, trajectories: usize) -> Vec<Batch> {
    let family = context.input.system.is_family();
    let conditions: Vec<Option<f64>> =
        context.input.system.conditions().iter().map(|&condition| family.then_some(condition)).collect();
    let under_each = trajectories / conditions.len();
    let groups_each = under_each.div_ceil(GROUP);
    let models = context
        .input
        .model_kinds()
        .into_iter()
        .flat_map(|kind| context.input.train.seeds.iter().enumerate().map(move |model| (kind, model)));
    let mut groups = Vec::new();
    for (stream, (kind, (model, &seed))) in models.enumerate() {
        for (index, &condition) in conditions.iter().enumerate() {
            for group in 0..groups_each {
                let within = |group: usize| index * under_each + (group * GROUP).min(under_each);
                groups.push(Batch {
                    kind,
                    model,
                    seed,
                    condition,
                    trajectories: within(group)..within(group + 1),
                    stream: [stream as u64, (index * groups_each + group) as u64],
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
    /// The model under its condition, about to leave the `initial` states.
    fn rollout(&self, context: &Context, initial: ArrayView2<f32>) -> Result<Rollout<Sde>, StageError> {
        let (input, device) = (context.input, device(context)?);
        let mut model = Sde::load(&context.path(&self.kind.file(self.seed)), device)?;
        if let Some(condition) = self.condition {
            model = model.at_condition(condition)?;
        }
        let later = input.truth_schedule().times.split_off(1);
        Ok(Rollout::new(model, initial, input.predict.step, later, noise_seed(input), self.stream)?
            .of_size(input.size_ratio()))
    }
}

/// Latent states in which the trajectories of the direct simulation start.
fn initial_states<S: System<Site: H5Type, Feature: Feature>>(
    context: &Context,
    system: &S,
) -> Result<Array2<f32>, StageError> {
    let (input, shape) = (context.input, context.input.truth_shape());
    let closure = Closure::load(&context.path("closure.safetensors"), device(context)?)?;
    let mut window: Option<Window<S::Site>> = None;
    let trajectories = input.truth_trajectories();
    let (mut sites, mut observables) = (Vec::new(), Vec::new());
    for trajectory in 0..trajectories {
        let system = &system.at_condition(input.truth_start(trajectory).0);
        let start = Start::new(input, system, trajectory);
        if let Some(tile) = input.truth_tile().filter(|_| closure.variables() == 0) {
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
    let states = latent_states(context, (system, &closure), observables, sites)?;
    Ok(states.index_axis_move(Axis(1), 0))
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
            condition: None,
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
