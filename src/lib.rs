//! Learns the macroscopic stochastic dynamics of large lattice systems from simulations of small patches
//! (arXiv 2511.12842). The modules stand in dependency order: each may use only those above it.

pub mod rng;

pub mod lattice;

pub mod dynamics;

pub mod registry;

pub mod evaluation;

pub mod scores;

pub mod systems;

pub mod sampling;

pub mod parallel;

pub mod dataset;

pub mod learning;

pub mod report;

pub mod config;

pub mod workflow;

pub mod files;

pub mod pages;

pub mod stages;

pub mod barriers;

pub mod bench;

pub mod cli;

mod program;

pub use program::Program;
