//! Small files and checkpoints that survive a kill: every file is whole or absent.

pub mod checkpoint;
pub(crate) mod whole;

pub use checkpoint::CheckpointFile;
pub use whole::{read_json, write_json, write_whole};

use std::{
    io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

/// The file system reports an error.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", .path.display())]
pub struct StorageError {
    /// The action that failed.
    pub action: String,
    /// The file or folder.
    pub path: PathBuf,
    /// The error of the operating system.
    pub source: io::Error,
}

impl StorageError {
    /// For `map_err`: the action that failed, and its file or folder.
    pub fn when(action: impl Into<String>, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { action: action.into(), path: path.to_owned(), source }
    }
}

/// Checks that there is no pipe in the place of a file: opening one may wait forever.
///
/// # Errors
/// When there is one.
pub fn refuse_pipe(path: &Path) -> Result<(), StorageError> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.file_type().is_fifo() => {
            Err(StorageError::when("open", path)(io::Error::other("it is a pipe. Remove it")))
        }
        _ => Ok(()),
    }
}

/// Creates a folder and its parents.
///
/// # Errors
/// When the file system refuses.
pub fn create_folder(path: &Path) -> Result<(), StorageError> {
    std::fs::create_dir_all(path).map_err(StorageError::when("create the folder", path))
}
