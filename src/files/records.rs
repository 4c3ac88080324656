//! Files of states, all of one layout: `small.h5`, `large.h5` and `truth.h5`.
//!
//! `snapshots` holds `[item..., site...]` (sites of two states as bits, see [`crate::dataset`]) and `observables`
//! `[item..., observable]`, where items count along the axes `[trajectory, time]` or `[snapshot]`. Where only some
//! records keep their state, `snapshots` holds `[trajectory, kept, site...]`, and `kept` their indices; where none does,
//! there is neither. `word` says which
//! items of the first axis shared random numbers. Each kind of file has one more field; a family of systems also has the
//! [conditions].

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    files::{
        arrays::{joined, raw, shaped},
        conditions,
        fields::{declare_observables, declare_sites},
    },
    lattice::Shape,
    parallel::{Ranks, World},
    sampling::{Schedule, Trajectory},
    systems::System,
    workflow::{Context, Stage, StageError},
};
use bytemuck::Pod;
use hdf5::H5Type;
use ndarray::{Array, Array1, ArrayD, Dimension};
use std::{marker::PhantomData, ops::Range};

const SNAPSHOTS: &str = "snapshots";
const OBSERVABLES: &str = "observables";
const TIME: &str = "time";
const KEPT: &str = "kept";
/// The word of items that evolved in lanes.
pub(super) const WORD: &str = "word";
/// What its field means.
pub(super) const WORD_MEANING: &str =
    "index of the word in whose lanes it evolved: items of different words are independent";

/// What tells one file of states from another.
pub trait Recorded {
    /// The stage that writes the file.
    const STAGE: Stage;
    /// Name of the file.
    const FILE: &'static str;
    /// The axes that count items.
    const AXES: &'static [&'static str] = &["trajectory", TIME];
    /// What the states are.
    const MEANING: &'static str = "microscopic states";
    /// Extents of these axes.
    fn extents(input: &Input) -> Vec<usize>;
    /// Shape of the system.
    fn shape(input: &Input) -> Shape;
    /// What the parts of a system that ranks write are made of.
    fn part(input: &Input) -> Shape {
        Self::shape(input)
    }
    /// The condition, by index, of an item of the first axis.
    fn condition_of(input: &Input, item: usize) -> usize;
    /// Which records of a trajectory keep the microscopic state; all items of a file without records do.
    fn kept(input: &Input) -> Vec<usize> {
        (0..Self::extents(input).get(1).copied().unwrap_or(1)).collect()
    }
    /// The word, by index, that an item of the first axis shared random numbers with.
    fn word_of(input: &Input, item: usize) -> usize;
    /// Declares the field that only this kind of file has, and writes it if this rank `leads`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    fn own_field<S: System>(file: &mut Writer, input: &Input, leads: bool) -> Result<(), StageError>;
}

/// The times of the records, a field of files of trajectories.
pub(super) fn times<S: System>(file: &mut Writer, schedule: &Schedule, leads: bool) -> Result<(), StageError> {
    let (axes, extents, unit) = (&[TIME][..], &[schedule.records()][..], S::TIME_UNIT);
    file.declare::<f64>(Field { name: TIME, axes, extents, unit, meaning: "time of each record" })?;
    if leads { Ok(file.write(TIME, 0, shaped(extents, &schedule.times))?) } else { Ok(()) }
}

/// A file of states of one kind that is written or read.
pub struct RecordsFile<'c, K, F> {
    input: &'c Input,
    pub(super) file: F,
    /// Records that keep their state.
    kept: Vec<usize>,
    kind: PhantomData<K>,
}

impl<'c, K: Recorded> RecordsFile<'c, K, Writer<'c>> {
    /// Creates the file, or reopens an unfinished one, and writes what is known beforehand: its own field, and
    /// conditions. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn create<S: System<Site: H5Type>>(context: &'c Context) -> Result<Self, StageError> {
        let (input, extents) = (context.input, K::extents(context.input));
        let mut file = context.create(K::STAGE, K::FILE)?;
        let shapes = (K::shape(input), K::part(input));
        let (kept, records) = (K::kept(input), extents.get(1).copied().unwrap_or(1));
        if kept.len() == records {
            declare_sites::<S>(&mut file, SNAPSHOTS, (K::AXES, &extents), shapes, K::MEANING)?;
        } else if !kept.is_empty() {
            let items = (&[K::AXES[0], KEPT][..], &[extents[0], kept.len()][..]);
            declare_sites::<S>(&mut file, SNAPSHOTS, items, shapes, K::MEANING)?;
            let meaning = "index of the record of each state";
            file.declare::<u32>(Field { name: KEPT, axes: &[KEPT], extents: &[kept.len()], unit: "1", meaning })?;
            let indices: Vec<u32> = kept.iter().map(|&record| record as u32).collect();
            if context.leads() {
                file.write(KEPT, 0, shaped(&[kept.len()], &indices))?;
            }
        }
        declare_observables::<S>(&mut file, OBSERVABLES, (K::AXES, &extents), "")?;
        conditions::declare(&mut file, input, K::AXES[0], extents[0])?;
        let (axes, items) = (&K::AXES[..1], &extents[..1]);
        file.declare::<u32>(Field { name: WORD, axes, extents: items, unit: "1", meaning: WORD_MEANING })?;
        file.coordinate(WORD);
        K::own_field::<S>(&mut file, input, context.leads())?;
        if context.leads() {
            conditions::write(&file, input, 0, (0..extents[0]).map(|item| K::condition_of(input, item)))?;
            let words: Vec<u32> = (0..extents[0]).map(|item| K::word_of(input, item) as u32).collect();
            file.write(WORD, 0, shaped(items, &words))?;
        }
        Ok(Self { input, file, kept, kind: PhantomData })
    }

    /// The file as the items that are still to be written.
    pub fn items(&self) -> &Writer<'c> {
        &self.file
    }

    /// Writes whole items of the first axis from index `first` on: trajectories, or snapshots as trajectories of one
    /// record.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write<T: H5Type + Pod>(&self, first: usize, block: &[Trajectory<T>]) -> Result<(), StageError> {
        let items = [&[block.len()], &K::extents(self.input)[1..]].concat();
        if !self.kept.is_empty() {
            let of_items = [&items[..1], &items[1..].iter().map(|_| self.kept.len()).collect::<Vec<_>>()].concat();
            let extents = [&of_items[..], &K::shape(self.input).used()].concat();
            self.file.write(
                SNAPSHOTS,
                first,
                shaped(&extents, &joined(block.iter().map(|trajectory| &trajectory.sites))),
            )?;
        }
        let observables = joined(block.iter().map(|trajectory| &trajectory.observables));
        let extents = [&items[..], &[observables.len() / items.iter().product::<usize>()]].concat();
        Ok(self.file.write(OBSERVABLES, first, shaped(&extents, &observables))?)
    }

    /// Writes one state that a team shares: its observables, and the `block` of each rank, first site and shape. A team of all ranks writes
    /// collectively, which is faster for blocks that are scattered over the file (docs/results/scaling.md). Collective
    /// in the team.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write_shared<T: H5Type + Pod>(
        &self,
        (world, team): (&World, &World),
        item: &[usize],
        (origin, block): ([usize; 3], Shape),
        sites: &[T],
        observables: &[f64],
    ) -> Result<(), StageError> {
        let ones = vec![1; item.len()];
        if team.rank() == 0 {
            let extents = [&ones[..], &[observables.len()]].concat();
            self.file.write_at(OBSERVABLES, item, shaped(&extents, observables))?;
        }
        let place = self.kept.iter().position(|record| *record == item.get(1).copied().unwrap_or(0));
        let Some(place) = place else { return Ok(()) };
        let unused = 3 - K::shape(self.input).used().len();
        let item = [&item[..1], &item[1..].iter().map(|_| place).collect::<Vec<_>>()].concat();
        let first = [&item[..], &origin[unused..]].concat();
        let extents = [&ones, &block.0[unused..]].concat();
        if team.size() > 1 && team.size() == world.size() {
            return Ok(self.file.write_together(SNAPSHOTS, &first, &extents, sites)?);
        }
        Ok(self.file.write_at(SNAPSHOTS, &first, shaped(&extents, sites))?)
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
        let (input, file) = (context.input, context.open(K::FILE)?);
        Ok(Self { input, file, kept: K::kept(input), kind: PhantomData })
    }

    /// The time of each record of a file of trajectories.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn times(&self) -> Result<Array1<f64>, StageError> {
        Ok(self.file.read(TIME)?)
    }

    /// The observables of some items of the first axis, `[item..., observable]`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    ///
    /// # Panics
    /// When `D` has another number of axes.
    pub fn observables<D: Dimension>(&self, items: Range<usize>) -> Result<Array<f64, D>, StageError> {
        let values = self.file.read_items(OBSERVABLES, items)?;
        Ok(values.into_dimensionality().expect("the caller knows the axes"))
    }

    /// The sites of one state, by its place along the axes of items.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn state<T: H5Type + Pod>(&self, item: &[usize]) -> Result<Vec<T>, StageError> {
        Ok(raw(self.file.read_entry(SNAPSHOTS, item)?))
    }

    /// The states of some items of the first axis, `[item..., site...]`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn snapshots<T: H5Type + Pod>(&self, items: Range<usize>) -> Result<ArrayD<T>, StageError> {
        Ok(self.file.read_items(SNAPSHOTS, items)?)
    }
}
