//! Reading of complete data files, by one rank or by all at once.

use super::{DatasetError, Provenance, bits::Bits};
use bytemuck::Pod;
use hdf5::{
    H5Type,
    types::{FixedUnicode, VarLenUnicode},
};
use ndarray::{Array, ArrayD, Dimension};
use std::{
    ops::Range,
    path::{Path, PathBuf},
};

/// A file that is open for reading.
pub struct Reader {
    path: PathBuf,
    file: hdf5::File,
}

impl Reader {
    /// Opens a file.
    ///
    /// # Errors
    /// When there is no file, it is not a whole HDF5 file, or it has the format of another version of the program.
    pub fn open(path: &Path) -> Result<Self, DatasetError> {
        let file = hdf5::File::open(path).map_err(DatasetError::when("open", path))?;
        let reader = Self { path: path.to_owned(), file };
        match reader.format() {
            Some(found) if !(Provenance::OLDEST..=Provenance::FORMAT).contains(&found) => {
                let found = found.to_string();
                let program = reader.text("program").unwrap_or_else(|| "another program".into());
                Err(DatasetError::OtherFormat { path: path.to_owned(), program, found })
            }
            _ => Ok(reader),
        }
    }

    /// The format of the file; `None` of a file that names none.
    fn format(&self) -> Option<u32> {
        let number = self.file.attr("format").and_then(|attribute| attribute.read_scalar());
        number.ok().or_else(|| self.text("format")?.parse().ok())
    }

    /// A short text of the provenance, by its name; `None` if there is none.
    pub fn text(&self, name: &str) -> Option<String> {
        let attribute = self.file.attr(name).ok()?;
        let text = attribute.read_scalar::<VarLenUnicode>().map(|text| text.to_string());
        // Files of format 2 have texts of fixed length.
        text.or_else(|_| attribute.read_scalar::<FixedUnicode<64>>().map(|text| text.to_string())).ok()
    }

    /// Whether the file has a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.file.dataset(name).is_ok()
    }

    /// Extents of a field; of one in bits, those that it has in the file.
    ///
    /// # Errors
    /// When the file has no such field.
    pub fn extents(&self, name: &str) -> Result<Vec<usize>, DatasetError> {
        Ok(self.field(name)?.shape())
    }

    /// A whole field of values, not of bits.
    ///
    /// # Errors
    /// When the file has no such field, or it has another type or number of axes.
    pub fn read<T: H5Type, D: Dimension>(&self, name: &str) -> Result<Array<T, D>, DatasetError> {
        self.field(name)?.read().map_err(self.refused(name))
    }

    /// Some items (first axis) of a field. Sites in bits become whole values again.
    ///
    /// # Errors
    /// As `read`, and when the field has fewer items.
    pub fn read_items<T: H5Type + Pod>(&self, name: &str, items: Range<usize>) -> Result<ArrayD<T>, DatasetError> {
        self.read_block(name, &[items])
    }

    /// One entry of a field, by its place along the leading axes, which stay with extent 1.
    ///
    /// # Errors
    /// As `read_items`.
    pub fn read_entry<T: H5Type + Pod>(&self, name: &str, entry: &[usize]) -> Result<ArrayD<T>, DatasetError> {
        self.read_block(name, &entry.iter().map(|&index| index..index + 1).collect::<Vec<_>>())
    }

    /// What lies within some ranges along the leading axes.
    fn read_block<T: H5Type + Pod>(&self, name: &str, block: &[Range<usize>]) -> Result<ArrayD<T>, DatasetError> {
        let field = self.field(name)?;
        let rest = field.shape().into_iter().skip(block.len()).map(|extent| (0..extent).into());
        let first = block.iter().cloned().map(hdf5::SliceOrIndex::from);
        let selection = hdf5::Hyperslab::new(first.chain(rest).collect::<Vec<_>>());
        let Some(bits) = Bits::of::<T>(&field).map_err(self.refused(name))? else {
            return field.read_slice(selection).map_err(self.refused(name));
        };
        let packed: ArrayD<u8> = field.read_slice(selection).map_err(self.refused(name))?;
        Ok(bits.unpacked(packed))
    }

    /// A block of a field of values, not of bits, by its first entry and its extents.
    ///
    /// # Errors
    /// As `read`, and when the block does not lie within the field.
    pub fn read_at<T: H5Type>(
        &self,
        name: &str,
        first: &[usize],
        extents: &[usize],
    ) -> Result<ArrayD<T>, DatasetError> {
        let block = first.iter().zip(extents).map(|(first, extent)| (*first..first + extent).into());
        let selection = hdf5::Hyperslab::new(block.collect::<Vec<hdf5::SliceOrIndex>>());
        self.field(name)?.read_slice(selection).map_err(self.refused(name))
    }

    fn field(&self, name: &str) -> Result<hdf5::Dataset, DatasetError> {
        self.file.dataset(name).map_err(self.refused(name))
    }

    fn refused(&self, name: &str) -> impl FnOnce(hdf5::Error) -> DatasetError {
        DatasetError::when(format!("read {name} from"), &self.path)
    }
}
