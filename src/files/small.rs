//! `small.h5`: trajectories of the small system, D_s.

use crate::{
    config::Input,
    files::records::{Recorded, RecordsFile},
    lattice::Shape,
    sampling::Schedule,
    workflow::Stage,
};

/// The file, written or read.
pub type SmallFile<'c, F> = RecordsFile<'c, Small, F>;

/// Trajectories of the small system.
pub struct Small;

impl Recorded for Small {
    const STAGE: Stage = Stage::Simulate;
    const FILE: &'static str = "small.h5";

    fn trajectories(input: &Input) -> usize {
        input.simulate.trajectories
    }

    fn schedule(input: &Input) -> Schedule {
        let choices = &input.simulate;
        Schedule { records: choices.snapshots, first: choices.first.unwrap_or(0.0), interval: choices.interval }
    }

    fn shape(input: &Input) -> Shape {
        input.small_shape()
    }

    fn condition_of(input: &Input, trajectory: usize) -> usize {
        input.condition_of(trajectory)
    }
}
