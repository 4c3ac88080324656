//! One data file that all ranks write item by item with the MPI-IO driver. The next job resumes an unfinished file.

use super::{
    DatasetError, Field, Provenance,
    bits::{self, Bits},
    collective,
    marks::{self, Marks},
    schema::write_text,
};
use crate::{
    parallel::{Ranks, World},
    storage::{StorageError, whole::TEMPORARY},
};
use bytemuck::Pod;
use hdf5::{H5Type, dataset::FillTime};
use ndarray::{ArrayView, IxDyn};
use std::{
    cell::OnceCell,
    collections::HashMap,
    mem::ManuallyDrop,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Bytes for the metadata that HDF5 adds to a file.
const METADATA_BYTES: u64 = 1 << 20;

/// An unfinished file. All ranks create it, declare the same fields and finish it together. In between each rank writes
/// its own items independently of the others.
///
/// Dropping it unfinished leaves the HDF5 handles open on purpose: closing is collective, and after the failure of one
/// rank the others would never close theirs.
pub struct Writer<'w> {
    world: &'w World,
    target: PathBuf,
    partial: PathBuf,
    file: ManuallyDrop<hdf5::File>,
    fields: ManuallyDrop<HashMap<String, hdf5::Dataset>>,
    /// Those that hold bits.
    bits: HashMap<String, Bits>,
    /// [`Provenance::identity`].
    identity: String,
    resumed: bool,
    /// Bytes of all declared fields.
    bytes: u64,
    marks: OnceCell<Marks>,
}

impl<'w> Writer<'w> {
    /// Creates the file under the temporary name `<path>.partial`, or opens the unfinished one of a killed job with the
    /// same provenance. Collective.
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
        let bits = HashMap::new();
        Ok(Self { world, target, partial, file, fields, bits, identity, resumed, bytes: 0, marks })
    }

    /// The items of `0..items` that no rank has written yet. Call it after all fields are declared. It reserves their
    /// space on disk. Collective.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn pending(&self, items: usize) -> Result<Vec<usize>, DatasetError> {
        if !self.resumed {
            self.reserve()?;
            self.file.flush().map_err(self.refused("reserve space in"))?;
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

    /// Whether the file resumes the one of a killed job.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Marks these items as written in all fields, so that a later job does not repeat them.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn mark(&self, items: Range<usize>) -> Result<(), DatasetError> {
        Ok(self.marks.get().map_or(Ok(()), |marks| marks.set(items))?)
    }

    /// Declares a field. Collective.
    ///
    /// # Errors
    /// When HDF5 cannot allocate the field, for instance because the disk is full.
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

    /// Declares a field of sites with two states, the lower and the upper one, in bits. The extents of the field are those
    /// in sites; its sites are written and read as whole values. Collective.
    ///
    /// # Errors
    /// As `declare`.
    ///
    /// # Panics
    /// When a site is not one byte, or the field has no axis.
    pub fn declare_bits<T: H5Type + Pod>(&mut self, field: Field, states: [T; 2]) -> Result<(), DatasetError> {
        let mut extents = field.extents.to_vec();
        let last = extents.last_mut().expect("sites have a last axis");
        let columns = std::mem::replace(last, bits::bytes_of(*last));
        self.declare::<u8>(Field { extents: &extents, ..field })?;
        self.bits.insert(field.name.to_owned(), Bits::new(states, columns));
        if self.resumed {
            return Ok(());
        }
        let described = self.field(field.name).and_then(|dataset| Bits::describe(dataset, &states, columns));
        described.map_err(self.refused(format!("describe {} in", field.name)))
    }

    /// Reserves space on disk for all fields, and checks on every rank whether the file may grow that far. HDF5 writes
    /// its metadata in collective steps, and a rank that failed in one would leave the others waiting forever.
    /// Collective.
    fn reserve(&self) -> Result<(), DatasetError> {
        let size = self.bytes + METADATA_BYTES;
        let reserved = std::fs::File::options().write(true).open(&self.partial).and_then(|file| {
            if self.world.rank() == 0 {
                match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size) {
                    // Some file systems cannot reserve space. There the disk may still fill up later.
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

    /// Writes the items of a declared field from index `first` on, independently of other ranks. The first axis of
    /// `values` is that of the items.
    ///
    /// # Errors
    /// When HDF5 refuses, or the field was not declared.
    pub fn write<T: H5Type + Pod, D: ndarray::Dimension>(
        &self,
        name: &str,
        first: usize,
        values: ArrayView<T, D>,
    ) -> Result<(), DatasetError> {
        self.write_at(name, &[first], values)
    }

    /// Writes a block whose first entry is at `first` on the leading axes and at 0 on the others.
    ///
    /// # Errors
    /// As `write`.
    pub fn write_at<T: H5Type + Pod, D: ndarray::Dimension>(
        &self,
        name: &str,
        first: &[usize],
        values: ArrayView<T, D>,
    ) -> Result<(), DatasetError> {
        if values.is_empty() {
            return Ok(());
        }
        if let Some(bits) = self.bits.get(name) {
            let sites = values.as_standard_layout();
            let sites = sites.as_slice().expect("an array in standard layout");
            return self.packed(name, bits, (first, values.shape(), sites), |dataset, first, extents, bytes| {
                let values = ArrayView::from_shape(IxDyn(extents), bytes).expect("as many bytes as the block has");
                write_block(dataset, first, values)
            });
        }
        self.field(name)
            .and_then(|dataset| write_block(dataset, first, values))
            .map_err(self.refused(format!("write {name} to")))
    }

    /// Packs a block of sites and writes it.
    fn packed<T: Pod>(
        &self,
        name: &str,
        bits: &Bits,
        (first, extents, sites): (&[usize], &[usize], &[T]),
        write: impl Fn(&hdf5::Dataset, &[usize], &[usize], &[u8]) -> hdf5::Result<()>,
    ) -> Result<(), DatasetError> {
        let write = |dataset: &hdf5::Dataset| {
            let columns = extents.last().copied().unwrap_or(0);
            let [first, extents] = bits.block(first, extents)?;
            write(dataset, &first, &extents, &bits.pack(sites, columns))
        };
        self.field(name).and_then(write).map_err(self.refused(format!("write {name} to")))
    }

    /// As `write_at`, in one collective step. Each rank gives a block of `extents` entries as a row-major list. The
    /// block may be empty. The caller must end the job after an error, because the other ranks wait.
    ///
    /// # Errors
    /// As `write`, and when the length of the list is not that of the block, or the block is not within the field.
    pub fn write_together<T: H5Type + Pod>(
        &self,
        name: &str,
        first: &[usize],
        extents: &[usize],
        values: &[T],
    ) -> Result<(), DatasetError> {
        if let Some(bits) = self.bits.get(name) {
            return self.packed(name, bits, (first, extents, values), collective::write);
        }
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

/// Writes a block independently of other ranks, from `first` on the leading axes on.
fn write_block<T: H5Type, D: ndarray::Dimension>(
    dataset: &hdf5::Dataset,
    first: &[usize],
    values: ArrayView<T, D>,
) -> hdf5::Result<()> {
    let starts = first.iter().copied().chain(std::iter::repeat(0));
    let block: Vec<hdf5::SliceOrIndex> =
        values.shape().iter().zip(starts).map(|(&extent, start)| (start..start + extent).into()).collect();
    dataset.write_slice(values, hdf5::Hyperslab::new(block))
}
