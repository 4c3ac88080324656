//! One data set and one model for a family of systems: Ising spins at several temperatures, alloys with units of time
//! of their own.

mod common;

use common::succeeds;
use std::{fs, path::Path};

const INPUT: &str = r#"
seed = 5
[system.ising]
temperature = [2.5, 3.0, 4.0]
field = 0.2
[lattice]
patch = 8
large = 16
[simulate]
trajectories = 150
snapshots = 16
interval = 1.0
[upsample]
relax = { time = 2.0 }
shuffled = 301
[evolve]
until = { time = 1.0 }
patches = 4
[closure]
encoder = "none"
[train]
baseline = false
[train.fit]
epochs = 30
batch = 256
learning_rate = 3e-3
plateau_patience = 3
threads = 1
[predict]
step = 1.0
replicas = 4
[truth]
starts = [-0.5, 0.5]
trajectories = 10
interval = 4.0
records = 12
[evaluate]
resamples = 20
"#;

fn dataset<T: hdf5::H5Type>(folder: &Path, file: &str, name: &str) -> Vec<T> {
    hdf5::File::open(folder.join(file)).unwrap().dataset(name).unwrap().read_raw().unwrap()
}

#[test]
fn one_model_of_several_temperatures_predicts_each() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("family.toml");
    fs::write(&input, INPUT).unwrap();
    let out = folder.path().join("run");
    succeeds(0, &["run", input.to_str().unwrap(), "--out", out.to_str().unwrap(), "--threads", "2"]);

    let temperatures = [2.5, 3.0, 4.0];
    let small: Vec<f64> = dataset(&out, "small.h5", "condition");
    assert!(small.iter().enumerate().all(|(item, &condition)| condition == temperatures[item % 3]));
    for file in ["large.h5", "pairs.h5"] {
        let trajectories: Vec<u32> = dataset(&out, file, "trajectory");
        let conditions: Vec<f64> = dataset(&out, file, "condition");
        assert_eq!(conditions.len(), if file == "large.h5" { 2701 } else { 4 * 2701 });
        let right = |(&trajectory, &condition)| condition == temperatures[trajectory as usize % 3];
        assert!(trajectories.iter().zip(&conditions).all(right), "{file}");
    }
    assert_eq!(dataset::<f64>(&out, "pairs.h5", "condition"), dataset::<f64>(&out, "latent.h5", "condition"));
    let truth: Vec<f64> = dataset(&out, "truth.h5", "condition");
    assert!(truth.iter().enumerate().all(|(item, &condition)| condition == temperatures[item / 20]));

    // The model predicts a temperature that it was not learned from, without new data or training.
    let more = INPUT.replace("[2.5, 3.0, 4.0]", "[2.5, 3.0, 3.4, 4.0]").replace("[truth]", "[truth]\nunseen = [3.4]");
    fs::write(&input, more).unwrap();
    let said =
        succeeds(0, &["run", input.to_str().unwrap(), "--out", out.to_str().unwrap(), "--threads", "2", "--overwrite"]);
    for stage in ["simulate", "upsample", "evolve", "closure", "train"] {
        assert!(said.lines().any(|line| line.starts_with(stage) && line.contains("skipped")), "{stage}: {said}");
    }

    let metrics: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("metrics.json")).unwrap()).unwrap();
    let value = |name: String| {
        let metric = &metrics[&name];
        (metric["value"].as_f64().unwrap_or_else(|| panic!("no metric {name}")), metric["std_error"].as_f64().unwrap())
    };
    let mut last = f64::INFINITY;
    for temperature in ["2.5", "3", "3.4", "4"] {
        let (truth, truth_error) = value(format!("equilibrium_magnetisation_truth_at_{temperature}"));
        let (found, error) = value(format!("equilibrium_magnetisation_at_{temperature}"));
        println!("T = {temperature}: M = {truth:.4} +- {truth_error:.4}, learned {found:.4} +- {error:.4}");
        assert!((found - truth).abs() < 0.03 + 3.0 * truth_error.hypot(error), "{temperature}: {found} != {truth}");
        assert!(truth < last, "colder spins are more magnetic");
        last = truth;
    }
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("start -0.5, 2.5 J / k_B") && page.contains("start -0.5, 3.4 J / k_B, not in the data"));
}

const ALLOY: &str = r#"
seed = 5
[system.alloy]
temperature = [2000.0, 600.0]
reference_barrier = [1.2, 1.5]
sites_per_vacancy = 128
[lattice]
patch = 4
large = 8
[simulate]
trajectories = 4
snapshots = 3
interval = 2.0
[upsample]
relax = { time = 0.1 }
shuffled = 3
[evolve]
until = { time = 1.0 }
patches = 2
[closure]
encoder = "none"
[predict]
step = 1.0
[truth]
starts = [0.0]
trajectories = 2
interval = 2.0
records = 3
"#;

#[test]
fn files_of_a_family_of_alloys_hold_the_unit_of_time_of_every_item() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("alloys.toml");
    fs::write(&input, ALLOY).unwrap();
    let out = folder.path().join("run");
    for stage in ["simulate", "upsample", "evolve", "closure", "truth"] {
        succeeds(0, &[stage, input.to_str().unwrap(), "--out", out.to_str().unwrap(), "--threads", "1"]);
    }
    let unit = |temperature: f64| {
        let reference = if temperature == 600.0 { 1.5 } else { 1.2 };
        (reference / (8.617_333e-5 * temperature)).exp() / 1e13
    };
    for file in ["small.h5", "large.h5", "pairs.h5", "latent.h5", "truth.h5"] {
        let temperatures: Vec<f64> = dataset(&out, file, "condition");
        let units: Vec<f64> = dataset(&out, file, "time_unit");
        assert!(temperatures.contains(&600.0) && temperatures.contains(&2000.0), "{file}");
        let right = |(&temperature, &found): (&f64, &f64)| (found / unit(temperature) - 1.0).abs() < 1e-12;
        assert!(units.len() == temperatures.len() && temperatures.iter().zip(&units).all(right), "{file}: {units:?}");
    }
}

/// q2 and q4 in cubes of patches of 4 cells; the pairs hold them, and predictions start from those of the whole lattice.
#[test]
fn an_alloy_may_have_its_domains_as_closure_variables() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("alloys.toml"), folder.path().join("run"));
    let more =
        "encoder = \"library\"\nfunctions = [\"q2\", \"q4\"]\n[train]\nbaseline = false\n[train.fit]\nepochs = 1";
    fs::write(&input, ALLOY.replace("encoder = \"none\"", more)).unwrap();
    succeeds(0, &["run", input.to_str().unwrap(), "--out", out.to_str().unwrap(), "--threads", "1"]);
    let file = hdf5::File::open(out.join("prediction.h5")).unwrap();
    let states = file.dataset("ours").unwrap().read_dyn::<f32>().unwrap();
    assert_eq!(states.shape()[3], 8, "six orders and two closure variables");
    assert!(states.iter().all(|value| value.is_finite()));
    let truth = hdf5::File::open(out.join("evaluation.h5")).unwrap();
    let truth = truth.dataset("truth").unwrap().read_dyn::<f32>().unwrap();
    let first = |all: &ndarray::ArrayD<f32>, index: &[usize]| all[index];
    assert_eq!(first(&states, &[0, 0, 0, 6]), first(&truth, &[0, 0, 6]), "one start, one q2");
    let metrics = fs::read_to_string(out.join("metrics.json")).unwrap();
    assert!(metrics.contains("closure_spread_0") && metrics.contains("closure_spread_1"), "{metrics}");
    // Eight vacancies, in copies of a state of an eighth of the sites, and steps as long as a pair.
    let log = fs::read_to_string(out.join("run.log")).unwrap();
    assert!(log.contains("our drift is averaged over 88 % of the variance of the small system"), "{log}");
    assert!(log.contains("predict.step = 1 is too long") && log.contains("Make it 0.25 or less"), "{log}");
}

/// A grid of temperatures and compositions, of which the model never sees one composition.
#[test]
fn one_model_of_several_compositions_predicts_each() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("alloys.toml"), folder.path().join("run"));
    let compositions = [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]];
    let text = ALLOY
        .replace("[lattice]", &format!("composition = {compositions:?}\n[lattice]"))
        .replace("trajectories = 4", "trajectories = 8")
        .replace(
            "[truth]",
            "[train]\nbaseline = false\n[train.fit]\nepochs = 1\n[truth]\nunseen = [[0.25, 0.25, 0.5]]",
        );
    fs::write(&input, &text).unwrap();
    let run = ["run", input.to_str().unwrap(), "--out", out.to_str().unwrap(), "--threads", "1"];
    succeeds(0, &run);
    let shares = |file: &str| -> Vec<[f64; 3]> {
        let along = |name: &str| dataset::<f64>(&out, file, &format!("condition_{name}"));
        let [nb, mo, ta] = ["Nb", "Mo", "Ta"].map(along);
        nb.into_iter().zip(mo).zip(ta).map(|((nb, mo), ta)| [nb, mo, ta]).collect()
    };
    for file in ["small.h5", "large.h5", "truth.h5"] {
        let (own, temperatures) = (shares(file), dataset::<f64>(&out, file, "condition"));
        let seen = if file == "truth.h5" { &compositions[..] } else { &compositions[..2] };
        for composition in seen {
            for temperature in [2000.0, 600.0] {
                let mut points = own.iter().zip(&temperatures);
                assert!(points.any(|point| point == (composition, &temperature)), "{file}: {composition:?}");
            }
        }
        assert!(own.iter().all(|composition| seen.contains(composition)), "{file}");
        // The states have the composition that they are said to have, but for rounding.
        let sites: Vec<u8> = dataset(&out, file, "snapshots");
        for (states, composition) in sites.chunks_exact(sites.len() / own.len()).zip(&own) {
            let atoms = states.iter().filter(|&&species| species > 0).count() as f64;
            for (species, share) in (1..).zip(composition) {
                let found = states.iter().filter(|&&own| own == species).count() as f64 / atoms;
                assert!((found - share).abs() < 0.02, "{file}: {found} of species {species} in {composition:?}");
            }
        }
    }
    let metrics = fs::read_to_string(out.join("metrics.json")).unwrap();
    assert!(metrics.contains("\"equilibrium_order_nb_nb_at_600_0.25_0.25_0.5\""));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("600 K, Nb 0.25, Mo 0.25, Ta 0.5, not in the data") && page.contains("against the truth"));
    fs::write(&input, text.replace("unseen = [[0.25, 0.25, 0.5]]", "unseen = [[0.3, 0.2, 0.5]]")).unwrap();
    let refused = String::from_utf8(common::tessera(0, &["check", run[1]]).stderr).unwrap();
    assert!(refused.contains("truth.unseen names [0.3, 0.2, 0.5]"), "{refused}");
}
