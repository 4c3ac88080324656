//! D: large snapshots from small ones by Upsample and LocalRelax, level by level (Algorithm 1; `large.h5`).

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    files::{
        arrays::{joined, shaped},
        blocks::write_block,
        conditions,
        records::{mean_over_patches, names_of_observables, spatial_axes},
    },
    lattice::{Cover, Lattice, Region, Shape},
    parallel::{Decomposition, DecompositionError, Domain, Ranks, Workers, World},
    rng::{Purpose, stream},
    sampling::{LocalRelax, raise, upsampling_factors},
    systems::System,
    workflow::{
        Context, Stage, StageError,
        items::{Teamwork, Work, complete},
    },
};
use hdf5::H5Type;
use std::ops::Range;

/// Runs the stage. The shuffled snapshots follow after those raised from small ones. With several ranks for a snapshot,
/// Upsample, which is cheap, is done by all of them, and LocalRelax is shared.
///
/// # Errors
/// When the kernel or the file system fails, or a clean stop is asked for.
pub fn upsample<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let input = context.input;
    let small = Reader::open(&context.path("small.h5"))?;
    let mut file = context.create(Stage::Upsample, "large.h5")?;
    declare::<S>(&mut file, input.large_snapshots(), input.large_shape())?;
    conditions::declare(&mut file, input, "snapshot", input.large_snapshots())?;
    if context.options.ranks_per_snapshot == 1 || !S::LOCAL {
        one_by_one(context, system, &small, &mut file)?;
    } else {
        in_teams(context, system, &small, &mut file)?;
    }
    Ok(file.finish()?)
}

/// Each snapshot on one thread of one rank.
fn one_by_one<S: System<Site: H5Type>>(
    context: &Context,
    system: &S,
    small: &Reader,
    file: &mut Writer,
) -> Result<(), StageError> {
    let input = context.input;
    let shape = input.large_shape();
    let family = system.family();
    let factors = upsampling_factors(input.small_shape(), shape).unwrap_or_default();
    Work {
        stage: Stage::Upsample,
        unit: "snapshots",
        items: input.large_snapshots(),
        item_bytes: shape.sites() * size_of::<S::Site>(),
    }
    .share_out(
        context,
        file,
        |items| Trajectories::<S>::read(input, small, items),
        || {
            let relax = |member| LocalRelax::new(member, input.relax_shape(), input.upsample.relax.until());
            family.iter().map(relax).collect::<Vec<_>>()
        },
        |relax, small, item| {
            let condition = input.condition_of(source(input, item) as usize);
            let (system, relax) = (&family[condition], &mut relax[condition]);
            let pool = small.pool(input, item);
            let lattice = if pool.is_empty() {
                shuffled(input, system, item)
            } else {
                raise(system, relax, &factors, (input.seed, item as u64), pool, |_, _| ())?
            };
            let observables = mean_over_patches(system, &lattice, input.relax_shape());
            Ok((lattice.sites, observables))
        },
        |file, items, block| {
            let count = block.len();
            let trajectory: Vec<u32> = items.clone().map(|item| source(input, item)).collect();
            let numbers = trajectory.iter().map(|&trajectory| input.condition_of(trajectory as usize));
            conditions::write(file, input, items.start, numbers)?;
            let sites = joined(block.iter().map(|(sites, _)| sites));
            let observables = joined(block.iter().map(|(_, observables)| observables));
            file.write("snapshots", items.start, shaped(&[&[count], &shape.used()[..]].concat(), &sites))?;
            file.write("observables", items.start, shaped(&[count, S::OBSERVABLES.len()], &observables))?;
            Ok(file.write("trajectory", items.start, shaped(&[count], &trajectory))?)
        },
    )
}

/// Each snapshot on a team of ranks.
fn in_teams<S: System<Site: H5Type>>(
    context: &Context,
    system: &S,
    small: &Reader,
    file: &mut Writer,
) -> Result<(), StageError> {
    let (input, count) = (context.input, S::OBSERVABLES.len());
    let patch = input.relax_shape();
    let workers = Workers::new(patch);
    Teamwork { stage: Stage::Upsample, unit: "snapshots", items: input.large_snapshots() }.share_out(
        context,
        file,
        |file, team, item| {
            let condition = input.condition_of(source(input, item) as usize);
            let system = &system.at_condition(condition);
            let pool = Trajectories::<S>::read(input, small, item..item + 1)?.pool(input, item);
            let domain = if pool.is_empty() {
                let decomposition = Decomposition::new(input.large_shape(), patch, team.size())?.bounded(S::BOUNDARY);
                Domain::new(decomposition, team.rank(), S::REACH, &shuffled(input, system, item))
            } else {
                raise_together(input, &workers, system, team, item as u64, pool)?
            };
            let observe = |window: &_| system.observe(window, Region::BOX);
            let sums = domain.sum_over_tiles(team, (S::REACH, count), observe);
            write_block(file, (context.world, team), "snapshots", &[item], &domain)?;
            if team.rank() == 0 {
                let observables: Vec<f64> = sums.iter().map(|sum| sum / input.large_shape().sites() as f64).collect();
                file.write("observables", item, shaped(&[1, count], &observables))?;
                file.write("trajectory", item, shaped(&[1], &[source(input, item)]))?;
                conditions::write(file, input, item, std::iter::once(condition))?;
            }
            complete(file, team, item)
        },
    )
}

/// Raises a small snapshot to the large size on a team of ranks: the same bits as `raise`. The levels that are too small
/// to be shared are relaxed by every rank for itself.
fn raise_together<S: System>(
    input: &Input,
    workers: &Workers<S, S::Dynamics>,
    system: &S,
    team: &World,
    snapshot: u64,
    mut pool: Vec<Lattice<S::Site>>,
) -> Result<Domain<S::Site>, StageError> {
    let (patch, until) = (input.relax_shape(), input.upsample.relax.until());
    let factors = upsampling_factors(input.small_shape(), input.large_shape()).unwrap_or_default();
    let share = |lattice: &Lattice<S::Site>| -> Result<Domain<S::Site>, DecompositionError> {
        let halo = S::REACH + patch.0.into_iter().max().unwrap_or(0) / 2;
        let decomposition = Decomposition::new(lattice.shape, patch, team.size())?.bounded(S::BOUNDARY);
        Ok(Domain::new(decomposition, team.rank(), halo, lattice))
    };
    for (level, factor) in (0_u64..).zip(&factors) {
        let mut lattice = system.upsampling().upsample(
            system,
            &pool,
            *factor,
            &mut stream(input.seed, Purpose::Upsample, [snapshot, level]),
        );
        let patch_stream = |number| stream(input.seed, Purpose::Relax, [snapshot, level << 32 | number]);
        let last = level as usize + 1 == factors.len();
        match share(&lattice) {
            Ok(mut domain) => {
                if let Some(until) = until {
                    let plan = domain.plan(&Cover::overlapping(lattice.shape, patch, S::BOUNDARY), 0);
                    for group in 0..plan.groups() {
                        domain.evolve(team, system, (&plan, group), workers, until, patch_stream)?;
                    }
                }
                if last {
                    return Ok(domain);
                }
                lattice = domain.gather(team);
            }
            Err(error) if last => return Err(error.into()),
            Err(_) => {
                LocalRelax::new(system, patch, until).relax(&mut lattice, patch_stream)?;
            }
        }
        pool = vec![lattice];
    }
    Ok(share(&pool[0])?)
}

/// Small trajectories, which large snapshots are raised from.
struct Trajectories<S: System> {
    /// Number of the first.
    first: usize,
    sites: Vec<S::Site>,
}

impl<S: System<Site: H5Type>> Trajectories<S> {
    /// Those that these items are raised from; none for shuffled ones.
    fn read(input: &Input, small: &Reader, items: Range<usize>) -> Result<Self, StageError> {
        let records = input.simulate.snapshots;
        let first = items.start / records;
        let end = items.end.div_ceil(records).min(input.simulate.trajectories);
        let sites =
            if first < end { small.read_items("snapshots", first..end)?.into_iter().collect() } else { Vec::new() };
        Ok(Self { first, sites })
    }

    /// The snapshot that an item is raised from, then those of its trajectory nearest to it in time; nothing for a shuffled
    /// item.
    fn pool(&self, input: &Input, item: usize) -> Vec<Lattice<S::Site>> {
        let (records, shape) = (input.simulate.snapshots, input.small_shape());
        let (trajectory, record) = (item / records, item % records);
        if trajectory >= input.simulate.trajectories {
            return Vec::new();
        }
        let count = input.upsample.pool.min(records);
        let earliest = record.saturating_sub(count / 2).min(records - count);
        let others = (earliest..earliest + count).filter(|&other| other != record);
        let snapshot = |other| {
            let first = ((trajectory - self.first) * records + other) * shape.sites();
            Lattice::from_sites(shape, self.sites[first..first + shape.sites()].to_vec())
        };
        std::iter::once(record).chain(others).map(snapshot).collect()
    }
}

/// A random initial state of the large system.
fn shuffled<S: System>(input: &Input, system: &S, item: usize) -> Lattice<S::Site> {
    system.draw(input.large_shape(), None, &mut stream(input.seed, Purpose::ShuffledDraw, [item as u64, 0]))
}

/// The trajectory that a large snapshot comes from; shuffled ones get numbers of their own.
fn source(input: &Input, item: usize) -> u32 {
    let raised = input.simulate.trajectories * input.simulate.snapshots;
    let number =
        if item < raised { item / input.simulate.snapshots } else { item - raised + input.simulate.trajectories };
    number as u32
}

fn declare<S: System<Site: H5Type>>(file: &mut Writer, items: usize, shape: Shape) -> Result<(), StageError> {
    file.declare::<S::Site>(Field {
        name: "snapshots",
        axes: &[&["snapshot"], spatial_axes(shape)].concat(),
        extents: &[&[items], &shape.used()[..]].concat(),
        unit: "1",
        meaning: "microscopic states of the large system: raised ones, then shuffled ones",
    })?;
    file.declare::<f64>(Field {
        name: "observables",
        axes: &["snapshot", "observable"],
        extents: &[items, S::OBSERVABLES.len()],
        unit: "1",
        meaning: &names_of_observables::<S>(),
    })?;
    Ok(file.declare::<u32>(Field {
        name: "trajectory",
        axes: &["snapshot"],
        extents: &[items],
        unit: "1",
        meaning: "small-system trajectory that the snapshot comes from; a number of its own for a shuffled one",
    })?)
}
