//! The ledger of a run directory. Random bytes never agree with its checksum: where they are records, the harness puts
//! the right checksum beside them, and the right fingerprint where a record has an empty one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::LazyLock,
};
use tessera::{
    config::{self, Input},
    workflow::{Stage, checksum, ledger},
};

/// The record of a stage as `stages.json` has it.
#[derive(Serialize, Deserialize)]
struct Entry {
    fingerprint: String,
    files: BTreeMap<String, String>,
    #[serde(default)]
    sources: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Ledger<'a> {
    checksum: String,
    stages: &'a BTreeMap<String, Entry>,
}

static INPUT: LazyLock<Input> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inputs/quickstart.toml");
    config::load(&path, &[]).expect("a shipped input is valid").swap_remove(0).input
});

/// The fingerprint of each stage, which takes longer than to read a ledger.
static FINGERPRINTS: LazyLock<BTreeMap<&str, String>> =
    LazyLock::new(|| Stage::ALL.into_iter().map(|stage| (stage.name(), ledger::fingerprint(stage, &INPUT))).collect());

/// A run directory with a file of every name.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("tessera-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder of temporary files can be written");
    for file in Stage::ALL.into_iter().flat_map(|stage| stage.files(&INPUT)) {
        std::fs::write(folder.join(file), "").expect("the folder of temporary files can be written");
    }
    folder
});

/// The bytes as records of stages, with the right fingerprint where it is empty.
fn records(data: &[u8]) -> Option<BTreeMap<String, Entry>> {
    let mut stages: BTreeMap<String, Entry> = serde_json::from_slice(data).ok()?;
    for (name, entry) in stages.iter_mut().filter(|(_, entry)| entry.fingerprint.is_empty()) {
        entry.fingerprint = FINGERPRINTS.get(name.as_str()).cloned().unwrap_or_default();
    }
    Some(stages)
}

fuzz_target!(|data: &[u8]| {
    let records = records(data);
    let bytes = records.as_ref().map(|stages| {
        let checksum = checksum::hexadecimal(&Sha256::digest(serde_json::to_vec(stages).expect("texts")));
        serde_json::to_vec(&Ledger { checksum, stages }).expect("texts")
    });
    std::fs::write(FOLDER.join("stages.json"), bytes.as_deref().unwrap_or(data)).expect("it could be written before");
    for stage in Stage::ALL {
        let complete = ledger::complete(&FOLDER, stage, &INPUT);
        let _ = ledger::hash_of_sources(&FOLDER, stage);
        // The checksum is passed: what vouches for itself is complete.
        let entry = records.as_ref().and_then(|stages| stages.get(stage.name()));
        let vouched = |entry: &Entry| entry.fingerprint == FINGERPRINTS[stage.name()] && entry.sources.is_empty();
        assert!(complete || !entry.is_some_and(vouched), "{} is complete", stage.name());
    }
});
