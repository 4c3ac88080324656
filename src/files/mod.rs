//! The files of a run directory.

pub mod arrays;
pub mod blocks;
pub mod conditions;
pub mod ensembles;
pub mod latent;
pub mod records;
pub mod sweep_checkpoint;
pub mod trainings;
pub mod trajectory_checkpoint;
