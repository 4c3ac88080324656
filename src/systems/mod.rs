//! The systems. One physics is one file: a struct with its parameters and pure functions.
//!
//! To add a system: write its file, then add it to the module list and to `SystemInput` here, and ship an input.

pub mod alloy;

mod condition;
mod curie_weiss;
mod fields;
mod ising;
mod linear_chain;
mod predator_prey;
mod spins;

pub use alloy::Alloy;
pub use condition::Condition;
pub use curie_weiss::{CurieWeiss, UpBeforeDown};
pub use ising::Ising;
pub use linear_chain::LinearChain;
pub use predator_prey::PredatorPrey;

use crate::{
    dynamics::{Dynamics, EvolveError, Law, Until},
    lattice::{Boundary, Lattice, Region, Shape, Window, bcc},
    rng::Rng,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::Path;

/// A macroscopic observable of a system, intensive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Observable {
    /// Name in files and metrics.
    pub name: &'static str,
    /// Symbol in figures.
    pub symbol: &'static str,
    /// Physical unit, "1" when dimensionless.
    pub unit: &'static str,
    /// Whether training scales it to [0, 1]; otherwise it is used as it is.
    pub scaled: bool,
}

/// One of the parts that move on their own, such as a vacancy, and what partial evolution needs to evolve it alone.
#[derive(Clone, Debug)]
pub struct MovingPart<S> {
    /// First site of its window.
    pub origin: [isize; 3],
    /// The law under which it alone moves and all else in the window stays.
    pub law: S,
}

/// A microscopic system: its law, its states and what is observed of them.
pub trait System: Law + Clone + Send {
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

    /// Names of a site's values where each but the first is a channel that is 1 or 0; none where channels are other numbers.
    const SPECIES: &'static [&'static str] = &[];

    /// The features of sites, `[channel, site]`.
    fn features(sites: &[Self::Site]) -> Vec<Self::Feature>;

    /// Draws an initial state far from equilibrium; `start` fixes what is otherwise drawn (see each system).
    fn draw(&self, shape: Shape, start: Option<Self::Start>, rng: &mut Rng) -> Lattice<Self::Site>;

    /// Sums over the sites of `region` of each observable's density, pairs counted half from each end with the real
    /// neighbours. Divided by the number of sites of a patch, their mean over all patches is that of the whole lattice.
    fn observe(&self, window: &Window<Self::Site>, region: Region) -> Vec<f64>;

    /// Upsample of Algorithm 1: a state `factor` times as long on each used axis, made from the first state of `pool`. The
    /// others are near it in time, for systems that are a mosaic of several.
    fn upsample(&self, pool: &[Lattice<Self::Site>], factor: usize, rng: &mut Rng) -> Lattice<Self::Site>;

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

    /// The conditions of a family of systems that share one data set, such as their temperatures; none for one system.
    fn conditions(&self) -> &[f64] {
        &[]
    }

    /// The member of the family under condition number `condition`; of a single system itself.
    fn under(&self, _condition: usize) -> Self {
        self.clone()
    }

    /// Signs of the observables under an exact symmetry of the law and of its lattice, such as a flip of all spins where there
    /// is no field: the mirror image of every possible evolution is as likely as itself. None without such a symmetry.
    fn mirror(&self) -> Option<&'static [f64]> {
        None
    }

    /// All members of the family; a single system is the only one of its own.
    fn family(&self) -> Vec<Self> {
        (0..self.conditions().len().max(1)).map(|condition| self.under(condition)).collect()
    }
}

/// The `[system.<name>]` table of an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemInput {
    /// Two-dimensional Ising model, continuous-time Glauber dynamics.
    Ising(Ising),
    /// Mean-field magnet, continuous-time Glauber dynamics.
    CurieWeiss(CurieWeiss),
    /// Stochastic reaction-diffusion equation of two fields on a line.
    PredatorPrey(PredatorPrey),
    /// Overdamped particles in a row, pushed at one end.
    LinearChain(LinearChain),
    /// NbMoTa alloy, kinetic Monte Carlo of vacancies.
    Alloy(Alloy),
}

impl SystemInput {
    /// Shape of a system with `side` sites along each side.
    pub fn shape(&self, side: usize) -> Shape {
        match self {
            Self::Ising(_) | Self::CurieWeiss(_) => Shape::plane(side, side),
            Self::PredatorPrey(_) | Self::LinearChain(_) => Shape::chain(side),
            Self::Alloy(_) => bcc::shape(side),
        }
    }

    /// The parameters, and the starts of the direct simulation, must make physical sense.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    pub fn check(&self, starts: &[toml::Value]) -> Result<(), String> {
        with_system!(self, system => starts_of(system, starts).and_then(|starts| system.check(&starts)))
    }

    /// The file that the law is read from, if it is.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Alloy(alloy) => alloy.file(),
            _ => None,
        }
    }

    /// Whether the system's dynamics can stop there.
    ///
    /// # Errors
    /// A sentence that says why it cannot.
    pub fn check_span(&self, until: Until) -> Result<(), EvolveError> {
        fn check<S: System>(system: &S, until: Until) -> Result<(), EvolveError> {
            S::Dynamics::check(system, until)
        }
        with_system!(self, system => check(system, until))
    }

    /// The conditions of a family of systems; none for one system.
    pub fn conditions(&self) -> &[f64] {
        with_system!(self, system => system.conditions())
    }

    /// The unit of the conditions.
    pub fn condition_unit(&self) -> &'static str {
        match self {
            Self::Ising(_) => "J / k_B",
            Self::Alloy(_) => "K",
            _ => "1",
        }
    }

    /// The family of some of the members.
    pub fn members(&self, numbers: &[usize]) -> Self {
        match self {
            Self::Ising(ising) => {
                Self::Ising(Ising { temperature: ising.temperature.members(numbers), ..ising.clone() })
            }
            Self::Alloy(alloy) => Self::Alloy(alloy.members(numbers)),
            single => single.clone(),
        }
    }

    /// The unit of time in s under condition number `condition`; none where it has none.
    pub fn seconds(&self, condition: usize) -> Option<f64> {
        with_system!(self, system => system.under(condition).seconds())
    }

    /// The macroscopic observables.
    pub fn observables(&self) -> &'static [Observable] {
        fn of<S: System>(_system: &S) -> &'static [Observable] {
            S::OBSERVABLES
        }
        with_system!(self, system => of(system))
    }

    /// Signs of the observables under a symmetry of the law; `None` without one.
    pub fn mirror(&self) -> Option<&'static [f64]> {
        with_system!(self, system => system.mirror())
    }

    /// Bytes of a site in files and in memory.
    pub fn site_bytes(&self) -> usize {
        fn bytes<S: System>(_system: &S) -> usize {
            size_of::<S::Site>()
        }
        with_system!(self, system => bytes(system))
    }

    /// K, where the parts that partial evolution draws are not tiles that cover a lattice of `sites` sites.
    pub fn moving_part_count(&self, sites: usize) -> Option<usize> {
        with_system!(self, system => system.moving_part_count(sites))
    }

    /// Whether several ranks can share one lattice.
    pub fn is_local(&self) -> bool {
        fn local<S: System>(_system: &S) -> bool {
            S::LOCAL
        }
        with_system!(self, system => local(system))
    }

    /// The least side of a lattice: a site does not reach itself, nor a neighbour twice over.
    pub fn least_side(&self) -> usize {
        fn reach<S: System>(_system: &S) -> usize {
            S::REACH
        }
        with_system!(self, system => reach(system)).max(2)
    }

    /// What lies beyond the edges of the system.
    pub fn boundary(&self) -> Boundary {
        fn boundary<S: System>(_system: &S) -> Boundary {
            S::BOUNDARY
        }
        with_system!(self, system => boundary(system))
    }
}

/// The starts of the direct simulation, as an input lists them, in the form that a system takes.
///
/// # Errors
/// When one of them has another form.
pub fn starts_of<S: System>(_system: &S, starts: &[toml::Value]) -> Result<Vec<S::Start>, String> {
    let start = |value: &toml::Value| {
        value.clone().try_into().map_err(|error| format!("truth.starts holds {value}, which is no start: {error}"))
    };
    starts.iter().map(start).collect()
}

/// Evaluates an expression with the system of an input under a name: static dispatch, one `match` a run.
macro_rules! with_system {
    ($input:expr, $system:ident => $body:expr) => {
        match $input {
            $crate::systems::SystemInput::Ising($system) => $body,
            $crate::systems::SystemInput::CurieWeiss($system) => $body,
            $crate::systems::SystemInput::PredatorPrey($system) => $body,
            $crate::systems::SystemInput::LinearChain($system) => $body,
            $crate::systems::SystemInput::Alloy($system) => $body,
        }
    };
}
pub(crate) use with_system;

/// A commented input for each system, for `tessera new`.
pub const TEMPLATES: &[(&str, &str)] = &[
    ("ising", include_str!("../../inputs/quickstart.toml")),
    ("alloy", include_str!("../../inputs/nbmota_small.toml")),
    ("predator_prey", include_str!("../../inputs/predator_prey.toml")),
    ("curie_weiss", include_str!("../../inputs/curie_weiss.toml")),
    ("linear_chain", include_str!("../../inputs/linear_chain.toml")),
];
