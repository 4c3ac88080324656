//! What a run directory guards: data of another input, a lost ledger, file systems without locks, long paths, signals.

mod common;

use common::{SMALL, command, small_input, succeeds, tessera};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

const STOPPED: i32 = 75;
/// What takes so long hangs.
const HANGS: Duration = Duration::from_secs(300);

fn fails(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = tessera(0, arguments);
    let error = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!status.success() && !error.contains("panicked"), "{error}");
    error
}

fn files(out: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn data_of_another_input_are_never_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (small_input(folder.path()), folder.path().join("run"));
    let arguments = |more: &[&'static str]| {
        [&["simulate", &input, "--out", out.to_str().unwrap(), "--threads", "1"][..], more].concat()
    };
    succeeds(0, &arguments(&[]));
    let before = files(&out);
    let error = fails(&arguments(&["--set", "seed=2", "truth.records=7"]));
    for word in ["holds data of another input", "simulate", "differ in seed, truth.records", "--overwrite", "--out"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    assert!(files(&out) == before, "a refused run changed something");
    succeeds(0, &arguments(&["--overwrite", "--set", "seed=2"]));
    assert!(
        std::fs::read(out.join("small.h5")).unwrap()
            != before.iter().find(|(path, _)| path.ends_with("small.h5")).unwrap().1
    );
    // What is unfinished is guarded as well.
    let partial = out.join("small.h5");
    std::fs::rename(&partial, out.join("small.h5.partial")).unwrap();
    std::fs::remove_file(out.join("stages.json")).unwrap();
    std::fs::write(out.join("small.h5.progress"), format!("{} sources revision\n{{}}", "0".repeat(64))).unwrap();
    assert!(fails(&arguments(&[])).contains("holds data of another input"));
}

#[test]
fn a_lost_ledger_is_named_and_data_files_vouch_for_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (small_input(folder.path()), folder.path().join("run"));
    let arguments = ["run", &input, "--out", out.to_str().unwrap(), "--threads", "1"];
    succeeds(0, &arguments);
    let ledger = out.join("stages.json");
    let whole = std::fs::read(&ledger).unwrap();
    // A record that reads well and is wrong: no data file is to blame.
    let text = String::from_utf8(whole.clone()).unwrap();
    let (name, record) = (text.replacen("\"small.h5\"", "\"smaml.h5\"", 1), {
        let at = text.find("\"small.h5\": \"").unwrap() + "\"small.h5\": \"".len();
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        [&text[..at], other, &text[at + 1..]].concat()
    });
    for (damage, bytes) in [
        ("another name", Some(name.as_bytes())),
        ("another checksum", Some(record.as_bytes())),
        ("cut", Some(&whole[..whole.len() / 2])),
        ("empty", Some(&[][..])),
        ("zeroed", Some(&vec![0; whole.len()][..])),
        ("removed", None),
    ] {
        match bytes {
            Some(bytes) => std::fs::write(&ledger, bytes).unwrap(),
            None => std::fs::remove_file(&ledger).unwrap(),
        }
        let ranks = if damage == "empty" { 2 } else { 0 };
        let text = succeeds(ranks, &arguments);
        let word = if damage == "removed" { "stages.json is missing" } else { "stages.json is damaged" };
        assert!(text.contains(word), "{damage}: {text}");
        assert_eq!(text.matches("complete, skipped").count(), 8, "all but the page: {damage}: {text}");
        let restored: serde_json::Value = serde_json::from_slice(&std::fs::read(&ledger).unwrap()).unwrap();
        let before: serde_json::Value = serde_json::from_slice(&whole).unwrap();
        for stage in ["simulate", "upsample", "evolve", "closure", "train", "truth", "predict", "evaluate"] {
            assert_eq!(restored["stages"][stage], before["stages"][stage], "{damage}: {stage}");
        }
    }
    // A file that was made from others does not vouch.
    std::fs::remove_file(&ledger).unwrap();
    let other = folder.path().join("other");
    succeeds(0, &["simulate", &input, "--out", other.to_str().unwrap(), "--set", "seed=9"]);
    std::fs::copy(other.join("small.h5"), out.join("small.h5")).unwrap();
    assert!(fails(&arguments).contains("data of another input"));
}

/// The library that takes locks away: `flock` and `fcntl` locks fail as on NFS without a lock daemon, or on DVS.
fn without_locks(folder: &Path, errno: i32) -> Option<PathBuf> {
    let (source, library) = (folder.join("nolocks.c"), folder.join(format!("nolocks{errno}.so")));
    let text = format!(
        "#define _GNU_SOURCE\n#include <errno.h>\n#include <dlfcn.h>\n#include <fcntl.h>\n#include <stdarg.h>\n\
         int flock(int fd, int operation) {{ errno = {errno}; return -1; }}\n"
    );
    std::fs::write(&source, text).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    if compiled.is_ok_and(|status| status.success()) {
        return Some(library);
    }
    eprintln!("skipped: there is no C compiler to take locks away with");
    None
}

#[test]
fn a_run_needs_no_locks_of_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    for errno in [37, 524] {
        let Some(library) = without_locks(folder.path(), errno) else { return };
        let out = folder.path().join(format!("run{errno}"));
        let mut job = command(0, &["run", &input, "--out", out.to_str().unwrap(), "--threads", "1"]);
        let output = job.env("LD_PRELOAD", library).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{errno}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(text.matches("has no locks").count(), 1, "{text}");
    }
}

#[test]
fn paths_that_are_too_long_for_mpi_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let deep = |length: usize| {
        let mut path = folder.path().to_owned();
        while path.as_os_str().len() + 50 < length {
            path.push("a".repeat(48));
        }
        path.join("b".repeat(length - path.as_os_str().len() - 1))
    };
    for ranks in [0, 2] {
        let output = tessera(ranks, &["simulate", &input, "--out", deep(300).to_str().unwrap()]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains("has 300 bytes") && error.contains("beyond 200"), "{error}");
        assert!(!deep(300).exists());
    }
    succeeds(0, &["simulate", &input, "--out", deep(200).to_str().unwrap()]);
    // From within, the path is short.
    let inside = deep(320);
    std::fs::create_dir_all(&inside).unwrap();
    let output = command(0, &["simulate", &input, "--out", "run"]).current_dir(&inside).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Points of a sweep over many keys have short folders.
#[test]
fn folders_of_a_sweep_are_short_and_different() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let long = |last: u32| format!("[{}{last}]", "32, ".repeat(40));
    let sweep = format!("sweep.\"train.model.drift_hidden\"=[{}, {}]", long(1), long(2));
    let text = succeeds(0, &["check", &input, "--set", &sweep]);
    let mut labels: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("point ")).collect();
    labels.dedup();
    assert!(labels.len() == 2 && labels.iter().all(|label| label.len() == 80), "{labels:?}");
}

#[test]
fn a_pipe_in_the_place_of_a_log_or_a_lock_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    for name in ["run.log", ".simulate.lock", ".stages.lock"] {
        let out = folder.path().join(name).with_extension("run");
        std::fs::create_dir(&out).unwrap();
        assert!(Command::new("mkfifo").arg(out.join(name)).status().unwrap().success());
        let job = command(0, &["simulate", &input, "--out", out.to_str().unwrap()]).stderr(Stdio::piped()).spawn();
        let error = ends(job.unwrap());
        assert!(error.contains(name) && error.contains("is a pipe"), "{name}: {error}");
    }
}

/// Waits for a process that must fail, and returns what it says.
fn ends(mut job: Child) -> String {
    let start = Instant::now();
    while job.try_wait().unwrap().is_none() {
        if start.elapsed() > HANGS {
            job.kill().unwrap();
            panic!("the program hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = job.wait_with_output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether a process catches a signal, by the mask that the kernel shows.
fn catches(pid: u32, signal: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).unwrap_or(0) >> (signal - 1) & 1 == 1
}

/// Signals as soon as the program catches them: before MPI is up.
#[test]
fn signals_of_batch_systems_stop_cleanly_from_the_first_moment() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("long.toml");
    std::fs::write(&input, SMALL.replace("interval = 2.0", "interval = 2000.0")).unwrap();
    let signals: [(&str, u32, &[&str]); 5] = [
        ("TERM", 15, &[]),
        ("USR1", 10, &[]),
        ("USR2", 12, &[]),
        ("XCPU", 24, &[]),
        ("HUP", 1, &["--stop-signal", "hup"]),
    ];
    for (name, number, more) in signals {
        let out = folder.path().join(name);
        let arguments = [&["run", input.to_str().unwrap(), "--out", out.to_str().unwrap()][..], more].concat();
        let mut job = command(0, &arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        while !catches(job.id(), number) {
            assert!(start.elapsed() < HANGS && job.try_wait().unwrap().is_none(), "{name} is not caught");
        }
        assert!(Command::new("kill").args(["-s", name, &job.id().to_string()]).status().unwrap().success());
        while job.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < HANGS, "{name}: the program hangs");
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = job.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(STOPPED), "{name}: {}: {error}", output.status);
        assert!(error.contains("stopped on request"), "{name}: {error}");
    }
}
