//! The context of every stage: the input, the run directory, the ranks and the screen.

use crate::{
    config::Input,
    dataset::{Provenance, Reader, Writer},
    parallel::{Ranks, World},
    storage::{StorageError, read_json, refuse_pipe, write_json, write_whole},
    workflow::{
        Directory, Form, Stage, StageError, ledger,
        screen::{Progress, Screen},
        stop::Stop,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
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
    /// Threads per rank.
    pub threads: usize,
    /// Device of training and prediction: cpu, cuda or auto.
    pub device: String,
    /// Ranks that share each large snapshot or trajectory.
    pub ranks_per_snapshot: usize,
    /// Seconds between checkpoints of a direct simulation.
    pub checkpoint_seconds: f64,
    /// Whether data of another input in the run directory may be replaced.
    pub overwrite: bool,
    /// What standard output shows.
    pub form: Form,
    /// Set when a signal asks for a clean stop.
    pub signalled: Arc<AtomicBool>,
}

/// One run directory, and the choices and times of this rank.
pub struct Context<'a> {
    /// The run directory.
    pub directory: Directory<'a>,
    /// Choices of the command line.
    pub options: &'a Options,
    /// Seconds that this rank has worked on its items, without waiting.
    pub worked: Cell<f64>,
    /// Requests for a clean stop.
    pub stop: Stop,
    /// What this rank shows: nothing but on rank 0.
    pub screen: Screen,
}

impl<'a> std::ops::Deref for Context<'a> {
    type Target = Directory<'a>;

    fn deref(&self) -> &Directory<'a> {
        &self.directory
    }
}

impl<'a> Context<'a> {
    /// The context for `input` in `folder`. For a point of a sweep, `base` is the folder of the sweep, otherwise it is
    /// `folder`.
    pub fn new(input: &'a Input, folder: PathBuf, base: &Path, world: &'a World, options: &'a Options) -> Self {
        let stop = Stop::new(&folder, base, Arc::clone(&options.signalled));
        let directory = Directory { input, folder, world };
        let screen = Screen::new(if directory.leads() { options.form } else { Form::Nothing });
        Self { directory, options, worked: Cell::new(0.0), stop, screen }
    }

    /// Checks for a request to stop on any rank. Collective.
    ///
    /// # Errors
    /// `Stopped`, on all ranks, if there is a request.
    pub fn stop_together(&self) -> Result<(), StageError> {
        let asked = self.world.gather(f64::from(u8::from(self.stop.requested())));
        if asked.iter().any(|&asked| asked > 0.0) { Err(StageError::Stopped) } else { Ok(()) }
    }

    /// Opens a file of a stage for writing by all ranks. Collective.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(&self, stage: Stage, file: &str) -> Result<Writer<'_>, StageError> {
        let path = self.path(file);
        Ok(Writer::create(&path, self.world, &self.provenance(stage))?)
    }

    /// Opens a finished data file of the run directory.
    ///
    /// # Errors
    /// When there is no such file, or it cannot be read.
    pub fn open(&self, file: &str) -> Result<Reader, StageError> {
        Ok(Reader::open(&self.path(file))?)
    }

    /// The provenance of the files of a stage.
    pub fn provenance(&self, stage: Stage) -> Provenance {
        Provenance {
            input: self.input.toml(),
            stage: stage.name().into(),
            seed: self.input.seed,
            fingerprint: ledger::fingerprint(stage, self.input),
            sources: ledger::hash_of_sources(&self.folder, stage),
        }
    }

    /// Progress over `items` on rank 0. Other ranks show nothing.
    pub fn progress(&self, stage: &str, items: usize, unit: &'static str) -> Progress<'_> {
        self.screen.progress(stage, items, unit)
    }

    /// Reads a value from JSON.
    ///
    /// # Errors
    /// When the file cannot be read, or its content is not JSON of this type.
    pub fn read_json<T: DeserializeOwned>(&self, file: &str) -> Result<T, StageError> {
        Ok(read_json(&self.path(file))?)
    }

    /// Writes a small text file, whole or not at all, on rank 0. Other ranks do nothing.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_text(&self, file: &str, text: &str) -> Result<(), StageError> {
        if self.leads() { Ok(write_whole(&self.path(file), text)?) } else { Ok(()) }
    }

    /// Writes a small JSON file, whole or not at all, on rank 0. Other ranks do nothing.
    ///
    /// # Errors
    /// When the value cannot be written as JSON, or the file system refuses.
    pub fn write_json(&self, file: &str, value: &impl Serialize) -> Result<(), StageError> {
        if self.leads() { Ok(write_json(&self.path(file), value)?) } else { Ok(()) }
    }
}

/// Prints a line on rank 0 and appends it to `run.log`. Other ranks do nothing.
///
/// # Errors
/// When the file system refuses.
pub fn say(context: &Context, text: &str) -> Result<(), StageError> {
    if !context.leads() || text.is_empty() {
        return Ok(());
    }
    context.screen.say(text);
    note(context, text)
}

/// Tells programs of an event, and people of it in a line, which `run.log` gets in any case. Rank 0 only.
///
/// # Errors
/// When the file system refuses.
pub fn tell(context: &Context, event: &Value, line: &str) -> Result<(), StageError> {
    if !context.leads() {
        return Ok(());
    }
    context.screen.event(event);
    if context.screen.is_text() {
        context.screen.say(line);
    }
    note(context, line)
}

/// Appends a line to `run.log`.
fn note(context: &Context, text: &str) -> Result<(), StageError> {
    let path = context.path("run.log");
    refuse_pipe(&path)?;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut log| writeln!(log, "{text}"))
        .map_err(StorageError::when("write", &path))?;
    Ok(())
}
