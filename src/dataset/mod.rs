//! Data files that survive a kill: parallel HDF5 with named axes, units and provenance.
//!
//! All ranks write a data file together under a temporary name, each rank its own items. The complete file is then
//! renamed, so a file under its own name is always whole. A job resumes from the unfinished file of a killed one. Data
//! files can be read by h5py, xarray, netCDF4 and h5dump without this program: axes are dimension scales, `units`,
//! `long_name` and `coordinates` are those of the CF conventions.
//!
//! Sites of two states take a bit each. A row of sites (the last axis) fills whole bytes: site x is bit x % 8, counted
//! from the lowest, of byte x / 8, and it is set for the upper state. The attributes of the field say so: `bits` = 1,
//! `bit_order` = "little", `columns` (sites of a row) and `states` (lower and upper). In Python,
//! `numpy.unpackbits(rows, axis=-1, count=columns, bitorder="little")` gives the indices of `states`.

mod bits;
mod collective;
mod describe;
mod marks;
mod reader;
mod schema;
mod writer;

pub use marks::{Part, identity as unfinished_identity, share_written};
pub use reader::Reader;
pub use schema::{Field, Provenance};
pub use writer::Writer;

use crate::storage::StorageError;
use std::path::{Path, PathBuf};

/// Why a data file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// HDF5 or MPI-IO reports an error.
    #[error(
        "cannot {action} {}: {source}. Check that the folder exists, can be written to and has free space, and that \
         tessera wrote the file", .path.display()
    )]
    Hdf5 {
        /// The action that failed.
        action: String,
        /// The file.
        path: PathBuf,
        /// The error of HDF5.
        source: hdf5::Error,
    },
    /// The file has the layout of another version of the program.
    #[error(
        "{} was written by {program} in file format {found}. This version reads format {}. Choose a new --out, or \
         remove the run directory to recompute it", .path.display(), Provenance::FORMAT
    )]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// The program that wrote it, with its version.
        program: String,
        /// Its format.
        found: String,
    },
    /// An unfinished file is not what was written.
    #[error("the unfinished file {} is damaged. Remove it and run again: its stage then begins anew", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The file system reports an error.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl DatasetError {
    /// For `map_err`: the action that failed, and its file.
    fn when(action: impl Into<String>, path: &Path) -> impl FnOnce(hdf5::Error) -> Self {
        move |source| Self::Hdf5 { action: action.into(), path: path.to_owned(), source }
    }
}
