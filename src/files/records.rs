//! Files of recorded trajectories: `small.h5` and `truth.h5`.
//!
//! `snapshots` holds `[trajectory, record, site...]`, `observables` `[trajectory, record, observable]`, `time` that of each
//! record; a family of systems also has the [conditions].

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    files::{
        arrays::{joined, shaped},
        conditions,
        fields::{declare_observables, declare_sites, write_block},
    },
    lattice::Shape,
    parallel::{Domain, Ranks, World},
    sampling::{Schedule, Trajectory},
    systems::System,
    workflow::{Context, Stage, StageError},
};
use bytemuck::Pod;
use hdf5::H5Type;
use ndarray::{Array1, Array3, ArrayD};
use std::{marker::PhantomData, ops::Range};

const SNAPSHOTS: &str = "snapshots";
const OBSERVABLES: &str = "observables";
const TIME: &str = "time";
/// The axes that count items.
const AXES: [&str; 2] = ["trajectory", "record"];

/// What tells one file of trajectories from another.
pub trait Recorded {
    /// The stage that writes the file.
    const STAGE: Stage;
    /// Name of the file.
    const FILE: &'static str;
    /// Number of trajectories.
    fn trajectories(input: &Input) -> usize;
    /// When each is recorded.
    fn schedule(input: &Input) -> Schedule;
    /// Shape of the system.
    fn shape(input: &Input) -> Shape;
    /// The condition, by index, of a trajectory.
    fn condition_of(input: &Input, trajectory: usize) -> usize;
}

/// A file of trajectories of one kind that is written or read.
pub struct RecordsFile<'c, K, F> {
    input: &'c Input,
    file: F,
    kind: PhantomData<K>,
}

impl<'c, K: Recorded> RecordsFile<'c, K, Writer<'c>> {
    /// Creates the file, or reopens an unfinished one, and writes what is known beforehand: times and conditions. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn create<S: System<Site: H5Type>>(context: &'c Context) -> Result<Self, StageError> {
        let (input, schedule, trajectories) =
            (context.input, K::schedule(context.input), K::trajectories(context.input));
        let mut file = context.create(K::STAGE, K::FILE)?;
        let items = (&AXES[..], &[trajectories, schedule.records][..]);
        declare_sites::<S>(&mut file, SNAPSHOTS, items, K::shape(input), "microscopic states")?;
        declare_observables::<S>(&mut file, OBSERVABLES, items, "")?;
        file.declare::<f64>(Field {
            name: TIME,
            axes: &["record"],
            extents: &[schedule.records],
            unit: S::TIME_UNIT,
            meaning: "time of each record",
        })?;
        conditions::declare(&mut file, input, "trajectory", trajectories)?;
        if context.leads() {
            file.write(TIME, 0, shaped(&[schedule.records], &schedule.times()))?;
            conditions::write(&file, input, 0, (0..trajectories).map(|index| K::condition_of(input, index)))?;
        }
        Ok(Self { input, file, kind: PhantomData })
    }

    /// The file as the items that are still to be written.
    pub fn items(&self) -> &Writer<'c> {
        &self.file
    }

    /// Writes whole trajectories from index `first` on.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write<T: H5Type + Clone>(&self, first: usize, block: &[Trajectory<T>]) -> Result<(), StageError> {
        let items = [block.len(), K::schedule(self.input).records];
        let sites = joined(block.iter().map(|trajectory| &trajectory.sites));
        let extents = [&items[..], &K::shape(self.input).used()].concat();
        self.file.write(SNAPSHOTS, first, shaped(&extents, &sites))?;
        let observables = joined(block.iter().map(|trajectory| &trajectory.observables));
        let extents = [&items[..], &[observables.len() / items[0] / items[1]]].concat();
        Ok(self.file.write(OBSERVABLES, first, shaped(&extents, &observables))?)
    }

    /// Writes one record of a trajectory that a team shares. Collective in the team.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write_record<T: H5Type + Pod + Default + Send + Sync>(
        &self,
        (world, team): (&World, &World),
        [trajectory, record]: [usize; 2],
        domain: &Domain<T>,
        observables: &[f64],
    ) -> Result<(), StageError> {
        if team.rank() == 0 {
            let row = shaped(&[1, 1, observables.len()], observables);
            self.file.write_at(OBSERVABLES, &[trajectory, record], row)?;
        }
        write_block(&self.file, (world, team), SNAPSHOTS, &[trajectory, record], domain)
    }

    /// Closes the file and gives it its name. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn finish(self) -> Result<(), StageError> {
        Ok(self.file.finish()?)
    }
}

impl<'c, K: Recorded> RecordsFile<'c, K, Reader> {
    /// Opens the finished file.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(context: &'c Context) -> Result<Self, StageError> {
        Ok(Self { input: context.input, file: context.open(K::FILE)?, kind: PhantomData })
    }

    /// The time of each record.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn times(&self) -> Result<Array1<f64>, StageError> {
        Ok(self.file.read(TIME)?)
    }

    /// The observables of some trajectories, `[trajectory, record, observable]`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn observables(&self, trajectories: Range<usize>) -> Result<Array3<f64>, StageError> {
        let values = self.file.read_items(OBSERVABLES, trajectories)?;
        Ok(values.into_dimensionality().expect("observables have three axes"))
    }

    /// The snapshots of some trajectories, `[trajectory, record, site...]`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn snapshots<T: H5Type>(&self, trajectories: Range<usize>) -> Result<ArrayD<T>, StageError> {
        Ok(self.file.read_items(SNAPSHOTS, trajectories)?)
    }
}
