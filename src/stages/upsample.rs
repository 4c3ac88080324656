//! D: large snapshots from small ones by Upsample and LocalRelax, level by level (Algorithm 1; `large.h5`).

use crate::{
    config::{Input, Relax, UpsampleKind},
    dataset::{Reader, Writer},
    dynamics::{InLanes, Lanes, Until},
    files::{
        LargeFile, SmallFile,
        arrays::raw,
        large::{self, Large},
        records::Recorded,
    },
    lattice::{Cover, Lattice, Region},
    parallel::{Decomposition, DecompositionError, Domain, Ranks, Workers, World},
    rng::{Purpose, stream},
    sampling::{LocalRelax, Trajectory, mean_over_patches, raised_compatibly, upsampled, upsampled_in_lanes},
    stages::{
        health::check_finite,
        starts::Start,
        words::{announce, by_words},
    },
    systems::{System, Tiles, Upsampling},
    workflow::{
        Context, Stage, StageError,
        items::{ItemsOverTeams, ItemsOverThreads, complete},
        say,
    },
};
use hdf5::H5Type;
use std::{convert::Infallible, ops::Range};

/// Upsamples the snapshots of `small.h5` and draws the shuffled ones; writes `large.h5`. With several ranks for a
/// snapshot, Upsample, which is cheap, is done by all of them, and LocalRelax is shared.
///
/// # Errors
/// When the kernel or the file system fails, or a clean stop is asked for.
pub fn upsample<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let small = SmallFile::open(context)?;
    if let Some(reason) = context.input.upsample.reason {
        let kind = context.input.upsample.kind.name();
        say(context, &format!("upsample: kind = \"auto\" is \"{kind}\": {reason}"))?;
    }
    announce(context, Stage::Upsample, in_lanes(context.input).then_some(64 * WIDTH))?;
    let file = LargeFile::create::<S>(context)?;
    if context.options.ranks_per_snapshot == 1 || !S::LOCAL || in_lanes(context.input) {
        by_threads(context, system, &small, &file)?;
    } else {
        by_teams(context, system, &small, &file)?;
    }
    file.finish()
}

/// Each snapshot on one thread of one rank.
fn by_threads<S: System<Site: H5Type>>(
    context: &Context,
    system: &S,
    small: &SmallFile<Reader>,
    file: &LargeFile<Writer>,
) -> Result<(), StageError> {
    let input = context.input;
    let shape = input.large_shape();
    let family = system.family();
    let lanes = in_lanes(input);
    let laws: Vec<_> = family.iter().map(|member| InLanes::<S, WIDTH>::new(member).filter(|_| lanes)).collect();
    let factors = input.upsampling_factors().unwrap_or_default();
    // Snapshots of a word relax for one time.
    let (aged, per_trajectory) = (matches!(input.upsample.relax, Relax::Age(_)), input.small_snapshots());
    let key = |snapshot| {
        let nth = if aged { snapshot % per_trajectory } else { 0 };
        input.word_of(large::trajectory_of(input, snapshot)) * per_trajectory + nth
    };
    ItemsOverThreads {
        stage: Stage::Upsample,
        unit: "snapshots",
        items: input.large_snapshots(),
        item_bytes: shape.sites() * size_of::<S::Site>(),
        at_once: if lanes { at_once(input, aged) } else { 1 },
    }
    .run(
        context,
        file.items(),
        |items| Pools::<S>::read(input, small, items),
        || Relaxations::new(input, &family, &laws),
        |relax, pools, snapshots| {
            by_words(snapshots, 64 * WIDTH, key, |word| {
                let condition = Large::condition_of(input, word[0]);
                let system = &family[condition];
                let lattices = match pools.pool(input, word[0]).is_empty() {
                    true => word.iter().map(|&snapshot| Start::shuffled(input, system, snapshot).whole()).collect(),
                    false => relax.upsampled(input, system, (condition, &factors), pools, word)?,
                };
                let trajectory = |(&snapshot, lattice): (&usize, Lattice<S::Site>)| {
                    let observables = mean_over_patches(system, &lattice, input.relax_shape());
                    check_finite::<S>(Stage::Upsample, &observables, |_| place(input, snapshot))?;
                    Ok(Trajectory { sites: lattice.sites, observables, last: Vec::new() })
                };
                word.iter().zip(lattices).map(trajectory).collect()
            })
        },
        |items, block| file.write(items.start, &block),
    )
}

/// Elements of the words in which snapshots relax: after LocalRelax, lanes are independent even in long words.
const WIDTH: usize = 4;

/// Snapshots that one thread relaxes at once: those of whole trajectories, where words hold one age.
fn at_once(input: &Input, aged: bool) -> usize {
    let (lanes, conditions) = (64 * WIDTH, input.conditions_in_data().len());
    if !aged {
        return lanes * conditions;
    }
    let per_trajectory = input.small_snapshots();
    let bytes = per_trajectory * conditions * input.large_shape().sites();
    per_trajectory * conditions * (BLOCK_BYTES / bytes).clamp(1, lanes)
}

/// Bytes of snapshots that a thread relaxes at once.
const BLOCK_BYTES: usize = 32 << 20;

/// Whether snapshots relax in lanes.
fn in_lanes(input: &Input) -> bool {
    input.upsample.relax.until(1.0).is_some_and(|until| input.in_lanes(input.large_shape(), until))
}

/// LocalRelax of each member of the family, one window at a time or in lanes.
struct Relaxations<'a, S: System> {
    single: Vec<LocalRelax<'a, S, S::Dynamics>>,
    lanes: Vec<Option<LocalRelax<'a, InLanes<S, WIDTH>, Lanes>>>,
}

impl<'a, S: System<Site: H5Type>> Relaxations<'a, S> {
    fn new(input: &Input, family: &'a [S], laws: &'a [Option<InLanes<S, WIDTH>>]) -> Self {
        let shape = input.relax_shape();
        let single = family.iter().map(|member| LocalRelax::new(member, shape, None)).collect();
        let lanes = laws.iter().map(|law| law.as_ref().map(|law| LocalRelax::new(law, shape, None))).collect();
        Self { single, lanes }
    }

    /// Upsamples the snapshots of a word, all under one condition.
    fn upsampled(
        &mut self,
        input: &Input,
        system: &S,
        (condition, factors): (usize, &[usize]),
        pools: &Pools<S>,
        word: &[usize],
    ) -> Result<Vec<Lattice<S::Site>>, StageError> {
        let upsampling = upsampling(input, system);
        let how = (system, &*upsampling);
        let pools = word.iter().map(|&snapshot| pools.pool(input, snapshot));
        let until = relax_until(input, word[0]);
        let snapshots: Vec<u64> = word.iter().map(|&snapshot| snapshot as u64).collect();
        if input.upsample.kind == UpsampleKind::Compatible {
            let small: Vec<_> = pools.map(|mut pool| pool.swap_remove(0)).collect();
            let relax = (input.relax_shape(), until);
            return Ok(raised_compatibly::<S, WIDTH>(system, factors, relax, (input.seed, &snapshots), &small)?);
        }
        if let Some(relax) = &mut self.lanes[condition] {
            relax.lasting(until);
            return Ok(upsampled_in_lanes(how, relax, factors, (input.seed, &snapshots), pools.collect())?);
        }
        let relax = self.single[condition].lasting(until);
        let one = |(pool, &snapshot)| upsampled(how, relax, factors, (input.seed, snapshot), pool, |_, _| ());
        Ok(pools.zip(&snapshots).map(one).collect::<Result<_, _>>()?)
    }
}

/// Where a snapshot comes from, for errors.
fn place(input: &Input, snapshot: usize) -> String {
    let (trajectory, schedule) = (large::trajectory_of(input, snapshot), input.small_schedule());
    match trajectory < input.simulate.trajectories {
        true => {
            let record = schedule.kept[snapshot % schedule.kept.len()];
            let time = schedule.times[record];
            format!("snapshot {snapshot} of large.h5 (trajectory {trajectory}, record {record}, time {time})")
        }
        false => format!("snapshot {snapshot} of large.h5 (shuffled)"),
    }
}

/// How long LocalRelax of a snapshot lasts.
fn relax_until(input: &Input, snapshot: usize) -> Option<Until> {
    input.upsample.relax.until(input.small_schedule().times_kept()[snapshot % input.small_snapshots()])
}

/// Each snapshot on a team of ranks.
fn by_teams<S: System<Site: H5Type>>(
    context: &Context,
    system: &S,
    small: &SmallFile<Reader>,
    file: &LargeFile<Writer>,
) -> Result<(), StageError> {
    let (input, patch) = (context.input, context.input.relax_shape());
    let workers = Workers::new(patch);
    let items = ItemsOverTeams { stage: Stage::Upsample, unit: "snapshots", items: input.large_snapshots() };
    items.run(context, file.items(), |team, snapshot| {
        let system = &system.at_condition(Large::condition_of(input, snapshot));
        let pool = Pools::<S>::read(input, small, snapshot..snapshot + 1)?.pool(input, snapshot);
        let domain = if pool.is_empty() {
            let decomposition = Decomposition::new(input.large_shape(), patch, team.size())?.bounded(S::BOUNDARY);
            let (start, mut domain) =
                (Start::shuffled(input, system, snapshot), Domain::new(decomposition, team.rank(), S::REACH));
            let Ok(()) = domain.fill(|origin, shape| Ok::<_, Infallible>(start.part(origin, shape)));
            domain.share_edges(team);
            domain
        } else {
            upsampled_by_team(input, &workers, system, team, snapshot as u64, pool)?
        };
        let observe = |window: &_| system.observe(window, Region::BOX);
        let mut observables = domain.sum_over_tiles(team, (S::REACH, S::OBSERVABLES.len()), observe);
        observables.iter_mut().for_each(|sum| *sum /= input.large_shape().sites() as f64);
        check_finite::<S>(Stage::Upsample, &observables, |_| place(input, snapshot))?;
        file.write_shared((context.world, team), &[snapshot], domain.block(), &domain.sites(), &observables)?;
        complete(file.items(), team, snapshot)
    })
}

/// As [`upsampled`], to the last bit, on a team of ranks. The levels that are too small to be shared are relaxed by
/// every rank for itself.
fn upsampled_by_team<S: System>(
    input: &Input,
    workers: &Workers<S, S::Dynamics>,
    system: &S,
    team: &World,
    snapshot: u64,
    mut pool: Vec<Lattice<S::Site>>,
) -> Result<Domain<S::Site>, StageError> {
    let (patch, until) = (input.relax_shape(), relax_until(input, snapshot as usize));
    let factors = input.upsampling_factors().unwrap_or_default();
    let share = |lattice: &Lattice<S::Site>| -> Result<Domain<S::Site>, DecompositionError> {
        let halo = S::REACH + patch.0.into_iter().max().unwrap_or(0) / 2;
        let decomposition = Decomposition::new(lattice.shape, patch, team.size())?.bounded(S::BOUNDARY);
        let mut domain = Domain::new(decomposition, team.rank(), halo);
        let Ok(()) = domain.fill(|origin, shape| Ok::<_, Infallible>(lattice.part(origin, shape)));
        domain.share_edges(team);
        Ok(domain)
    };
    for (level, factor) in (0_u64..).zip(&factors) {
        let mut rng = stream(input.seed, Purpose::Upsample, [snapshot, level]);
        let mut lattice = upsampling(input, system).upsample(system, &pool, *factor, &mut rng);
        let patch_stream = |index| stream(input.seed, Purpose::Relax, [snapshot, level << 32 | index]);
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
                LocalRelax::<S, S::Dynamics>::new(system, patch, until).relax(&mut lattice, patch_stream)?;
            }
        }
        pool = vec![lattice];
    }
    Ok(share(&pool[0])?)
}

/// Small trajectories, whose snapshots large ones are upsampled from.
struct Pools<S: System> {
    /// Index of the first.
    first: usize,
    sites: Vec<S::Site>,
}

impl<S: System<Site: H5Type>> Pools<S> {
    /// Those that these large snapshots are upsampled from, whole groups; none for shuffled ones.
    fn read(input: &Input, small: &SmallFile<Reader>, snapshots: Range<usize>) -> Result<Self, StageError> {
        let (per_trajectory, group) = (input.small_snapshots(), input.simulate.group);
        let first = snapshots.start / per_trajectory / group * group;
        let end = snapshots.end.div_ceil(per_trajectory).next_multiple_of(group).min(input.simulate.trajectories);
        let sites = if first < end { raw(small.snapshots(first..end)?) } else { Vec::new() };
        Ok(Self { first, sites })
    }

    /// The small snapshot that a large one is upsampled from, then those that its kind of upsampling takes too: of the
    /// other trajectories of its group at the same time, or of its own at times near to it. Nothing for a shuffled one.
    fn pool(&self, input: &Input, snapshot: usize) -> Vec<Lattice<S::Site>> {
        let (per_trajectory, group, shape) = (input.small_snapshots(), input.simulate.group, input.small_shape());
        let (trajectory, nth) = (snapshot / per_trajectory, snapshot % per_trajectory);
        if trajectory >= input.simulate.trajectories {
            return Vec::new();
        }
        let all: Vec<(usize, usize)> = match input.upsample.kind {
            UpsampleKind::Tiles => {
                let first = trajectory / group * group;
                (first..first + group).map(|member| (member, nth)).collect()
            }
            _ => {
                let count = input.upsample.pool.min(per_trajectory);
                let earliest = nth.saturating_sub(count / 2).min(per_trajectory - count);
                (earliest..earliest + count).map(|nth| (trajectory, nth)).collect()
            }
        };
        let own = (trajectory, nth);
        let cut = |(trajectory, nth)| {
            let first = ((trajectory - self.first) * per_trajectory + nth) * shape.sites();
            Lattice::from_sites(shape, self.sites[first..first + shape.sites()].to_vec())
        };
        std::iter::once(own).chain(all.into_iter().filter(|other| *other != own)).map(cut).collect()
    }
}

/// The kind of upsampling that the input asks for.
pub fn upsampling<S: System>(input: &Input, system: &S) -> Box<dyn Upsampling<S>> {
    match input.upsample.kind {
        UpsampleKind::Tiles => Box::new(Tiles),
        _ => system.upsampling(),
    }
}
