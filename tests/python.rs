//! Files open in the programs that others use: xarray, netCDF4, ASE, OVITO and ParaView.

mod common;

use common::{python::python_with, small_input, succeeds};
use std::{path::Path, process::Command};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

/// An alloy of 6^3 cells with three vacancies.
const ALLOY: &str = r#"
seed = 3
[system.alloy]
temperature = 1000.0
composition = [0.3, 0.3, 0.4]
sites_per_vacancy = 144
[lattice]
small = 6
patch = 6
large = 6
[simulate]
trajectories = 1
snapshots = 2
interval = 0.1
[upsample]
relax = "none"
[evolve]
until = { events = 1 }
[closure]
encoder = "none"
[truth]
starts = [0.0]
trajectories = 1
interval = 0.1
records = 3
[predict]
step = 0.1
"#;

/// Runs a script, which must succeed.
fn script(python: &str, name: &str, arguments: &[&str]) -> String {
    let output = Command::new(python).arg(Path::new(SCRIPTS).join(name)).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{name}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn data_files_have_named_axes_units_and_coordinates() {
    let Some(python) = python_with(&["xarray", "h5netcdf", "netCDF4", "h5py"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (small_input(folder.path()), folder.path().join("run"));
    for conditions in ["2.5", "[2.3,2.7]"] {
        let out = out.join(conditions).to_str().unwrap().to_owned();
        let set = format!("system.ising.temperature={conditions}");
        succeeds(0, &["run", &input, "--out", &out, "--set", &set, "lattice.large=24"]);
        print!("{}", script(&python, "read_run.py", &[&out]));
    }
}

/// The gallery's notebook and figures, on a small run.
#[test]
fn the_notebook_and_the_figures_of_the_gallery_run() {
    let Some(python) = python_with(&["xarray", "h5netcdf", "matplotlib", "numpy"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (small_input(folder.path()), folder.path().join("run").to_str().unwrap().to_owned());
    let set = ["--set", "closure.variables=0", "train.seeds=[1]", "truth.records=40"];
    succeeds(0, &[&["run", &input, "--out", &out][..], &set].concat());
    let gallery = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gallery");
    print!("{}", script(&python, "run_notebook.py", &[gallery.join("open_a_run.ipynb").to_str().unwrap(), &out]));
    let figure = folder.path().join("figure.svg");
    let drawn = Command::new(&python).arg(gallery.join("figures.py")).arg(&out).arg(&figure).output().unwrap();
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    assert!(std::fs::read_to_string(figure).unwrap().contains("domain wall density"));
}

#[test]
fn atoms_open_in_ase_and_ovito_and_in_tessera() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (input, out) = (path("alloy.toml"), path("run"));
    std::fs::write(&input, ALLOY).unwrap();
    succeeds(0, &["truth", &input, "--out", &out]);
    let (dump, extxyz) = (path("atoms.dump.gz"), path("atoms.extxyz"));
    succeeds(0, &["export", &out, "--format", "dump", "--out", &dump]);
    succeeds(0, &["export", &out, "--format", "extxyz", "--frames", "0..2", "--out", &extxyz]);
    let barriers = |file: &str| succeeds(0, &["barriers", "eval", "builtin", file, "--frame", "2"]);
    assert_eq!(barriers(&dump), barriers(&extxyz), "both formats hold the same atoms");
    let refused = common::tessera(0, &["export", &out, "--format", "xdmf"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("use dump or extxyz"));
    let refused = common::tessera(0, &["export", &out, "--format", "dump", "--frames", "3"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("truth.h5 holds frames 0 to 2, not 3 to 3"));
    if let Some(python) = python_with(&["ase"]) {
        print!("{}", script(&python, "read_atoms.py", &[&dump, &extxyz, "6", "3", "3"]));
    }
}

#[test]
fn states_on_a_lattice_open_in_paraview() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (small_input(folder.path()), folder.path().join("run").to_str().unwrap().to_owned());
    succeeds(0, &["truth", &input, "--out", &out]);
    let file = folder.path().join("spins.xmf");
    succeeds(0, &["export", &out, "--format", "xdmf", "--every", "2", "--out", file.to_str().unwrap()]);
    let raw = std::fs::read(file.with_extension("xmf.raw")).unwrap();
    let values: Vec<f32> = raw.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    assert_eq!(values.len(), 3 * 16 * 16, "records 0, 2 and 4");
    let mean = values[2 * 256..].iter().sum::<f32>() / 256.0;
    let truth = hdf5::File::open(folder.path().join("run/truth.h5")).unwrap();
    let observables: ndarray::Array3<f64> = truth.dataset("observables").unwrap().read().unwrap();
    assert!((f64::from(mean) - observables[[0, 4, 0]]).abs() < 1e-6, "{mean} {}", observables[[0, 4, 0]]);
    if Command::new("pvpython").arg("--version").output().is_err() {
        eprintln!("skipped: there is no pvpython");
        return;
    }
    let (file, mean) = (file.to_str().unwrap(), mean.to_string());
    print!("{}", script("pvpython", "read_xdmf.py", &[file, "3", "16", &mean]));
}
