//! `small.h5`: trajectories of the small system, D_s.

use crate::{
    config::Input,
    dataset::Writer,
    files::records::{Recorded, RecordsFile, times},
    lattice::Shape,
    systems::System,
    workflow::{Stage, StageError},
};

/// The file, written or read.
pub type SmallFile<'c, F> = RecordsFile<'c, Small, F>;

/// Trajectories of the small system.
pub struct Small;

impl Recorded for Small {
    const STAGE: Stage = Stage::Simulate;
    const FILE: &'static str = "small.h5";

    fn extents(input: &Input) -> Vec<usize> {
        vec![input.simulate.trajectories, input.small_schedule().records()]
    }

    fn kept(input: &Input) -> Vec<usize> {
        input.small_schedule().kept
    }

    fn shape(input: &Input) -> Shape {
        input.small_shape()
    }

    fn condition_of(input: &Input, trajectory: usize) -> usize {
        input.condition_of(trajectory)
    }

    fn word_of(input: &Input, trajectory: usize) -> usize {
        input.word_of(trajectory)
    }

    fn own_field<S: System>(file: &mut Writer, input: &Input, leads: bool) -> Result<(), StageError> {
        times::<S>(file, &input.small_schedule(), leads)
    }
}
