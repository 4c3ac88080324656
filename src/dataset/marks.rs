//! Which items of an unfinished data file are written, and the checksums of their data.
//!
//! `<path>.progress` holds the identity of the unfinished file and where its fields lie. Every rank appends lines to a
//! file of its own, `<path>.progress.<rank>`: the items, the regions of the fields that hold them, and the SHA-256 of
//! the bytes in these. A line is written after its data are on disk and has a checksum itself, so that the next job
//! finds what a kill, a crash of the machine or a damaged disk has lost.

use crate::storage::{StorageError, whole::write_parts};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::File,
    io::Write,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// Where a field lies in the file, contiguous and row-major: the offset, the bytes of an entry, and the extents.
pub(super) type Layout = BTreeMap<String, (u64, usize, Vec<usize>)>;

/// A block of a field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Region {
    pub field: String,
    pub first: Vec<usize>,
    pub extents: Vec<usize>,
}

/// Regions that one rank wrote, and the checksum of their bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    regions: Vec<Region>,
    sum: Vec<u8>,
}

/// A line of a log.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    items: Vec<Range<usize>>,
    parts: Vec<Part>,
}

/// One rank's handle to the marks.
pub(super) struct Marks {
    path: PathBuf,
    log: File,
    data: File,
    layout: Layout,
    /// Written since the last mark.
    regions: RefCell<Vec<Region>>,
}

/// The file of marks of the data file `path`.
pub(super) fn path_of(path: &Path) -> PathBuf {
    path.with_added_extension("progress")
}

/// The logs of all ranks.
fn logs(path: &Path) -> Vec<PathBuf> {
    let base = path_of(path);
    let beside = base.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let number = |log: &PathBuf| log.extension().is_some_and(|rank| rank.to_string_lossy().parse::<usize>().is_ok());
    let mut logs: Vec<PathBuf> =
        beside.map(|entry| entry.path()).filter(|log| log.with_extension("") == base && number(log)).collect();
    logs.sort();
    logs
}

/// The identity of the unfinished file that is to become `path`; `None` without one.
pub fn identity(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path_of(path)).ok()?;
    let line = bytes.split(|&byte| byte == b'\n').next()?;
    String::from_utf8(line.to_vec()).ok()
}

/// The share of the bytes of the unfinished file that is to become `path` that are marked as written, and the seconds
/// from its begin to the last mark; `None` without such a file.
pub fn share_written(path: &Path) -> Option<(f64, f64)> {
    let begin = std::fs::metadata(path_of(path)).ok()?.modified().ok()?;
    let text = std::fs::read_to_string(path_of(path)).ok()?;
    let layout: Layout = serde_json::from_str(text.split_once('\n')?.1).ok()?;
    let whole: usize = layout.values().map(|(_, size, extents)| size * extents.iter().product::<usize>()).sum();
    let length = |region: &Region| runs(&layout, region).into_iter().map(|(_, length)| length).sum::<usize>();
    let (mut written, mut last) = (0, begin);
    for log in logs(path) {
        last = last.max(std::fs::metadata(&log).ok()?.modified().ok()?);
        let lines = lines_of(&log).into_iter().filter_map(|text| serde_json::from_str::<Line>(&text).ok());
        written += lines.flat_map(|line| line.parts).flat_map(|part| part.regions).map(|at| length(&at)).sum::<usize>();
    }
    Some((written as f64 / whole.max(1) as f64, last.duration_since(begin).ok()?.as_secs_f64()))
}

/// The whole lines of a log, without their checksums.
fn lines_of(log: &Path) -> Vec<String> {
    let bytes = std::fs::read(log).unwrap_or_default();
    let whole = |line: &str| {
        let (sum, text) = line.split_once(' ')?;
        (sum == sum_of(text)).then(|| text.to_owned())
    };
    String::from_utf8_lossy(&bytes).lines().filter_map(whole).collect()
}

/// Whether the marks of `path` have this identity and layout.
pub(super) fn belong(path: &Path, identity: &str, layout: Option<&Layout>) -> bool {
    let Ok(text) = std::fs::read_to_string(path_of(path)) else { return false };
    let Some((found, rest)) = text.split_once('\n') else { return false };
    found == identity
        && layout.is_none_or(|layout| serde_json::from_str::<Layout>(rest).is_ok_and(|found| found == *layout))
}

/// Removes all marks.
pub(super) fn remove(path: &Path) {
    logs(path).iter().for_each(|log| drop(std::fs::remove_file(log)));
    std::fs::remove_file(path_of(path)).ok();
}

/// Writes marks with no item done.
///
/// # Errors
/// When the file system refuses.
pub(super) fn begin(path: &Path, identity: &str, layout: &Layout) -> Result<(), StorageError> {
    remove(path);
    write_parts(&path_of(path), &[identity.as_bytes(), b"\n", &serde_json::to_vec(layout).expect("names and numbers")])
}

impl Marks {
    /// Opens the log of a rank, and the unfinished file `data`.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn open(path: &Path, data: &Path, layout: Layout, rank: usize) -> Result<Self, StorageError> {
        let log = path_of(path).with_added_extension(rank.to_string());
        let file = File::options().create(true).append(true).open(&log).map_err(StorageError::when("open", &log))?;
        // What a kill has cut short must not spoil the next line.
        (&file).write_all(b"\n").map_err(StorageError::when("write", &log))?;
        let data = File::open(data).map_err(StorageError::when("open", data))?;
        Ok(Self { path: path.to_owned(), log: file, data, layout, regions: RefCell::default() })
    }

    /// Notes a region that was written.
    pub fn wrote(&self, region: Region) {
        self.regions.borrow_mut().push(region);
    }

    /// What this rank wrote since its last mark, after it is on disk.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn part(&self) -> Result<Part, StorageError> {
        let regions = self.regions.take();
        let sum = self.data.sync_data().and_then(|()| self.sum(&regions));
        Ok(Part { sum: sum.map_err(StorageError::when("write", &self.path))?, regions })
    }

    /// Marks items whose data are in these parts as written.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn set(&self, items: &[Range<usize>], parts: Vec<Part>) -> Result<(), StorageError> {
        let text = serde_json::to_string(&Line { items: items.to_vec(), parts }).expect("names and numbers");
        let line = format!("{} {text}\n", sum_of(&text));
        (&self.log)
            .write_all(line.as_bytes())
            .and_then(|()| self.log.sync_data())
            .map_err(StorageError::when("write", &path_of(&self.path)))
    }

    /// Lines of all ranks that are whole.
    pub fn lines(&self) -> Vec<(String, Vec<Range<usize>>)> {
        let items = |text: String| Some((text.clone(), serde_json::from_str::<Line>(&text).ok()?.items));
        logs(&self.path).iter().flat_map(|log| lines_of(log)).filter_map(items).collect()
    }

    /// Whether the data of a line are still what was written.
    pub fn holds(&self, line: &str) -> bool {
        let whole = |part: &Part| self.sum(&part.regions).is_ok_and(|sum| sum == part.sum);
        serde_json::from_str::<Line>(line).is_ok_and(|line| line.parts.iter().all(whole))
    }

    fn sum(&self, regions: &[Region]) -> std::io::Result<Vec<u8>> {
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; PIECE]);
        for (mut offset, mut length) in regions.iter().flat_map(|region| runs(&self.layout, region)) {
            while length > 0 {
                let piece = &mut buffer[..length.min(PIECE)];
                self.data.read_exact_at(piece, offset)?;
                hasher.update(&*piece);
                (offset, length) = (offset + piece.len() as u64, length - piece.len());
            }
        }
        Ok(hasher.finalize().to_vec())
    }
}

fn sum_of(text: &str) -> String {
    Sha256::digest(text)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The offsets and lengths of the contiguous bytes of a region; none of a field that does not exist.
fn runs(layout: &Layout, region: &Region) -> Vec<(u64, usize)> {
    let Some((offset, size, whole)) = layout.get(&region.field) else { return Vec::new() };
    let axes = whole.len();
    let first = |axis: usize| region.first.get(axis).copied().unwrap_or(0);
    let extent = |axis: usize| region.extents.get(axis).copied().unwrap_or(1);
    // Axes from `inner` on are whole: one run covers them and a part of the axis before.
    let inner = (0..axes).rev().find(|&axis| extent(axis) != whole[axis]).unwrap_or(0);
    let rest: usize = whole[(inner + 1).min(axes)..].iter().product();
    let outer: usize = (0..inner).map(extent).product();
    (0..outer)
        .map(|mut run| {
            let mut index = vec![0; inner];
            for axis in (0..inner).rev() {
                (index[axis], run) = (first(axis) + run % extent(axis), run / extent(axis));
            }
            let row = index.iter().zip(whole).fold(0, |row, (index, extent)| row * extent + index);
            let entry = (row * whole.get(inner).copied().unwrap_or(1) + first(inner)) * rest;
            (offset + (entry * size) as u64, extent(inner) * rest * size)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_a_region_and_nothing_else() {
        let layout = Layout::from([("a".to_owned(), (100, 2, vec![4, 3, 5]))]);
        let runs = |first: &[usize], extents: &[usize]| {
            runs(&layout, &Region { field: "a".into(), first: first.to_vec(), extents: extents.to_vec() })
        };
        assert_eq!(runs(&[1], &[2, 3, 5]), [(100 + 30, 60)]);
        assert_eq!(runs(&[1, 1], &[1, 2, 5]), [(100 + 40, 20)]);
        assert_eq!(runs(&[0, 1, 2], &[2, 2, 3]), [(114, 6), (124, 6), (144, 6), (154, 6)]);
        assert_eq!(runs(&[0], &[4, 3, 5]), [(100, 120)]);
    }
}
