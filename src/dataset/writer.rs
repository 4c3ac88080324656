//! One file written by all ranks with the MPI-IO driver.

use super::{DatasetError, Field, Provenance, schema::write_text};
use crate::parallel::{Ranks, World};
use hdf5::{H5Type, dataset::FillTime};
use ndarray::ArrayView;
use std::{
    collections::HashMap,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
};

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
}

impl<'w> Writer<'w> {
    /// Creates the file under the temporary name `<path>.partial`. Collective.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path, world: &'w World, provenance: &Provenance) -> Result<Self, DatasetError> {
        let partial = path.with_added_extension("partial");
        let file = hdf5::File::with_options()
            .with_fapl(|access| access.mpio(world.raw(), None))
            .create(&partial)
            .map_err(|source| DatasetError::Hdf5 { action: "create".into(), path: partial.clone(), source })?;
        for (name, text) in provenance.entries() {
            write_text(&file, &partial, name, &text)?;
        }
        let (file, fields) = (ManuallyDrop::new(file), ManuallyDrop::default());
        Ok(Self { world, target: path.to_owned(), partial, file, fields })
    }

    /// Declares a field. Collective.
    ///
    /// # Errors
    /// When HDF5 cannot allocate it (for instance when the disk is full).
    pub fn declare<T: H5Type>(&mut self, field: Field) -> Result<(), DatasetError> {
        let dataset =
            self.file.new_dataset::<T>().fill_time(FillTime::Never).shape(field.extents).create(field.name).map_err(
                |source| self.refused(format!("allocate {} of shape {:?} in", field.name, field.extents), source),
            )?;
        for (name, text) in [("axes", &field.axes.join(", ")[..]), ("unit", field.unit), ("meaning", field.meaning)] {
            write_text(&dataset, &self.partial, name, text)?;
        }
        self.fields.insert(field.name.to_owned(), dataset);
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
        self.fields
            .get(name)
            .ok_or_else(|| hdf5::Error::Internal("the field was not declared".into()))
            .and_then(|dataset| dataset.write_slice(values, hdf5::Hyperslab::new(block)))
            .map_err(|source| self.refused(format!("write {name} to"), source))
    }

    /// Closes the file and gives it its name. Collective.
    ///
    /// # Errors
    /// When the data cannot be flushed or the file cannot be renamed.
    pub fn finish(self) -> Result<(), DatasetError> {
        drop(ManuallyDrop::into_inner(self.fields));
        let refused = |source| DatasetError::Hdf5 { action: "close".into(), path: self.partial.clone(), source };
        self.file.flush().map_err(refused)?;
        ManuallyDrop::into_inner(self.file).close().map_err(refused)?;
        self.world.barrier();
        if self.world.rank() == 0 {
            std::fs::rename(&self.partial, &self.target).map_err(|source| DatasetError::Io {
                action: format!("rename {} to", self.partial.display()),
                path: self.target.clone(),
                source,
            })?;
        }
        self.world.barrier();
        Ok(())
    }

    fn refused(&self, action: String, source: hdf5::Error) -> DatasetError {
        DatasetError::Hdf5 { action, path: self.partial.clone(), source }
    }
}
