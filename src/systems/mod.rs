//! The systems, one file per physics: a struct with its parameters and pure functions.
//!
//! To add a system to this crate, write its file, add one line to `for_built_in_systems`, and ship an input. Another
//! crate adds a system with `tessera::Program::system`.

pub mod alloy;

mod any;
mod atoms;
mod composition;
mod condition;
mod correlation;
mod curie_weiss;
mod fields;
mod generator;
mod ising;
mod linear_chain;
mod predator_prey;
mod spins;
mod upsampling;

pub use crate::evaluation::{Observable, StatePoint, Symmetry};
pub use alloy::Alloy;
pub use any::{AnySystem, FindFault, ReadSystem, SystemInput, find_fault, read, starts_of};
pub use atoms::{Atoms, AtomsOf};
pub use composition::Composition;
pub use condition::{Condition, ConditionAxis};
pub use correlation::correlation_length;
pub use curie_weiss::{CurieWeiss, UpBeforeDown};
pub use generator::{Generator, GeneratorOf};
pub use ising::Ising;
pub use linear_chain::LinearChain;
pub use predator_prey::PredatorPrey;
pub use upsampling::{Interpolate, Replicate, Tiles, Upsampling};

use crate::{
    dynamics::{Dynamics, Law},
    lattice::{Lattice, Region, Shape, Window},
    registry::Registry,
    rng::Rng,
    scores::Score,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, path::Path};

/// The systems of this crate, one per line: type, name in inputs, commented input.
macro_rules! for_built_in_systems {
    ($table:ident) => {
        $table! {
            $crate::systems::Ising, "ising", "quickstart";
            $crate::systems::Alloy, "alloy", "nbmota_small";
            $crate::systems::PredatorPrey, "predator_prey", "predator_prey";
            $crate::systems::CurieWeiss, "curie_weiss", "curie_weiss";
            $crate::systems::LinearChain, "linear_chain", "linear_chain";
        }
    };
}
#[cfg(feature = "program")]
pub(crate) use for_built_in_systems;

/// The functions and the input of a registered system.
#[derive(Clone, Copy)]
pub struct Registered {
    /// Reads its parameters.
    pub read: ReadSystem,
    /// Finds the error in the text of an input.
    pub find_fault: FindFault,
    /// A commented input, for `tessera new`.
    pub template: &'static str,
}

macro_rules! registered {
    ($($system:ty, $name:literal, $input:literal;)*) => {
        &[$(($name, Registered {
            read: read::<$system>,
            find_fault: find_fault::<$system>,
            template: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/inputs/", $input, ".toml")),
        })),*]
    };
}

/// All systems by their names in inputs.
pub static REGISTRY: Registry<Registered> = Registry::new(for_built_in_systems!(registered));

/// Dynamic scaling at a critical point: relaxation times grow as L^z with the side L.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DynamicScaling {
    /// Index of the order parameter among the observables; its mean is zero by symmetry.
    pub component: usize,
    /// z.
    pub exponent: f64,
}

/// A part of a state that moves on its own, such as a vacancy, for partial evolution.
#[derive(Clone, Debug)]
pub struct MovingPart<S> {
    /// First site of its window.
    pub origin: [isize; 3],
    /// The law in which only this part moves.
    pub law: S,
}

/// A microscopic system: its law, its states and its observables.
pub trait System: Law + Clone + Debug + Send + Serialize + DeserializeOwned + 'static {
    /// The kernel of its dynamics.
    type Dynamics: Dynamics<Self> + Default + Send;

    /// An entry of `truth.starts`, which fixes an initial state up to noise: one or several numbers.
    type Start: Copy + DeserializeOwned;

    /// The macroscopic observables z*, in the order of `observe`.
    const OBSERVABLES: &'static [Observable];

    /// Unit of the law's time.
    const TIME_UNIT: &'static str;

    /// A feature of a site for the autoencoder: `i8` for a spin (-1 or 1), `f32` for fields.
    type Feature: Copy + Default + Send + Sync + 'static;

    /// Features per site.
    const CHANNELS: usize;

    /// Names and colours (red, green, blue) of the states of a site. Empty for fields, which are drawn by their first
    /// channel.
    const STATES: &'static [(&'static str, [u8; 3])] = &[];

    /// Index of a site's state in `STATES`.
    fn state(_site: &Self::Site) -> usize {
        0
    }

    /// The lower and the upper state of a site that has two and is one byte: files then hold a bit a site.
    const TWO_STATES: Option<[Self::Site; 2]> = None;

    /// Whether every event is as frequent as its reverse in equilibrium. A reversible drift needs it.
    const DETAILED_BALANCE: bool = false;

    /// The sites as atoms, for programs of atomistic simulation. None for other systems.
    const ATOMS: Option<AtomsOf<Self>> = None;

    /// Shape of a system with `side` sites along each side.
    fn shape(side: usize) -> Shape;

    /// The features of sites, `[channel, site]`.
    fn features(sites: &[Self::Site]) -> Vec<Self::Feature>;

    /// Draws what fixes an initial state up to noise, for trajectories that start alike. None if the system has nothing
    /// to draw.
    fn draw_start(&self, _rng: &mut Rng) -> Option<Self::Start> {
        None
    }

    /// What an initial state of this shape, far from equilibrium, consists of. `start` fixes its parameters, which are
    /// random otherwise.
    fn composition(&self, shape: Shape, start: Option<Self::Start>, rng: &mut Rng) -> Composition<Self::Site>;

    /// Draws an initial state.
    fn draw(&self, shape: Shape, start: Option<Self::Start>, rng: &mut Rng) -> Lattice<Self::Site> {
        self.composition(shape, start, rng).draw(shape, rng)
    }

    /// Sum of the density of each observable over the sites of `region`. Each end of a pair counts half of it. The mean
    /// over all patches, divided by the sites of a patch, is thus the observable of the whole lattice.
    fn observe(&self, window: &Window<Self::Site>, region: Region) -> Vec<f64>;

    /// The [`Generator`] on the observables, of the events (or the drift) at the sites of `region`: each event with all
    /// that it changes, wherever its neighbours lie. The rates are those under this law in the present state of the
    /// window. None if the law is a black box; training then has noisy increments alone.
    const GENERATOR: Option<GeneratorOf<Self>> = None;

    /// Names of local functions of the state beyond the observables, whose means may be closure variables.
    const LIBRARY: &'static [&'static str] = &[];

    /// Sum of each function of the library over the sites of `region`. Those that depend on neighbours count them as
    /// [`observe`](System::observe) does.
    fn library(&self, _window: &Window<Self::Site>, _region: Region) -> Vec<f64> {
        Vec::new()
    }

    /// Upsample of Algorithm 1, which makes a large state from small ones.
    fn upsampling(&self) -> Box<dyn Upsampling<Self>> {
        Box::new(Replicate)
    }

    /// How the slowest relaxation grows with the size at equal scaling variables. None where that is not known.
    fn dynamic_scaling(&self) -> Option<DynamicScaling> {
        None
    }

    /// The law under which a system that is shorter by `ratio` has the same scaling variables: it looks like this one
    /// from afar. None where no critical point is known.
    fn rescaled(&self, _ratio: f64) -> Option<Self> {
        None
    }

    /// K, the number of moving parts of every state with `sites` sites. `None` if patches are tiles that cover the
    /// lattice.
    fn moving_part_count(&self, _sites: usize) -> Option<usize> {
        None
    }

    /// The moving parts of a state, each in a window of shape `patch`. Empty if patches are tiles that cover the
    /// lattice.
    fn moving_parts(&self, _lattice: &Lattice<Self::Site>, _patch: Shape) -> Vec<MovingPart<Self>> {
        Vec::new()
    }

    /// The law of a [moving part](System::moving_parts) after `dynamics` has evolved its window.
    fn followed(&self, _dynamics: &Self::Dynamics, _window: &Window<Self::Site>) -> Self {
        self.clone()
    }

    /// Checks that the parameters of the law and the starts of `draw` are physical.
    ///
    /// # Errors
    /// A message with the key, its value and the allowed values.
    fn check(&self, starts: &[Self::Start]) -> Result<(), String>;

    /// Roughly the number of events, attempts or steps of sites by which `sites` sites evolve for a time: what a plan
    /// costs.
    fn events(&self, sites: usize, time: f64) -> f64 {
        sites as f64 * time / self.synchronous_step().unwrap_or(1.0)
    }

    /// The unit of the law's time in s, if it has one. It may differ between members of a family.
    fn seconds(&self) -> Option<f64> {
        None
    }

    /// The file of the law, if any. Results depend on its content.
    fn file(&self) -> Option<&Path> {
        None
    }

    /// The conditions, such as temperatures, of a family of systems with one data set. A single system is a family of
    /// one member.
    fn conditions(&self) -> Vec<StatePoint> {
        vec![0.0.into()]
    }

    /// Names and units of what the conditions of the family differ in.
    fn condition_axes(&self) -> Vec<ConditionAxis> {
        vec![ConditionAxis { name: "condition", unit: "1" }]
    }

    /// The family of the members with these indices.
    fn at_conditions(&self, _indices: &[usize]) -> Self {
        self.clone()
    }

    /// The member of the family at the condition with this index.
    fn at_condition(&self, index: usize) -> Self {
        self.at_conditions(&[index])
    }

    /// Exact symmetries of the law and its lattice: the image of every evolution is as likely as the evolution itself.
    /// An example is the flip of all spins without a field. Their products need not be listed.
    fn symmetries(&self) -> Vec<Symmetry> {
        Vec::new()
    }

    /// Scores of this system alone.
    fn scores(&self) -> Vec<Box<dyn Score>> {
        Vec::new()
    }

    /// All members of the family.
    fn family(&self) -> Vec<Self> {
        (0..self.conditions().len()).map(|index| self.at_condition(index)).collect()
    }
}
