//! What every stage gets: the input, the run directory, the ranks, and where to report progress.

use crate::{
    config::Input,
    dataset::{Provenance, Reader, Writer},
    parallel::{Ranks, World},
    storage::{StorageError, read_json, write_json, write_whole},
    workflow::{Directory, Stage, StageError, ledger, progress::Progress, stop::Stop},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    cell::Cell,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

/// Choices of the command line that do not change results.
#[derive(Clone, Debug)]
pub struct Options {
    /// Run directory; by default `runs/<name of the input>`.
    pub out: Option<PathBuf>,
    /// Threads a rank.
    pub threads: usize,
    /// Where training and prediction run: cpu, cuda or auto.
    pub device: String,
    /// Ranks that share each large snapshot or trajectory.
    pub ranks_per_snapshot: usize,
    /// Seconds between checkpoints of a direct simulation.
    pub checkpoint_seconds: f64,
    /// Set when a signal asks for a clean stop.
    pub signalled: Arc<AtomicBool>,
}

/// One run directory and what works on it.
pub struct Context<'a> {
    /// The run directory.
    pub directory: Directory<'a>,
    /// Choices of the command line.
    pub options: &'a Options,
    /// Seconds that this rank has worked on its share of items, waiting excluded.
    pub worked: Cell<f64>,
    /// Whether a clean stop is asked for.
    pub stop: Stop,
}

impl<'a> std::ops::Deref for Context<'a> {
    type Target = Directory<'a>;

    fn deref(&self) -> &Directory<'a> {
        &self.directory
    }
}

impl<'a> Context<'a> {
    /// What stages need to know to work on `input` in `folder`, which lies in `base` when it is a point of a sweep,
    /// else is it.
    pub fn new(input: &'a Input, folder: PathBuf, base: &Path, world: &'a World, options: &'a Options) -> Self {
        let stop = Stop::new(&folder, base, Arc::clone(&options.signalled));
        Self { directory: Directory { input, folder, world }, options, worked: Cell::new(0.0), stop }
    }

    /// Ends the stage on all ranks when a clean stop was asked for on any of them. Collective.
    ///
    /// # Errors
    /// `Stopped`, on all ranks or on none.
    pub fn stop_together(&self) -> Result<(), StageError> {
        let asked = self.world.gather(f64::from(u8::from(self.stop.requested())));
        if asked.iter().any(|&asked| asked > 0.0) { Err(StageError::Stopped) } else { Ok(()) }
    }

    /// Opens a file of a stage for writing by all ranks. Collective.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(&self, stage: Stage, file: &str) -> Result<Writer<'_>, StageError> {
        let path = self.path(file);
        Ok(Writer::create(&path, self.world, &self.provenance(stage))?)
    }

    /// Opens a finished data file of the run directory.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(&self, file: &str) -> Result<Reader, StageError> {
        Ok(Reader::open(&self.path(file))?)
    }

    /// Where the files of a stage come from, as they record it.
    pub fn provenance(&self, stage: Stage) -> Provenance {
        Provenance {
            input: self.input.toml(),
            stage: stage.name().into(),
            seed: self.input.seed,
            fingerprint: ledger::fingerprint(stage, self.input),
            sources: ledger::hash_of_sources(&self.folder, stage),
        }
    }

    /// A progress line over `items` on rank 0; silent elsewhere.
    pub fn progress(&self, stage: &str, items: usize, unit: &'static str) -> Progress {
        Progress::new(stage, items, unit, self.leads())
    }

    /// Reads a value from JSON.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn read_json<T: DeserializeOwned>(&self, file: &str) -> Result<T, StageError> {
        Ok(read_json(&self.path(file))?)
    }

    /// Writes a small text file whole or not at all. Rank 0 only; the others pass.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_text(&self, file: &str, text: &str) -> Result<(), StageError> {
        if self.leads() { Ok(write_whole(&self.path(file), text)?) } else { Ok(()) }
    }

    /// Writes a small JSON file whole or not at all. Rank 0 only; the others pass.
    ///
    /// # Errors
    /// As [`write_text`](Self::write_text), and when the value has no JSON form.
    pub fn write_json(&self, file: &str, value: &impl Serialize) -> Result<(), StageError> {
        if self.leads() { Ok(write_json(&self.path(file), value)?) } else { Ok(()) }
    }
}

/// Prints a line and keeps it in `run.log`. Rank 0 only; the others pass.
///
/// # Errors
/// When the file system refuses.
pub fn say(context: &Context, text: &str) -> Result<(), StageError> {
    if !context.leads() || text.is_empty() {
        return Ok(());
    }
    // The run continues when nobody reads what it prints.
    writeln!(std::io::stdout(), "{text}").ok();
    let path = context.path("run.log");
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut log| writeln!(log, "{text}"))
        .map_err(StorageError::when("write", &path))?;
    Ok(())
}
