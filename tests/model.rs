//! What `tessera model` and python/tessera_model.py say of a model file is what the model says.

mod common;

use common::python::python_with;
use ndarray::{Array1, Array2};
use rand::Rng as _;
use rand_distr::StandardNormal;
use serde_json::Value;
use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};
use tch::Device;
use tessera::{
    evaluation::Symmetry,
    learning::{
        Activation, Label, Labels, Pairs, Sde, SdeInput, SdeModel, SymmetryGroup, TrainInput, TrainingContext, fit,
    },
    parallel::Alone,
    rng::{Purpose, stream},
};

/// Where models of several conditions are compared.
const CONDITION: [f64; 3] = [470.0, 0.3, 0.6];

/// One way to make a model.
struct Case {
    name: &'static str,
    model: SdeInput,
    /// Three components, of which the last is a sum of the others.
    dependent: bool,
    /// Axes of the condition.
    conditions: usize,
    symmetry: Option<Symmetry>,
}

fn input(drift: &str, diffusion: &str, activation: Activation) -> SdeInput {
    let (drift, diffusion) = (drift.into(), diffusion.into());
    let hidden = vec![7, 5];
    SdeInput {
        drift,
        diffusion,
        activation,
        drift_hidden: hidden.clone(),
        diffusion_hidden: hidden,
        ..SdeInput::default()
    }
}

fn cases() -> Vec<Case> {
    let case = |name, model| Case { name, model, dependent: false, conditions: 0, symmetry: None };
    let (tanh, silu) = (Activation::Tanh, Activation::Silu);
    let swap = Symmetry::of_permutation(&[1, 0]);
    let flip = Symmetry::of_signs(&[-1.0, 1.0]);
    vec![
        case("mlp, full", input("mlp", "full", tanh)),
        case("mlp, diagonal", input("mlp", "diagonal", silu)),
        case("mlp, gelu", input("mlp", "full", Activation::Gelu)),
        case("mlp, relu", input("mlp", "constant", Activation::Relu)),
        case("linear", input("linear", "constant", tanh)),
        case("onsager", input("onsager", "full", tanh)),
        Case { dependent: true, ..case("mlp in a subspace", input("mlp", "full", tanh)) },
        Case {
            dependent: true,
            conditions: 1,
            ..case("onsager of a family in a subspace", input("onsager", "full", tanh))
        },
        Case { conditions: 1, ..case("mlp of a family", input("mlp", "full", tanh)) },
        Case { conditions: 3, ..case("linear of a family with three axes", input("linear", "full", tanh)) },
        Case { symmetry: Some(swap), ..case("mlp with two components exchanged", input("mlp", "full", tanh)) },
        Case { symmetry: Some(flip), ..case("mlp with a sign changed", input("mlp", "full", tanh)) },
        case("reversible", SdeInput { potential_degree: 4, ..input("reversible", "full", tanh) }),
    ]
}

/// Pairs of an Ornstein-Uhlenbeck process in odd units, with correlated noise.
fn pairs(case: &Case) -> Pairs {
    const COUNT: usize = 1200;
    let mut rng = stream(5, Purpose::Bench, [60, 0]);
    let size = if case.dependent { 3 } else { 2 };
    let (mut z, mut increment) = (Array2::zeros((COUNT, size)), Array2::zeros((COUNT, size)));
    for row in 0..COUNT {
        let state = [0, 1].map(|_| 2.0 * rng.random::<f32>() - 1.0);
        let noise = [0, 1].map(|_| 0.1 * rng.sample::<f32, _>(StandardNormal));
        let step = [-0.1 * state[0] + noise[0] + 0.3 * noise[1], -0.2 * state[1] + 0.5 * noise[1]];
        for (values, [first, second]) in [(&mut z, state), (&mut increment, step)] {
            let three = [first, 40.0 * second, first + second];
            let two = if case.symmetry.is_some() { [first, second, 0.0] } else { three };
            (0..size).for_each(|component| values[[row, component]] = two[component]);
        }
    }
    let condition = |(row, axis): (usize, usize)| match (axis, row >> axis & 1) {
        (0, bit) => 300.0 + 600.0 * bit as f32,
        (_, bit) => 0.2 + 0.5 * bit as f32,
    };
    Pairs {
        z,
        increment,
        compensator: None,
        deviation: None,
        dt: Array1::from_elem(COUNT, 0.1),
        trajectory: (0..COUNT as u32).map(|row| row / 100).collect(),
        condition: (case.conditions > 0).then(|| Array2::from_shape_fn((COUNT, case.conditions), condition)),
    }
}

fn trained(case: &Case) -> Sde {
    let train = TrainInput { epochs: 2, batch: 100, ..TrainInput::default() };
    let run = TrainingContext::new(2, &Alone, Device::Cpu);
    let (model, _) = fit(&pairs(case), 1.0, &case.model, &train, &run, &mut |_| ()).unwrap();
    let names = ["order", "closure 0", "sum"];
    let label =
        |name: &&str| Label { name: (*name).into(), unit: if *name == "order" { "nm".into() } else { "1".into() } };
    let labels = Labels {
        components: names.iter().take(model.components()).map(label).collect(),
        time_unit: "s".into(),
        condition: vec![Label { name: "temperature".into(), unit: "K".into() }; case.conditions],
        seconds: Vec::new(),
    };
    let model = match &case.symmetry {
        Some(symmetry) => {
            let elements = Symmetry::group(std::slice::from_ref(symmetry), 2);
            model.symmetric(SymmetryGroup { elements, centre: vec![0.0; 2] }).unwrap()
        }
        None => model,
    };
    model.labelled(labels).unwrap()
}

/// The condition at which a model is compared, as the command takes it.
fn condition_of(case: &Case) -> String {
    CONDITION[..case.conditions].iter().map(f64::to_string).collect::<Vec<_>>().join(",")
}

/// `model eval --json` at three states.
fn evaluated(path: &Path, case: &Case) -> (Value, String) {
    let states =
        if case.dependent { ["0.1,8,0.3", "-0.5,20,0", "0.7,-30,-0.05"] } else { ["0.1,8", "-0.5,20", "0.7,-30"] };
    let mut arguments = vec!["model", "eval", path.to_str().unwrap(), "--json"];
    states.iter().for_each(|state| arguments.extend(["--at", state]));
    let condition = condition_of(case);
    if case.conditions > 0 {
        arguments.extend(["--condition", condition.as_str()]);
    }
    let text = common::succeeds(0, &arguments);
    (serde_json::from_str(&text).unwrap(), text)
}

#[test]
fn the_command_and_the_python_reader_agree_with_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let python = python_with(&["numpy"]);
    for case in cases() {
        let path = folder.path().join("model.safetensors");
        let model = trained(&case);
        model.save(&path, &serde_json::json!({ "seed": 1 })).unwrap();
        let (found, text) = evaluated(&path, &case);
        let condition = &CONDITION[..case.conditions];
        let model = if condition.is_empty() { model } else { model.at_condition(condition).unwrap() };
        for state in found["states"].as_array().unwrap() {
            let list = |name: &str| -> Vec<f64> { serde_json::from_value(state[name].clone()).unwrap() };
            let z = tch::Tensor::from_slice(&list("z")).view([1, -1]);
            let expected: Vec<f64> = Vec::try_from(model.drift(&z).view([-1])).unwrap();
            let scale = expected.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
            for (found, expected) in list("drift").iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4 * scale, "{}: {found} {expected}", case.name);
            }
        }
        let Some(python) = &python else { continue };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/compare_model.py");
        let mut compare = Command::new(python);
        compare.arg(script).arg(&path).args((case.conditions > 0).then(|| condition_of(&case)));
        let mut compare = compare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        compare.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = compare.wait_with_output().unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}: {}", case.name, said(&output.stderr));
        println!("{}: {}", case.name, said(&output.stdout).trim());
    }
}

#[test]
fn units_conditions_and_the_edge_of_the_data_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut all = cases();
    let case = all.swap_remove(8);
    trained(&case).save(&path, &serde_json::json!({ "sites": 4096 })).unwrap();
    let path = path.to_str().unwrap();
    let shown = common::succeeds(0, &["model", "show", path]);
    for line in ["temperature [K] from 300 to 900", "unit of the drift: nm/s, 1/s; of Sigma: nm^2/s", "4096"] {
        assert!(shown.contains(line), "{line} in\n{shown}");
    }
    let eval = common::succeeds(0, &["model", "eval", path, "--at", "0.1,8", "--at", "30,8", "--condition", "300"]);
    assert_eq!(eval.matches("beyond the training data").count(), 1, "{eval}");
    let refused = |arguments: &[&str]| {
        let output = common::tessera(0, arguments);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let error = refused(&["model", "eval", path, "--at", "0.1,8"]);
    assert!(error.contains("choose one with --condition (temperature [K])"), "{error}");
    let error = refused(&["model", "eval", path, "--at", "0.1", "--condition", "300"]);
    assert!(error.contains("--at has 1 numbers, but a state of this model has 2: order, closure 0"), "{error}");
    let table = ["model", "table", path, "--from=-1,0", "--to=1,10", "--points", "3,2", "--condition", "300"];
    let table = common::succeeds(0, &table);
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 7, "{table}");
    assert!(rows[0].starts_with("order,closure 0,drift of order,drift of closure 0,Sigma of order and order,"));
    assert!(
        rows[2].starts_with("-1.000000000e0,1.000000000e1,") && rows[3].ends_with(",1") && rows[6].ends_with(",0"),
        "{table}"
    );
}
