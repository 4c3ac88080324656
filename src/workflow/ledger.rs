//! The ledger `stages.json` of a run directory: its complete stages, their choices, and the checksums of their files.

use crate::{
    config::Input,
    dataset::{DatasetError, Provenance, Reader},
    parallel::Ranks,
    storage::{StorageError, read_json, write_json},
    workflow::{Directory, Stage, StageError, checksum, lock, origin},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path};

const FILE: &str = "stages.json";

/// The record of a complete stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// Hash of the choices that the files depend on.
    fingerprint: String,
    /// Checksum of each file.
    files: BTreeMap<String, String>,
    /// Checksum of each file that the stage read.
    #[serde(default)]
    sources: BTreeMap<String, String>,
}

/// The complete stages by name.
type Entries = BTreeMap<String, Entry>;

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct Ledger {
    /// Hash of `stages`: a damaged record of a checksum must not be taken for a damaged data file.
    checksum: String,
    stages: Entries,
}

/// Hash of everything that determines the files of a stage: its own choices and those of the stages that it reads, and
/// the content of the file of the law.
pub fn fingerprint(stage: Stage, input: &Input) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{} {} {}", Provenance::OLDEST, stage.name(), stage.choices(input)));
    if let Some(file) = input.system.file().filter(|_| stage.needs().is_empty()) {
        hasher.update(std::fs::read(file).unwrap_or_default());
    }
    for need in stage.needs() {
        hasher.update(fingerprint(*need, input));
    }
    checksum::hexadecimal(&hasher.finalize())
}

/// The complete stages; `None` without a ledger that agrees with its own checksum.
fn read_whole(path: &Path) -> Option<Entries> {
    let Ledger { checksum, stages } = read_json(path).ok()?;
    (checksum == checksum_of(&stages)).then_some(stages)
}

fn read(folder: &Path) -> Entries {
    read_whole(&folder.join(FILE)).unwrap_or_default()
}

fn checksum_of(stages: &Entries) -> String {
    checksum::hexadecimal(&Sha256::digest(serde_json::to_vec(stages).expect("names and checksums")))
}

/// The stages with data of other choices than those of the input, finished or unfinished: a run would replace them.
pub fn of_another_input(directory: &Directory) -> Vec<&'static str> {
    let entries = read(&directory.folder);
    let found = |stage: Stage| {
        let paths = || stage.files(directory.input).into_iter().map(|file| directory.path(&file));
        let noted = entries.get(stage.name()).map(|entry| entry.fingerprint.clone());
        noted
            .or_else(|| paths().find_map(|path| origin::of_file(&path)))
            .or_else(|| paths().find_map(|path| origin::of_unfinished(&path)))
    };
    let other = |stage: &Stage| found(*stage).is_some_and(|found| found != fingerprint(*stage, directory.input));
    Stage::ALL.into_iter().filter(other).map(Stage::name).collect()
}

/// Makes a ledger that is lost or damaged again from the data files, which vouch for themselves; their checksums are
/// computed anew. Tells what it did, on all ranks. Collective.
///
/// # Errors
/// When a file cannot be read or the file system refuses.
pub fn restore(directory: &Directory) -> Result<Option<String>, StorageError> {
    let path = directory.path(FILE);
    let files = |stage: Stage| stage.files(directory.input);
    let fault = || match read_whole(&path) {
        Some(_) => 0,
        None if path.exists() => 1,
        None => {
            2 * u8::from(Stage::ALL.iter().flat_map(|stage| files(*stage)).any(|file| directory.path(&file).exists()))
        }
    };
    let mut state = [if directory.leads() { fault() } else { 0 }];
    directory.world.broadcast(&mut state);
    let what = match state[0] {
        0 => return Ok(None),
        1 => "damaged",
        _ => "missing",
    };
    let mut entries = Entries::new();
    for stage in Stage::ALL {
        let (sources, fingerprint) = (sources(&entries, stage), fingerprint(stage, directory.input));
        // Whether a file that is there tells its choices, and whether they fit.
        let vouches = |file: &String| {
            let path = directory.path(file);
            let found = path.exists().then(|| origin::of_file(&path))?;
            Some((found.is_some(), found.is_none_or(|found| found == fingerprint)))
        };
        let vouched = || {
            let origins: Option<Vec<_>> = files(stage).iter().map(vouches).collect();
            origins.is_some_and(|all| all.iter().all(|(_, fits)| *fits) && all.iter().any(|(tells, _)| *tells))
        };
        let mut restored = [u8::from(directory.leads() && vouched())];
        directory.world.broadcast(&mut restored);
        if restored == [1] {
            let files = checksums(directory, stage)?;
            entries.insert(stage.name().into(), Entry { fingerprint, files, sources });
        }
    }
    let names: Vec<&str> =
        Stage::ALL.iter().map(|stage| stage.name()).filter(|name| entries.contains_key(*name)).collect();
    let complete = if names.is_empty() { "none".into() } else { names.join(", ") };
    if directory.leads() {
        let _lock = lock::ledger(&directory.folder)?;
        write(directory, entries)?;
    }
    directory.world.barrier();
    Ok(Some(format!(
        "warning: {} is {what}. By their data files these stages are complete: {complete}",
        path.display()
    )))
}

fn write(directory: &Directory, stages: Entries) -> Result<(), StorageError> {
    write_json(&directory.path(FILE), &Ledger { checksum: checksum_of(&stages), stages })
}

/// Checksums of the files that a stage reads.
fn sources(entries: &Entries, stage: Stage) -> BTreeMap<String, String> {
    stage.needs().iter().filter_map(|need| entries.get(need.name())).flat_map(|entry| entry.files.clone()).collect()
}

/// Hash of the checksums of the files that a stage reads.
pub fn hash_of_sources(folder: &Path, stage: Stage) -> String {
    let sums = sources(&read(folder), stage).into_iter().flat_map(|(file, sum)| [file, sum]);
    checksum::hexadecimal(&sums.fold(Sha256::new(), |hash, text| hash.chain_update(text)).finalize())
}

/// The checksums of the files of a stage. Collective.
fn checksums(directory: &Directory, stage: Stage) -> Result<BTreeMap<String, String>, StorageError> {
    let sum = |file: String| checksum::of_file(&directory.path(&file), directory.world).map(|sum| (file, sum));
    stage.files(directory.input).into_iter().map(sum).collect()
}

/// Whether a folder holds the complete files of a stage for this input, made from its present files of earlier stages.
pub fn complete(folder: &Path, stage: Stage, input: &Input) -> bool {
    let entries = read(folder);
    let current = |entry: &Entry| entry.sources.is_empty() || entry.sources == sources(&entries, stage);
    entries.get(stage.name()).is_some_and(|entry| entry.fingerprint == fingerprint(stage, input) && current(entry))
        && stage.files(input).iter().all(|file| folder.join(file).exists())
}

/// Checks that a folder holds no data files of another version of the program, which would be overwritten.
///
/// # Errors
/// `OtherFormat` for the first such file.
pub fn check_formats(directory: &Directory) -> Result<(), StageError> {
    let files = Stage::ALL.iter().flat_map(|stage| stage.files(directory.input));
    for file in files.filter(|file| file.ends_with(".h5")) {
        if let Err(error @ DatasetError::OtherFormat { .. }) = Reader::open(&directory.path(&file)) {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Removes a stage from the ledger before its files change, so the files of a killed run do not count as complete. Rank
/// 0 only.
///
/// # Errors
/// When the file system refuses.
pub fn forget(directory: &Directory, stage: Stage) -> Result<(), StorageError> {
    let _lock = lock::ledger(&directory.folder)?;
    let mut entries = read(&directory.folder);
    if entries.remove(stage.name()).is_some() { write(directory, entries) } else { Ok(()) }
}

/// Adds a complete stage, with the checksums of its files, to the ledger. Collective.
///
/// # Errors
/// When a file cannot be read or the file system refuses.
pub fn note(directory: &Directory, stage: Stage) -> Result<(), StorageError> {
    let files = checksums(directory, stage)?;
    if directory.leads() {
        let _lock = lock::ledger(&directory.folder)?;
        let mut entries = read(&directory.folder);
        let (fingerprint, sources) = (fingerprint(stage, directory.input), sources(&entries, stage));
        entries.insert(stage.name().into(), Entry { fingerprint, files, sources });
        write(directory, entries)?;
    }
    directory.world.barrier();
    Ok(())
}

/// Compares the files that a stage will read with their checksums. Collective.
///
/// # Errors
/// When a file has changed or cannot be read.
pub fn verify(directory: &Directory, stage: Stage) -> Result<(), StageError> {
    let entries = read(&directory.folder);
    for need in stage.needs() {
        let Some(entry) = entries.get(need.name()) else { continue };
        for (file, expected) in &entry.files {
            let path = directory.path(file);
            if checksum::of_file(&path, directory.world)? != *expected {
                // Every rank gets the error. One rank prints it and ends the job.
                if !directory.leads() {
                    directory.world.barrier();
                }
                return Err(StageError::Altered { path, maker: need.name() });
            }
        }
    }
    Ok(())
}

/// Takes the files of a stage by hard link from another run directory with the same choices, and tells whether it did.
/// Rank 0 only.
pub fn adopt(directory: &Directory, stage: Stage, other: &Path) -> bool {
    if other == directory.folder || !complete(other, stage, directory.input) || forget(directory, stage).is_err() {
        return false;
    }
    let linked = stage.files(directory.input).iter().all(|file| {
        let target = directory.path(file);
        std::fs::remove_file(&target).ok();
        std::fs::hard_link(other.join(file), &target).is_ok()
    });
    let Some(entry) = read(other).remove(stage.name()).filter(|_| linked) else { return false };
    let Ok(_lock) = lock::ledger(&directory.folder) else { return false };
    let mut entries = read(&directory.folder);
    entries.insert(stage.name().into(), entry);
    write(directory, entries).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_complete_only_with_the_files_that_it_was_made_from() {
        let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("inputs/quickstart.toml");
        let input = &crate::config::load(&quickstart, &[]).unwrap()[0].input;
        let folder = tempfile::tempdir().unwrap();
        let mut entries = Entries::new();
        for stage in [Stage::Closure, Stage::Train, Stage::Predict] {
            let files = stage.files(input).into_iter().map(|file| (file, "sum".to_owned())).collect::<BTreeMap<_, _>>();
            files.keys().for_each(|file| std::fs::write(folder.path().join(file), "").unwrap());
            let (fingerprint, sources) = (fingerprint(stage, input), sources(&entries, stage));
            entries.insert(stage.name().to_owned(), Entry { fingerprint, files, sources });
        }
        let write = |entries: &Entries| {
            let ledger = Ledger { checksum: checksum_of(entries), stages: entries.clone() };
            write_json(&folder.path().join(FILE), &ledger).unwrap();
            [Stage::Train, Stage::Predict].map(|stage| complete(folder.path(), stage, input))
        };
        assert_eq!(write(&entries), [true, true]);
        let hash = hash_of_sources(folder.path(), Stage::Predict);
        // Trained again, on other ranks: the same choices, other last digits.
        entries.get_mut("train").unwrap().files.values_mut().for_each(|sum| *sum = "another".into());
        assert_eq!(write(&entries), [true, false]);
        assert_ne!(hash_of_sources(folder.path(), Stage::Predict), hash);
    }
}
