//! Which items of an unfinished file are written: one byte each, in a file beside it (`<path>.progress`).
//!
//! A byte is set after its item is in the data file, so a killed job loses only items in flight. The bytes of different
//! ranks do not touch.

use super::DatasetError;
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

const DONE: u8 = b'1';
const PENDING: u8 = b'0';

/// The open progress file of one rank.
pub(super) struct Progress {
    path: PathBuf,
    file: File,
    header: u64,
    items: usize,
}

/// Where the progress of `path` is kept.
pub(super) fn path_of(path: &Path) -> PathBuf {
    path.with_added_extension("progress")
}

/// Whether an unfinished file with this key can be gone on with.
pub(super) fn matches(path: &Path, key: &str) -> bool {
    std::fs::read(path_of(path)).is_ok_and(|bytes| bytes.starts_with(format!("{key}\n").as_bytes()))
}

/// Begins anew: no item is written.
pub(super) fn begin(path: &Path, key: &str, items: usize) -> Result<(), DatasetError> {
    let path = path_of(path);
    let bytes = [key.as_bytes(), b"\n", &vec![PENDING; items]].concat();
    let temporary = path.with_added_extension("partial");
    std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, &path)).map_err(failed("write", &path))
}

impl Progress {
    /// Opens what `begin` made.
    pub fn open(path: &Path, key: &str, items: usize) -> Result<Self, DatasetError> {
        let path = path_of(path);
        let file = File::options().read(true).write(true).open(&path).map_err(failed("open", &path))?;
        Ok(Self { file, header: key.len() as u64 + 1, items, path })
    }

    /// The items that are not written yet, ascending.
    pub fn pending(&mut self) -> Result<Vec<usize>, DatasetError> {
        let mut bytes = Vec::new();
        let read = self.file.seek(SeekFrom::Start(self.header)).and_then(|_| self.file.read_to_end(&mut bytes));
        read.map_err(failed("read", &self.path))?;
        Ok((0..self.items).filter(|&item| bytes.get(item) != Some(&DONE)).collect())
    }

    /// Notes that items are written.
    pub fn mark(&self, items: Range<usize>) -> Result<(), DatasetError> {
        let place = self.header + items.start as u64;
        let marks = vec![DONE; items.len()];
        self.file.write_all_at(&marks, place).and_then(|()| (&self.file).flush()).map_err(failed("write", &self.path))
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> DatasetError {
    let path = path.to_owned();
    move |source| DatasetError::Io { action: action.into(), path, source }
}
