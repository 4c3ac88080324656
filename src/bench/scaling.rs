//! Strong and weak scaling of sweeps over all ranks of a job (`tessera scaling`).

use crate::{
    bench::lanes::flips_per_time,
    evaluation::scaling::{Network, ScalingPoint},
    lattice::Shape,
    parallel::{DecompositionError, Message, Ranks, Sweeps, World},
    rng::{Purpose, stream},
    systems::{Ising, System},
};
use std::time::Instant;

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Scaling {
    /// Side of the square lattice, in sites; with --weak, of the part of each rank
    #[arg(long, default_value_t = 1024)]
    side: usize,
    /// Side of a tile
    #[arg(long, default_value_t = 64)]
    tile: usize,
    /// Time quantum of a sweep, in units of 1 / attempt rate
    #[arg(long, default_value_t = 1.0)]
    quantum: f64,
    /// Sweeps that are measured, in five blocks
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    sweeps: u64,
    /// Keep the sites of a rank, not those of the lattice: its side grows with the square root of the ranks, in whole
    /// tiles
    #[arg(long)]
    weak: bool,
    /// Threads a rank
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
}

/// Temperature of the Ising lattice: near T_c.
const TEMPERATURE: f64 = 2.27;
/// Blocks of sweeps behind the standard error.
const BLOCKS: u64 = 5;

/// Measures sweeps of an Ising lattice near T_c, after relaxation from a random state; in lanes, where tiles suffice.
/// Lanes do not count events: their number follows from the rates before and after. Rank 0 gets the result. Collective.
///
/// # Errors
/// When the lattice cannot be shared out.
pub fn scaling(choices: &Scaling, world: &World) -> Result<ScalingPoint, DecompositionError> {
    let &Scaling { tile, quantum, threads, .. } = choices;
    let grown = choices.side as f64 * (world.size() as f64).sqrt();
    let side = if choices.weak { (grown / tile as f64).round() as usize * tile } else { choices.side };
    let (ising, shape) = (Ising::new(TEMPERATURE, 0.0), Shape::plane(side, side));
    let network = network(world);
    let idle = peak_memory();
    let start = ising.draw(shape, Some(0.0), &mut stream(1, Purpose::Bench, [side as u64, 1]));
    let tile_shape = Shape::plane(tile, tile);
    let mut sweeps =
        Sweeps::<Ising, <Ising as System>::Dynamics>::in_lanes(&ising, &start, tile_shape, quantum, world)?;
    drop(start);
    let mut next = 0;
    let mut advance = |sweeps: &mut Sweeps<_, _>, count: u64| {
        sweeps.advance(&ising, world, (1, 0), next..next + count).expect("Ising spins always flip");
        next += count;
    };
    advance(&mut sweeps, (5.0 / quantum).ceil() as u64);
    let before = flips_per_time(&ising, sweeps.domain(), world);
    let each = choices.sweeps.div_ceil(BLOCKS).max(1);
    let mut seconds = Vec::new();
    for _ in 0..BLOCKS {
        world.barrier();
        let start = Instant::now();
        advance(&mut sweeps, each);
        world.barrier();
        seconds.push(start.elapsed().as_secs_f64() / each as f64);
    }
    let after = flips_per_time(&ising, sweeps.domain(), world);
    let now = sweeps.domain().traffic();
    let done = next as f64;
    let most = |value: f64| world.gather(value).into_iter().fold(0.0, f64::max);
    let [messages, bytes, waited] =
        [now.messages as f64, now.bytes as f64, now.waited.as_secs_f64()].map(|value| most(value) / done);
    let mean = seconds.iter().sum::<f64>() / BLOCKS as f64;
    let variance = seconds.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (BLOCKS * (BLOCKS - 1)) as f64;
    Ok(ScalingPoint {
        side,
        tile,
        quantum,
        ranks: world.size(),
        threads,
        seconds: (mean, variance.sqrt()),
        events: quantum * 0.5 * (before + after),
        messages,
        bytes,
        waited,
        memory: most((peak_memory() - idle) * world.size() as f64 / shape.sites() as f64),
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
