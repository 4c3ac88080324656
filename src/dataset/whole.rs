//! Small files that are whole or absent, whenever the program is killed.

use super::DatasetError;
use std::{fs::File, io::Write as _, path::Path};

/// End of the name of a file that is being written.
pub(super) const TEMPORARY: &str = "partial";

/// Writes a small file under a temporary name, brings it to the disk and renames it.
///
/// # Errors
/// When the file system refuses.
pub fn write_whole(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), DatasetError> {
    write_parts(path, &[bytes.as_ref()])
}

/// As [`write_whole`], for bytes that follow each other.
pub(super) fn write_parts(path: &Path, parts: &[&[u8]]) -> Result<(), DatasetError> {
    let temporary = path.with_added_extension(TEMPORARY);
    File::create(&temporary)
        .and_then(|mut file| {
            parts.iter().try_for_each(|part| file.write_all(part))?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|source| DatasetError::Io { action: "write".into(), path: path.to_owned(), source })
}
