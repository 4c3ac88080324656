//! Data files that survive a kill: parallel HDF5 with named axes, units and provenance.
//!
//! A data file is written under a temporary name by all ranks together, each its own items, and renamed when it is
//! complete. So a file under its own name is always whole. A job resumes from what a killed one left. Data files are
//! readable by h5py and h5dump without this program.

mod collective;
mod marks;
mod reader;
mod schema;
mod writer;

pub use reader::Reader;
pub use schema::{Field, Provenance};
pub use writer::Writer;

use crate::storage::StorageError;
use std::path::{Path, PathBuf};

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// HDF5 or MPI-IO refused.
    #[error("cannot {action} {}: {source}. Check that the folder exists, is writable and has room, and that the file is one of tessera's", .path.display())]
    Hdf5 {
        /// What was tried.
        action: String,
        /// The file.
        path: PathBuf,
        /// HDF5's own words.
        source: hdf5::Error,
    },
    /// The file has the layout of another version of the program.
    #[error(
        "{} was written by {program} in file format {found}; this version reads format {}. Choose a new --out, or remove the \
         directory to recompute it", .path.display(), Provenance::FORMAT
    )]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// The program that wrote it, with its version.
        program: String,
        /// Its format.
        found: String,
    },
    /// The file system refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl DatasetError {
    /// For `map_err`: what was tried, and with which file.
    fn when(action: impl Into<String>, path: &Path) -> impl FnOnce(hdf5::Error) -> Self {
        move |source| Self::Hdf5 { action: action.into(), path: path.to_owned(), source }
    }
}
