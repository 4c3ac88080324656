//! The systems. One physics is one file: a struct with its parameters and pure functions.
//!
//! To add a system to this crate, write its file, add one line to `for_built_in_systems`, and ship an input. A crate of your own adds
//! one with `tessera::Program::system`.

pub mod alloy;

mod any;
mod condition;
mod curie_weiss;
mod fields;
mod ising;
mod linear_chain;
mod predator_prey;
mod spins;
mod upsampling;

pub use crate::evaluation::{Observable, Symmetry};
pub use alloy::Alloy;
pub use any::{AnySystem, FindFault, ReadSystem, SystemInput, find_fault, read, starts_of};
pub use condition::{Condition, ConditionAxis};
pub use curie_weiss::{CurieWeiss, UpBeforeDown};
pub use ising::Ising;
pub use linear_chain::LinearChain;
pub use predator_prey::PredatorPrey;
pub use upsampling::{Interpolate, Replicate, Upsampling};

use crate::{
    dynamics::{Dynamics, Law},
    lattice::{Lattice, Region, Shape, Window},
    registry::Registry,
    rng::Rng,
    scores::Score,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, path::Path};

/// The systems of this crate, a line each: type, name in inputs, commented input.
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

/// What is registered of a system.
#[derive(Clone, Copy)]
pub struct Registered {
    /// Reads its parameters.
    pub read: ReadSystem,
    /// Finds what is wrong with them in a text.
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

/// One of the parts that move on their own, such as a vacancy, and what partial evolution needs to evolve it alone.
#[derive(Clone, Debug)]
pub struct MovingPart<S> {
    /// First site of its window.
    pub origin: [isize; 3],
    /// The law under which it alone moves and all else in the window stays.
    pub law: S,
}

/// A microscopic system: its law, its states and what is observed of them.
pub trait System: Law + Clone + Debug + Send + Serialize + DeserializeOwned + 'static {
    /// The kernel that evolves it.
    type Dynamics: Dynamics<Self> + Default + Send;

    /// What fixes an initial state up to noise, as an input's `truth.starts` lists it: a number, or several.
    type Start: Copy + DeserializeOwned;

    /// The macroscopic observables z*, in the order of `observe`.
    const OBSERVABLES: &'static [Observable];

    /// Unit of the law's time.
    const TIME_UNIT: &'static str;

    /// How the closure autoencoder sees a site: `i8` for a spin (-1 or 1), `f32` for fields.
    type Feature: Copy + Default + Send + Sync + 'static;

    /// Features a site.
    const CHANNELS: usize;

    /// What states of a site are called and drawn in (red, green, blue). None where sites hold numbers: they are drawn by their
    /// first channel.
    const STATES: &'static [(&'static str, [u8; 3])] = &[];

    /// Index of a site's state in `STATES`.
    fn state(_site: &Self::Site) -> usize {
        0
    }

    /// What the conditions of a family are.
    const CONDITION: ConditionAxis = ConditionAxis { name: "condition", unit: "1" };

    /// Shape of a system with `side` sites along each side.
    fn shape(side: usize) -> Shape;

    /// The features of sites, `[channel, site]`.
    fn features(sites: &[Self::Site]) -> Vec<Self::Feature>;

    /// Draws an initial state far from equilibrium; `start` fixes what is otherwise drawn (see each system).
    fn draw(&self, shape: Shape, start: Option<Self::Start>, rng: &mut Rng) -> Lattice<Self::Site>;

    /// Sums over the sites of `region` of each observable's density, pairs counted half from each end with the real
    /// neighbours. Divided by the number of sites of a patch, their mean over all patches is that of the whole lattice.
    fn observe(&self, window: &Window<Self::Site>, region: Region) -> Vec<f64>;

    /// Upsample of Algorithm 1: how a large state is made from small ones.
    fn upsampling(&self) -> Box<dyn Upsampling<Self>> {
        Box::new(Replicate)
    }

    /// K, the number of parts whose evolutions add up to that of a lattice with `sites` sites, where these are not tiles
    /// that cover it; as many as `moving_parts` of every state with that many sites.
    fn moving_part_count(&self, _sites: usize) -> Option<usize> {
        None
    }

    /// The parts of a state, each in a window of shape `patch`; none where patches are tiles that cover the lattice.
    fn moving_parts(&self, _lattice: &Lattice<Self::Site>, _patch: Shape) -> Vec<MovingPart<Self>> {
        Vec::new()
    }

    /// The law's parameters, and the starts of `draw`, must make physical sense.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    fn check(&self, starts: &[Self::Start]) -> Result<(), String>;

    /// The unit of the law's time in s, which may differ between members of a family; none where it has none.
    fn seconds(&self) -> Option<f64> {
        None
    }

    /// The file that the law is read from, if it is: its content is part of what results depend on.
    fn file(&self) -> Option<&Path> {
        None
    }

    /// The conditions of a family of systems that share one data set, such as their temperatures. At least one: a system on
    /// its own is a family of one member.
    fn conditions(&self) -> &[f64] {
        &[0.0]
    }

    /// The family of the members with these indices.
    fn at_conditions(&self, _indices: &[usize]) -> Self {
        self.clone()
    }

    /// The member of the family under one condition.
    fn at_condition(&self, index: usize) -> Self {
        self.at_conditions(&[index])
    }

    /// Exact symmetries of the law and of its lattice, such as a flip of all spins where there is no field: the image of
    /// every possible evolution is as likely as itself. Their products need not be listed.
    fn symmetries(&self) -> Vec<Symmetry> {
        Vec::new()
    }

    /// Scores that only this system has, beside those of all.
    fn scores(&self) -> Vec<Box<dyn Score>> {
        Vec::new()
    }

    /// All members of the family.
    fn family(&self) -> Vec<Self> {
        (0..self.conditions().len()).map(|index| self.at_condition(index)).collect()
    }
}
