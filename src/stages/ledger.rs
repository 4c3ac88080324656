//! `stages.json`: which stages of a run directory are complete, for which choices, and the checksums of their files.

use super::{Context, Stage, StageError, checksum, context::write_whole, lock};
use crate::{config::Input, dataset::Provenance, parallel::Ranks};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path};

const FILE: &str = "stages.json";

/// What is kept of a complete stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// Hash of the choices that the files depend on.
    fingerprint: String,
    /// Checksum of each file.
    files: BTreeMap<String, String>,
}

/// Hash of everything that determines the files of a stage: its own choices, the content of the file that the law is read from,
/// and those of the stages it reads.
pub fn fingerprint(stage: Stage, input: &Input) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{} {} {}", Provenance::FORMAT, stage.name(), stage.choices(input)));
    if let Some(file) = input.system.file().filter(|_| stage.needs().is_empty()) {
        hasher.update(std::fs::read(file).unwrap_or_default());
    }
    for need in stage.needs() {
        hasher.update(fingerprint(*need, input));
    }
    checksum::hexadecimal(&hasher.finalize())
}

fn read(folder: &Path) -> BTreeMap<String, Entry> {
    std::fs::read_to_string(folder.join(FILE))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

fn write(context: &Context, entries: &BTreeMap<String, Entry>) -> Result<(), StageError> {
    let text = serde_json::to_string_pretty(entries).map_err(|error| StageError::Io {
        action: "describe",
        path: context.path(FILE),
        source: error.into(),
    })?;
    write_whole(&context.path(FILE), &text)
}

/// Whether a folder holds the complete files of a stage for this input.
pub fn complete(folder: &Path, stage: Stage, input: &Input) -> bool {
    read(folder).get(stage.name()).is_some_and(|entry| entry.fingerprint == fingerprint(stage, input))
        && stage.files(input).iter().all(|file| folder.join(file).exists())
}

/// Strikes a stage out before its files are touched, so that a killed run leaves nothing half new that counts as complete.
/// Rank 0 only.
pub fn forget(context: &Context, stage: Stage) -> Result<(), StageError> {
    let _lock = lock::ledger(&context.folder);
    let mut entries = read(&context.folder);
    entries.remove(stage.name()).map_or(Ok(()), |_| write(context, &entries))
}

/// Notes that a stage is complete, with the checksums of its files. Collective.
pub fn note(context: &Context, stage: Stage) -> Result<(), StageError> {
    let mut files = BTreeMap::new();
    for file in stage.files(context.input) {
        let sum = checksum::of_file(&context.path(&file), context.world)?;
        files.insert(file, sum);
    }
    if context.leads() {
        let _lock = lock::ledger(&context.folder);
        let mut entries = read(&context.folder);
        entries.insert(stage.name().into(), Entry { fingerprint: fingerprint(stage, context.input), files });
        write(context, &entries)?;
    }
    context.world.barrier();
    Ok(())
}

/// Compares the files that a stage will read with their checksums. Collective.
///
/// # Errors
/// When one of them was altered.
pub fn verify(context: &Context, stage: Stage) -> Result<(), StageError> {
    let entries = read(&context.folder);
    for need in stage.needs() {
        let Some(entry) = entries.get(need.name()) else { continue };
        for (file, expected) in &entry.files {
            let path = context.path(file);
            if checksum::of_file(&path, context.world)? != *expected {
                // Every rank learns of it, one says it and ends the job.
                if !context.leads() {
                    context.world.barrier();
                }
                return Err(StageError::Altered { path, maker: need.name() });
            }
        }
    }
    Ok(())
}

/// Takes the files of a stage over from another run directory that has them for the same choices, by hard link.
/// Rank 0 only. Whether it could.
pub fn adopt(context: &Context, stage: Stage, other: &Path) -> bool {
    if other == context.folder || !complete(other, stage, context.input) || forget(context, stage).is_err() {
        return false;
    }
    let linked = stage.files(context.input).iter().all(|file| {
        let target = context.path(file);
        std::fs::remove_file(&target).ok();
        std::fs::hard_link(other.join(file), &target).is_ok()
    });
    let Some(entry) = read(other).remove(stage.name()).filter(|_| linked) else { return false };
    let _lock = lock::ledger(&context.folder);
    let mut entries = read(&context.folder);
    entries.insert(stage.name().into(), entry);
    write(context, &entries).is_ok()
}
