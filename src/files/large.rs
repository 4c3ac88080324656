//! `large.h5`: snapshots of the large system, D.
//!
//! First those that were upsampled from `small.h5`, trajectory after trajectory, record after record, then the shuffled ones.
//! `snapshots` holds `[snapshot, site...]`, `observables` `[snapshot, observable]`, `trajectory` where each snapshot comes
//! from; a family of systems also has the [conditions].

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    files::{
        arrays::{joined, shaped},
        conditions,
        fields::{declare_observables, declare_sites, write_block},
    },
    parallel::{Domain, Ranks, World},
    sampling::Trajectory,
    systems::System,
    workflow::{Context, Stage, StageError},
};
use bytemuck::Pod;
use hdf5::H5Type;
use ndarray::{Array1, Array2, ArrayD};
use std::ops::Range;

const FILE: &str = "large.h5";
const SNAPSHOTS: &str = "snapshots";
const OBSERVABLES: &str = "observables";
const TRAJECTORY: &str = "trajectory";

/// The file, written or read.
pub struct LargeFile<'c, F> {
    input: &'c Input,
    file: F,
}

impl<'c> LargeFile<'c, Writer<'c>> {
    /// Creates the file, or reopens an unfinished one, and writes what is known beforehand: where each snapshot comes from,
    /// and its condition. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn create<S: System<Site: H5Type>>(context: &'c Context) -> Result<Self, StageError> {
        let input = context.input;
        let count = input.large_snapshots();
        let mut file = context.create(Stage::Upsample, FILE)?;
        let items = (&["snapshot"][..], &[count][..]);
        let meaning = "microscopic states of the large system: upsampled ones, then shuffled ones";
        declare_sites::<S>(&mut file, SNAPSHOTS, items, input.large_shape(), meaning)?;
        declare_observables::<S>(&mut file, OBSERVABLES, items, "")?;
        let meaning = "small-system trajectory that the snapshot comes from; an index of its own for a shuffled one";
        file.declare::<u32>(Field { name: TRAJECTORY, axes: items.0, extents: items.1, unit: "1", meaning })?;
        conditions::declare(&mut file, input, "snapshot", count)?;
        if context.leads() {
            let trajectories: Vec<u32> = (0..count).map(|snapshot| trajectory_of(input, snapshot) as u32).collect();
            file.write(TRAJECTORY, 0, shaped(&[count], &trajectories))?;
            conditions::write(&file, input, 0, (0..count).map(|snapshot| condition_of(input, snapshot)))?;
        }
        Ok(Self { input, file })
    }

    /// The file as the items that are still to be written.
    pub fn items(&self) -> &Writer<'c> {
        &self.file
    }

    /// Writes whole snapshots, each a trajectory of one record, from index `first` on.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write<T: H5Type + Clone>(&self, first: usize, block: &[Trajectory<T>]) -> Result<(), StageError> {
        let sites = joined(block.iter().map(|snapshot| &snapshot.sites));
        let extents = [&[block.len()], &self.input.large_shape().used()[..]].concat();
        self.file.write(SNAPSHOTS, first, shaped(&extents, &sites))?;
        let observables = joined(block.iter().map(|snapshot| &snapshot.observables));
        let extents = [block.len(), observables.len() / block.len()];
        Ok(self.file.write(OBSERVABLES, first, shaped(&extents, &observables))?)
    }

    /// Writes one snapshot that a team shares. Collective in the team.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write_shared<T: H5Type + Pod + Default + Send + Sync>(
        &self,
        (world, team): (&World, &World),
        snapshot: usize,
        domain: &Domain<T>,
        observables: &[f64],
    ) -> Result<(), StageError> {
        if team.rank() == 0 {
            self.file.write(OBSERVABLES, snapshot, shaped(&[1, observables.len()], observables))?;
        }
        write_block(&self.file, (world, team), SNAPSHOTS, &[snapshot], domain)
    }

    /// Closes the file and gives it its name. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn finish(self) -> Result<(), StageError> {
        Ok(self.file.finish()?)
    }
}

impl<'c> LargeFile<'c, Reader> {
    /// Opens the finished file.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(context: &'c Context) -> Result<Self, StageError> {
        Ok(Self { input: context.input, file: context.open(FILE)? })
    }

    /// The observables of all snapshots, `[snapshot, observable]`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn observables(&self) -> Result<Array2<f64>, StageError> {
        Ok(self.file.read(OBSERVABLES)?)
    }

    /// The small-system trajectory that each snapshot comes from.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn trajectories(&self) -> Result<Array1<u32>, StageError> {
        Ok(self.file.read(TRAJECTORY)?)
    }

    /// Some snapshots, `[snapshot, site...]`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn snapshots<T: H5Type>(&self, snapshots: Range<usize>) -> Result<ArrayD<T>, StageError> {
        Ok(self.file.read_items(SNAPSHOTS, snapshots)?)
    }
}

/// The trajectory that a large snapshot comes from; each shuffled one counts as a trajectory of its own.
pub fn trajectory_of(input: &Input, snapshot: usize) -> usize {
    let (trajectories, records) = (input.simulate.trajectories, input.simulate.snapshots);
    if snapshot < trajectories * records {
        snapshot / records
    } else {
        snapshot - trajectories * records + trajectories
    }
}

/// The condition, by index, of a large snapshot.
pub fn condition_of(input: &Input, snapshot: usize) -> usize {
    input.condition_of(trajectory_of(input, snapshot))
}
