//! The input of a run: typed TOML, defaults, overrides, sweeps, and physical checks before anything is allocated.
//!
//! Sections that belong to one module are that module's own structs; here stand those of the stages.

mod checks;
mod derived;
mod fit;
mod learning_checks;
mod limits;
mod memory;
pub mod models;
mod overrides;
mod snapshots;
mod unseen;
mod upsampling;

pub use fit::{FitInput, FitPredictInput};
pub use memory::Memory;
pub use overrides::{Point, load, load_as};
pub use snapshots::{GeometricTimes, Snapshots};
pub use unseen::Unseen;
pub use upsampling::Reason;

use crate::{
    dynamics::Until,
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
    #[error("{location}: {message}")]
    Parse {
        /// The input and line, or the override.
        location: String,
        /// What is wrong and, for a key, the nearest valid one.
        message: String,
    },
    /// Valid TOML that makes no physical sense.
    #[error("{0}")]
    Physics(String),
}

/// A whole input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Seed of all random streams.
    #[serde(default = "one")]
    pub seed: u64,
    /// How windows of one shape evolve: each on its own ("single"), or many in the lanes of words ("lanes"), which laws
    /// of two states alone can do; "auto" chooses lanes where they serve.
    #[serde(default)]
    pub kernel: Kernel,
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

/// Which kernel evolves windows of one shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// Lanes where the law has them, spans are times, and the windows of a word fit into memory.
    #[default]
    Auto,
    /// One window at a time.
    Single,
    /// Many windows in the lanes of words.
    Lanes,
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
    /// Number of trajectories.
    pub trajectories: usize,
    /// Successive trajectories that share what fixes their start, such as the magnetisation; each is drawn anew from
    /// it.
    #[serde(default = "single")]
    pub group: usize,
    /// Records a trajectory at whole intervals; `snapshots` of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<usize>,
    /// Which records keep the microscopic state, as for the direct simulation. Without `records` a number: that of both.
    pub snapshots: Snapshots,
    /// Time between records.
    pub interval: f64,
    /// More records, at times that grow by one factor: early ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<GeometricTimes>,
    /// Time of the first record; 0 when absent. Later than that, fast relaxation from the random start is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<f64>,
}

/// Hierarchical upsampling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpsampleInput {
    /// How a large state is made from small ones.
    #[serde(default)]
    pub kind: UpsampleKind,
    /// Why this kind was chosen, if the input left it open.
    #[serde(skip)]
    pub(crate) reason: Option<Reason>,
    /// Local dynamics of every overlapping patch at each level: `{ time = t }`, `{ events = n }`,
    /// `{ age = fraction }` or "none".
    pub relax: Relax,
    /// Small snapshots of one trajectory, nearest in time, that systems with a mosaic draw the tiles of a large one
    /// from.
    #[serde(default = "single")]
    pub pool: usize,
    /// Random initial states of the large system to add to the snapshots.
    #[serde(default)]
    pub shuffled: usize,
}

/// How a large state is made from small ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpsampleKind {
    /// As the paper does for the system: every spin becomes a block, fields are interpolated, atoms are a mosaic.
    #[default]
    #[serde(alias = "replicate")]
    Published,
    /// A mosaic of states of one age and one start, each of another trajectory of a group. Between mirrors every other
    /// tile is reflected, so that they join.
    Tiles,
    /// Near a critical point: every spin becomes a block whose majority is kept while the rest of it relaxes. The small
    /// system, and each level, is under the law of equal scaling variable.
    Compatible,
    /// Not at all: direct simulations of the large system.
    Direct,
    /// Tiles, compatible blocks, direct or as published, by the correlation length of the small system. An input that
    /// has been loaded holds the choice instead.
    Auto,
}

impl UpsampleKind {
    /// As inputs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Tiles => "tiles",
            Self::Compatible => "compatible",
            Self::Direct => "direct",
            Self::Auto => "auto",
        }
    }
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
    /// For this fraction of the age of the snapshot: young states must not grow old by it.
    Age(f64),
    /// As long as the kind of upsampling needs. An input that has been loaded holds the choice instead.
    Auto,
}

impl Relax {
    /// Where a patch of a snapshot of this age stops; `None` without relaxation.
    pub fn until(self, age: f64) -> Option<Until> {
        match self {
            Self::None | Self::Auto => None,
            Self::Age(fraction) => (fraction * age > 0.0).then_some(Until::Time(fraction * age)),
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
    /// Random times in each evolution at which the rates of the law are looked at, for a drift with little noise; 0 to
    /// learn from increments alone.
    #[serde(default = "four")]
    pub compensator: usize,
}

/// Training of the stochastic model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSection {
    /// One model is trained for each seed; metrics get their spread.
    pub seeds: Vec<u64>,
    /// Train the paper's baseline too: patch observables as next state, lambda = 1.
    pub baseline: bool,
    /// Learn from the images of every pair too and give the model the symmetries of the law: for spins, a flip of all.
    pub mirrored: bool,
    /// Each seed learns from a part of the trajectories of its own, so that the scatter between models holds that of
    /// the data. Otherwise all learn from all of them.
    pub disjoint: bool,
    /// Random models that other data of the same kind could have given, for the error band of the predictions; 0 for
    /// none.
    #[serde(default = "draws", skip_serializing_if = "is_usual")]
    pub draws: usize,
    /// Multiply drift and Sigma by the slowest rate of the small system, carried to the large one, over that of the pairs.
    pub clock: bool,
    /// lambda in the loss; K, the number of patches, when absent.
    pub covariance_factor: Option<f64>,
    /// Networks for drift and diffusion.
    pub model: SdeInput,
    /// Optimisation.
    pub fit: TrainInput,
}

/// Euler-Maruyama ensembles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictInput {
    /// Time step. The drift is that over the duration of the partial evolution.
    pub step: f64,
    /// Predicted trajectories for each one of the direct simulation, from the same state.
    #[serde(default = "single")]
    pub replicas: usize,
    /// Whether the noise is that of a system of `truth.side`, with Sigma inverse to the number of sites.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_size: bool,
    /// Sides of further systems that the same models predict, without a direct simulation and with Sigma of their size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sides: Vec<usize>,
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
    /// Records a trajectory at whole intervals, the first at time 0.
    pub records: usize,
    /// More records, at times that grow by one factor: early ones. With tiles they are rounded to whole sweeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<GeometricTimes>,
    /// Which records keep the microscopic state: "all", "none", or a number of them, evenly spread and the last among them.
    #[serde(default, skip_serializing_if = "Snapshots::are_all")]
    pub snapshots: Snapshots,
    /// Side of the simulated system; `lattice.large` when absent. Another one shows what a model of one size says of
    /// another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<usize>,
    /// Side of the tiles that the lattice is cut into; it then advances by coloured sweeps, and ranks can share it.
    /// Absent, each trajectory evolves exactly, as one window of one rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tile: Option<usize>,
    /// Time that a tile evolves in fixed surroundings, a whole part of `interval`; chosen by the system when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantum: Option<f64>,
    /// Conditions of the system that no data are made under, and that the model of the others predicts too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<Unseen>,
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

/// Usual number of draws.
fn draws() -> usize {
    32
}

fn is_usual(count: &usize) -> bool {
    *count == draws()
}

impl Default for TrainSection {
    fn default() -> Self {
        Self {
            seeds: vec![1],
            baseline: true,
            mirrored: false,
            disjoint: false,
            clock: false,
            draws: draws(),
            covariance_factor: None,
            model: SdeInput::default(),
            fit: TrainInput::default(),
        }
    }
}

/// Lanes of a word, but for LocalRelax, which forgets what lanes share.
pub const LANES: usize = 64;
fn one() -> u64 {
    1
}

fn single() -> usize {
    1
}

fn four() -> usize {
    4
}

fn ghost() -> Surroundings {
    Surroundings::Ghost
}
