//! Why a stage failed.

use crate::{dataset::DatasetError, storage::StorageError};
use std::{error::Error, path::PathBuf};

/// Why a stage failed.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A data file cannot be created, read or written.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A folder or a small file cannot be created, read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The engine that the stage calls failed: a kernel, a training, a score or a figure.
    #[error(transparent)]
    Engine(Box<dyn Error + Send + Sync>),
    /// An observable is NaN or infinite.
    #[error(
        "{name} is {value} in {place}: the system left the finite numbers in the stage {stage}. Make the step of the \
         system shorter, or its noise smaller"
    )]
    NotFinite {
        /// The stage.
        stage: &'static str,
        /// The observable.
        name: &'static str,
        /// Its value.
        value: f64,
        /// Trajectory, record and time.
        place: String,
    },
    /// A signal or a file named `stop` asked for a clean stop.
    #[error("stopped on request. All finished work is kept, and the same command resumes from there")]
    Stopped,
    /// A file that the stage reads has changed since it was written.
    #[error(
        "{} has changed since the stage {maker} wrote it: its checksum differs. Remove the file and run again: the stage \
         {maker} then recomputes it", .path.display()
    )]
    Altered {
        /// The file.
        path: PathBuf,
        /// The stage that wrote it.
        maker: &'static str,
    },
    /// The input needs more memory than there is.
    #[error("{0}")]
    Memory(String),
    /// The path of the run directory is too long for MPI.
    #[error(
        "the path of the run directory has {length} bytes, and MPI-IO crashes beyond {limit}: {folder}. Give a shorter \
         --out, for instance one that is relative to the current folder"
    )]
    LongPath {
        /// The run directory.
        folder: String,
        /// Its bytes.
        length: usize,
        /// The most bytes.
        limit: usize,
    },
    /// The run directory holds data of another input.
    #[error(
        "{folder} holds data of another input, which this run would replace: {stages}. {changed}Give another --out, or \
         --overwrite to replace them"
    )]
    OtherInput {
        /// The run directory.
        folder: String,
        /// The stages with such data.
        stages: String,
        /// Keys of the input that differ, as a sentence.
        changed: String,
    },
    /// Another process holds the lock of the stage.
    #[error(
        "another run is working on the stage {stage} in {folder}. Wait until it ends, or choose another directory (--out)"
    )]
    Busy {
        /// The stage.
        stage: &'static str,
        /// The run directory.
        folder: String,
    },
    /// A single stage was asked for, and the files that it reads are missing or out of date.
    #[error(
        "the stage {stage} needs {file}, which {folder} does not have. Run the stage {maker} first, or `tessera run`"
    )]
    Missing {
        /// The stage asked for.
        stage: &'static str,
        /// What is missing.
        file: String,
        /// The run directory.
        folder: String,
        /// The stage that writes it.
        maker: &'static str,
    },
}
