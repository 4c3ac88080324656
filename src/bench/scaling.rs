//! Strong and weak scaling over all ranks of a job (`tessera scaling`): sweeps of one lattice of any system, or
//! LocalRelax of one snapshot.

use crate::{
    config::{self, ConfigError, Input, Kernel},
    dynamics::{Dynamics, Elapsed, EvolveError, Until},
    evaluation::scaling::{Network, ScalingPoint},
    lattice::{Cover, Region, Shape},
    parallel::{Decomposition, DecompositionError, Domain, Message, Plan, Ranks, Sweeps, Workers, World},
    registry::Registry,
    rng::{Purpose, stream},
    systems::{Ising, System, for_built_in_systems, starts_of},
};
use std::{convert::Infallible, path::PathBuf, time::Instant};

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Scaling {
    /// Input with the system, its first start, tile and quantum [default: Ising spins near T_c, in lanes]
    input: Option<PathBuf>,
    /// What the ranks share
    #[arg(long, value_enum, default_value_t = Work::Sweeps)]
    work: Work,
    /// Side of the lattice; with --weak, of the part of each rank [default: that of the input, or 1024]
    #[arg(long)]
    side: Option<usize>,
    /// Side of a tile, or of a patch that relaxes [default: that of the input, or 64]
    #[arg(long)]
    tile: Option<usize>,
    /// Time quantum of a sweep, or time that patches relax, in units of the law's time [default: that of the input, or 1]
    #[arg(long)]
    quantum: Option<f64>,
    /// Sweeps, or relaxations, that are measured, in five blocks
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    sweeps: u64,
    /// Keep the block of a rank, not the lattice: it grows along its shortest axis, one after the other
    #[arg(long)]
    weak: bool,
    /// Threads a rank
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
}

/// What ranks share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Work {
    /// Coloured sweeps of a direct simulation
    Sweeps,
    /// LocalRelax of one snapshot in overlapping patches
    Relax,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum ScalingError {
    /// The input is not valid.
    #[error(transparent)]
    Input(#[from] ConfigError),
    /// The lattice cannot be shared.
    #[error(transparent)]
    Shape(#[from] DecompositionError),
    /// A window could not evolve.
    #[error(transparent)]
    Evolve(#[from] EvolveError),
    /// The system or its sizes do not allow it.
    #[error("{0}")]
    Impossible(String),
}

/// Measures one system.
type Measure = fn(&Scaling, &Input, &World) -> Result<ScalingPoint, ScalingError>;

macro_rules! functions {
    ($($system:ty, $name:literal, $input:literal;)*) => { &[$(($name, of_input::<$system> as Measure)),*] };
}

static MEASURES: Registry<Measure> = Registry::new(for_built_in_systems!(functions));

/// Lets `tessera scaling` measure a registered system.
pub fn register<S: System>(name: &'static str) {
    MEASURES.add(name, of_input::<S>);
}

/// Temperature of the Ising lattice without an input: near T_c.
const TEMPERATURE: f64 = 2.27;
/// Blocks of sweeps behind the standard error.
const BLOCKS: u64 = 5;
/// Time before the measurement, from a random state.
const WARM_UP: f64 = 5.0;

/// What one measurement needs.
struct Case<S: System> {
    name: String,
    system: S,
    start: S::Start,
    side: usize,
    tile: usize,
    quantum: f64,
    in_lanes: bool,
}

/// Measures after some relaxation from a random state. Lanes do not count events: their number follows from the rates of
/// the law before and after. Rank 0 gets the result. Collective.
///
/// # Errors
/// When the input is not valid, or the lattice cannot be shared out.
pub fn scaling(choices: &Scaling, world: &World) -> Result<ScalingPoint, ScalingError> {
    let Some(path) = &choices.input else {
        let (side, tile) = (choices.side.unwrap_or(1024), choices.tile.unwrap_or(64));
        let (system, quantum) = (Ising::new(TEMPERATURE, 0.0), choices.quantum.unwrap_or(1.0));
        let case = Case { name: "ising".into(), system, start: 0.0, side, tile, quantum, in_lanes: true };
        return measured(choices, case, world);
    };
    let points = config::load(path, &[])?;
    let input = &points.first().ok_or_else(|| ScalingError::Impossible("the input has no point".into()))?.input;
    let measure = MEASURES.get(input.system.name()).map_err(|error| ScalingError::Impossible(error.to_string()))?;
    measure(choices, input, world)
}

fn of_input<S: System>(choices: &Scaling, input: &Input, world: &World) -> Result<ScalingPoint, ScalingError> {
    let system = input.system.downcast::<S>().at_condition(0);
    if !S::LOCAL {
        return Err(ScalingError::Impossible("this system cannot be cut: each site feels all others".into()));
    }
    let starts = starts_of::<S>(&input.truth.starts).map_err(ScalingError::Impossible)?;
    let relax = choices.work == Work::Relax;
    let tile = if relax {
        input.lattice.small.map_or(input.lattice.patch, |small| small.min(input.lattice.patch))
    } else {
        input.truth.tile.unwrap_or(input.lattice.patch)
    };
    let time = match input.upsample.relax.until(1.0) {
        Some(Until::Time(time)) if relax => time,
        _ => input.sweeps_per_record(system.synchronous_step()).1,
    };
    let case = Case {
        name: input.system.name().into(),
        start: starts[0],
        side: choices.side.or(input.truth.side).unwrap_or(input.lattice.large),
        tile: choices.tile.unwrap_or(tile),
        quantum: choices.quantum.unwrap_or(time),
        in_lanes: input.kernel == Kernel::Lanes,
        system,
    };
    measured(choices, case, world)
}

/// A lattice, and how its ranks advance it.
enum Shared<S: System> {
    Sweeps(Sweeps<S, S::Dynamics>),
    Relax { domain: Domain<S::Site>, plan: Plan, workers: Workers<S, S::Dynamics>, until: Until },
}

impl<S: System> Shared<S> {
    /// The lattice of a case, drawn tile by tile, shared over all ranks.
    fn new(case: &Case<S>, shape: Shape, work: Work, world: &World) -> Result<Self, ScalingError> {
        let (system, tile) = (&case.system, S::shape(case.tile));
        let decomposition = Decomposition::new(shape, tile, world.size())?.bounded(S::BOUNDARY);
        let of_part = |part| stream(1, Purpose::Bench, [case.side as u64, part]);
        let (composition, tiling) =
            (system.composition(shape, Some(case.start), &mut of_part(0)), decomposition.tiling);
        let part = |origin, shape| composition.draw_box(&tiling, (origin, shape), of_part);
        if work == Work::Sweeps {
            let divide = if case.in_lanes { Sweeps::in_lanes } else { Sweeps::new };
            let mut sweeps = divide(system, shape, tile, case.quantum, world)?;
            sweeps.start(world, part);
            return Ok(Self::Sweeps(sweeps));
        }
        let halo = S::REACH + tile.0.into_iter().max().unwrap_or(0) / 2;
        let mut domain = Domain::new(decomposition, world.rank(), halo);
        let Ok(()) = domain.fill(|origin, shape| Ok::<_, Infallible>(part(origin, shape)));
        domain.share_edges(world);
        let plan = domain.plan(&Cover::overlapping(shape, tile, S::BOUNDARY), 0);
        Ok(Self::Relax { domain, plan, workers: Workers::new(tile), until: Until::Time(case.quantum) })
    }

    fn domain(&self) -> &Domain<S::Site> {
        match self {
            Self::Sweeps(sweeps) => sweeps.domain(),
            Self::Relax { domain, .. } => domain,
        }
    }

    /// Advances by one sweep or relaxation, and returns the events of this rank.
    fn advance(&mut self, system: &S, world: &World, number: u64) -> Result<u64, EvolveError> {
        match self {
            Self::Sweeps(sweeps) => Ok(sweeps.advance(system, world, (1, 0), number..number + 1)?.events),
            Self::Relax { domain, plan, workers, until } => {
                let of_patch = |patch| stream(1, Purpose::Relax, [number, patch]);
                let mut all = Elapsed::default();
                for group in 0..plan.groups() {
                    all += domain.evolve(world, system, (plan, group), workers, *until, of_patch)?;
                }
                Ok(all.events)
            }
        }
    }
}

/// Events in a unit of time by the rates of the present state; none where the law is a black box.
fn rate<S: System>(system: &S, domain: &Domain<S::Site>, world: &World) -> Option<f64> {
    let generator = S::GENERATOR?;
    let of_tile = |window: &_| vec![generator(system, window, Region::BOX).rate];
    Some(domain.sum_over_tiles(world, (S::REACH, 1), of_tile)[0])
}

/// The lattice of so many ranks, each with a block as large as `part`: prime factor by prime factor, the largest first, its
/// shortest axis grows.
fn grown(part: Shape, ranks: usize) -> Shape {
    let (mut shape, mut rest, mut factors) = (part, ranks, Vec::new());
    for factor in 2..=ranks {
        while rest.is_multiple_of(factor) {
            factors.push(factor);
            rest /= factor;
        }
    }
    let first = 3 - part.used().len();
    for factor in factors.into_iter().rev() {
        let shortest = (first..3).min_by_key(|&axis| shape.0[axis]).expect("a shape has an axis");
        shape.0[shortest] *= factor;
    }
    shape
}

fn measured<S: System>(choices: &Scaling, case: Case<S>, world: &World) -> Result<ScalingPoint, ScalingError> {
    let shape = grown(S::shape(case.side), if choices.weak { world.size() } else { 1 });
    let system = &case.system;
    S::Dynamics::check(system, Until::Time(case.quantum))?;
    let network = network(world);
    let idle = peak_memory();
    let begin = Instant::now();
    let mut shared = Shared::new(&case, shape, choices.work, world)?;
    let start = begin.elapsed().as_secs_f64();
    let mut numbers = 0..;
    let mut advance = |shared: &mut Shared<S>, count: u64| -> Result<u64, EvolveError> {
        numbers.by_ref().take(count as usize).map(|number| shared.advance(system, world, number)).sum()
    };
    advance(&mut shared, (WARM_UP / case.quantum).ceil().min(1000.0) as u64)?;
    let before = rate(system, shared.domain(), world);
    let traffic = shared.domain().traffic();
    let each = choices.sweeps.div_ceil(BLOCKS).max(1);
    let (mut seconds, mut events) = (Vec::new(), 0);
    for _ in 0..BLOCKS {
        world.barrier();
        let start = Instant::now();
        events += advance(&mut shared, each)?;
        world.barrier();
        seconds.push(start.elapsed().as_secs_f64() / each as f64);
    }
    let after = rate(system, shared.domain(), world);
    let done = (BLOCKS * each) as f64;
    let mut counted = [events as f64 / done];
    world.sum(&mut counted);
    let by_rates = before.zip(after).map(|(before, after)| case.quantum * 0.5 * (before + after));
    let most = |value: f64| world.gather(value).into_iter().fold(0.0, f64::max);
    let now = shared.domain().traffic();
    let (messages, bytes) = ((now.messages - traffic.messages) as f64, (now.bytes - traffic.bytes) as f64);
    let waited = (now.waited - traffic.waited).as_secs_f64();
    let [messages, bytes, waited] = [messages, bytes, waited].map(|value| most(value) / done);
    let mean = seconds.iter().sum::<f64>() / BLOCKS as f64;
    let variance = seconds.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (BLOCKS * (BLOCKS - 1)) as f64;
    let sites = shape.sites();
    Ok(ScalingPoint {
        system: if choices.work == Work::Relax { format!("{} (LocalRelax)", case.name) } else { case.name },
        sites,
        side: case.side,
        tile: case.tile,
        quantum: case.quantum,
        ranks: world.size(),
        threads: choices.threads,
        seconds: (mean, variance.sqrt()),
        events: if counted[0] > 0.0 { counted[0] } else { by_rates.unwrap_or(0.0) },
        messages,
        bytes,
        waited,
        start: most(start),
        peak: most(peak_memory()),
        memory: most((peak_memory() - idle) * world.size() as f64 / sites as f64),
        network,
    })
}

/// The network between ranks 0 and 1.
fn network(world: &World) -> Option<Network> {
    if world.size() == 1 {
        return None;
    }
    let round_trips = |bytes: usize, count: usize| {
        let other = 1 - world.rank().min(1);
        world.barrier();
        let start = Instant::now();
        if world.rank() < 2 {
            for _ in 0..count {
                let outgoing = [Message { rank: other, bytes: vec![0; bytes] }];
                let mut incoming = [Message { rank: other, bytes: vec![0; bytes] }];
                world.exchange(&outgoing, &mut incoming, &mut || ());
            }
        }
        start.elapsed().as_secs_f64() / count as f64
    };
    round_trips(1, 100);
    let (latency, large) = (round_trips(1, 2000), 1 << 20);
    let seconds = round_trips(large, 100);
    Some(Network { latency, bandwidth: large as f64 / (seconds - latency).max(1e-9) })
}

/// Most bytes of memory that this process has held so far.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    1024.0 * kilobytes.unwrap_or(f64::NAN)
}
