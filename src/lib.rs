//! Learns the macroscopic stochastic dynamics of large lattice systems from simulations of small patches
//! (arXiv 2511.12842). The modules stand in dependency order: each may use only those above it.

#![warn(missing_docs)]

pub mod rng;

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
