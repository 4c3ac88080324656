//! `tessera report FILE.jsonl`: the page of a scaling study.

use crate::{
    evaluation::scaling::ScalingPoint,
    pages,
    workflow::{StageError, write_whole},
};
use std::path::{Path, PathBuf};

/// Reads a file with one measurement a line and writes `<file without extension>.html` beside it.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn report_scaling(path: &Path) -> Result<PathBuf, StageError> {
    let failed = |source| StageError::Io { action: "read the measurements in", path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let parsed = text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
    let points: Vec<ScalingPoint> =
        parsed.collect::<Result<_, _>>().map_err(|error| failed(std::io::Error::from(error)))?;
    if points.is_empty() {
        return Err(failed(std::io::Error::other("it holds none; `tessera scaling` prints them")));
    }
    let target = path.with_extension("html");
    write_whole(&target, &pages::scaling::page(points).html()?)?;
    Ok(target)
}
