//! One data file that all ranks write item by item with the MPI-IO driver. The next job resumes an unfinished file.

use super::{
    DatasetError, Field, Provenance,
    bits::{self, Bits},
    collective,
    describe::Description,
    marks::{self, Layout, Marks, Part, Region},
};
use crate::{
    parallel::{Ranks, World},
    storage::{StorageError, whole::TEMPORARY},
};
use bytemuck::Pod;
use hdf5::{H5Type, dataset::FillTime};
use ndarray::{ArrayView, Axis, IxDyn};
use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
    mem::ManuallyDrop,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// The most bytes of one write: MPI-IO counts them with 31 bits.
const MOST_BYTES: usize = 1 << 30;
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
    description: Description,
    resumed: bool,
    /// Bytes of all declared fields.
    bytes: u64,
    marks: OnceCell<Marks>,
    /// The most bytes of one write.
    most: usize,
}

impl<'w> Writer<'w> {
    /// Creates the file under the temporary name `<path>.partial`, or opens the unfinished one of a killed job with the
    /// same provenance. Collective.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path, world: &'w World, provenance: &Provenance) -> Result<Self, DatasetError> {
        let partial = path.with_added_extension(TEMPORARY);
        let owned = || marks::belong(path, &provenance.identity(), None);
        let mut found = [u8::from(world.rank() == 0 && partial.exists() && owned())];
        world.broadcast(&mut found);
        let mut builder = hdf5::File::with_options();
        builder.with_fapl(|access| access.mpio(world.raw(), None));
        let left = (found == [1]).then(|| builder.open_as(&partial, hdf5::OpenMode::ReadWrite)).and_then(Result::ok);
        let resumed = left.is_some();
        let file = left.map_or_else(|| builder.create(&partial), Ok).map_err(DatasetError::when("create", &partial))?;
        let (file, fields) = (ManuallyDrop::new(file), ManuallyDrop::default());
        let (target, marks) = (path.to_owned(), OnceCell::new());
        let (bits, most, description) = (HashMap::new(), MOST_BYTES, Description::new(provenance));
        Ok(Self { world, target, partial, file, fields, bits, description, resumed, bytes: 0, marks, most })
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
        }
        let layout = self.layout()?;
        if self.resumed && !marks::belong(&self.target, &self.description.identity(), Some(&layout)) {
            return Err(DatasetError::Damaged { path: self.partial.clone() });
        }
        if !self.resumed && self.world.rank() == 0 {
            marks::begin(&self.target, &self.description.identity(), &layout)?;
        }
        self.world.barrier();
        let marks = Marks::open(&self.target, &self.partial, layout, self.world.rank())?;
        self.world.barrier();
        let done = self.verified(&marks);
        self.marks.set(marks).ok();
        self.world.barrier();
        Ok((0..items).filter(|item| !done.contains(item)).collect())
    }

    /// The items that are marked and whose data are still what was written; the ranks share the reading. Says how many
    /// are not. Collective.
    fn verified(&self, marks: &Marks) -> HashSet<usize> {
        let lines = marks.lines();
        let own: Vec<u8> =
            lines[self.world.share(lines.len())].iter().map(|(line, _)| u8::from(marks.holds(line))).collect();
        let whole = self.world.all_gather(&own).concat();
        let items = |wanted: u8| {
            let chosen = lines.iter().zip(&whole).filter(move |(_, whole)| **whole == wanted);
            chosen.flat_map(|((_, items), _)| items.iter().cloned().flatten()).collect::<HashSet<usize>>()
        };
        let lost = items(0).difference(&items(1)).count();
        if lost > 0 && self.world.rank() == 0 {
            let path = self.partial.display();
            eprintln!("tessera: {lost} items of {path} are not what was written; they are computed again");
        }
        items(1)
    }

    /// Where each field lies in the file.
    fn layout(&self) -> Result<Layout, DatasetError> {
        let place = |(name, dataset): (&String, &hdf5::Dataset)| {
            let offset = dataset.offset().ok_or_else(|| hdf5::Error::Internal(format!("{name} has no place")))?;
            Ok((name.clone(), (offset, dataset.dtype()?.size(), dataset.shape())))
        };
        self.fields.iter().map(place).collect::<hdf5::Result<_>>().map_err(self.refused("find the fields of"))
    }

    /// Lets one write have at most so many bytes; larger blocks are written in pieces.
    #[must_use]
    pub fn in_pieces_of(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Whether the file resumes the one of a killed job.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Marks these items, whose data this rank wrote since its last mark, as written in all fields, so that a later job
    /// does not repeat them. Their data are on disk before.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn mark(&self, items: &[Range<usize>]) -> Result<(), DatasetError> {
        let part = self.part()?;
        self.mark_parts(items, part.into_iter().collect())
    }

    /// What this rank wrote since its last mark, once it is on disk, for another rank to mark.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn part(&self) -> Result<Option<Part>, DatasetError> {
        Ok(self.marks.get().map(Marks::part).transpose()?)
    }

    /// As [`mark`](Self::mark), for items whose data are in the parts of several ranks.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn mark_parts(&self, items: &[Range<usize>], parts: Vec<Part>) -> Result<(), DatasetError> {
        Ok(self.marks.get().map_or(Ok(()), |marks| marks.set(items, parts))?)
    }

    fn wrote(&self, name: &str, first: &[usize], extents: &[usize]) {
        if let Some(marks) = self.marks.get() {
            marks.wrote(Region { field: name.into(), first: first.to_vec(), extents: extents.to_vec() });
        }
    }

    /// Declares a field. Collective.
    ///
    /// # Errors
    /// When HDF5 cannot allocate the field, for instance because the disk is full.
    pub fn declare<T: H5Type>(&mut self, field: Field) -> Result<(), DatasetError> {
        self.description.field(&field);
        if self.resumed {
            let dataset = self.file.dataset(field.name).map_err(self.refused(format!("find {} in", field.name)))?;
            let same = dataset.shape() == field.extents
                && dataset.dtype().and_then(|kind| kind.to_descriptor()).is_ok_and(|kind| kind == T::type_descriptor());
            if !same {
                return Err(DatasetError::Damaged { path: self.partial.clone() });
            }
            self.fields.insert(field.name.to_owned(), dataset);
            return Ok(());
        }
        let builder = self.file.new_dataset::<T>().fill_time(FillTime::Never).shape(field.extents);
        let action = format!("allocate {} of shape {:?} in", field.name, field.extents);
        let dataset = builder.create(field.name).map_err(self.refused(action))?;
        self.fields.insert(field.name.to_owned(), dataset);
        self.bytes += (field.extents.iter().product::<usize>() * size_of::<T>()) as u64;
        Ok(())
    }

    /// Names the entries along an axis.
    pub fn name_entries(&mut self, axis: &str, names: Vec<String>) {
        self.description.names(axis, names);
    }

    /// Makes a declared field a coordinate: it says what the items of its axis are.
    pub fn coordinate(&mut self, field: &str) {
        self.description.coordinate(field);
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
        let (row, others) = field.axes.split_last().expect("sites have a last axis");
        let bytes = format!("{row}_byte");
        let axes = [others, &[bytes.as_str()]].concat();
        self.declare::<u8>(Field { axes: &axes, extents: &extents, ..field })?;
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
        let Some(bits) = self.bits.get(name) else { return self.write_block(name, first, values) };
        let sites = values.as_standard_layout();
        let sites = sites.as_slice().expect("an array in standard layout");
        let ([first, extents], bytes) = self.packed(name, bits, (first, values.shape(), sites))?;
        let values = ArrayView::from_shape(IxDyn(&extents), &bytes).expect("as many bytes as the block has");
        self.write_block(name, &first, values)
    }

    /// Writes a block as it is, in pieces if it is large.
    fn write_block<T: H5Type, D: ndarray::Dimension>(
        &self,
        name: &str,
        first: &[usize],
        values: ArrayView<T, D>,
    ) -> Result<(), DatasetError> {
        let several = (0..values.ndim()).find(|&axis| values.len_of(Axis(axis)) > 1);
        if let Some(axis) = several.filter(|_| values.len() * size_of::<T>() > self.most) {
            let half = values.len_of(Axis(axis)) / 2;
            let mut middle: Vec<usize> = first.to_vec();
            middle.resize(values.ndim(), 0);
            middle[axis] += half;
            let (low, high) = values.split_at(Axis(axis), half);
            self.write_block(name, first, low)?;
            return self.write_block(name, &middle, high);
        }
        let shape = values.shape().to_vec();
        let starts = first.iter().copied().chain(std::iter::repeat(0));
        let block: Vec<hdf5::SliceOrIndex> =
            values.shape().iter().zip(starts).map(|(&extent, start)| (start..start + extent).into()).collect();
        self.field(name)
            .and_then(|dataset| dataset.write_slice(values, hdf5::Hyperslab::new(block)))
            .map_err(self.refused(format!("write {name} to")))?;
        self.wrote(name, first, &shape);
        Ok(())
    }

    /// A block of sites in bytes, with the place of its first one and its extents.
    fn packed<T: Pod>(
        &self,
        name: &str,
        bits: &Bits,
        (first, extents, sites): (&[usize], &[usize], &[T]),
    ) -> Result<([Vec<usize>; 2], Vec<u8>), DatasetError> {
        let block = bits.block(first, extents).map_err(self.refused(format!("write {name} to")))?;
        Ok((block, bits.pack(sites, extents.last().copied().unwrap_or(0))))
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
        let Some(bits) = self.bits.get(name) else { return self.write_block_together(name, first, extents, values) };
        let ([first, extents], bytes) = self.packed(name, bits, (first, extents, values))?;
        self.write_block_together(name, &first, &extents, &bytes)
    }

    /// Writes the blocks of all ranks as they are, in pieces if one is large. Collective.
    fn write_block_together<T: H5Type>(
        &self,
        name: &str,
        first: &[usize],
        extents: &[usize],
        values: &[T],
    ) -> Result<(), DatasetError> {
        // All ranks write as many pieces, along the first axis that has several entries.
        let axis = extents.iter().position(|&extent| extent > 1).unwrap_or(0);
        let rows = extents.get(axis).copied().unwrap_or(0);
        let row = values.len() / rows.max(1);
        let at_once = (self.most / (row * size_of::<T>()).max(1)).max(1);
        let pieces = self.world.gather(rows.div_ceil(at_once).max(1) as f64).into_iter().fold(1.0, f64::max) as usize;
        for piece in 0..pieces {
            let (mut first, mut extents, mut values) = (first.to_vec(), extents.to_vec(), values);
            if pieces > 1 {
                let part = (piece * at_once).min(rows)..((piece + 1) * at_once).min(rows);
                (first[axis], extents[axis]) = (first[axis] + part.start, part.len());
                values = &values[part.start * row..part.end * row];
            }
            self.field(name)
                .and_then(|dataset| collective::write(dataset, &first, &extents, values))
                .map_err(self.refused(format!("write {name} to")))?;
        }
        self.wrote(name, first, extents);
        Ok(())
    }

    /// Closes the file, adds what other programs need of it, and gives it its name. Collective.
    ///
    /// # Errors
    /// When the data cannot be flushed or the file cannot be renamed.
    pub fn finish(self) -> Result<(), DatasetError> {
        drop(ManuallyDrop::into_inner(self.fields));
        let file = ManuallyDrop::into_inner(self.file);
        file.flush().and_then(|()| file.close()).map_err(DatasetError::when("close", &self.partial))?;
        self.world.barrier();
        if self.world.rank() == 0 {
            let described = self.description.complete(&self.partial, &self.bits);
            described.map_err(DatasetError::when("describe", &self.partial))?;
            let action = format!("rename {} to", self.partial.display());
            std::fs::rename(&self.partial, &self.target).map_err(StorageError::when(action, &self.target))?;
            marks::remove(&self.target);
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
