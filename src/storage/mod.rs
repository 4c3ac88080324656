//! Small files and checkpoints that survive a kill: each is whole or absent.

pub mod checkpoint;
pub(crate) mod whole;

pub use checkpoint::CheckpointFile;
pub use whole::{read_json, write_json, write_whole};

use std::{
    io,
    path::{Path, PathBuf},
};

/// The file system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", .path.display())]
pub struct StorageError {
    /// What was tried.
    pub action: String,
    /// The file or folder.
    pub path: PathBuf,
    /// The system's own words.
    pub source: io::Error,
}

impl StorageError {
    /// For `map_err`: what was tried, and with which file or folder.
    pub fn when(action: impl Into<String>, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { action: action.into(), path: path.to_owned(), source }
    }
}

/// Makes a folder and those above it.
///
/// # Errors
/// When the file system refuses.
pub fn create_folder(path: &Path) -> Result<(), StorageError> {
    std::fs::create_dir_all(path).map_err(StorageError::when("create the folder", path))
}
