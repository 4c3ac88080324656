//! Which items of an unfinished data file are written: one byte per item, in the file `<path>.progress`.
//!
//! A byte is set after its item is in the data file, so a killed job loses only the items that it was writing. Every
//! rank sets bytes of its own in place. A [`CheckpointFile`](crate::storage::CheckpointFile) does not allow this.

use crate::storage::{StorageError, whole::write_parts};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

const DONE: u8 = b'1';
const PENDING: u8 = b'0';

/// One rank's handle to the file of marks.
pub(super) struct Marks {
    path: PathBuf,
    file: File,
    header: u64,
    items: usize,
}

/// The file of marks of the data file `path`.
pub(super) fn path_of(path: &Path) -> PathBuf {
    path.with_added_extension("progress")
}

/// The identity of the unfinished file that is to become `path`; `None` without one.
pub fn identity(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path_of(path)).ok()?;
    let line = bytes.split(|&byte| byte == b'\n').next()?;
    String::from_utf8(line.to_vec()).ok()
}

/// Whether the marks of `path` have this identity.
pub(super) fn belong(path: &Path, identity: &str) -> bool {
    std::fs::read(path_of(path)).is_ok_and(|bytes| bytes.starts_with(format!("{identity}\n").as_bytes()))
}

/// Writes marks with no item done.
///
/// # Errors
/// When the file system refuses.
pub(super) fn begin(path: &Path, identity: &str, items: usize) -> Result<(), StorageError> {
    write_parts(&path_of(path), &[identity.as_bytes(), b"\n", &vec![PENDING; items]])
}

impl Marks {
    /// Opens the file that [`begin`] wrote.
    ///
    /// # Errors
    /// When the file of marks cannot be opened.
    pub fn open(path: &Path, identity: &str, items: usize) -> Result<Self, StorageError> {
        let path = path_of(path);
        let file = File::options().read(true).write(true).open(&path).map_err(StorageError::when("open", &path))?;
        Ok(Self { path, file, header: identity.len() as u64 + 1, items })
    }

    /// The items that are not yet written, ascending.
    ///
    /// # Errors
    /// When the marks cannot be read.
    pub fn pending(&self) -> Result<Vec<usize>, StorageError> {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(self.header)).and_then(|_| file.read_to_end(&mut bytes));
        read.map_err(StorageError::when("read", &self.path))?;
        Ok((0..self.items).filter(|&item| bytes.get(item) != Some(&DONE)).collect())
    }

    /// Marks these items as written.
    ///
    /// # Errors
    /// When the marks cannot be written.
    pub fn set(&self, items: Range<usize>) -> Result<(), StorageError> {
        let start = self.header + items.start as u64;
        let marks = vec![DONE; items.len()];
        self.file
            .write_all_at(&marks, start)
            .and_then(|()| (&self.file).flush())
            .map_err(StorageError::when("write", &self.path))
    }
}
