//! Reported faults, asked of the program alone, so that an older program can be asked as well: TESSERA_PROGRAM names
//! it.

mod common;

use common::{PREY, SMALL, command, succeeds, tessera};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

/// Refused with a sentence: no success, no signal, no panic.
#[track_caller]
fn refused(what: &str, output: &Output) -> String {
    let words = words(output);
    assert!(!output.status.success(), "{what} is taken: {words}");
    assert!(output.status.code().is_some() && !words.contains("panicked"), "{what}: {}: {words}", output.status);
    words
}

#[test]
fn trajectories_that_blow_up_are_never_left_out_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("prey.toml"), folder.path().join("run"));
    std::fs::write(&input, PREY.replace("NOISE", "0.08")).unwrap();
    let said = succeeds(0, &["run", input.to_str().unwrap(), "--out", out.to_str().unwrap(), "--threads", "1"]);
    let text = std::fs::read_to_string(out.join("metrics.json")).unwrap();
    let metrics: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    let survivors = metrics["equilibrium_prey_truth"]["samples"].as_u64().unwrap();
    assert!((1..30).contains(&survivors), "{survivors} of 30");
    let counted: f64 = metrics
        .iter()
        .filter(|(name, _)| name.starts_with("diverged"))
        .filter_map(|(_, metric)| metric["value"].as_f64())
        .sum();
    assert_eq!(counted, (30 - survivors) as f64, "{survivors} survivors of 30; diverged: {counted}");
    assert!(said.contains("left the finite numbers"), "{said}");
}

/// All cases are one state, but for the state before its last jump.
#[test]
fn barriers_are_those_of_the_state_that_a_file_describes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases");
    let eval = |name: &str| tessera(0, &["barriers", "eval", "builtin", folder.join(name).to_str().unwrap()]);
    let right = eval("plain.dump");
    assert!(right.status.success());
    let mut faults = Vec::new();
    let mut files: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    for name in files {
        let found = eval(&name);
        let refuse = ["nonperiodic", "TTF", "count"].iter().any(|word| name.contains(word));
        let other = name.contains("before_the_jump");
        let fault = match (refuse, found.status.success()) {
            (true, false) => continue,
            (false, true) if other && found.stdout != right.stdout => continue,
            (false, true) if !other && found.stdout == right.stdout => continue,
            (true, true) => "is read",
            (false, false) => "is refused",
            (false, true) => "has the barriers of another state",
        };
        faults.push(format!("{name} {fault}"));
    }
    assert!(faults.is_empty(), "{}", faults.join(", "));
}

/// What a crash of the machine may leave: marks of items whose bytes never came to the disk.
#[test]
fn lost_writes_of_finished_items_are_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.toml");
    let text = SMALL.replace("trajectories = 12", "trajectories = 500").replace("patch = 8", "patch = 64");
    std::fs::write(&input, text.replace("large = 16", "large = 128").replace("interval = 2.0", "interval = 10.0"))
        .unwrap();
    let job = |out: &Path| {
        let arguments = ["simulate", input.to_str().unwrap(), "--threads", "1", "--checkpoint-seconds", "0.1", "--out"];
        let mut job = command(0, &[&arguments[..], &[out.to_str().unwrap()]].concat());
        job.stdout(Stdio::null());
        job
    };
    let (whole, out) = (folder.path().join("whole"), folder.path().join("run"));
    assert!(job(&whole).status().unwrap().success());
    let right = std::fs::read(whole.join("small.h5")).unwrap();
    // Kills it as soon as some items are marked.
    let mut unfinished = job(&out).spawn().unwrap();
    let marks = out.join("small.h5.progress.0");
    while std::fs::metadata(&marks).map_or(0, |marks| marks.len()) < 200 {
        assert!(unfinished.try_wait().unwrap().is_none(), "the run ended before its kill");
        std::thread::sleep(Duration::from_millis(1));
    }
    unfinished.kill().unwrap();
    unfinished.wait().unwrap();
    // The first block of spins, equal to the one of the whole file.
    let mut bytes = std::fs::read(out.join("small.h5.partial")).unwrap();
    let blocks = bytes.chunks_exact(4096).zip(right.chunks_exact(4096));
    let spins =
        |(found, right): (&[u8], &[u8])| found == right && found.iter().filter(|&&byte| byte == 0).count() < 1024;
    let block = blocks.into_iter().position(spins).expect("items on disk");
    bytes[4096 * block..][..4096].fill(0);
    std::fs::write(out.join("small.h5.partial"), bytes).unwrap();
    assert!(job(&out).status().unwrap().success());
    assert!(std::fs::read(out.join("small.h5")).unwrap() == right, "lost bytes are taken for data");
}

#[test]
fn what_no_machine_holds_or_ends_is_refused_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (small, prey) = (write("small.toml", SMALL), write("prey.toml", &PREY.replace("NOISE", "0.05")));
    let mut taken = Vec::new();
    for (input, set) in [
        (&small, "closure.variables=65536"),
        (&small, "closure.hidden=65536"),
        (&small, "closure.channels=[1000000000]"),
        (&small, "train.model.drift_hidden=[1000000000]"),
        (&small, "train.fit.threads=65536"),
        (&small, "train.fit.learning_rate_minimum=nan"),
        (&small, "evaluate.resamples=4000000000"),
        (&small, "predict.step=1e-45"),
        (&prey, "system.predator_prey.step=1e-300"),
    ] {
        let output = tessera(0, &["check", input, "--set", set]);
        // What some machine could hold is a valid input, which a run on this one refuses.
        let elsewhere = String::from_utf8_lossy(&output.stdout).contains("not on this machine");
        if output.status.success() {
            taken.extend((!elsewhere).then_some(set));
            continue;
        }
        let key = set.split('=').next().unwrap().rsplit('.').next().unwrap();
        let error = refused(set, &output);
        assert!(error.contains(key), "{set}: {error}");
    }
    assert!(taken.is_empty(), "taken: {}", taken.join(", "));
}

/// An archive of one array whose header says what it likes.
fn npz(folder: &Path, name: &str, kind: &str, shape: &str) -> PathBuf {
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    let array = [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat();
    let path = folder.join(name);
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("layer0.weight.npy", options).unwrap();
    archive.write_all(&array).unwrap();
    archive.finish().unwrap();
    path
}

#[test]
fn hostile_files_are_refused_with_a_sentence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let plain = root.join("tests/data/cases/plain.dump");
    // Within 4 GB, which a small file does not need.
    let eval = |model: &Path, configuration: &Path| {
        let script = "ulimit -v 4000000; exec \"$0\" barriers eval \"$@\"";
        let mut job = Command::new("bash");
        job.args(["-c", script, &common::program()]).arg(model).arg(configuration);
        job.output().expect("bash is installed")
    };
    let builtin = Path::new("builtin");
    assert!(eval(builtin, &plain).status.success());
    refused("a shape that lies", &eval(&npz(folder.path(), "lie.npz", "<f4", "(100000000000,)"), &plain));
    for kind in ["<f8", "<i8"] {
        let error = refused(kind, &eval(&npz(folder.path(), "long.npz", kind, "(1,)"), &plain));
        assert!(error.contains("layer0.weight") && error.contains("float32"), "{error}");
    }
    // One cubic cell along y, in which an atom sees itself.
    let atoms: String = (0..15)
        .map(|index| {
            let (cell, half) = (index / 2, f64::from(index % 2));
            let [x, y, z] = [cell % 4, 0, cell / 4].map(|cell| 3.24 * f64::from(cell) + 1.62 * half);
            format!("{} 1 {x} {y} {z}\n", index + 1)
        })
        .collect();
    let thin = folder.path().join("thin.dump");
    let head = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n15\nITEM: BOX BOUNDS pp pp pp\n0 12.96\n0 3.24\n0 6.48\n";
    std::fs::write(&thin, format!("{head}ITEM: ATOMS id type x y z\n{atoms}")).unwrap();
    let error = refused("a thin box", &eval(builtin, &thin));
    assert!(error.contains("cubic cells"), "{error}");
    let shared = std::env::var_os("TESSERA_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let pickle = shared.join("data/cases/hostile/pickle_laughs24.npy");
    if pickle.exists() {
        refused("a pickle that doubles", &eval(&pickle, &plain));
    }
}
