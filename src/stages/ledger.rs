//! `stages.json`: which stages of a run directory are complete, and for which choices.

use super::{Context, Stage, StageError, context::write_whole};
use crate::{config::Input, dataset::Provenance};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path};

const FILE: &str = "stages.json";

/// Hash of everything that determines the files of a stage: its own choices and those of the stages it reads.
pub fn fingerprint(stage: Stage, input: &Input) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{} {} {}", Provenance::FORMAT, stage.name(), stage.choices(input)));
    for need in stage.needs() {
        hasher.update(fingerprint(*need, input));
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(folder: &Path) -> BTreeMap<String, String> {
    std::fs::read_to_string(folder.join(FILE))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Whether a folder holds the complete files of a stage for this input.
pub fn complete(folder: &Path, stage: Stage, input: &Input) -> bool {
    read(folder).get(stage.name()) == Some(&fingerprint(stage, input))
        && stage.files(input).iter().all(|file| folder.join(file).exists())
}

/// Strikes a stage out before its files are touched, so that a killed run leaves nothing half new that counts as complete.
/// Rank 0 only.
pub fn forget(context: &Context, stage: Stage) -> Result<(), StageError> {
    let mut entries = read(&context.folder);
    match entries.remove(stage.name()) {
        Some(_) => write_whole(&context.path(FILE), &serde_json::to_string_pretty(&entries).unwrap_or_default()),
        None => Ok(()),
    }
}

/// Notes that a stage is complete. Rank 0 only.
pub fn note(context: &Context, stage: Stage) -> Result<(), StageError> {
    let mut entries = read(&context.folder);
    entries.insert(stage.name().into(), fingerprint(stage, context.input));
    write_whole(&context.path(FILE), &serde_json::to_string_pretty(&entries).unwrap_or_default())
}

/// Takes the files of a stage over from another run directory that has them for the same choices, by hard link.
/// Rank 0 only. Whether it could.
pub fn adopt(context: &Context, stage: Stage, other: &Path) -> bool {
    if other == context.folder || !complete(other, stage, context.input) || forget(context, stage).is_err() {
        return false;
    }
    stage.files(context.input).iter().all(|file| {
        let target = context.path(file);
        std::fs::remove_file(&target).ok();
        std::fs::hard_link(other.join(file), &target).is_ok()
    }) && note(context, stage).is_ok()
}
