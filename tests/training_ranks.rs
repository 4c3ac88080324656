//! Training over MPI ranks: one curve for every number of ranks, the same bytes when repeated or killed and resumed.

mod common;

use common::{command, small_input, succeeds};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// Runs the stages before the training once; returns the run directory.
fn prepared(folder: &Path, input: &str) -> PathBuf {
    let out = folder.join("prepared");
    for stage in ["simulate", "upsample", "evolve", "closure"] {
        succeeds(0, &[stage, input, "--out", out.to_str().unwrap(), "--threads", "1"]);
    }
    out
}

/// A copy of a run directory.
fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Validation and training losses of all epochs of all models of a run directory.
fn losses(folder: &Path) -> Vec<f64> {
    let text = fs::read_to_string(folder.join("training.json")).unwrap();
    let trainings: serde_json::Value = serde_json::from_str(&text).unwrap();
    let records = trainings.as_array().unwrap().iter().flat_map(|training| training["curve"].as_array().unwrap());
    records.flat_map(|record| ["train_loss", "validation_loss"].map(|name| record[name].as_f64().unwrap())).collect()
}

#[test]
fn several_ranks_follow_one_curve_and_repeat_it_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let prepared = prepared(folder.path(), &input);
    let train = |name: &str, ranks: usize| {
        let out = folder.path().join(name);
        copied(&prepared, &out);
        // 175 pairs in batches of 16 are 11 steps an epoch: 55 in all.
        let mut arguments = vec!["train", &input, "--out", out.to_str().unwrap(), "--threads", "1"];
        // One model, so that its batches are shared out.
        for choice in ["train.fit.epochs=5", "train.fit.batch=16", "train.seeds=[1]", "train.baseline=false"] {
            arguments.extend(["--set", choice]);
        }
        succeeds(ranks, &arguments);
        out
    };
    let alone = losses(&train("alone", 0));
    for ranks in [1, 2, 4] {
        let [first, second] = ["a", "b"].map(|name| train(&format!("{name}{ranks}"), ranks));
        let curve = losses(&first);
        assert_eq!(curve, losses(&second), "{ranks} ranks: the curves of two trainings differ");
        let [first, second] = [&first, &second].map(|out| fs::read(out.join("ours_1.safetensors")).unwrap());
        assert!(first == second, "{ranks} ranks: the bytes of the models differ");
        assert_eq!(curve.len(), alone.len());
        let error = curve.iter().zip(&alone).map(|(one, other)| (one / other - 1.0).abs()).fold(0.0, f64::max);
        println!("{ranks} ranks: largest relative difference of a loss {error:.1e}");
        assert!(error < 1e-4, "{ranks} ranks: a loss differs by {error}");
    }
}

/// The closure stage after the stages before it.
fn closure(folder: &Path, from: &Path, input: &str, name: &str) -> (PathBuf, Vec<String>) {
    let out = folder.join(name);
    copied(from, &out);
    let mut arguments = vec!["closure", input, "--out", out.to_str().unwrap(), "--threads", "1"];
    for choice in ["closure.epochs=30", "closure.batch=8"] {
        arguments.extend(["--set", choice]);
    }
    let arguments = arguments.into_iter().map(String::from).collect();
    (out, arguments)
}

/// Losses of the epochs of a closure, as its model file holds them.
fn closure_losses(folder: &Path) -> Vec<f64> {
    let bytes = fs::read(folder.join("closure.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let text: serde_json::Value = serde_json::from_str(header["__metadata__"]["tessera"].as_str().unwrap()).unwrap();
    let curve = text["provenance"]["curve"].as_array().unwrap().clone();
    curve.iter().flat_map(|record| [1, 2].map(|column| record[column].as_f64().unwrap())).collect()
}

#[test]
fn closures_follow_one_curve_on_all_ranks_and_go_on_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let prepared = folder.path().join("prepared");
    for stage in ["simulate", "upsample", "evolve"] {
        succeeds(0, &[stage, &input, "--out", prepared.to_str().unwrap(), "--threads", "1"]);
    }
    let mut alone = Vec::new();
    for ranks in [0, 3] {
        let [(whole, whole_run), (broken, broken_run)] =
            ["whole", "broken"].map(|name| closure(folder.path(), &prepared, &input, &format!("{name}{ranks}")));
        let [whole_run, broken_run] =
            [&whole_run, &broken_run].map(|run| run.iter().map(String::as_str).collect::<Vec<_>>());
        succeeds(ranks, &whole_run);
        killed(ranks, &broken_run, &broken, "closure.checkpoint");
        let said = succeeds(ranks, &broken_run);
        assert!(said.contains("The training resumes at epoch"), "{said}");
        for file in ["closure.safetensors", "latent.h5"] {
            let [whole, broken] = [&whole, &broken].map(|out| fs::read(out.join(file)).unwrap());
            assert!(whole == broken, "{ranks} ranks: the bytes of {file} differ");
        }
        assert!(!broken.join("closure.checkpoint").exists(), "a checkpoint outlived the training");
        let losses = closure_losses(&whole);
        assert_eq!(losses.len(), 60);
        if alone.is_empty() {
            alone = losses.clone();
        }
        let error = losses.iter().zip(&alone).map(|(one, other)| (one / other - 1.0).abs()).fold(0.0, f64::max);
        println!("{ranks} ranks: largest relative difference of a loss {error:.1e}");
        assert!(error < 1e-4, "{ranks} ranks: a loss differs by {error}");
    }
}

/// Starts a training and kills its ranks, without warning, as soon as `file` exists.
fn killed(ranks: usize, arguments: &[&str], out: &Path, file: &str) {
    let mut job = command(ranks, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !out.join(file).exists() {
        assert!(job.try_wait().unwrap().is_none(), "the training ended before it could be killed");
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(50));
    for rank in processes(out) {
        Command::new("kill").args(["-9", &rank.to_string()]).status().unwrap();
    }
    assert!(!job.wait().unwrap().success());
}

/// The processes of this program that work on a folder.
fn processes(out: &Path) -> Vec<u32> {
    let works = |number: &u32| {
        let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|&byte| byte == 0).collect();
        words[0] == env!("CARGO_BIN_EXE_tessera").as_bytes() && words.contains(&out.as_os_str().as_encoded_bytes())
    };
    let entries = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    entries.filter(works).collect()
}

#[test]
fn killed_trainings_go_on_and_end_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let prepared = prepared(folder.path(), &input);
    // Models one after another; then one model whose batches two ranks share.
    for (ranks, baseline) in [(0, "true"), (2, "false")] {
        let [whole, broken] = ["whole", "broken"].map(|name| folder.path().join(format!("{name}{ranks}")));
        copied(&prepared, &whole);
        copied(&prepared, &broken);
        let baseline_choice = format!("train.baseline={baseline}");
        let choices = [
            "train.fit.epochs=150",
            "train.fit.batch=16",
            "train.seeds=[1]",
            "train.fit.checkpoint_seconds=0.01",
            &baseline_choice,
        ];
        let train = |out: &Path| -> Vec<String> {
            let mut arguments = vec!["train", &input, "--out", out.to_str().unwrap(), "--threads", "1"];
            choices.iter().for_each(|choice| arguments.extend(["--set", choice]));
            arguments.into_iter().map(String::from).collect()
        };
        let (whole_run, broken_run) = (train(&whole), train(&broken));
        let [whole_run, broken_run] = [&whole_run, &broken_run].map(|run| run.iter().map(String::as_str).collect());
        let (whole_run, broken_run): (Vec<&str>, Vec<&str>) = (whole_run, broken_run);
        succeeds(ranks, &whole_run);
        killed(ranks, &broken_run, &broken, "ours_1.checkpoint");
        let mut models = vec!["ours_1"];
        if baseline == "true" {
            models.push("baseline_1");
            killed(ranks, &broken_run, &broken, "baseline_1.checkpoint");
        }
        let said = succeeds(ranks, &broken_run);
        assert_eq!(said.matches("The training resumes at epoch").count(), models.len(), "{said}");
        assert_eq!(losses(&whole), losses(&broken), "{ranks} ranks");
        for model in models {
            let file = format!("{model}.safetensors");
            let [whole, broken] = [&whole, &broken].map(|out| fs::read(out.join(&file)).unwrap());
            assert!(whole == broken, "{ranks} ranks: the bytes of {model} differ");
        }
        assert!(!broken.join("ours_1.checkpoint").exists(), "a checkpoint outlived the training");
    }
}

#[test]
fn models_that_ranks_train_apart_are_those_of_one_rank() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let prepared = prepared(folder.path(), &input);
    let [alone, apart] = [0, 2].map(|ranks| {
        let out = folder.path().join(ranks.to_string());
        copied(&prepared, &out);
        succeeds(ranks, &["train", &input, "--out", out.to_str().unwrap(), "--threads", "1"]);
        out
    });
    assert_eq!(losses(&alone), losses(&apart));
    for model in ["ours_1", "ours_2", "baseline_1", "baseline_2"].map(|name| format!("{name}.safetensors")) {
        let [alone, apart] = [&alone, &apart].map(|out| fs::read(out.join(&model)).unwrap());
        assert!(alone == apart, "the bytes of {model} differ");
    }
}
