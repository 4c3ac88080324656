//! Learns the macroscopic stochastic dynamics of large lattice systems from simulations of small patches
//! (M. Chen, P. Huang, K. S. Novoselov and Q. Li, arXiv 2511.12842).
//!
//! The crate is a program, `tessera`, and a library. [`systems`] holds the physics, [`dynamics`] the kernels that
//! evolve it, [`sampling`] the way from small states to large ones and to training pairs, [`learning`] the stochastic
//! differential equation, [`scores`] what is compared with a direct simulation. A crate of your own adds a system, a
//! score or a drift with [`Program`].
//!
//! The modules stand in dependency order: each may use only those above it (docs/architecture.md).
//!
//! # Example
//!
//! Ising spins relax in a field:
//!
//! ```
//! use tessera::{
//!     dynamics::{Dynamics, Law, Until},
//!     lattice::{Region, Shape},
//!     rng::{Purpose, stream},
//!     systems::{Ising, System},
//! };
//!
//! let (ising, shape) = (Ising::new(2.5, 0.1), Shape::plane(32, 32));
//! let mut rng = stream(1, Purpose::SmallEvolve, [0, 0]);
//! let mut window = Ising::closed_window(shape);
//! window.load(&ising.draw(shape, Some(-0.5), &mut rng), [0; 3]);
//! let mut kernel = <Ising as System>::Dynamics::default();
//! let elapsed = kernel.evolve(&ising, &mut window, Until::Time(200.0), &mut rng)?;
//! let magnetisation = ising.observe(&window, Region::BOX)[0] / shape.sites() as f64;
//! assert!(elapsed.events > 1000 && magnetisation > 0.3);
//! # Ok::<(), tessera::dynamics::EvolveError>(())
//! ```
#![warn(missing_docs)]

pub mod rng;

pub mod sums;

pub mod lattice;

pub mod dynamics;

pub mod registry;

pub mod evaluation;

pub mod scores;

pub mod systems;

pub mod sampling;

pub mod parallel;

pub mod storage;

#[cfg(feature = "hdf5")]
pub mod dataset;

#[cfg(feature = "torch")]
pub mod learning;

pub mod report;

#[cfg(feature = "program")]
pub mod config;

#[cfg(feature = "program")]
pub mod workflow;

#[cfg(feature = "program")]
pub mod files;

#[cfg(feature = "program")]
pub mod pages;

#[cfg(feature = "program")]
pub mod stages;

#[cfg(feature = "program")]
pub mod barriers;

#[cfg(feature = "program")]
pub mod bench;

#[cfg(feature = "program")]
pub mod cli;

#[cfg(feature = "program")]
mod program;

#[cfg(feature = "program")]
pub use program::Program;
