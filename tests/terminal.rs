//! What a user sees in a terminal.

mod common;

use common::{command, small_input, succeeds, tessera};
use serde_json::Value;
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

/// Every line is an event, and the last one holds the scores of `metrics.json`.
#[test]
fn programs_get_one_event_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let (input, run) = (small_input(folder.path()), folder.path().join("run"));
    let out = run.to_str().unwrap();
    let said = succeeds(0, &["run", &input, "--out", out, "--threads", "1", "--json"]);
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    let stages = ["simulate", "upsample", "evolve", "closure", "train", "truth", "predict", "evaluate", "report"];
    for kind in ["started", "finished"] {
        let named: Vec<&str> = of(kind).iter().filter_map(|event| event["stage"].as_str()).collect();
        assert_eq!(named, stages, "{kind}");
    }
    for stage in &stages[..8] {
        let done = |event: &&&Value| event["stage"] == *stage && event["done"].as_f64() == event["of"].as_f64();
        let last = of("progress").iter().rfind(done).copied().cloned();
        assert_eq!(last.unwrap_or_else(|| panic!("{stage}: {said}"))["seconds_left"], 0.0, "{stage}");
    }
    for stage in ["simulate", "truth"] {
        let seen = of("observables").into_iter().find(|event| event["stage"] == stage).unwrap();
        assert!(seen["time"].is_number() && seen["values"]["magnetisation"].is_number(), "{seen}");
    }
    let metrics: Value = serde_json::from_slice(&std::fs::read(run.join("metrics.json")).unwrap()).unwrap();
    let last = events.last().unwrap();
    assert_eq!(last["event"], "scores");
    assert_eq!(last["scores"]["test_error"], metrics["test_error"]);
    assert!(std::fs::read_to_string(run.join("run.log")).unwrap().contains("Test error  "));
    let again = succeeds(0, &["run", &input, "--out", out, "--json"]);
    assert_eq!(again.matches("\"event\":\"skipped\"").count(), 9, "{again}");
}

/// Observables against time, as seldom as a person reads, and the time that is left.
#[test]
fn a_direct_simulation_shows_observables_against_time_and_the_time_left() {
    let folder = tempfile::tempdir().unwrap();
    let (input, run) = (small_input(folder.path()), folder.path().join("run"));
    let out = run.to_str().unwrap();
    let said = succeeds(0, &["truth", &input, "--out", out, "--threads", "1"]);
    let shown: Vec<&str> = said.lines().skip_while(|line| !line.contains("trajectory ")).take(2).collect();
    let names: Vec<&str> = shown[0].split_whitespace().collect();
    assert_eq!(names, ["trajectory", "time", "magnetisation", "domain_wall_density"], "{said}");
    let values: Vec<&str> = shown[1].split_whitespace().collect();
    assert_eq!((values[0], values.len()), ("truth", 5), "{said}");
    assert!(values[1..].iter().all(|value| value.parse::<f64>().is_ok()), "{said}");
    // Six trajectories have six records each.
    assert!(said.lines().filter(|line| line.starts_with("truth ") && line.contains('.')).count() < 36, "{said}");
}

/// MPI adds nothing to the sentence of a lone process.
#[test]
fn an_error_of_a_lone_process_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    for ranks in [0, 1] {
        let output = tessera(ranks, &["train", &input, "--out", out.to_str().unwrap()]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("tessera: the stage train needs") && !error.contains("MPI_ABORT"), "{error}");
        assert!(ranks == 1 || error.lines().count() == 1, "{error}");
    }
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
