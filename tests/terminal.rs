//! What a user sees in a terminal.

mod common;

use common::{command, small_input, succeeds, tessera};
use std::process::Stdio;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_run_ends_with_its_scores_and_status_and_check_say_what_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let (input, run) = (small_input(folder.path()), folder.path().join("run"));
    let out = run.to_str().unwrap();
    succeeds(0, &["simulate", &input, "--out", out, "--threads", "1"]);
    let status = succeeds(0, &["status", out]);
    assert!(status.contains("simulate  complete (") && status.contains("upsample  to be computed\n"), "{status}");
    let said = succeeds(0, &["run", "--set", "train.seeds=[1]", &input, "--out", out, "--threads", "1"]);
    let last: Vec<&str> = said.lines().rev().take(9).collect();
    assert_eq!(last[0], format!("report: {out}/report.html"));
    assert!(last.iter().any(|line| line.starts_with("Test error  ") && line.contains(" ± ")), "{said}");
    let stages = succeeds(0, &["status", out]);
    assert_eq!(stages.matches(" complete (").count(), 9, "{stages}");
    // Another quantum of noise: what reads it is computed again.
    let check = succeeds(0, &["check", &input, "--out", out, "--set", "train.seeds=[1]", "train.fit.epochs=3"]);
    for (stage, state) in [("closure", "complete ("), ("train", "to be computed again"), ("truth", "complete (")] {
        assert!(check.contains(&format!("{stage:9} {state}")), "{stage}: {check}");
    }
    let quiet = succeeds(0, &["run", &input, "--quiet", "--out", out, "--threads", "1", "--overwrite"]);
    assert_eq!(quiet, "");
    assert!(std::fs::read_to_string(run.join("run.log")).unwrap().contains("complete, skipped"));
}

#[test]
fn an_unfinished_stage_says_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (input, run) = (small_input(folder.path()), folder.path().join("run"));
    let out = run.to_str().unwrap();
    let set = ["--set", "kernel=single", "simulate.trajectories=1000", "simulate.interval=2000.0"];
    let arguments = [&["simulate", &input, "--out", out, "--threads", "1"][..], &set].concat();
    let mut job = command(0, &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let marks = run.join("small.h5.progress.0");
    while std::fs::metadata(&marks).map_or(0, |marks| marks.len()) < 200 {
        assert!(job.try_wait().unwrap().is_none(), "the run has ended");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let running = succeeds(0, &["status", out]);
    job.kill().unwrap();
    job.wait().unwrap();
    assert!(running.contains("simulate  running, unfinished, ") && running.contains(" s left at"), "{running}");
    let killed = succeeds(0, &["status", out]);
    assert!(killed.contains("simulate  unfinished, ") && killed.contains(" % written"), "{killed}");
}

#[test]
fn errors_of_overrides_name_the_override_and_missing_tables_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let error = |set: &[&str]| text(&tessera(0, &[&["check", &input, "--set"], set].concat()).stderr);
    assert!(error(&["lattice.patch=abc"]).contains("tessera: --set lattice.patch=abc: invalid type"));
    assert!(error(&["lattice.pitch=8"]).contains("tessera: --set lattice.pitch=8: unknown field `pitch`"));
    std::fs::write(&input, "seed = 1\n").unwrap();
    for set in [&["seed=2"][..], &["seed=3", "kernel=auto"]] {
        let error = error(set);
        assert!(error.contains("missing field `system`") && !error.contains("line 1"), "{error}");
    }
    let error = text(&tessera(0, &["check", &input]).stderr);
    assert!(error.contains("missing field `system`") && !error.contains("line 1"), "{error}");
}

#[test]
fn versions_completions_and_the_man_page_are_printed() {
    let version = succeeds(0, &["--version"]);
    for word in ["tessera ", "revision ", "HDF5 1.", "libtorch 2."] {
        assert!(version.contains(word), "{version}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(succeeds(0, &["completions", shell]).contains("ranks-per-snapshot"), "{shell}");
    }
    let page = succeeds(0, &["man"]);
    assert!(page.contains(".TH tessera 1") && page.contains(".TH tessera-status 1"), "{page}");
}
