//! A user's own data are learned from, whatever file they are in.

mod common;

use common::{succeeds, tessera};
use ndarray::{Array1, Array2, Array3};
use rand::Rng as _;
use rand_distr::StandardNormal;
use serde_json::Value;
use std::path::Path;
use tessera::rng::{Purpose, stream};

const SET: [&str; 6] = [
    "--set",
    "model.drift=linear",
    "model.diffusion=constant",
    "fit.epochs=6",
    "fit.batch=200",
    "fit.learning_rate=0.02",
];

/// dz = -z / condition dt + 0.3 dB at conditions 1 and 2: [trajectory, record, 1], of which the first ends early.
fn trajectories(count: usize, records: usize, dt: f64, seed: u64) -> (Array3<f64>, Array1<f64>) {
    let mut rng = stream(seed, Purpose::Bench, [70, 0]);
    let conditions: Array1<f64> = (0..count).map(|row| 1.0 + (row % 2) as f64).collect();
    let mut states = Array3::zeros((count, records, 1));
    for (row, mut states) in states.outer_iter_mut().enumerate() {
        let mut z = 4.0 * rng.random::<f64>() - 2.0;
        for (record, mut state) in states.outer_iter_mut().enumerate() {
            state[0] = if row == 0 && record >= 9 { f64::NAN } else { z };
            z += -z / conditions[row] * dt + 0.3 * dt.sqrt() * rng.sample::<f64, _>(StandardNormal);
        }
    }
    (states, conditions)
}

fn write(path: &Path, arrays: &[(&str, ndarray::ArrayD<f64>)]) {
    let file = hdf5::File::create(path).unwrap();
    for (name, array) in arrays {
        file.new_dataset_builder().with_data(array).create(*name).unwrap();
    }
    let texts = ["strain"].map(|name| name.parse::<hdf5::types::VarLenUnicode>().unwrap());
    file.new_dataset_builder().with_data(&Array1::from(texts.to_vec())).create("names").unwrap();
    let unit: hdf5::types::VarLenUnicode = "s".parse().unwrap();
    file.new_attr::<hdf5::types::VarLenUnicode>().create("time_unit").unwrap().write_scalar(&unit).unwrap();
}

fn evaluated(model: &Path, condition: Option<&str>) -> Value {
    let mut arguments = vec!["model", "eval", model.to_str().unwrap(), "--at", "1", "--json"];
    arguments.extend(condition.iter().flat_map(|condition| ["--condition", condition]));
    serde_json::from_str(&succeeds(0, &arguments)).unwrap()
}

#[test]
fn trajectories_at_two_conditions_are_learned_predicted_and_scored() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data.h5"), folder.path().join("run"));
    let (states, conditions) = trajectories(60, 41, 0.1, 1);
    let scalar = ndarray::arr0(0.1).into_dyn();
    write(&data, &[("z", states.into_dyn()), ("dt", scalar), ("condition", conditions.into_dyn())]);
    let arguments = [&["fit", data.to_str().unwrap(), "--out", out.to_str().unwrap()], &SET[..]].concat();
    let said = succeeds(0, &arguments);
    assert!(said.contains("12 trajectories, 0 left out") && said.contains("test_error"), "{said}");
    assert!(succeeds(0, &arguments).contains("seed 1: complete, skipped"));
    for (condition, slope) in [("1", -1.0), ("2", -0.5)] {
        let found = evaluated(&out.join("ours_1.safetensors"), Some(condition));
        let (drift, sigma) = (&found["states"][0]["drift"][0], &found["states"][0]["sigma"][0][0]);
        assert!((drift.as_f64().unwrap() - slope).abs() < 0.25, "{condition}: {drift}");
        assert!((sigma.as_f64().unwrap() - 0.09).abs() < 0.02, "{condition}: {sigma}");
        assert_eq!(found["labels"]["time_unit"], "s");
    }
    let metrics: Value = serde_json::from_slice(&std::fs::read(out.join("metrics.json")).unwrap()).unwrap();
    assert!(metrics["equilibrium_strain_at_1"]["value"].is_f64(), "{metrics:#}");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("The dynamics of strain, learned from") && page.contains("Glossary"));
    let prediction = hdf5::File::open(out.join("prediction.h5")).unwrap();
    assert_eq!(prediction.dataset("ours").unwrap().shape(), [1, 12, 41, 1]);
}

#[test]
fn pairs_are_learned_and_compared_with_trajectories_of_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (states, _) = trajectories(4001, 2, 0.1, 2);
    let before: Array2<f64> = states.slice(ndarray::s![.., 0, ..]).to_owned();
    let increment = &states.slice(ndarray::s![.., 1, ..]) - &before;
    let (scalar, four) = (ndarray::arr0(0.1).into_dyn(), ndarray::arr0(4.0).into_dyn());
    write(
        &path("pairs.h5"),
        &[("z", before.into_dyn()), ("increment", increment.into_dyn()), ("dt", scalar.clone()), ("K", four)],
    );
    let (states, _) = trajectories(10, 21, 0.1, 3);
    write(&path("test.h5"), &[("z", states.into_dyn()), ("dt", scalar)]);
    let [data, test, out] = ["pairs.h5", "test.h5", "run"].map(|name| path(name).to_str().unwrap().to_owned());
    let arguments = [&["fit", &data, "--test", &test, "--out", &out], &SET[..]].concat();
    let said = succeeds(0, &arguments);
    assert!(said.contains("9 trajectories, 1 left out") && said.contains("K = 4"), "{said}");
    let sigma = evaluated(&path("run").join("ours_1.safetensors"), None)["states"][0]["sigma"][0][0].as_f64().unwrap();
    assert!((sigma - 0.09 / 4.0).abs() < 0.008, "{sigma}");
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.h5");
    let refused = |arrays: &[(&str, ndarray::ArrayD<f64>)]| {
        write(&data, arrays);
        let output = tessera(0, &["fit", data.to_str().unwrap(), "--out", folder.path().join("run").to_str().unwrap()]);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let z = || Array2::<f64>::zeros((5, 1)).into_dyn();
    assert!(refused(&[("x", z())]).contains("it has no array z; it has x, names, time_unit"));
    assert!(refused(&[("z", z())]).contains("there is no increment"));
    assert!(refused(&[("z", z()), ("increment", z())]).contains("pairs need dt"));
    let dt = || ndarray::arr0(0.1).into_dyn();
    let nan = Array2::from_elem((5, 1), f64::NAN).into_dyn();
    assert!(refused(&[("z", z()), ("increment", nan), ("dt", dt())]).contains("NaN or infinite"));
    let three = Array3::<f64>::zeros((2, 4, 3)).into_dyn();
    assert!(refused(&[("z", three), ("dt", dt())]).contains("names has 1 entries, but z has 3 components"));
}
