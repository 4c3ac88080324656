//! A run skips what is complete, repeats what is missing or stale, and ends with the same bytes.

mod common;

use common::{small_input, succeeds, tessera};
use std::path::Path;

#[test]
fn finished_stages_are_skipped_and_lost_files_are_recomputed_alike() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    let arguments = ["run", &input, "--out", out.to_str().unwrap(), "--threads", "1"];
    succeeds(0, &arguments);
    let again = succeeds(0, &arguments);
    assert_eq!(again.matches("complete, skipped").count(), 9, "{again}");
    let files = ["large.h5", "latent.h5", "ours_1.safetensors", "prediction.h5", "metrics.json"];
    let before = files.map(|file| std::fs::read(out.join(file)).unwrap());
    for file in files {
        std::fs::remove_file(out.join(file)).unwrap();
    }
    let repaired = succeeds(0, &arguments);
    assert!(repaired.contains("simulate  complete, skipped"), "{repaired}");
    for (file, before) in files.iter().zip(before) {
        assert!(std::fs::read(out.join(file)).unwrap() == before, "{file} came out differently");
    }
}

#[test]
fn a_changed_input_repeats_what_depends_on_it_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    let arguments = ["run", &input, "--out", out.to_str().unwrap(), "--threads", "1"];
    succeeds(0, &arguments);
    let changed = succeeds(0, &[&arguments[..], &["--overwrite", "--set", "evolve.until={time=0.25}"]].concat());
    for stage in ["simulate", "upsample", "truth"] {
        assert!(changed.contains(&format!("{stage:9} complete, skipped")), "{changed}");
    }
    for stage in ["evolve", "closure", "train", "predict"] {
        assert!(!changed.contains(&format!("{stage:9} complete, skipped")), "{changed}");
    }
}

#[test]
fn a_stage_without_its_inputs_says_which_stage_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    let output = tessera(0, &["evolve", &input, "--out", out.to_str().unwrap()]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(error.contains("needs large.h5") && error.contains("Run the stage upsample first"), "{error}");
}

#[test]
fn a_sweep_shares_stages_between_points_and_makes_one_report() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("sweep.toml");
    std::fs::write(&input, format!("{}\n[sweep]\n\"lattice.patch\" = [4, 8]\n", common::SMALL)).unwrap();
    let out = folder.path().join("run");
    let text = succeeds(0, &["run", input.to_str().unwrap(), "--out", out.to_str().unwrap(), "--threads", "1"]);
    assert!(text.contains("truth     taken over from another point of the sweep"), "{text}");
    let joint: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("metrics.json")).unwrap()).unwrap();
    assert_eq!(joint["points"][1]["set"]["lattice.patch"], 8);
    assert!(joint["points"][0]["metrics"]["test_error"]["value"].is_number());
    assert!(out.join("patch=4/report.html").exists() && out.join("report.html").exists());
}

#[test]
fn a_stage_is_recomputed_when_the_file_of_the_law_holds_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out, model) =
        (folder.path().join("alloy.toml"), folder.path().join("run"), folder.path().join("model.safetensors"));
    let text = include_str!("../inputs/nbmota_small.toml")
        .replace("\"builtin\" ", &format!("{:?} ", model.to_str().unwrap()))
        .replacen("interval = 200.0", "interval = 0.1", 1)
        .replace("trajectories = 8", "trajectories = 2");
    std::fs::write(&input, text).unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/systems/alloy/barriers");
    let arguments = ["simulate", input.to_str().unwrap(), "--out", out.to_str().unwrap(), "--threads", "1"];
    std::fs::copy(models.join("builtin.safetensors"), &model).unwrap();
    assert!(!succeeds(0, &arguments).contains("skipped"));
    assert!(succeeds(0, &arguments).contains("skipped"));
    std::fs::copy(models.join("balanced.safetensors"), &model).unwrap();
    let refused = tessera(0, &arguments);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("data of another input"));
    assert!(!succeeds(0, &[&arguments[..], &["--overwrite"]].concat()).contains("skipped"));
}

/// A run directory of another version of the program is left as it is.
#[test]
fn files_of_another_format_are_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    let arguments = ["simulate", &input, "--out", out.to_str().unwrap(), "--threads", "1"];
    succeeds(0, &arguments);
    let path = out.join("small.h5");
    let format = hdf5::File::open_rw(&path).unwrap().attr("format").unwrap();
    format.write_scalar(&1_u32).unwrap();
    drop(format);
    let before = std::fs::read(&path).unwrap();
    let refused = tessera(0, &[&["run"], &arguments[1..]].concat());
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && message.contains("in file format 1"), "{message}");
    assert!(std::fs::read(&path).unwrap() == before, "the file was touched");
}
