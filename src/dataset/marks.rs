//! Which items of an unfinished file are written: one byte each, in a file beside it (`<path>.progress`).
//!
//! A byte is set after its item is in the data file, so a killed job loses only items in flight. The bytes of different
//! ranks do not touch. This is no [`CheckpointFile`](crate::storage::CheckpointFile): ranks set bytes at the same time,
//! in place.

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

/// The open file of marks of one rank.
pub(super) struct Marks {
    path: PathBuf,
    file: File,
    header: u64,
    items: usize,
}

/// Where the marks of the data file `path` are kept.
pub(super) fn path_of(path: &Path) -> PathBuf {
    path.with_added_extension("progress")
}

/// Whether the marks of `path` belong to this identity.
pub(super) fn belong(path: &Path, identity: &str) -> bool {
    std::fs::read(path_of(path)).is_ok_and(|bytes| bytes.starts_with(format!("{identity}\n").as_bytes()))
}

/// Writes marks in which no item is done.
pub(super) fn begin(path: &Path, identity: &str, items: usize) -> Result<(), StorageError> {
    write_parts(&path_of(path), &[identity.as_bytes(), b"\n", &vec![PENDING; items]])
}

impl Marks {
    /// Opens what `begin` made.
    ///
    /// # Errors
    /// When the file of marks cannot be opened.
    pub fn open(path: &Path, identity: &str, items: usize) -> Result<Self, StorageError> {
        let path = path_of(path);
        let file = File::options().read(true).write(true).open(&path).map_err(StorageError::when("open", &path))?;
        Ok(Self { path, file, header: identity.len() as u64 + 1, items })
    }

    /// The items that are not written yet, ascending.
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

    /// Notes that items are written.
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
