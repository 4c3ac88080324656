//! What every stage gets: the input, the run directory, the ranks, and where to report progress.

use crate::{
    config::Input,
    dataset::{Provenance, Writer},
    learning::{DeviceChoice, device},
    parallel::{Ranks, World},
    workflow::{Directory, Stage, StageError, ledger, progress::Progress, stop::Stop, write_whole},
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
    /// Where training and prediction run.
    pub device: DeviceChoice,
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
    /// What stages need to know to work on `input` in `folder`, which lies in `base` when it is a point of a sweep, else is it.
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

    /// The device of this rank.
    ///
    /// # Errors
    /// When an accelerator was asked for and there is none.
    pub fn device(&self) -> Result<tch::Device, StageError> {
        Ok(device(self.options.device, self.world.node_rank())?)
    }

    /// Opens a file of a stage for writing by all ranks.
    pub fn create(&self, stage: Stage, file: &str) -> Result<Writer<'_>, StageError> {
        let path = self.path(file);
        Ok(Writer::create(&path, self.world, &self.provenance(stage))?)
    }

    /// What the files of a stage say of where they come from.
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

    /// Writes a value as JSON, whole or not at all. Rank 0 only; the others pass.
    ///
    /// # Errors
    /// When it cannot be written as JSON, or the file system refuses.
    pub fn write_json(&self, file: &str, value: &impl Serialize) -> Result<(), StageError> {
        let text = serde_json::to_string_pretty(value).map_err(|error| StageError::Io {
            action: "describe",
            path: self.path(file),
            source: error.into(),
        })?;
        self.write_text(file, &text)
    }

    /// Reads a value from JSON.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn read_json<T: DeserializeOwned>(&self, file: &str) -> Result<T, StageError> {
        let path = self.path(file);
        std::fs::read_to_string(&path)
            .and_then(|text| serde_json::from_str(&text).map_err(std::io::Error::other))
            .map_err(|source| StageError::Io { action: "read", path, source })
    }

    /// Writes a small text file whole or not at all. Rank 0 only; the others pass.
    pub fn write_text(&self, file: &str, text: &str) -> Result<(), StageError> {
        if self.leads() { write_whole(&self.path(file), text) } else { Ok(()) }
    }
}

/// Prints a line and keeps it in `run.log`. Rank 0 only.
pub fn say(context: &Context, text: &str) -> Result<(), StageError> {
    if !context.leads() || text.is_empty() {
        return Ok(());
    }
    // The run goes on when nobody reads what it prints.
    writeln!(std::io::stdout(), "{text}").ok();
    let path = context.path("run.log");
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut log| writeln!(log, "{text}"))
        .map_err(|source| StageError::Io { action: "write", path, source })
}
