//! Random damage to the files of run directories, finished and unfinished: named, or harmless, never used in silence.
//!
//! `TESSERA_DAMAGES` sets the number of damages (docs/results/faults.md has 400).

mod common;

use common::{command, tessera};
use rand::Rng as _;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tessera::rng::{Purpose, Rng, stream};

const INPUT: &str = r#"
seed = 8
kernel = "single"
[system.ising]
temperature = 2.3
[lattice]
patch = 8
large = 16
[simulate]
trajectories = 60
snapshots = 6
interval = 20.0
[upsample]
relax = { time = 20.0 }
shuffled = 20
[evolve]
until = { time = 10.0 }
patches = 2
[closure]
variables = 1
epochs = 2
[train]
baseline = false
[train.fit]
epochs = 4
threads = 1
checkpoint_seconds = 0.0
[predict]
step = 1.0
[truth]
starts = [-0.5, 0.5]
trajectories = 12
interval = 40.0
records = 11
[evaluate]
resamples = 20
"#;

/// The products that are compared.
const PRODUCTS: [&str; 9] = [
    "small.h5",
    "large.h5",
    "pairs.h5",
    "closure.safetensors",
    "latent.h5",
    "ours_1.safetensors",
    "truth.h5",
    "prediction.h5",
    "metrics.json",
];

/// Which files of a finished run are computed again after the damage: those from a product on.
const LATER: [&[&str]; 3] = [
    &["prediction.h5", "evaluation.h5", "metrics.json", "report.html"],
    &["ours_1.safetensors", "training.json", "prediction.h5", "evaluation.h5", "metrics.json", "report.html"],
    &["pairs.h5", "metrics.json"],
];

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(path, target).unwrap();
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Damages a file, and says how.
fn damage(path: &Path, random: &mut Rng) -> String {
    let mut bytes = std::fs::read(path).unwrap();
    let at = random.random_range(0..bytes.len());
    let how = match random.random_range(0..3) {
        0 => {
            bytes[at] ^= 1 << random.random_range(0..8);
            "a bit flipped"
        }
        1 => {
            bytes.truncate(at);
            "cut"
        }
        _ => {
            let end = bytes.len().min(at + 4096);
            bytes[at..end].fill(0);
            "4 kB zeroed"
        }
    };
    std::fs::write(path, bytes).unwrap();
    format!("{how} at {at}")
}

/// Runs until a file of marks has some lines, and kills.
fn unfinished(input: &str, out: &Path, marks: &str) {
    let job = command(0, &["run", input, "--out", out.to_str().unwrap(), "--threads", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let (mut job, start) = (job.unwrap(), Instant::now());
    let written = || std::fs::metadata(out.join(marks)).map_or(0, |metadata| metadata.len());
    while written() < 200 && job.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(600), "{marks} is not written");
        std::thread::sleep(Duration::from_millis(1));
    }
    job.kill().unwrap();
    job.wait().unwrap();
    assert!(out.join(marks).exists(), "the run ended before its kill: {marks}");
}

#[test]
fn damaged_files_are_named_or_harmless() {
    let count: usize = std::env::var("TESSERA_DAMAGES").map_or(16, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.toml");
    std::fs::write(&input, INPUT).unwrap();
    let input = input.to_str().unwrap();
    let run = |out: &Path| tessera(0, &["run", input, "--out", out.to_str().unwrap(), "--threads", "1"]);
    let whole = folder.path().join("whole");
    assert!(run(&whole).status.success());
    let right: BTreeMap<&str, Vec<u8>> =
        PRODUCTS.iter().map(|&file| (file, std::fs::read(whole.join(file)).unwrap())).collect();
    let mut states = Vec::new();
    for (index, again) in LATER.iter().enumerate() {
        let state = folder.path().join(format!("finished{index}"));
        copy(&whole, &state);
        again.iter().for_each(|file| std::fs::remove_file(state.join(file)).unwrap());
        states.push(state);
    }
    for marks in [
        "small.h5.progress.0",
        "large.h5.progress.0",
        "pairs.h5.progress.0",
        "ours_1.checkpoint",
        "truth.h5.progress.0",
    ] {
        let state = folder.path().join(marks);
        unfinished(input, &state, marks);
        states.push(state);
    }
    let (mut random, mut counts) = (stream(21, Purpose::Bench, [0, 0]), BTreeMap::<&str, usize>::new());
    let mut silent = Vec::new();
    for number in 0..count {
        let state = &states[number % states.len()];
        let out = folder.path().join("damaged");
        std::fs::remove_dir_all(&out).ok();
        copy(state, &out);
        let candidates: Vec<PathBuf> =
            files(&out).into_iter().filter(|path| std::fs::metadata(path).unwrap().len() > 0).collect();
        let path = &candidates[random.random_range(0..candidates.len())];
        let how = damage(path, &mut random);
        let output = run(&out);
        let words = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(!words.contains("panicked") && output.status.code().is_some(), "{}: {how}: {words}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap();
        let product = name.split(".progress").next().unwrap().trim_end_matches(".partial");
        let named = (words.contains(product) || words.contains("another input"))
            && ["damaged", "changed", "not what", "not used", "cannot", "another input"]
                .iter()
                .any(|word| words.contains(word));
        // Bytes between the fields of a file mean nothing: there its content decides.
        let equal = |file: &str| {
            let compared = Command::new("h5diff").arg(out.join(file)).arg(whole.join(file)).output();
            file.ends_with(".h5") && compared.is_ok_and(|output| output.status.success())
        };
        let same =
            |file: &&&str| std::fs::read(out.join(file)).is_ok_and(|bytes| bytes == right[**file]) || equal(file);
        let others = || PRODUCTS.iter().filter(|file| **file != name).all(|file| same(&file));
        let outcome = match output.status.success() {
            false if named => "named",
            false => "refused without the name of the file",
            true if PRODUCTS.iter().all(|file| same(&file)) => "harmless",
            // A finished product is still damaged itself, and nothing has read it: all others are right.
            true if others() => "not read",
            true if named => "named",
            true => "used in silence",
        };
        *counts.entry(outcome).or_default() += 1;
        if outcome.contains("silence") || outcome.contains("without") {
            silent.push(format!("{}, {}: {how}: {outcome}\n{words}", state.file_name().unwrap().display(), name));
        }
    }
    println!("{count} damages: {counts:?}");
    assert!(silent.is_empty(), "{}", silent.join("\n\n"));
}
