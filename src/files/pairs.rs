//! `pairs.h5`: patches of large snapshots before and after their partial evolution.
//!
//! Pair index `snapshot * patches + p` is the p-th that was drawn of the snapshot. Each row says where the patch comes from
//! (`snapshot`, `patch`, `trajectory`), its sites (`before`, `after`), observables per site, the increment of Eq. 10, and how
//! long it evolved (`duration`, `events`); a family of systems also has the [conditions].

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    files::{
        arrays::{flattened, joined, raw, shaped},
        conditions,
        fields::{declare_observables, declare_sites},
    },
    sampling::Pair,
    systems::System,
    workflow::{Context, Stage, StageError},
};
use hdf5::H5Type;
use ndarray::{Array1, Array2};
use std::ops::Range;

const FILE: &str = "pairs.h5";
const SNAPSHOT: &str = "snapshot";
const PATCH: &str = "patch";
const TRAJECTORY: &str = "trajectory";
const EVENTS: &str = "events";
const DURATION: &str = "duration";

/// Which patch of a pair.
#[derive(Clone, Copy)]
pub enum Side {
    /// The patch before its evolution.
    Before,
    /// The patch after it.
    After,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// What the observables of a pair are those of.
#[derive(Clone, Copy)]
pub enum Observed {
    /// The whole snapshot.
    Snapshot,
    /// The patch before its evolution.
    Before,
    /// The patch after it: the next state of the baseline.
    After,
    /// K times the change of the whole system's observables: the increment of Eq. 10.
    Increment,
}

impl Observed {
    fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "observables",
            Self::Before => "patch_before",
            Self::After => "patch_after",
            Self::Increment => "increment",
        }
    }
}

/// One row of the file.
pub struct Row<T> {
    /// Snapshot of `large.h5` that the patch lies in.
    pub snapshot: u32,
    /// Index of the patch or of the moving part in the snapshot, row-major.
    pub patch: u32,
    /// Trajectory that the snapshot comes from.
    pub trajectory: u32,
    /// Observables of the whole snapshot.
    pub observables: Vec<f64>,
    /// The patch before and after.
    pub pair: Pair<T>,
}

/// The file, written or read.
pub struct PairsFile<'c, F> {
    input: &'c Input,
    file: F,
}

impl<'c> PairsFile<'c, Writer<'c>> {
    /// Creates the file, or reopens an unfinished one. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn create<S: System<Site: H5Type>>(context: &'c Context) -> Result<Self, StageError> {
        let input = context.input;
        let mut file = context.create(Stage::Evolve, FILE)?;
        let items = (&["pair"][..], &[input.pairs()][..]);
        let list = |name, unit, meaning| Field { name, axes: items.0, extents: items.1, unit, meaning };
        file.declare::<u32>(list(SNAPSHOT, "1", "snapshot of large.h5 that the patch lies in"))?;
        file.declare::<u32>(list(PATCH, "1", "index of the patch or of the moving part, row-major"))?;
        file.declare::<u32>(list(TRAJECTORY, "1", "trajectory that the snapshot comes from"))?;
        file.declare::<u64>(list(EVENTS, "1", "events during the evolution"))?;
        file.declare::<f64>(list(DURATION, S::TIME_UNIT, "time that the patch evolved, dt"))?;
        for (side, meaning) in [(Side::Before, "the patch before its evolution"), (Side::After, "the patch after it")] {
            declare_sites::<S>(&mut file, side.name(), items, input.patch_shape(), meaning)?;
        }
        for (observed, of) in [
            (Observed::Snapshot, "of the whole snapshot"),
            (Observed::Before, "of the patch before"),
            (Observed::After, "of the patch after, the next state of the baseline"),
            (Observed::Increment, "K times the change of the whole system's observables"),
        ] {
            declare_observables::<S>(&mut file, observed.name(), items, of)?;
        }
        conditions::declare(&mut file, input, "pair", input.pairs())?;
        Ok(Self { input, file })
    }

    /// The file as the items that are still to be written.
    pub fn items(&self) -> &Writer<'c> {
        &self.file
    }

    /// Writes rows from index `first` on.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn write<T: H5Type + Clone>(&self, first: usize, rows: &[Row<T>]) -> Result<(), StageError> {
        self.list(SNAPSHOT, first, rows, |row| row.snapshot)?;
        self.list(PATCH, first, rows, |row| row.patch)?;
        self.list(TRAJECTORY, first, rows, |row| row.trajectory)?;
        self.list(EVENTS, first, rows, |row| row.pair.elapsed.events)?;
        self.list(DURATION, first, rows, |row| row.pair.elapsed.time)?;
        let patch = self.input.patch_shape().used();
        self.block(Side::Before.name(), first, rows, &patch, |row| &row.pair.before)?;
        self.block(Side::After.name(), first, rows, &patch, |row| &row.pair.after)?;
        let count = [rows.first().map_or(0, |row| row.observables.len())];
        self.block(Observed::Snapshot.name(), first, rows, &count, |row| &row.observables)?;
        self.block(Observed::Before.name(), first, rows, &count, |row| &row.pair.observables_before)?;
        self.block(Observed::After.name(), first, rows, &count, |row| &row.pair.observables_after)?;
        self.block(Observed::Increment.name(), first, rows, &count, |row| &row.pair.increment)?;
        let conditions = rows.iter().map(|row| self.input.condition_of(row.trajectory as usize));
        conditions::write(&self.file, self.input, first, conditions)
    }

    fn list<T, V: H5Type>(
        &self,
        name: &str,
        first: usize,
        rows: &[Row<T>],
        value: impl Fn(&Row<T>) -> V,
    ) -> Result<(), StageError> {
        let values: Vec<V> = rows.iter().map(value).collect();
        Ok(self.file.write(name, first, shaped(&[rows.len()], &values))?)
    }

    fn block<'r, T, V: H5Type + Clone + 'r>(
        &self,
        name: &str,
        first: usize,
        rows: &'r [Row<T>],
        extents: &[usize],
        values: impl Fn(&'r Row<T>) -> &'r Vec<V>,
    ) -> Result<(), StageError> {
        let extents = [&[rows.len()], extents].concat();
        Ok(self.file.write(name, first, shaped(&extents, &joined(rows.iter().map(values))))?)
    }

    /// Closes the file and gives it its name. Collective.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn finish(self) -> Result<(), StageError> {
        Ok(self.file.finish()?)
    }
}

impl<'c> PairsFile<'c, Reader> {
    /// Opens the finished file.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(context: &'c Context) -> Result<Self, StageError> {
        Ok(Self { input: context.input, file: context.open(FILE)? })
    }

    /// Trajectories that the snapshots come from.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn trajectories(&self, pairs: Range<usize>) -> Result<Array1<u32>, StageError> {
        Ok(raw(self.file.read_items(TRAJECTORY, pairs)?).into())
    }

    /// Times that the patches evolved, dt.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn durations(&self, pairs: Range<usize>) -> Result<Array1<f64>, StageError> {
        Ok(raw(self.file.read_items(DURATION, pairs)?).into())
    }

    /// Sites of the patches, `[pair, site]`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn patches<T: H5Type + Clone>(&self, side: Side, pairs: Range<usize>) -> Result<Array2<T>, StageError> {
        Ok(flattened(self.file.read_items(side.name(), pairs)?))
    }

    /// Observables, `[pair, observable]`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn observables(&self, of: Observed, pairs: Range<usize>) -> Result<Array2<f64>, StageError> {
        Ok(flattened(self.file.read_items(of.name(), pairs)?))
    }

    /// Copies the conditions of some pairs to the same rows of another file.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn copy_conditions(&self, to: &Writer, pairs: Range<usize>) -> Result<(), StageError> {
        conditions::copy(&self.file, to, self.input, pairs)
    }
}
