//! The input of a run: typed TOML, defaults, overrides, sweeps, and the physical checks made before anything is allocated.
//!
//! Sections that belong to one module are that module's own structs; here stand those of the stages.

mod checks;
pub mod models;
mod overrides;

pub use overrides::{Point, load};

use crate::{
    dynamics::Until,
    lattice::Shape,
    learning::{ClosureInput, SdeInput, TrainInput},
    sampling::Surroundings,
    systems::SystemInput,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Why an input was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the input {}: {source}", .path.display())]
    Read {
        /// The input.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("{place}: {message}")]
    Parse {
        /// The input and line, or the override.
        place: String,
        /// What is wrong and, for a key, the nearest valid one.
        message: String,
    },
    /// Valid TOML that makes no physical sense.
    #[error("the input cannot be run: {0}")]
    Physics(String),
}

/// A whole input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Seed of all random streams.
    #[serde(default = "one")]
    pub seed: u64,
    /// The microscopic system and its parameters.
    pub system: SystemInput,
    /// Sizes.
    pub lattice: LatticeInput,
    /// Small-system trajectories.
    pub simulate: SimulateInput,
    /// Large snapshots from small ones.
    pub upsample: UpsampleInput,
    /// Partial evolution.
    pub evolve: EvolveInput,
    /// Closure autoencoder.
    #[serde(default)]
    pub closure: ClosureInput,
    /// Drift and diffusion.
    #[serde(default)]
    pub train: TrainSection,
    /// Ensembles of the learned model.
    pub predict: PredictInput,
    /// Direct simulation of the large system.
    pub truth: TruthInput,
    /// Metrics.
    #[serde(default)]
    pub evaluate: EvaluateInput,
}

/// Sizes of the systems, in sites along each side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatticeInput {
    /// Side of a patch; n_s = patch^2 in two dimensions.
    pub patch: usize,
    /// Side of the large system, a multiple of the patch's.
    pub large: usize,
    /// Side of the simulated small system: that of a patch when absent. Equal to `large`, nothing is upsampled
    /// and the snapshots are those of direct simulations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small: Option<usize>,
}

/// Small-system trajectories from far from equilibrium towards it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulateInput {
    /// Number of trajectories, each from its own random start.
    pub trajectories: usize,
    /// Snapshots a trajectory.
    pub snapshots: usize,
    /// Time between snapshots.
    pub interval: f64,
    /// Time of the first snapshot; 0 when absent. Later than that, fast relaxation from the random start is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<f64>,
}

impl SimulateInput {
    /// Time from the start of a trajectory to its last snapshot.
    pub fn duration(&self) -> f64 {
        self.first.unwrap_or(0.0) + (self.snapshots - 1) as f64 * self.interval
    }
}

/// Hierarchical upsampling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpsampleInput {
    /// Local dynamics of every overlapping patch at each level: `{ time = t }`, `{ events = n }` or "none".
    pub relax: Relax,
    /// Small snapshots of one trajectory, nearest in time, that systems with a mosaic draw the tiles of a large one from.
    #[serde(default = "single")]
    pub pool: usize,
    /// Random initial states of the large system to add to the snapshots.
    #[serde(default)]
    pub shuffled: usize,
}

/// How long LocalRelax runs in each patch, of the size of the small system or of an evolved patch if that is smaller.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relax {
    /// Not at all: Upsample alone.
    None,
    /// For a span of time.
    Time(f64),
    /// For a number of events.
    Events(u64),
}

impl Relax {
    /// Where a patch stops; `None` without relaxation.
    pub fn until(self) -> Option<Until> {
        match self {
            Self::None => None,
            Self::Time(time) => Some(Until::Time(time)),
            Self::Events(events) => Some(Until::Events(events)),
        }
    }
}

/// Partial evolution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvolveInput {
    /// What surrounds the patch: "ghost", "periodic" or { buffer = width }.
    #[serde(default = "ghost")]
    pub surroundings: Surroundings,
    /// How long the patch evolves: `{ time = t }` or `{ events = n }`.
    pub until: Until,
    /// Patches drawn from each snapshot, each evolved on its own; all K of them when K is smaller.
    #[serde(default = "single")]
    pub patches: usize,
}

/// Training of the stochastic model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSection {
    /// One model is trained for each seed; metrics get their spread.
    pub seeds: Vec<u64>,
    /// Train the paper's baseline too: patch observables as next state, lambda = 1.
    pub baseline: bool,
    /// Learn from the images of every pair too and give the model the symmetries of the law: for spins without a field
    /// a flip of all of them.
    pub mirrored: bool,
    /// Each seed learns from a part of the trajectories of its own, so that the scatter between models holds that of the
    /// data. Otherwise all learn from all of them.
    pub disjoint: bool,
    /// lambda in the loss; K, the number of patches, when absent.
    pub covariance_factor: Option<f64>,
    /// Networks for drift and diffusion.
    pub model: SdeInput,
    /// Optimisation.
    pub fit: TrainInput,
}

/// Euler-Maruyama ensembles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictInput {
    /// Time step. The drift is that over the duration of the partial evolution; the variance comes out exact at a step of a K-th
    /// of this duration, and too large by about rate of the drift times step / 2 at longer ones (docs/results/reproduction.md, E3).
    pub step: f64,
    /// Predicted trajectories for each one of the direct simulation, from the same state.
    #[serde(default = "single")]
    pub replicas: usize,
}

/// Direct simulation of the large system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TruthInput {
    /// What distinguishes the initial states: for spins the magnetisation; see each system.
    pub starts: Vec<toml::Value>,
    /// Trajectories from each.
    pub trajectories: usize,
    /// Time between records.
    pub interval: f64,
    /// Records a trajectory, the first at time 0.
    pub records: usize,
    /// Side of the simulated system; `lattice.large` when absent. Another one shows what a model of one size says of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<usize>,
    /// Side of the tiles that the lattice is cut into; it then advances by coloured sweeps, and ranks can share it.
    /// Absent, each trajectory evolves exactly, as one window of one rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tile: Option<usize>,
    /// Time that a tile evolves in fixed surroundings, a whole part of `interval`; chosen by the system when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantum: Option<f64>,
    /// Conditions of the system that no data are made under: the model is learned from the others and predicts these too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<f64>,
}

/// Choices of the evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateInput {
    /// The last part of each trajectory that counts as equilibrium.
    pub equilibrium: f64,
    /// Bootstrap resamples behind standard errors.
    pub resamples: usize,
    /// Whether to compute the maximum mean discrepancy at every record too: it takes the square of the trajectories.
    pub discrepancy: bool,
}

impl Default for EvaluateInput {
    fn default() -> Self {
        Self { equilibrium: 0.5, resamples: 200, discrepancy: false }
    }
}

impl Default for TrainSection {
    fn default() -> Self {
        Self {
            seeds: vec![1],
            baseline: true,
            mirrored: false,
            disjoint: false,
            covariance_factor: None,
            model: SdeInput::default(),
            fit: TrainInput::default(),
        }
    }
}

impl Input {
    /// The input as text, defaults filled in.
    pub fn toml(&self) -> String {
        toml::to_string(self).expect("an input came from TOML")
    }

    /// Shape of the simulated small system.
    pub fn small_shape(&self) -> Shape {
        self.system.shape(self.lattice.small.unwrap_or(self.lattice.patch))
    }

    /// Shape of the patches of LocalRelax: the small system, or a patch where that is smaller.
    pub fn relax_shape(&self) -> Shape {
        self.system.shape(self.lattice.small.map_or(self.lattice.patch, |small| small.min(self.lattice.patch)))
    }

    /// Shape of a patch.
    pub fn patch_shape(&self) -> Shape {
        self.system.shape(self.lattice.patch)
    }

    /// Shape of the large system.
    pub fn large_shape(&self) -> Shape {
        self.system.shape(self.lattice.large)
    }

    /// Shape of the system of the direct simulation.
    pub fn truth_shape(&self) -> Shape {
        self.system.shape(self.truth.side.unwrap_or(self.lattice.large))
    }

    /// Shape of the tiles of the direct simulation.
    pub fn truth_tile(&self) -> Option<Shape> {
        self.truth.tile.map(|side| self.system.shape(side))
    }

    /// Sweeps between two records of the direct simulation, and the time of one, for a law with the given synchronous
    /// step: the longest quantum that divides the interval and is not above the chosen one.
    pub fn sweeps_per_record(&self, step: Option<f64>) -> (u64, f64) {
        let longest = step.or(self.truth.quantum).unwrap_or(QUANTUM);
        let sweeps = (self.truth.interval / longest - 1e-6).ceil().max(1.0);
        (sweeps as u64, self.truth.interval / sweeps)
    }

    /// K, the number of patches that tile the large system, or of the parts in it that move on their own.
    pub fn patches(&self) -> usize {
        let sites = self.large_shape().sites();
        self.system.moving_part_count(sites).unwrap_or(sites / self.patch_shape().sites())
    }

    /// Large snapshots: one for each small one, and the shuffled ones.
    pub fn large_snapshots(&self) -> usize {
        self.simulate.trajectories * self.simulate.snapshots + self.upsample.shuffled
    }

    /// Patches that are evolved of each snapshot.
    pub fn patches_drawn(&self) -> usize {
        self.evolve.patches.min(self.patches())
    }

    /// Training pairs.
    pub fn pairs(&self) -> usize {
        self.large_snapshots() * self.patches_drawn()
    }

    /// Trajectories of the direct simulation that start alike: from each start under each condition.
    pub fn truth_groups(&self) -> usize {
        self.system.conditions().len() * self.truth.starts.len()
    }

    /// Trajectories of the direct simulation: condition by condition, in each start by start.
    pub fn truth_trajectories(&self) -> usize {
        self.truth_groups() * self.truth.trajectories
    }

    /// Numbers of condition and start of a trajectory of the direct simulation.
    pub fn truth_start(&self, trajectory: usize) -> (usize, usize) {
        let group = trajectory / self.truth.trajectories;
        (group / self.truth.starts.len(), group % self.truth.starts.len())
    }

    /// Whether the data hold condition number `condition`.
    pub fn is_seen(&self, condition: usize) -> bool {
        !self.truth.unseen.contains(&self.system.conditions()[condition])
    }

    /// Numbers of the conditions that the data hold.
    pub fn seen(&self) -> Vec<usize> {
        (0..self.system.conditions().len()).filter(|&condition| self.is_seen(condition)).collect()
    }

    /// Condition (by number) of a training trajectory, small or shuffled: they take those of the data in turn.
    pub fn condition_of(&self, trajectory: usize) -> usize {
        let seen = self.seen();
        seen[trajectory % seen.len()]
    }

    /// lambda of our loss.
    pub fn covariance_factor(&self) -> f64 {
        self.train.covariance_factor.unwrap_or(self.patches() as f64)
    }
}

/// Time quantum of sweeps when the input has none, in units of the law's time: about one event a site. For Glauber dynamics
/// no deviation from the serial kernel can be measured at it (docs/results/scaling.md, tests/sweeps.rs).
const QUANTUM: f64 = 0.5;

fn one() -> u64 {
    1
}

fn single() -> usize {
    1
}

fn ghost() -> Surroundings {
    Surroundings::Ghost
}
