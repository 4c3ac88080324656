//! Observables at every record, microscopic states at some of them.

mod common;

use common::{small_input, succeeds, tessera};
use hdf5::File;
use ndarray::{ArrayD, Axis};
use std::path::Path;

fn dataset<T: hdf5::H5Type>(file: &Path, name: &str) -> ArrayD<T> {
    File::open(file).unwrap().dataset(name).unwrap().read_dyn().unwrap()
}

/// Three states of nine records are those of a run that keeps all, one window at a time and in lanes, and large snapshots
/// are made of them alone.
#[test]
fn trajectories_keep_the_states_of_some_records() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    for kernel in ["single", "auto"] {
        let run = |stage: &str, kept: &str| {
            let out = folder.path().join(format!("{kernel}_{}", kept.trim_matches('"')));
            let set =
                [format!("kernel=\"{kernel}\""), format!("simulate.snapshots={kept}"), "simulate.records=9".into()];
            let set: Vec<&str> = set.iter().map(String::as_str).collect();
            succeeds(0, &[&[stage, &input, "--out", out.to_str().unwrap(), "--set"], &set[..]].concat());
            out
        };
        let (all, some) = (run("simulate", "\"all\"").join("small.h5"), run("run", "3"));
        let few = some.join("small.h5");
        let kept: Vec<usize> = dataset::<u32>(&few, "kept").iter().map(|&record| record as usize).collect();
        assert_eq!(kept, [2, 5, 8]);
        assert_eq!(dataset::<f64>(&few, "observables"), dataset::<f64>(&all, "observables"));
        assert_eq!(dataset::<f64>(&few, "time").len(), 9);
        let states = dataset::<u8>(&all, "snapshots").select(Axis(1), &kept);
        assert_eq!(dataset::<u8>(&few, "snapshots"), states);
        assert_eq!(dataset::<u8>(&some.join("large.h5"), "snapshots").len_of(Axis(0)), 12 * 3 + 37);
    }
}

/// A state is exported under the index and the time of its record; of a record without one the error names those with one.
#[test]
fn states_that_were_kept_are_exported() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (small_input(folder.path()), folder.path().join("run"));
    let out = out.to_str().unwrap();
    succeeds(0, &["truth", &input, "--out", out, "--set", "truth.snapshots=2", "closure.variables=0"]);
    let text = |arguments: &[&str]| {
        succeeds(0, &[&["export", out, "--format", "xdmf"], arguments].concat());
        std::fs::read_to_string(Path::new(out).join("truth.xmf")).unwrap()
    };
    let (both, last) = (text(&[]), text(&["--frames", "4..5"]));
    assert!(both.contains("frame 2\"") && both.contains("<Time Value=\"2\"/>") && both.contains("frame 5\""), "{both}");
    assert!(
        !last.contains("frame 2\"") && last.contains("frame 5\"") && last.contains("<Time Value=\"5\"/>"),
        "{last}"
    );
    let refused = tessera(0, &["export", out, "--format", "xdmf", "--frames", "3..4"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("[2, 5]"));
}

/// What cannot be learned from, or says two things, is refused by name.
#[test]
fn numbers_of_snapshots_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    for (set, name) in [
        (&["simulate.snapshots=\"none\"", "simulate.records=5"][..], "simulate.snapshots is \"none\""),
        (&["simulate.snapshots=\"all\""], "write simulate.records"),
        (&["simulate.records=0"], "simulate.records is 0"),
    ] {
        let refused = tessera(0, &[&["check", &input, "--set"], set].concat());
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && error.contains(name), "{error}");
    }
}
