//! Locks of a run directory. Two runs never run the same stage or change the ledger at the same time.
//!
//! A lock is a file lock of the operating system on a hidden file. It ends with its process, even after a kill. On a
//! file system without locks the run continues without one.

use crate::{
    storage::{StorageError, refuse_pipe},
    workflow::{Directory, Stage, StageError},
};
use std::{
    fs::{File, TryLockError},
    path::Path,
    time::{Duration, Instant},
};

/// How long to wait for a lock: the last process of a job that was killed may take seconds to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lock of a stage. Rank 0 only.
///
/// # Errors
/// When another run holds it.
pub fn stage(directory: &Directory, stage: Stage) -> Result<Option<File>, StageError> {
    let path = directory.path(&format!(".{}.lock", stage.name()));
    refuse_pipe(&path)?;
    let Ok(file) = File::create(path) else { return Ok(None) };
    let begin = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if begin.elapsed() < PATIENCE => std::thread::sleep(PATIENCE / 50),
            Err(TryLockError::WouldBlock) => {
                return Err(StageError::Busy { stage: stage.name(), folder: directory.folder.display().to_string() });
            }
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}

/// Whether a run is working on a stage.
pub fn is_held(folder: &Path, stage: Stage) -> bool {
    let path = folder.join(format!(".{}.lock", stage.name()));
    let file = refuse_pipe(&path).ok().and_then(|()| File::open(path).ok());
    file.is_some_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Waits for the lock of the ledger and takes it; `None` on a file system without locks.
///
/// # Errors
/// When there is a pipe in its place.
pub fn ledger(folder: &Path) -> Result<Option<File>, StorageError> {
    let path = folder.join(".stages.lock");
    refuse_pipe(&path)?;
    let Ok(file) = File::create(path) else { return Ok(None) };
    Ok(file.lock().is_ok().then_some(file))
}
