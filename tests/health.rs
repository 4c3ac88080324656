//! Numbers that are not finite are stopped at or counted, and data in which nothing happens are named.

mod common;

use common::{PREY, tessera};
use serde_json::Value;
use std::path::Path;

/// An alloy in which nothing happens: its unit of time is that of a far lower barrier.
const FROZEN: &str = r#"
seed = 1
[system.alloy]
temperature = 300.0
reference_barrier = 0.1
sites_per_vacancy = 64
[lattice]
patch = 4
large = 8
[simulate]
trajectories = 4
snapshots = 3
interval = 1.0
[upsample]
relax = "none"
[evolve]
until = { time = 1.0 }
patches = 2
[closure]
variables = 0
[train]
baseline = false
[train.fit]
epochs = 1
threads = 1
[predict]
step = 1.0
[truth]
starts = [0.0]
trajectories = 2
interval = 1.0
records = 3
[evaluate]
resamples = 20
"#;

fn run(folder: &Path, text: &str, more: &[&str]) -> (bool, String, String) {
    let (input, out) = (folder.join("input.toml"), folder.join("run"));
    std::fs::write(&input, text).unwrap();
    let arguments = ["run", input.to_str().unwrap(), "--out", out.to_str().unwrap(), "--threads", "1"];
    let output = tessera(0, &[&arguments[..], more].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), error, std::fs::read_to_string(out.join("run.log")).unwrap_or_default())
}

#[test]
fn direct_trajectories_that_blow_up_are_counted_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let (success, error, log) = run(folder.path(), &PREY.replace("NOISE", "0.08"), &[]);
    assert!(success, "{error}");
    let metrics: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("run/metrics.json")).unwrap()).unwrap();
    let diverged = metrics["diverged_truth"]["value"].as_f64().unwrap();
    assert!(diverged > 0.0 && diverged < 30.0, "{diverged} of 30");
    assert_eq!(metrics["diverged_truth"]["samples"], 30);
    // Every score of the survivors is marked, and no other.
    let left_out = |name: &str| metrics[name]["left_out"].as_u64();
    for name in ["equilibrium_prey_truth", "test_error", "test_error_noise_floor", "wasserstein_1_prey"] {
        assert_eq!(left_out(name), Some(diverged as u64), "{name}: {metrics}");
    }
    for name in ["equilibrium_prey", "diverged_truth", "no_event_pairs", "calibration_ours_seed_1_component_0"] {
        assert!(metrics[name].is_object() && left_out(name).is_none(), "{name}: {metrics}");
    }
    let words = [
        &format!("{diverged} of 30 trajectories of truth left the finite numbers")[..],
        "record ",
        "time ",
        "Make the step of the system shorter, or its noise smaller",
        &format!("{diverged} of 30 trajectories of the direct simulation left the finite numbers"),
    ];
    assert!(words.iter().all(|word| log.contains(word)), "{log}");
    let page = std::fs::read_to_string(folder.path().join("run/report.html")).unwrap();
    assert!(page.contains("describe the survivors alone"), "the page does not say so");
    assert!(page.contains(" †</td>") && page.contains("the value describes the survivors alone"), "no marks");
}

#[test]
fn without_any_survivor_there_are_no_scores() {
    let folder = tempfile::tempdir().unwrap();
    let set = ["--set", "truth.records=101"];
    let (success, error, log) = run(folder.path(), &PREY.replace("NOISE", "0.3"), &set);
    assert!(!success && error.contains("all 30 trajectories of one start"), "{error}\n{log}");
    assert!(log.contains("30 of 30 trajectories of truth left the finite numbers"), "{log}");
}

#[test]
fn a_small_trajectory_that_blows_up_stops_its_stage() {
    let folder = tempfile::tempdir().unwrap();
    let set = ["--set", "simulate.snapshots=300", "simulate.interval=1.0"];
    let (success, error, _) = run(folder.path(), &PREY.replace("NOISE", "0.3"), &set);
    assert!(!success);
    for word in ["in trajectory ", ", record ", ", time ", "in the stage simulate", "Make the step"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    assert!(!folder.path().join("run/small.h5").exists());
}

#[test]
fn data_in_which_nothing_happens_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (success, error, log) = run(folder.path(), FROZEN, &[]);
    assert!(success, "{error}");
    for word in [
        "simulate: no event in 4 of 4 trajectories",
        "evolve: no event in 24 of 24 pairs",
        "truth: no event in 2 of 2 trajectories",
        "warning: nothing happens in any of the 24 pairs that no_event_pairs",
        "warning: nothing happens in any of the 2 trajectories that no_event_truth",
    ] {
        assert!(log.contains(word), "{word}: {log}");
    }
    let page = std::fs::read_to_string(folder.path().join("run/report.html")).unwrap();
    assert!(page.contains("nothing happens in any"));
}

#[test]
fn a_model_with_barriers_that_none_has_is_refused() {
    use tessera::systems::{
        System,
        alloy::{
            Alloy, AlloyParameters,
            barriers::Barriers,
            environment::{Environment, JUMPS},
        },
    };
    #[derive(Debug)]
    struct Constant(f32);
    impl Barriers for Constant {
        fn heights(&self, _: &Environment) -> [f32; JUMPS] {
            [self.0; JUMPS]
        }
    }
    for height in [0.0, -0.2, 1e37, f32::NAN] {
        let alloy = Alloy::with_barriers(AlloyParameters::default(), std::sync::Arc::new(Constant(height)));
        let error = alloy.check(&[0.5]).unwrap_err();
        assert!(error.contains("2048 of 2048 barriers") && error.contains(&format!("{height} eV")), "{error}");
    }
    for name in ["builtin", "balanced"] {
        let parameters = AlloyParameters { barriers: name.into(), ..AlloyParameters::default() };
        Alloy::try_from(parameters).unwrap().check(&[0.5]).unwrap();
    }
}

/// Fast jumps back and forth would never end.
#[test]
fn alloys_at_some_kelvin_are_refused_before_they_start() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("cold.toml");
    std::fs::write(&input, FROZEN).unwrap();
    let check = |set: &[&str]| tessera(0, &[&["check", input.to_str().unwrap(), "--set"], set].concat());
    for temperature in ["1.0", "2.0", "7.0"] {
        let output = check(&[&format!("system.alloy.temperature={temperature}"), "system.alloy.reference_barrier=1.8"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(error.contains("simulate.interval") && error.contains("events or steps"), "{error}");
    }
    assert!(check(&["system.alloy.temperature=2000.0", "system.alloy.reference_barrier=1.2"]).status.success());
}
