//! Clean stops: SIGTERM, SIGUSR1, or a file named `stop` in the run directory; of a sweep, in its own or in that of the
//! point under way.
//!
//! A rank that gets a signal makes the file, so that ranks without one stop too. Stages look between units of work.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// Milliseconds between looks for the file.
const INTERVAL: u64 = 200;

/// Whether a stop is asked for; any thread may ask.
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

    /// Forgets the request of an earlier run. Rank 0 only, before the others look.
    pub fn clear(&self) {
        self.files.iter().for_each(|file| drop(std::fs::remove_file(file)));
    }

    /// Whether to stop: once true, always true.
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
