//! Files that survive a kill: parallel HDF5 with named axes, units and provenance, checkpoints, and small files.
//!
//! A data file is written under a temporary name by all ranks together, each its own items, and renamed when it is
//! complete. So a file under its own name is always whole. A job resumes from what a killed one left. Data files are readable
//! by h5py and h5dump without this program.

pub mod checkpoint;
mod collective;
mod marks;
mod reader;
mod schema;
mod whole;
mod writer;

pub use checkpoint::CheckpointFile;
pub use reader::Reader;
pub use schema::{Field, Provenance};
pub use whole::write_whole;
pub use writer::Writer;

use std::path::PathBuf;

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
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: String,
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
}
