//! Kernels measured on the machine at hand (`tessera bench`), so that users can size their jobs.
//!
//! One core unless the name says otherwise. Each figure is the best of a few repeats: the machine at its least
//! disturbed. Monte Carlo kernels are timed by the clock of their thread.

mod alloy;
mod kernels;
mod lanes;
mod learning;
mod scaling;
mod storage;

pub use learning::train;
pub use scaling::{Scaling, register, scaling};

use crate::systems::alloy::barriers::BarrierError;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use serde_json::json;
use std::{io::Write as _, time::Instant};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kernel {
    /// Glauber events of the Ising model near T_c, serial and tile by tile
    Glauber,
    /// Windows of the Ising model in the lanes of words
    Lanes,
    /// LocalRelax and partial evolution of one large snapshot
    Relax,
    /// Training of the SDE, and encoding of patches
    Train,
    /// Writing and reading snapshots in HDF5
    Hdf5,
    /// Vacancy jumps of the alloy
    Alloy,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// What was measured.
    pub name: String,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
}

impl Measurement {
    fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit }
    }
}

impl std::fmt::Display for Measurement {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{:58} {:>10.3e} {}", self.name, self.value, self.unit)
    }
}

/// Measures one kernel or all and prints a table, or one JSON object a line. `weights` names the published network of
/// the alloy's barriers; without it only the built-in ones are measured.
///
/// # Errors
/// When the weights cannot be read.
pub fn run(kernel: Option<Kernel>, weights: Option<&str>, json: bool) -> Result<(), BarrierError> {
    let all = [Kernel::Glauber, Kernel::Lanes, Kernel::Relax, Kernel::Train, Kernel::Hdf5, Kernel::Alloy];
    for kernel in all.into_iter().filter(|each| kernel.is_none_or(|wanted| wanted == *each)) {
        let measurements = match kernel {
            Kernel::Glauber => kernels::glauber(),
            Kernel::Lanes => lanes::lanes(),
            Kernel::Relax => kernels::relax(),
            Kernel::Train => train(0),
            Kernel::Hdf5 => storage::hdf5(),
            Kernel::Alloy => alloy::alloy(weights)?,
        };
        for measurement in measurements {
            let line = if json { json!(measurement).to_string() } else { measurement.to_string() };
            // Nobody listens any more, as under `tessera bench | head`.
            if writeln!(std::io::stdout(), "{line}").is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// As [`fastest`], in seconds that this thread spent on a core: what else runs on the machine then matters less.
fn fastest_on_core(repeats: usize, mut work: impl FnMut()) -> f64 {
    let on_core = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        now.tv_sec as f64 + 1e-9 * now.tv_nsec as f64
    };
    (0..repeats)
        .map(|_| {
            let start = on_core();
            work();
            on_core() - start
        })
        .fold(f64::INFINITY, f64::min)
}

/// Seconds of the fastest of `repeats` runs of `work`.
fn fastest(repeats: usize, mut work: impl FnMut()) -> f64 {
    (0..repeats)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}
