//! Files do not depend on the number of ranks or threads, down to the last byte of every dataset.

mod common;

use common::{small_input, succeeds};
use std::{path::Path, process::Command};

const DATA: [(&str, &str); 4] =
    [("simulate", "small.h5"), ("upsample", "large.h5"), ("evolve", "pairs.h5"), ("truth", "truth.h5")];

fn generate(folder: &Path, input: &str, ranks: usize, threads: &str) {
    for (stage, _) in DATA {
        succeeds(ranks, &[stage, input, "--out", folder.to_str().unwrap(), "--threads", threads]);
    }
}

#[test]
fn one_and_four_ranks_and_one_and_two_threads_write_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let runs = [("alone", 0, "1"), ("threads", 0, "2"), ("ranks1", 1, "1"), ("ranks3", 3, "1"), ("ranks4", 4, "2")];
    for (name, ranks, threads) in runs {
        generate(&folder.path().join(name), &input, ranks, threads);
    }
    for (name, _, _) in &runs[1..] {
        for (_, file) in DATA {
            let (left, right) = (folder.path().join("alone").join(file), folder.path().join(name).join(file));
            let compared =
                Command::new("h5diff").arg("-v").args([&left, &right]).output().expect("h5diff is installed");
            let text = String::from_utf8_lossy(&compared.stdout);
            assert!(compared.status.success(), "{name}/{file} differs:\n{text}");
            assert!(text.contains("0 differences found"), "h5diff compared nothing in {file}:\n{text}");
            assert_eq!(std::fs::read(&left).unwrap(), std::fs::read(&right).unwrap(), "{name}/{file}: bytes differ");
        }
    }
}

#[test]
fn another_seed_writes_other_data() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let outputs = ["3", "4"].map(|seed| {
        let out = folder.path().join(seed);
        succeeds(0, &["simulate", &input, "--out", out.to_str().unwrap(), "--set", &format!("seed={seed}")]);
        out.join("small.h5")
    });
    let compared = Command::new("h5diff").args(outputs).args(["snapshots", "snapshots"]).output().unwrap();
    assert_eq!(compared.status.code(), Some(1), "h5diff must find differences");
}

#[test]
fn all_stages_run_on_two_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    let text = succeeds(2, &["run", &input, "--out", out.to_str().unwrap(), "--threads", "1"]);
    assert!(text.contains("seconds on 2 rank(s)"), "{text}");
    let metrics: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("metrics.json")).unwrap()).unwrap();
    for name in ["test_error", "test_error_baseline"] {
        assert!(metrics[name]["value"].as_f64().is_some_and(f64::is_finite), "{name}: {metrics}");
        assert!(metrics[name]["samples"].is_u64() && metrics[name]["unit"].is_string());
    }
}

#[test]
fn files_describe_themselves_to_h5dump() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    for stage in ["simulate", "upsample", "evolve"] {
        succeeds(2, &[stage, &input, "--out", out.to_str().unwrap(), "--threads", "1"]);
    }
    let dump = Command::new("h5dump").arg("-A").arg(out.join("pairs.h5")).output().expect("h5dump is installed");
    let text = String::from_utf8_lossy(&dump.stdout);
    for part in [
        "pair, y, x",
        "magnetisation, domain_wall_density",
        "1 / attempt rate",
        "revision",
        "fingerprint",
        "temperature = 2.5",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}
