//! Clean stops after SIGTERM, SIGUSR1, or a file named `stop` in the run directory. A sweep also checks the directory
//! of the current point.
//!
//! A rank that gets a signal creates the file, so the other ranks stop too. Stages check between units of work.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// Milliseconds between checks for the file.
const INTERVAL: u64 = 200;

/// Requests for a stop. Any thread may check for one.
pub struct Stop {
    signalled: Arc<AtomicBool>,
    seen: AtomicBool,
    files: [PathBuf; 2],
    start: Instant,
    next_look: AtomicU64,
}

impl Stop {
    /// Watches a flag that signals set, the directory of a point, and that of its sweep.
    pub fn new(folder: &Path, base: &Path, signalled: Arc<AtomicBool>) -> Self {
        Self {
            signalled,
            seen: AtomicBool::new(false),
            files: [folder, base].map(|folder| folder.join("stop")),
            start: Instant::now(),
            next_look: AtomicU64::new(0),
        }
    }

    /// Removes the request of an earlier run. Rank 0 only, before the other ranks check.
    pub fn clear(&self) {
        self.files.iter().for_each(|file| drop(std::fs::remove_file(file)));
    }

    /// Whether to stop. Once true, it stays true.
    pub fn requested(&self) -> bool {
        if self.seen.load(Relaxed) {
            return true;
        }
        if self.signalled.load(Relaxed) {
            std::fs::write(&self.files[0], "").ok();
            self.seen.store(true, Relaxed);
            return true;
        }
        let now = self.start.elapsed().as_millis() as u64;
        if now >= self.next_look.load(Relaxed) {
            self.next_look.store(now + INTERVAL, Relaxed);
            self.seen.fetch_or(self.files.iter().any(|file| file.exists()), Relaxed);
        }
        self.seen.load(Relaxed)
    }
}
