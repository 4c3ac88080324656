//! Learns the macroscopic stochastic dynamics of large lattice systems from simulations of small patches
//! (arXiv 2511.12842). The modules stand in dependency order: each may use only those above it.

pub mod rng;

pub mod parallel;

pub mod learning;
