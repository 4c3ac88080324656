//! The training of any objective: epochs, data-parallel gradient steps, checkpoints and model files.

mod batch_threads;
pub(crate) mod checkpoint;
pub(crate) mod data_parallel;
pub(crate) mod epochs;
pub mod input;
pub(crate) mod network;
pub(crate) mod objective;
pub(crate) mod optimiser;
pub(crate) mod parameters;
pub(crate) mod split;
pub(crate) mod state;
pub(crate) mod store;

#[cfg(test)]
mod training_tests;
