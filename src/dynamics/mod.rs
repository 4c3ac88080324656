//! How a window evolves in time, whatever the system: `evolve(law, window, until, rng)`.
//!
//! A [`Law`] says what a site is and how far it sees. [`Events`] adds rates and outcomes; [`Kmc`] turns them into
//! rejection-free kinetic Monte Carlo with a [`Selector`] of the law's choice. [`DriftNoise`] adds drift and noise;
//! [`Langevin`] integrates them. Laws read, the engine writes.

mod escape;
mod kmc;
mod lanes;
mod langevin;
mod selectors;

pub use escape::{Basin, Escape};
pub use kmc::{Kmc, Pending, advance};
pub use lanes::{HeatBath, InLanes, Lanes, Packing, Word};
pub use langevin::{DriftNoise, Langevin};
pub use selectors::{LinearScan, RateClasses, Selector, SumTree, drawn, index_at};

use crate::{
    lattice::{Boundary, Lattice, Shape, Stencil, Window},
    rng::Rng,
};
use serde::{Deserialize, Serialize};

/// What a site is, and which other sites its dynamics depends on.
pub trait Law: Sync {
    /// State of one site, plain bytes: it crosses between ranks and to files as it is.
    type Site: bytemuck::Pod + Default + Send + Sync + PartialEq + std::fmt::Debug;
    /// Width of the halo that the dynamics of a window needs: the reach of the stencil.
    const REACH: usize;
    /// How far from its own site an event writes: beyond this, sites never change by it.
    const SPREAD: usize = 0;
    /// Whether a part of a system evolves from its halo alone: no mean field. Only then several ranks can share one
    /// lattice.
    const LOCAL: bool = true;
    /// Whether events that would write beyond the box of an open window do not happen. Tiles must then lie elsewhere
    /// from sweep to sweep, or nothing would ever cross their edges.
    const CONFINED: bool = false;
    /// The state of the sites at which events start, if they start at few: sweeps pass over tiles that hold none.
    const STARTS: Option<Self::Site> = None;
    /// What lies beyond the edges of the system.
    const BOUNDARY: Boundary = Boundary::Periodic;
    /// The sites that the rate or drift of a site depends on.
    fn stencil(&self) -> Stencil;
    /// The time step that all sites take at once from the same old state; `None` when events happen one at a time.
    fn synchronous_step(&self) -> Option<f64> {
        None
    }
    /// The law as attempts that come at rate 1 to every site and set one of its two states, if it is one: many windows
    /// then evolve in the bits of words ([`InLanes`]).
    fn heat_bath(&self) -> Option<HeatBath<Self::Site>> {
        None
    }
    /// A window that is a whole system.
    fn closed_window(shape: Shape) -> Window<Self::Site> {
        Window::closed(shape, Self::REACH).bounded(Self::BOUNDARY)
    }
    /// A window on a part of a system, with `halo` sites around it.
    fn open_window(shape: Shape, halo: usize) -> Window<Self::Site> {
        Window::open(shape, halo).bounded(Self::BOUNDARY)
    }
    /// The law in `window`, which holds a part of `lattice`, when surroundings beyond the halo matter (a mean field);
    /// they are then held fixed like the halo. `None` when the law is the same everywhere.
    fn in_mean_field_of(&self, _lattice: &Lattice<Self::Site>, _window: &Window<Self::Site>) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// A law of discrete events at sites.
pub trait Events: Law {
    /// What one event writes: pairs of site and new value.
    type Writes: AsRef<[(usize, Self::Site)]>;
    /// Rate of the event at `site`, in events per unit of time; at least 0. Where a site has several outcomes, the sum
    /// of their rates.
    fn rate(&self, window: &Window<Self::Site>, site: usize) -> f64;
    /// What the event at `site` writes. Where there are several outcomes, one drawn with probability rate / sum of
    /// rates.
    fn outcome(&self, window: &Window<Self::Site>, site: usize, rng: &mut Rng) -> Self::Writes;
}

/// Events whose rates take few values: selection is then O(1).
pub trait ClassedEvents: Events {
    /// Number of classes.
    const CLASSES: usize;
    /// The class of the event at `site`, below `CLASSES`.
    fn class(&self, window: &Window<Self::Site>, site: usize) -> usize;
    /// The rate of every event of a class.
    fn class_rate(&self, class: usize) -> f64;
}

/// How far to evolve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// For a span of time, in units of the law's time.
    Time(f64),
    /// For a number of events.
    Events(u64),
}

/// How far an evolution went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Elapsed {
    /// Time that passed, in units of the law's time.
    pub time: f64,
    /// Number of events.
    pub events: u64,
}

impl Elapsed {
    /// The evolution of two windows over the same time.
    pub fn beside(self, other: Self) -> Self {
        Self { time: self.time.max(other.time), events: self.events + other.events }
    }
}

impl std::ops::AddAssign for Elapsed {
    fn add_assign(&mut self, other: Self) {
        self.time += other.time;
        self.events += other.events;
    }
}

/// Why a window could not evolve.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum EvolveError {
    /// Every event has rate zero.
    #[error(
        "nothing can happen any more: every event in the window has rate zero after {done} of {wanted} events; \
         raise the temperature or stop by time instead of by events"
    )]
    Frozen {
        /// Events so far.
        done: u64,
        /// Events asked for.
        wanted: u64,
    },
    /// The law gave a rate that is not a number.
    #[error("the total rate of the window is {total}; check the parameters of the system")]
    BadRate {
        /// Total rate.
        total: f64,
    },
    /// A stochastic differential equation was to stop after a number of events.
    #[error("an equation of motion has no events to count; write {{ time = ... }}, a multiple of its step {step}")]
    NoEvents {
        /// The integrator's step.
        step: f64,
    },
    /// Many windows in the lanes of words were to stop after a number of events, at a different time each.
    #[error(
        "windows that evolve together stop at a time, not after events; write {{ time = ... }} or kernel = \"single\""
    )]
    CountedInLanes,
    /// A span of time that the integrator cannot hit.
    #[error("a time of {time} is not a whole number of the system's steps of {step}; the nearest one is {nearest}")]
    NotWhole {
        /// Time asked for.
        time: f64,
        /// The integrator's step.
        step: f64,
        /// The nearest time that it can reach, at least one step.
        nearest: f64,
    },
}

/// The one primitive: something that advances a window.
pub trait Dynamics<L: Law> {
    /// Evolves the sites of the box, the halo of an open window held fixed. `self` holds working memory only.
    ///
    /// # Errors
    /// When no event is possible before `until` is reached, or the law gives rates that are not finite.
    fn evolve(
        &mut self,
        law: &L,
        window: &mut Window<L::Site>,
        until: Until,
        rng: &mut Rng,
    ) -> Result<Elapsed, EvolveError>;

    /// Whether the dynamics can stop there at all; inputs are checked with it before anything is allocated.
    ///
    /// # Errors
    /// When they cannot stop at `until`.
    fn check(_law: &L, _until: Until) -> Result<(), EvolveError> {
        Ok(())
    }
}
