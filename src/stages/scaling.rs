//! `tessera report FILE.jsonl`: the page of a scaling study.

use crate::{
    evaluation::scaling::ScalingPoint,
    pages,
    storage::{StorageError, write_whole},
    workflow::StageError,
};
use std::path::{Path, PathBuf};

/// Reads a file with one measurement a line and writes `<file without extension>.html` beside it.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn report_scaling(path: &Path) -> Result<PathBuf, StageError> {
    let failed = || StorageError::when("read the measurements in", path);
    let text = std::fs::read_to_string(path).map_err(failed())?;
    let parsed = text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
    let points: Vec<ScalingPoint> = parsed.collect::<Result<_, _>>().map_err(std::io::Error::from).map_err(failed())?;
    if points.is_empty() {
        return Err(failed()(std::io::Error::other("it holds none; `tessera scaling` prints them")).into());
    }
    let target = path.with_extension("html");
    write_whole(&target, pages::scaling::page(points).html()?)?;
    Ok(target)
}
