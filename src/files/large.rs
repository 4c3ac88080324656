//! `large.h5`: snapshots of the large system, D.
//!
//! First those that were upsampled from `small.h5`, trajectory after trajectory, snapshot after snapshot, then the shuffled
//! ones. `trajectory` holds where each snapshot comes from.

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    files::{
        arrays::shaped,
        records::{Recorded, RecordsFile},
    },
    lattice::Shape,
    systems::System,
    workflow::{Stage, StageError},
};
use ndarray::Array1;

const TRAJECTORY: &str = "trajectory";

/// The file, written or read.
pub type LargeFile<'c, F> = RecordsFile<'c, Large, F>;

/// Snapshots of the large system.
pub struct Large;

impl Recorded for Large {
    const STAGE: Stage = Stage::Upsample;
    const FILE: &'static str = "large.h5";
    const AXES: &'static [&'static str] = &["snapshot"];
    const MEANING: &'static str = "microscopic states of the large system: upsampled ones, then shuffled ones";

    fn extents(input: &Input) -> Vec<usize> {
        vec![input.large_snapshots()]
    }

    fn shape(input: &Input) -> Shape {
        input.large_shape()
    }

    fn part(input: &Input) -> Shape {
        input.relax_shape()
    }

    fn condition_of(input: &Input, snapshot: usize) -> usize {
        input.condition_of(trajectory_of(input, snapshot))
    }

    fn word_of(input: &Input, snapshot: usize) -> usize {
        input.word_of(trajectory_of(input, snapshot))
    }

    fn own_field<S: System>(file: &mut Writer, input: &Input, leads: bool) -> Result<(), StageError> {
        let extents = &Self::extents(input)[..];
        let meaning = "small-system trajectory that the snapshot comes from; an index of its own for a shuffled one";
        file.declare::<u32>(Field { name: TRAJECTORY, axes: Self::AXES, extents, unit: "1", meaning })?;
        if leads {
            let trajectories: Vec<u32> =
                (0..extents[0]).map(|snapshot| trajectory_of(input, snapshot) as u32).collect();
            file.write(TRAJECTORY, 0, shaped(extents, &trajectories))?;
        }
        Ok(())
    }
}

impl LargeFile<'_, Reader> {
    /// The small-system trajectory that each snapshot comes from.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn trajectories(&self) -> Result<Array1<u32>, StageError> {
        Ok(self.file.read(TRAJECTORY)?)
    }
}

/// The trajectory that a large snapshot comes from; each shuffled one counts as a trajectory of its own.
pub fn trajectory_of(input: &Input, snapshot: usize) -> usize {
    let (trajectories, each) = (input.simulate.trajectories, input.small_snapshots());
    match snapshot.checked_sub(trajectories * each) {
        None => snapshot / each,
        Some(shuffled) => trajectories + shuffled,
    }
}
