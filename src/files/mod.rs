//! The files of a run directory.

pub mod arrays;
pub mod blocks;
pub mod checkpoints;
pub mod conditions;
pub mod evidence;
pub mod latent;
pub mod records;
pub mod trainings;
pub mod unfinished;
