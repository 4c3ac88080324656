//! One file written by all ranks with the MPI-IO driver, item by item; a killed job resumes where it was.

use super::{
    DatasetError, Field, Provenance, collective,
    marks::{self, Marks},
    schema::write_text,
};
use crate::{
    parallel::{Ranks, World},
    storage::{StorageError, whole::TEMPORARY},
};
use hdf5::{H5Type, dataset::FillTime};
use ndarray::ArrayView;
use std::{
    cell::OnceCell,
    collections::HashMap,
    mem::ManuallyDrop,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Room for what HDF5 itself keeps in a file.
const METADATA_BYTES: u64 = 1 << 20;

/// A file that is being written. All ranks create it, declare the same fields, and finish it together; in between
/// each rank writes the items it owns, independently of the others.
///
/// Dropped unfinished, it leaves its HDF5 handles open on purpose: closing is collective, and the other ranks of a
/// failing one would never come.
pub struct Writer<'w> {
    world: &'w World,
    target: PathBuf,
    partial: PathBuf,
    file: ManuallyDrop<hdf5::File>,
    fields: ManuallyDrop<HashMap<String, hdf5::Dataset>>,
    /// What an unfinished file must agree in for a job to resume from it.
    identity: String,
    resumed: bool,
    /// Bytes of all declared fields.
    bytes: u64,
    marks: OnceCell<Marks>,
}

impl<'w> Writer<'w> {
    /// Creates the file under the temporary name `<path>.partial`, or opens the one that a killed job with the same
    /// provenance left there. Collective.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path, world: &'w World, provenance: &Provenance) -> Result<Self, DatasetError> {
        let partial = path.with_added_extension(TEMPORARY);
        let identity = provenance.identity();
        let mut found = [u8::from(world.rank() == 0 && partial.exists() && marks::belong(path, &identity))];
        world.broadcast(&mut found);
        let mut builder = hdf5::File::with_options();
        builder.with_fapl(|access| access.mpio(world.raw(), None));
        let left = (found == [1]).then(|| builder.open_as(&partial, hdf5::OpenMode::ReadWrite)).and_then(Result::ok);
        let resumed = left.is_some();
        let file = left.map_or_else(|| builder.create(&partial), Ok).map_err(DatasetError::when("create", &partial))?;
        if !resumed {
            for (name, text) in provenance.entries() {
                write_text(&file, &partial, name, &text)?;
            }
        }
        let (file, fields) = (ManuallyDrop::new(file), ManuallyDrop::default());
        let (target, marks) = (path.to_owned(), OnceCell::new());
        Ok(Self { world, target, partial, file, fields, identity, resumed, bytes: 0, marks })
    }

    /// After all fields are declared: makes room on disk and says which of `items` items are still to be written, on
    /// this rank or another. Collective.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn pending(&self, items: usize) -> Result<Vec<usize>, DatasetError> {
        if !self.resumed {
            self.reserve()?;
            self.file.flush().map_err(self.refused("make room in"))?;
            self.world.barrier();
            if self.world.rank() == 0 {
                marks::begin(&self.target, &self.identity, items)?;
            }
        }
        self.world.barrier();
        let marks = Marks::open(&self.target, &self.identity, items)?;
        let pending = marks.pending()?;
        self.marks.set(marks).ok();
        self.world.barrier();
        Ok(pending)
    }

    /// Whether the file resumes from what a killed job left.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Notes that all fields of these items are written: a later job will not repeat them.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn mark(&self, items: Range<usize>) -> Result<(), DatasetError> {
        Ok(self.marks.get().map_or(Ok(()), |marks| marks.set(items))?)
    }

    /// Declares a field. Collective.
    ///
    /// # Errors
    /// When HDF5 cannot allocate it (for instance when the disk is full).
    pub fn declare<T: H5Type>(&mut self, field: Field) -> Result<(), DatasetError> {
        if self.resumed {
            let dataset = self.file.dataset(field.name).map_err(self.refused(format!("find {} in", field.name)))?;
            self.fields.insert(field.name.to_owned(), dataset);
            return Ok(());
        }
        let builder = self.file.new_dataset::<T>().fill_time(FillTime::Never).shape(field.extents);
        let action = format!("allocate {} of shape {:?} in", field.name, field.extents);
        let dataset = builder.create(field.name).map_err(self.refused(action))?;
        for (name, text) in [("axes", &field.axes.join(", ")[..]), ("unit", field.unit), ("meaning", field.meaning)] {
            write_text(&dataset, &self.partial, name, text)?;
        }
        self.fields.insert(field.name.to_owned(), dataset);
        self.bytes += (field.extents.iter().product::<usize>() * size_of::<T>()) as u64;
        Ok(())
    }

    /// Reserves room on disk for all fields, and tries on every rank that the file may grow that far. HDF5 writes its
    /// own metadata in collective steps, in which a rank that fails would leave the others waiting for ever.
    /// Collective.
    fn reserve(&self) -> Result<(), DatasetError> {
        let size = self.bytes + METADATA_BYTES;
        let reserved = std::fs::File::options().write(true).open(&self.partial).and_then(|file| {
            if self.world.rank() == 0 {
                match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size) {
                    // Not every file system can reserve; then the disk may still fill up later.
                    Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            self.world.barrier();
            file.write_all_at(&[0], size - 1)
        });
        let action = format!("reserve {:.1} MB of disk for", size as f64 / 1e6);
        reserved.map_err(StorageError::when(action, &self.partial))?;
        self.world.barrier();
        Ok(())
    }

    /// Writes items `first..first + values.len_of(first axis)` of a declared field. Independent of other ranks.
    ///
    /// # Errors
    /// When HDF5 refuses, or the field was not declared.
    pub fn write<T: H5Type, D: ndarray::Dimension>(
        &self,
        name: &str,
        first: usize,
        values: ArrayView<T, D>,
    ) -> Result<(), DatasetError> {
        self.write_at(name, &[first], values)
    }

    /// Writes a block whose first entry stands at `first` on the leading axes and at 0 on the others.
    ///
    /// # Errors
    /// As `write`.
    pub fn write_at<T: H5Type, D: ndarray::Dimension>(
        &self,
        name: &str,
        first: &[usize],
        values: ArrayView<T, D>,
    ) -> Result<(), DatasetError> {
        if values.is_empty() {
            return Ok(());
        }
        let starts = first.iter().copied().chain(std::iter::repeat(0));
        let block: Vec<hdf5::SliceOrIndex> =
            values.shape().iter().zip(starts).map(|(&extent, start)| (start..start + extent).into()).collect();
        self.field(name)
            .and_then(|dataset| dataset.write_slice(values, hdf5::Hyperslab::new(block)))
            .map_err(self.refused(format!("write {name} to")))
    }

    /// As `write_at`, in one step with all ranks of the file. Collective: each rank gives a block of `extents` entries,
    /// which may be empty, as a row-major list. The caller must end the job after an error: other ranks wait.
    ///
    /// # Errors
    /// As `write`, and when the list is not as long as the block or the block lies outside of the field.
    pub fn write_together<T: H5Type>(
        &self,
        name: &str,
        first: &[usize],
        extents: &[usize],
        values: &[T],
    ) -> Result<(), DatasetError> {
        self.field(name)
            .and_then(|dataset| collective::write(dataset, first, extents, values))
            .map_err(self.refused(format!("write {name} to")))
    }

    /// Closes the file and gives it its name. Collective.
    ///
    /// # Errors
    /// When the data cannot be flushed or the file cannot be renamed.
    pub fn finish(self) -> Result<(), DatasetError> {
        drop(ManuallyDrop::into_inner(self.fields));
        let file = ManuallyDrop::into_inner(self.file);
        file.flush().and_then(|()| file.close()).map_err(DatasetError::when("close", &self.partial))?;
        self.world.barrier();
        if self.world.rank() == 0 {
            let action = format!("rename {} to", self.partial.display());
            std::fs::rename(&self.partial, &self.target).map_err(StorageError::when(action, &self.target))?;
            std::fs::remove_file(marks::path_of(&self.target)).ok();
        }
        self.world.barrier();
        Ok(())
    }

    fn field(&self, name: &str) -> hdf5::Result<&hdf5::Dataset> {
        self.fields.get(name).ok_or_else(|| hdf5::Error::Internal("the field was not declared".into()))
    }

    fn refused(&self, action: impl Into<String>) -> impl FnOnce(hdf5::Error) -> DatasetError {
        DatasetError::when(action, &self.partial)
    }
}
