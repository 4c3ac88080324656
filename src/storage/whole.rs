//! Small files that are whole or absent, even after a kill.

use super::{StorageError, refuse_pipe};
use serde::{Serialize, de::DeserializeOwned};
use std::{fs::File, io::Write as _, path::Path};

/// File extension of unfinished files.
pub(crate) const TEMPORARY: &str = "partial";

/// Writes a small file under a temporary name, flushes it to disk and renames it.
///
/// # Errors
/// When the file system refuses.
pub fn write_whole(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), StorageError> {
    write_parts(path, &[bytes.as_ref()])
}

/// As [`write_whole`], for a file in several parts.
pub(crate) fn write_parts(path: &Path, parts: &[&[u8]]) -> Result<(), StorageError> {
    let temporary = path.with_added_extension(TEMPORARY);
    File::create(&temporary)
        .and_then(|mut file| {
            parts.iter().try_for_each(|part| file.write_all(part))?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(StorageError::when("write", path))
}

/// Writes a value as indented JSON with [`write_whole`].
///
/// # Errors
/// When the value cannot be written as JSON, or the file system refuses.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StorageError> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from);
    write_whole(path, text.map_err(StorageError::when("write", path))?)
}

/// Reads a value from JSON.
///
/// # Errors
/// When the file cannot be read, or its content is not JSON of this type.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StorageError> {
    refuse_pipe(path)?;
    let text = std::fs::read(path).map_err(StorageError::when("read", path))?;
    serde_json::from_slice(&text).map_err(std::io::Error::from).map_err(StorageError::when("read", path))
}
