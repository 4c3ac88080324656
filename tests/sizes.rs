//! One training predicts systems of other sizes, also such as no machine could hold.

mod common;

use common::{small_input, succeeds};
use ndarray::{Array4, Axis, s};
use std::path::Path;

/// Predictions of our first model in a file, `[trajectory, record, component]`.
fn predicted(file: &Path) -> ndarray::Array3<f64> {
    let states = hdf5::File::open(file).unwrap().dataset("ours").unwrap().read_dyn::<f32>().unwrap();
    let states: Array4<f32> = states.into_dimensionality().unwrap();
    states.index_axis_move(Axis(0), 0).mapv(f64::from)
}

/// 10^12 spins from a model of 256: the same mean within the noise of the small system, and fluctuations that are
/// smaller by the square root of the number of sites. The file for the size of the direct simulation does not change.
#[test]
fn one_model_predicts_other_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let run = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let arguments =
            ["run", &input, "--out", out.to_str().unwrap(), "--set", "predict.replicas=40", "train.draws=2"];
        succeeds(0, &[&arguments[..], more].concat());
        out
    };
    let (alone, with) = (run("alone", &[]), run("with", &["predict.sides=[16, 4096, 1048576]"]));
    let main = predicted(&with.join("prediction.h5"));
    assert_eq!(main, predicted(&alone.join("prediction.h5")));
    let metrics: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(with.join("metrics.json")).unwrap()).unwrap();
    let value = |name: &str| metrics[name]["value"].as_f64().unwrap();
    let page = std::fs::read_to_string(with.join("report.html")).unwrap();
    assert!(page.contains("Equilibrium at other sizes") && page.contains("1099511627776"));
    // The last record, about the mean over the trajectories from one start.
    let deviation = |states: &ndarray::Array3<f64>| {
        let last = states.slice(s![.., -1, 0]);
        let each = last.len() / 2;
        let alike = last.axis_chunks_iter(Axis(0), each).map(|alike| alike.var(1.0)).sum::<f64>() / 2.0;
        alike.sqrt()
    };
    let deviations = [16, 4096, 1 << 20].map(|side| {
        let other = predicted(&with.join(format!("prediction_{side}.h5")));
        assert_eq!(other.dim(), main.dim());
        assert!((other.mean().unwrap() - main.mean().unwrap()).abs() < 0.1, "{side}");
        assert!(value(&format!("spread_magnetisation_side_{side}")).is_finite());
        deviation(&other)
    });
    let same = deviations[0] / deviation(&main);
    assert!((same - 1.0).abs() < 0.2, "the size of the direct simulation: {same}");
    // Between these two the noise is so small that the equation is linear.
    let ratio = deviations[1] / deviations[2];
    assert!((ratio / 256.0 - 1.0).abs() < 0.2, "{ratio}, and the number of sites says 256");
}

/// A sweep over the size that is learned from says whether it matters.
#[test]
fn models_of_two_sizes_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (small_input(folder.path()), folder.path().join("run"));
    let out = out.to_str().unwrap();
    let sweep = "sweep={\"lattice.large\"=[16, 32]}";
    let set = ["--set", sweep, "truth.side=16", "predict.by_size=true", "train.draws=0", "closure.variables=0"];
    succeeds(0, &[&["run", &input, "--out", out][..], &set].concat());
    let read = |file: &str| std::fs::read_to_string(Path::new(out).join(file)).unwrap();
    let metrics: serde_json::Value = serde_json::from_str(&read("metrics.json")).unwrap();
    let fits = &metrics["fits"];
    assert!(fits["size_z"]["value"].as_f64().unwrap() >= 0.0, "{fits}");
    assert!(fits["size_difference_magnetisation"]["std_error"].as_f64().unwrap() > 0.0, "{fits}");
    assert!(read("report.html").contains("learned at side 32, minus that of models that learned at side 16"));
}

#[test]
fn sides_that_cannot_be_predicted_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    for (sides, reason) in [("[15]", "multiple of lattice.patch"), ("[4194304]", "at most"), ("[32, 32]", "twice")] {
        let set = format!("predict.sides={sides}");
        let refused = tessera::config::load(Path::new(&input), &[set]).unwrap_err().to_string();
        assert!(refused.contains("predict.sides") && refused.contains(reason), "{refused}");
    }
}
