//! Reading of complete data files, by one rank or by all at once.

use super::{DatasetError, Provenance, bits::Bits};
use bytemuck::Pod;
use hdf5::{H5Type, types::FixedUnicode};
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
        match reader.text("format") {
            Some(found) if found != Provenance::FORMAT.to_string() => {
                let program = reader.text("program").unwrap_or_else(|| "another program".into());
                Err(DatasetError::OtherFormat { path: path.to_owned(), program, found })
            }
            _ => Ok(reader),
        }
    }

    /// A short text of the provenance, by its name; `None` if there is none.
    pub fn text(&self, name: &str) -> Option<String> {
        let text = self.file.attr(name).and_then(|attribute| attribute.read_scalar::<FixedUnicode<64>>());
        Some(text.ok()?.to_string())
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
        let field = self.field(name)?;
        let rest = field.shape().into_iter().skip(1).map(|extent| (0..extent).into());
        let items: hdf5::SliceOrIndex = items.into();
        let selection = hdf5::Hyperslab::new(std::iter::once(items).chain(rest).collect::<Vec<_>>());
        let Some(bits) = Bits::of::<T>(&field).map_err(self.refused(name))? else {
            return field.read_slice(selection).map_err(self.refused(name));
        };
        let packed: ArrayD<u8> = field.read_slice(selection).map_err(self.refused(name))?;
        Ok(bits.unpacked(packed))
    }

    fn field(&self, name: &str) -> Result<hdf5::Dataset, DatasetError> {
        self.file.dataset(name).map_err(self.refused(name))
    }

    fn refused(&self, name: &str) -> impl FnOnce(hdf5::Error) -> DatasetError {
        DatasetError::when(format!("read {name} from"), &self.path)
    }
}
