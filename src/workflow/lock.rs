//! Locks of a run directory: two runs do not make the same stage, nor change the ledger, at the same time.
//!
//! A lock is the system's own on a hidden file; it ends with the process that holds it, however that ends. On a file
//! system without locks the run continues without one.

use crate::workflow::{Directory, Stage, StageError};
use std::{
    fs::{File, TryLockError},
    path::Path,
};

/// The right to make a stage. Rank 0 only.
///
/// # Errors
/// When another run is making it.
pub fn stage(directory: &Directory, stage: Stage) -> Result<Option<File>, StageError> {
    let Ok(file) = File::create(directory.path(&format!(".{}.lock", stage.name()))) else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            Err(StageError::Busy { stage: stage.name(), folder: directory.folder.display().to_string() })
        }
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// The right to change the ledger; waits for it.
pub fn ledger(folder: &Path) -> Option<File> {
    let file = File::create(folder.join(".stages.lock")).ok()?;
    file.lock().ok()?;
    Some(file)
}
