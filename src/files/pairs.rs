//! `pairs.h5`: patches of large snapshots before and after their partial evolution.
//!
//! Pair index `snapshot * patches + p` is the p-th that was drawn of the snapshot. Each row says where the patch comes
//! from (`snapshot`, `patch`, `trajectory`, `word`), its sites (`before`, `after`; only with closure variables),
//! observables per site, the increment of Eq. 10 and its `compensator`, if the law gives one, and how long it evolved
//! (`duration`, `events`); a family of systems also has the [conditions].

use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    files::{
        arrays::{flattened, joined, raw, shaped},
        conditions,
        fields::{declare_observables, declare_sites},
        records::{WORD, WORD_MEANING},
    },
    sampling::{LibraryChange, Pair, WholeState},
    systems::System,
    workflow::{Context, Stage, StageError},
};
use bytemuck::Pod;
use hdf5::H5Type;
use ndarray::{Array1, Array2};
use std::ops::Range;

const FILE: &str = "pairs.h5";
const SNAPSHOT: &str = "snapshot";
const PATCH: &str = "patch";
const TRAJECTORY: &str = "trajectory";
const EVENTS: &str = "events";
const DURATION: &str = "duration";

/// Which patch of a pair: the name and the meaning of its field.
#[derive(Clone, Copy)]
pub struct Side(&'static str, &'static str);

impl Side {
    /// The patch before its evolution.
    pub const BEFORE: Self = Self("before", "the patch before its evolution");
    /// The patch after it.
    pub const AFTER: Self = Self("after", "the patch after it");
}

/// What the observables of a pair are those of: the name and the meaning of their field.
#[derive(Clone, Copy)]
pub struct Observed(&'static str, &'static str);

impl Observed {
    /// The whole snapshot.
    pub const SNAPSHOT: Self = Self("observables", "of the whole snapshot");
    /// The patch before its evolution.
    pub const BEFORE: Self = Self("patch_before", "of the patch before");
    /// The patch after it: the next state of the baseline.
    pub const AFTER: Self = Self("patch_after", "of the patch after, the next state of the baseline");
    /// K times the change of the whole system's observables: the increment of Eq. 10.
    pub const INCREMENT: Self = Self("increment", "K times the change of the whole system's observables");
    /// The compensator of the increment.
    pub const COMPENSATOR: Self = Self("compensator", "K times the expected change, given the rates along the way");
    /// The drift of the whole snapshot.
    pub const DRIFT: Self = Self("drift", "drift of the whole snapshot, by the rates of the law");
    /// The drift by the patch before its evolution.
    pub const DRIFT_DEVIATION: Self =
        Self("drift_deviation", "K times the drift by the patch before, less the drift of the whole snapshot");
}

/// What the functions of the library of a pair are those of: the name and the meaning of their field.
#[derive(Clone, Copy)]
pub struct OfLibrary(&'static str, &'static str);

impl OfLibrary {
    /// The whole snapshot.
    pub const SNAPSHOT: Self = Self("library", "means of the functions of the library over the whole snapshot");
    /// The patch before its evolution.
    pub const BEFORE: Self = Self("library_before", "means over the patch before");
    /// K times the change of the whole system's means.
    pub const INCREMENT: Self = Self("library_increment", "K times the change of the whole system's means");
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
    /// The whole snapshot.
    pub whole: WholeState,
    /// K times the drift of the observables by the patch before, less that of the whole snapshot, if known.
    pub drift_deviation: Option<Vec<f64>>,
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
        file.declare::<u32>(list(WORD, "1", WORD_MEANING))?;
        file.declare::<u64>(list(EVENTS, "1", "events during the evolution; 0 in lanes, which do not count them"))?;
        file.declare::<f64>(list(DURATION, S::TIME_UNIT, "time that the patch evolved, dt"))?;
        let patch = input.patch_shape();
        let sides = if input.closes() { &[Side::BEFORE, Side::AFTER][..] } else { &[] };
        for Side(name, meaning) in sides {
            declare_sites::<S>(&mut file, name, items, (patch, patch), meaning)?;
        }
        for Observed(name, of) in [Observed::SNAPSHOT, Observed::BEFORE, Observed::AFTER, Observed::INCREMENT] {
            declare_observables::<S>(&mut file, name, items, of)?;
        }
        for Observed(name, of) in [Observed::COMPENSATOR, Observed::DRIFT_DEVIATION] {
            if input.compensated() {
                declare_observables::<S>(&mut file, name, items, of)?;
            }
        }
        if input.uses_library() {
            declare_observables::<S>(&mut file, Observed::DRIFT.0, items, Observed::DRIFT.1)?;
            for OfLibrary(name, meaning) in [OfLibrary::SNAPSHOT, OfLibrary::BEFORE, OfLibrary::INCREMENT] {
                let (axes, extents) = (&["pair", "function"], &[input.pairs(), S::LIBRARY.len()]);
                file.declare::<f64>(Field { name, axes, extents, unit: "1", meaning })?;
            }
            file.name_entries("function", S::LIBRARY.iter().map(|&name| name.into()).collect());
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
    pub fn write<'r, T: H5Type + Pod>(&self, first: usize, rows: &'r [Row<T>]) -> Result<(), StageError> {
        self.list(SNAPSHOT, first, rows, |row| row.snapshot)?;
        self.list(PATCH, first, rows, |row| row.patch)?;
        self.list(TRAJECTORY, first, rows, |row| row.trajectory)?;
        self.list(WORD, first, rows, |row| self.input.word_of(row.trajectory as usize) as u32)?;
        self.list(EVENTS, first, rows, |row| row.pair.elapsed.events)?;
        self.list(DURATION, first, rows, |row| row.pair.elapsed.time)?;
        let patch = self.input.patch_shape().used();
        if self.input.closes() {
            self.block(Side::BEFORE.0, first, rows, &patch, |row| &row.pair.before)?;
            self.block(Side::AFTER.0, first, rows, &patch, |row| &row.pair.after)?;
        }
        let count = [rows.first().map_or(0, |row| row.observables.len())];
        self.block(Observed::SNAPSHOT.0, first, rows, &count, |row| &row.observables)?;
        self.block(Observed::BEFORE.0, first, rows, &count, |row| &row.pair.observables_before)?;
        self.block(Observed::AFTER.0, first, rows, &count, |row| &row.pair.observables_after)?;
        self.block(Observed::INCREMENT.0, first, rows, &count, |row| &row.pair.increment)?;
        if self.input.compensated() {
            let compensator = |row: &'r Row<T>| row.pair.compensator.as_ref().expect("the law has a generator");
            self.block(Observed::COMPENSATOR.0, first, rows, &count, compensator)?;
            let deviation = |row: &'r Row<T>| row.drift_deviation.as_ref().expect("the law has a generator");
            self.block(Observed::DRIFT_DEVIATION.0, first, rows, &count, deviation)?;
        }
        if self.input.uses_library() {
            let known = "rows of an input with a library have it";
            let drift = |row: &'r Row<T>| row.whole.drift.as_ref().expect(known);
            self.block(Observed::DRIFT.0, first, rows, &count, drift)?;
            let functions = [self.input.system.library_names().len()];
            let change = |row: &'r Row<T>| -> &'r LibraryChange { row.pair.library.as_ref().expect(known) };
            let of_whole = |row: &'r Row<T>| row.whole.library.as_ref().expect(known);
            self.block(OfLibrary::SNAPSHOT.0, first, rows, &functions, of_whole)?;
            self.block(OfLibrary::BEFORE.0, first, rows, &functions, |row| &change(row).before)?;
            self.block(OfLibrary::INCREMENT.0, first, rows, &functions, |row| &change(row).increment)?;
        }
        let conditions = rows.iter().map(|row| self.input.condition_of(row.trajectory as usize));
        conditions::write(&self.file, self.input, first, conditions)
    }

    fn list<T, V: H5Type + Pod>(
        &self,
        name: &str,
        first: usize,
        rows: &[Row<T>],
        value: impl Fn(&Row<T>) -> V,
    ) -> Result<(), StageError> {
        let values: Vec<V> = rows.iter().map(value).collect();
        Ok(self.file.write(name, first, shaped(&[rows.len()], &values))?)
    }

    fn block<'r, T, V: H5Type + Pod>(
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
    pub fn patches<T: H5Type + Pod>(&self, side: Side, pairs: Range<usize>) -> Result<Array2<T>, StageError> {
        Ok(flattened(self.file.read_items(side.0, pairs)?))
    }

    /// Observables, `[pair, observable]`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn observables(&self, of: Observed, pairs: Range<usize>) -> Result<Array2<f64>, StageError> {
        Ok(flattened(self.file.read_items(of.0, pairs)?))
    }

    /// Functions of the library, `[pair, function]`.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn library(&self, of: OfLibrary, pairs: Range<usize>) -> Result<Array2<f64>, StageError> {
        Ok(flattened(self.file.read_items(of.0, pairs)?))
    }

    /// Copies the conditions of some pairs to the same rows of another file.
    ///
    /// # Errors
    /// When HDF5 refuses.
    pub fn copy_conditions(&self, to: &Writer, pairs: Range<usize>) -> Result<(), StageError> {
        conditions::copy(&self.file, to, self.input, pairs)
    }
}
