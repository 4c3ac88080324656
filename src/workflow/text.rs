//! Small text files.

use crate::workflow::StageError;
use std::path::Path;

/// Writes a text file under a temporary name and renames it.
pub fn write_whole(path: &Path, text: &str) -> Result<(), StageError> {
    let partial = path.with_added_extension("partial");
    std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path)).map_err(|source| StageError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })
}
