//! The Potts crate is a whole program: all stages under mpirun, killed and resumed to the same bytes.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use tch::{Device, Tensor};
use tessera::learning::{Sde, SdeModel};

fn command(ranks: usize, arguments: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "-n", &ranks.to_string(), env!("CARGO_BIN_EXE_potts")]).args(arguments);
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.env("OMPI_MCA_mpi_yield_when_idle", "1");
    command
}

fn succeeds(ranks: usize, arguments: &[&str]) -> String {
    let output = command(ranks, arguments).output().expect("mpirun starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Fewer data and epochs than the template, for a test.
const SMALLER: [&str; 6] = [
    "simulate.trajectories=24",
    "simulate.snapshots=10",
    "train.fit.epochs=3",
    "train.fit.threads=1",
    "truth.trajectories=4",
    "truth.records=10",
];

fn arguments<'a>(input: &'a str, out: &'a Path) -> Vec<&'a str> {
    [&["run", input, "--out", out.to_str().unwrap(), "--threads", "1", "--set"], &SMALLER[..]].concat()
}

fn run(ranks: usize, input: &str, out: &Path) -> String {
    succeeds(ranks, &arguments(input, out))
}

/// Drift and Sigma at a state with its colours in turn are those at the state, in turn.
fn learned_fields_are_symmetric(model: &Path) {
    let model = Sde::load(model, Device::Cpu).unwrap();
    let fields = |z: [f64; 4]| {
        let z = Tensor::from_slice(&z).view([1, 4]);
        let factor = model.diffusion(&z).squeeze();
        (model.drift(&z).squeeze(), factor.matmul(&factor.tr()))
    };
    let (drift, covariance) = fields([0.5, 0.3, 0.2, 0.6]);
    let (turned_drift, turned_covariance) = fields([0.3, 0.2, 0.5, 0.6]);
    let turn = Tensor::from_slice(&[1_i64, 2, 0, 3]);
    let differs =
        |found: Tensor, expected: Tensor| ((found - &expected).abs().max() / expected.abs().max()).double_value(&[]);
    assert!(differs(turned_drift, drift.index_select(0, &turn)) < 1e-5);
    assert!(differs(turned_covariance, covariance.index_select(0, &turn).index_select(1, &turn)) < 1e-5);
}

#[test]
fn a_crate_of_ones_own_runs_all_stages() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("potts.toml");
    std::fs::write(&input, succeeds(1, &["new", "potts"])).unwrap();
    let input = input.to_str().unwrap();
    let whole = folder.path().join("whole");
    run(2, input, &whole);
    let metrics = std::fs::read_to_string(whole.join("metrics.json")).unwrap();
    for name in ["test_error", "equilibrium_red_truth", "order_truth", "order"] {
        assert!(metrics.contains(&format!("\"{name}\"")), "{name} is not scored");
    }
    let page = std::fs::read_to_string(whole.join("report.html")).unwrap();
    assert!(page.contains("green") && page.contains("domain wall density"));
    learned_fields_are_symmetric(&whole.join("ours_1.safetensors"));

    // Killed in the middle, and resumed on another number of ranks.
    let parts = folder.path().join("parts");
    let mut running = command(2, &arguments(input, &parts)).spawn().expect("mpirun starts");
    let deadline = Instant::now() + Duration::from_secs(300);
    while !parts.join("pairs.h5").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    running.kill().ok();
    running.wait().unwrap();
    assert!(!parts.join("report.html").exists(), "it was killed before its end");
    let log = run(1, input, &parts);
    assert!(log.contains("simulate  complete, skipped"), "{log}");
    for file in ["small.h5", "large.h5", "pairs.h5", "truth.h5"] {
        let [a, b] = [&whole, &parts].map(|folder| std::fs::read(folder.join(file)).unwrap());
        assert!(a == b, "{file} differs");
    }
}
