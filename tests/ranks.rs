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
    let runs = [
        ("alone", 0, "1"),
        ("threads", 0, "2"),
        ("ranks1", 1, "1"),
        ("ranks2", 2, "1"),
        ("ranks3", 3, "1"),
        ("ranks4", 4, "2"),
        ("ranks8", 8, "1"),
    ];
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

/// Data stages of one lattice that teams of ranks share: spins on 256 x 256 sites.
const SPINS: &str = r#"
seed = 3
kernel = "single"
[system.ising]
temperature = 2.5
field = 0.1
[lattice]
patch = 32
large = 256
[simulate]
trajectories = 2
snapshots = 3
interval = 2.0
[upsample]
relax = { time = 0.5 }
shuffled = 3
[evolve]
until = { time = 0.5 }
patches = 5
[predict]
step = 0.5
[truth]
starts = [-0.5, 0.5]
trajectories = 2
interval = 1.0
records = 4
tile = 32
"#;

/// Fields on a line, between mirrors.
const FIELDS: &str = r#"
seed = 3
[system.predator_prey]
[lattice]
patch = 40
small = 100
large = 200
[simulate]
trajectories = 2
snapshots = 3
interval = 0.5
[upsample]
relax = { time = 0.05 }
[evolve]
until = { time = 0.05 }
patches = 5
[predict]
step = 0.05
[truth]
starts = [[0.5, 0.1]]
trajectories = 2
interval = 0.5
records = 3
tile = 20
"#;

/// Vacancies on 8,192 sites.
const ALLOY: &str = r#"
seed = 3
[system.alloy]
temperature = 2000.0
[lattice]
patch = 8
large = 16
[simulate]
trajectories = 2
snapshots = 3
interval = 5.0
[upsample]
relax = { time = 1.0 }
shuffled = 1
[evolve]
until = { time = 5.0 }
patches = 8
[closure]
variables = 0
[predict]
step = 5.0
[truth]
starts = [0.0]
trajectories = 2
interval = 5.0
records = 3
tile = 4
quantum = 2.5
"#;

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().expect("sha256sum is installed");
    String::from_utf8_lossy(&output.stdout).split_whitespace().next().expect("a hash").to_owned()
}

#[test]
fn a_snapshot_shared_by_any_number_of_ranks_has_the_same_bytes() {
    let spins = [(1, "1"), (2, "2"), (3, "3"), (4, "4"), (8, "8"), (8, "3")];
    let lanes = SPINS.replace("single", "lanes");
    let words = SPINS.replace("single", "auto").replace("starts = [-0.5, 0.5]", "starts = [-0.5, 0.0, 0.2, 0.5, 0.7]");
    for (name, text, teams, stages) in [
        ("spins", SPINS, &spins[..], &DATA[..]),
        ("spins, tiles in lanes", &lanes, &spins[..], &DATA[3..]),
        ("spins, trajectories in lanes", &words, &spins[..], &DATA[3..]),
        ("fields", FIELDS, &[(1, "1"), (3, "3")], &DATA[..]),
        ("alloy", ALLOY, &[(1, "1"), (4, "4")], &DATA[..]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input.toml");
        std::fs::write(&input, text).unwrap();
        let mut hashes = Vec::new();
        for &(ranks, team) in teams {
            let out = folder.path().join(format!("{ranks}-{team}"));
            let out = out.to_str().unwrap();
            for (stage, _) in stages {
                let arguments =
                    [*stage, input.to_str().unwrap(), "--out", out, "--threads", "1", "--ranks-per-snapshot", team];
                succeeds(ranks, &arguments);
            }
            let found: Vec<String> = stages.iter().map(|(_, file)| sha256(&Path::new(out).join(file))).collect();
            hashes.push((ranks, team, found));
        }
        if name.ends_with("lanes") {
            let log = std::fs::read_to_string(folder.path().join("1-1/run.log")).unwrap();
            let most = if name.contains("tiles") { 16 } else { 5 };
            let text = format!("truth: windows evolve in the lanes of words, at most {most} at once");
            assert!(log.contains(&text), "{log}");
        }
        for (ranks, team, found) in &hashes {
            assert_eq!(*found, hashes[0].2, "{name}: {ranks} ranks in teams of {team}");
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
        "DIMENSION_SCALE",
        "x_byte",
        "magnetisation, domain_wall_density",
        "1 / attempt rate",
        "revision",
        "fingerprint",
        "temperature = 2.5",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

/// Closure variables from the library: the drift of prey and predators is exact in u^2 and u v, and two ranks choose and
/// write what one does.
#[test]
fn a_library_closes_the_drift_on_any_number_of_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.toml");
    std::fs::write(&input, format!("{FIELDS}\n[closure]\nencoder = \"library\"\nvariables = 3\n")).unwrap();
    let mut hashes = Vec::new();
    for ranks in [1, 2] {
        let out = folder.path().join(ranks.to_string());
        let arguments = ["run", input.to_str().unwrap(), "--out", out.to_str().unwrap(), "--threads", "1", "--set"];
        succeeds(
            ranks,
            &[
                &arguments[..],
                &["train.baseline=false", "train.fit.epochs=1", "simulate.trajectories=8", "simulate.snapshots=12"],
            ]
            .concat(),
        );
        let log = std::fs::read_to_string(out.join("run.log")).unwrap();
        let found: Vec<&str> = log.lines().filter(|line| line.starts_with("closure: R^2")).collect();
        assert!(found.len() == 2 && found.iter().all(|line| line.contains("1.0000 with u v, u^2")), "{found:?}");
        hashes.push(["pairs.h5", "latent.h5"].map(|file| sha256(&out.join(file))));
        let prediction = hdf5::File::open(out.join("prediction.h5")).unwrap();
        assert_eq!(prediction.dataset("ours").unwrap().shape()[3], 4);
    }
    assert_eq!(hashes[0], hashes[1]);
}
