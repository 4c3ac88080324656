//! What of a run directory is complete (`tessera status`, `tessera check --out`).

use crate::{
    config::{self, ConfigError, Input},
    dataset::share_written,
    workflow::{Stage, ledger, lock},
};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// One line for each stage: complete, unfinished and how far, or to be computed; and how long it took the last time.
pub fn status(folder: &Path, input: &Input) -> String {
    let log = std::fs::read_to_string(folder.join("run.log")).unwrap_or_default();
    let mut text = String::new();
    for stage in Stage::ALL {
        let paths: Vec<PathBuf> = stage.files(input).iter().map(|file| folder.join(file)).collect();
        let running = if lock::is_held(folder, stage) { "running, " } else { "" };
        let state = if ledger::complete(folder, stage, input) {
            "complete".into()
        } else if let Some((share, seconds)) = paths.iter().find_map(|path| share_written(path)) {
            unfinished(running, share, seconds)
        } else if !running.is_empty() {
            "running".into()
        } else if paths.iter().any(|path| path.exists()) {
            "to be computed again: its files are of another input or of other files".into()
        } else {
            "to be computed".into()
        };
        let last = log.lines().rev().find_map(|line| seconds_of(line, stage));
        let took = last.map_or(String::new(), |seconds| format!(" ({seconds} s the last time)"));
        let _ = writeln!(text, "{:9} {state}{took}", stage.name());
    }
    text
}

/// The status of all points of a run directory, by the inputs that it holds.
///
/// # Errors
/// When it holds none, or one that cannot be read.
pub fn status_of_run(run: &Path) -> Result<String, ConfigError> {
    let input = run.join("input.toml");
    let mut inner: Vec<PathBuf> =
        std::fs::read_dir(run).into_iter().flatten().flatten().map(|one| one.path()).collect();
    inner.retain(|folder| folder.join("input.toml").exists());
    inner.sort();
    let mut text = String::new();
    if input.exists() || inner.is_empty() {
        let points = config::load(&input, &[])?;
        text += &points.iter().map(|point| status(run, &point.input)).collect::<String>();
    }
    for folder in inner {
        for point in config::load(&folder.join("input.toml"), &[])? {
            let _ = write!(text, "{}\n{}", folder.display(), status(&folder, &point.input));
        }
    }
    Ok(text)
}

fn unfinished(running: &str, share: f64, seconds: f64) -> String {
    let left = seconds * (1.0 - share) / share;
    let left = if share > 0.0 { format!(", about {left:.0} s left at the pace so far") } else { String::new() };
    format!("{running}unfinished, {:.0} % written{left}", 100.0 * share)
}

/// The seconds of a line of `run.log` on the end of a stage.
fn seconds_of(line: &str, stage: Stage) -> Option<&str> {
    let seconds = line.strip_prefix(stage.name())?.strip_suffix(" s")?.trim();
    seconds.parse::<f64>().is_ok().then_some(seconds)
}
