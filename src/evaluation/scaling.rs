//! What a sweep of a large lattice costs: computing, latency and bandwidth.
//!
//! A rank with n sites that sends m messages with b bytes together needs T = n t_site + m latency + b / bandwidth a
//! sweep. Halos travel while interior tiles evolve, so the network is hidden as long as it is faster than they are; the
//! model does not count on that.

use super::fit::Estimate;
use serde::{Deserialize, Serialize};

/// One measurement of sweeps, one JSON object a line in a file of measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingPoint {
    /// Name of the system, and what was done if not sweeps.
    pub system: String,
    /// Sites of the lattice.
    pub sites: usize,
    /// Side of the lattice, or of the block of a rank if these are kept, in units of the system.
    pub side: usize,
    /// Side of a tile.
    pub tile: usize,
    /// Time quantum of a sweep, in units of the law's time.
    pub quantum: f64,
    /// Number of ranks.
    pub ranks: usize,
    /// Threads a rank.
    pub threads: usize,
    /// Wall-clock seconds of a sweep, mean and standard error over blocks of sweeps.
    pub seconds: Estimate,
    /// Events a sweep on all ranks, by the rates of the lattice.
    pub events: f64,
    /// Messages that the busiest rank sends a sweep.
    pub messages: f64,
    /// Bytes that the busiest rank sends a sweep.
    pub bytes: f64,
    /// Seconds of a sweep in which the slowest rank packed, unpacked or waited.
    pub waited: f64,
    /// Seconds until the slowest rank has its share of the first state.
    pub start: f64,
    /// Most bytes of memory of a rank.
    pub peak: f64,
    /// The same without those of the idle program, all ranks together, a site.
    pub memory: f64,
    /// The network between two ranks; none for a single rank.
    pub network: Option<Network>,
}

/// A network, as two ranks see it that send to each other at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Seconds that a message of one byte takes.
    pub latency: f64,
    /// Bytes a second of large messages.
    pub bandwidth: f64,
}

/// The parameters of the model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostModel {
    /// Seconds a site and sweep on one rank.
    pub site: f64,
    /// What messages cost.
    pub network: Network,
}

impl CostModel {
    /// The model of a measurement on one core.
    pub fn of(point: &ScalingPoint, network: Network) -> Self {
        Self { site: point.seconds.0 / point.sites as f64, network }
    }

    /// Seconds of a sweep of `sites` sites a rank that sends `messages` messages of `bytes` bytes together.
    pub fn seconds(&self, sites: f64, messages: f64, bytes: f64) -> f64 {
        sites * self.site + messages * self.network.latency + bytes / self.network.bandwidth
    }

    /// Seconds of a sweep of a square lattice of `sites` sites on `ranks` ranks in square blocks with halos of one site
    /// and `groups` groups of tiles: at each group every rank exchanges with up to eight neighbours.
    pub fn square(&self, sites: f64, ranks: f64, groups: f64) -> f64 {
        if ranks <= 1.0 {
            return self.seconds(sites, 0.0, 0.0);
        }
        let side = (sites / ranks).sqrt();
        let neighbours = (ranks - 1.0).min(8.0);
        self.seconds(sites / ranks, neighbours * groups, 4.0 * side + 4.0)
    }
}
