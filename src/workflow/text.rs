//! Small text files.

use crate::{dataset::write_whole, workflow::StageError};
use serde::Serialize;
use std::path::Path;

/// Writes a value as indented JSON, whole or not at all.
///
/// # Errors
/// When the value has no JSON form or the file system refuses.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StageError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| StageError::Io {
        action: "describe",
        path: path.to_owned(),
        source: error.into(),
    })?;
    Ok(write_whole(path, text)?)
}
