//! `truth.h5`: trajectories of the direct simulation of the large system.
//!
//! Trajectory index `(condition * starts + start) * trajectories + i` is the i-th from `truth.starts[start]` under that
//! condition.

use crate::{
    config::Input,
    dataset::Writer,
    files::{
        records::{Recorded, RecordsFile, times},
        starts,
    },
    lattice::Shape,
    systems::System,
    workflow::{Stage, StageError},
};

/// The file, written or read.
pub type TruthFile<'c, F> = RecordsFile<'c, Truth, F>;

/// Trajectories of the direct simulation.
pub struct Truth;

impl Recorded for Truth {
    const STAGE: Stage = Stage::Truth;
    const FILE: &'static str = "truth.h5";

    fn extents(input: &Input) -> Vec<usize> {
        vec![input.truth_trajectories(), input.truth_schedule().records()]
    }

    fn kept(input: &Input) -> Vec<usize> {
        input.truth_schedule().kept
    }

    fn shape(input: &Input) -> Shape {
        input.truth_shape()
    }

    fn part(input: &Input) -> Shape {
        input.truth_tile().unwrap_or(input.truth_shape())
    }

    fn condition_of(input: &Input, trajectory: usize) -> usize {
        input.truth_start(trajectory).0
    }

    fn word_of(input: &Input, trajectory: usize) -> usize {
        input.truth_word_of(trajectory)
    }

    fn own_field<S: System>(file: &mut Writer, input: &Input, leads: bool) -> Result<(), StageError> {
        times::<S>(file, &input.truth_schedule(), leads)?;
        starts::declare_starts(file, input, input.truth_trajectories())?;
        starts::write_starts(file, input, input.truth_trajectories(), leads)
    }
}
