//! What is broken is refused by name; nothing hangs and nothing that was complete is lost.

mod common;

use common::{command, small_input, succeeds};
use std::{
    fs::File,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// A job that lives so long hangs: no fault takes minutes to be noticed, on however busy a machine.
const HANGS: Duration = Duration::from_secs(300);

/// Runs a stage that must fail, and returns what it says.
fn fails(mut command: Command) -> String {
    let start = Instant::now();
    let Output { status, stderr, .. } = command.output().expect("the program, or mpirun, starts");
    let error = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!status.success(), "a fault was not noticed: {error}");
    assert!(!error.contains("panicked"), "{error}");
    assert!(start.elapsed() < HANGS, "it took {:?} to fail: {error}", start.elapsed());
    error
}

fn arguments<'a>(stage: &'a str, input: &'a str, out: &'a Path) -> [&'a str; 6] {
    [stage, input, "--out", out.to_str().unwrap(), "--threads", "1"]
}

#[test]
fn damaged_inputs_of_a_stage_are_refused_by_name_and_earlier_results_stay() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    for stage in ["simulate", "upsample"] {
        succeeds(0, &arguments(stage, &input, &out));
    }
    let (large, small) = (out.join("large.h5"), out.join("small.h5"));
    let (whole, earlier) = (std::fs::read(&large).unwrap(), std::fs::read(&small).unwrap());
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let broken = [
        ("one bit flipped", flipped),
        ("truncated", whole[..middle].to_vec()),
        ("not HDF5", b"text".to_vec()),
        ("another file", earlier.clone()),
    ];
    for (damage, bytes) in broken {
        std::fs::write(&large, bytes).unwrap();
        for ranks in [0, 2] {
            let error = fails(command(ranks, &arguments("evolve", &input, &out)));
            assert!(error.contains("large.h5") && error.contains("upsample"), "{damage}: {error}");
            assert!(!out.join("pairs.h5").exists());
        }
        assert!(std::fs::read(&small).unwrap() == earlier, "{damage}: an earlier result was lost");
    }
    // As the message says: without the file, the stage recomputes it.
    std::fs::remove_file(&large).unwrap();
    succeeds(0, &arguments("upsample", &input, &out));
    assert!(std::fs::read(&large).unwrap() == whole);
    succeeds(0, &arguments("evolve", &input, &out));
}

#[test]
fn two_runs_do_not_make_the_same_stage_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    std::fs::create_dir(&out).unwrap();
    let lock = File::create(out.join(".simulate.lock")).unwrap();
    lock.lock().unwrap();
    for ranks in [0, 2] {
        let error = fails(command(ranks, &arguments("simulate", &input, &out)));
        assert!(error.contains("another run is working on the stage simulate"), "{error}");
        assert!(!out.join("small.h5").exists());
    }
    drop(lock);
    succeeds(0, &arguments("simulate", &input, &out));
    let other = File::create(out.join(".simulate.lock")).unwrap();
    other.lock().unwrap();
    assert!(succeeds(0, &arguments("simulate", &input, &out)).contains("skipped"), "what is complete needs no lock");
}

#[test]
fn a_full_disk_is_said_and_earlier_results_stay() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    succeeds(0, &arguments("simulate", &input, &out));
    let earlier = std::fs::read(out.join("small.h5")).unwrap();
    for ranks in [0, 2] {
        let partial = out.join("large.h5.partial");
        std::fs::remove_file(&partial).ok();
        std::os::unix::fs::symlink("/dev/full", &partial).unwrap();
        let error = fails(command(ranks, &arguments("upsample", &input, &out)));
        assert!(error.contains("large.h5.partial"), "{error}");
    }
    assert!(!out.join("large.h5").exists());
    assert!(std::fs::read(out.join("small.h5")).unwrap() == earlier);
    std::fs::remove_file(out.join("large.h5.partial")).unwrap();
    succeeds(0, &arguments("upsample", &input, &out));
}

#[test]
fn an_output_that_is_no_folder_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    for out in ["/dev/full", "/proc/tessera"] {
        for ranks in [0, 2] {
            let error = fails(command(ranks, &arguments("simulate", &input, Path::new(out))));
            assert!(error.contains("cannot create the folder"), "{error}");
        }
    }
}

/// Rank 3 of 4 may write files of at most 3 MiB, and its share of the file lies beyond.
#[test]
fn an_error_on_one_rank_ends_the_job_with_its_message() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("large.toml");
    let large = common::SMALL.replace("patch = 8\nlarge = 16", "patch = 128\nlarge = 256").replace(
        "trajectories = 12\nsnapshots = 5\ninterval = 2.0",
        "trajectories = 40\nsnapshots = 100\ninterval = 0.01",
    );
    std::fs::write(&input, large).unwrap();
    let out = folder.path().join("run");
    let text = arguments("simulate", input.to_str().unwrap(), &out);
    let mut job = command(3, &text);
    job.args([":", "-n", "1", "sh", "-c", "trap '' XFSZ; ulimit -f 6144; exec \"$@\"", "sh"]);
    job.arg(common::program()).args(text);
    let error = fails(job);
    assert!(error.contains("rank 3 of 4: cannot reserve"), "{error}");
    assert!(!out.join("small.h5").exists());
}

#[test]
fn cuda_that_is_asked_for_and_absent_is_refused_before_any_work() {
    use tessera::learning::{DeviceChoice, device};
    if device(DeviceChoice::Cuda, 0).is_ok() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    let output = common::tessera(0, &["run", &input, "--out", out.to_str().unwrap(), "--device", "cuda"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(error.contains("The device \"cuda\" cannot be used") && error.contains("--device cpu"), "{error}");
    assert!(!out.join("small.h5").exists());
}

/// A fit takes minutes: where its result goes is tried before.
#[test]
fn a_barrier_fit_that_cannot_be_written_or_read_is_refused_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent/model.safetensors");
    for (out, word) in [(folder.path().join("model.bin"), "must end in .safetensors"), (absent, "No such file")] {
        let environments = ["--environments", "9999999"];
        let arguments = [&["barriers", "fit", "builtin", "--out", out.to_str().unwrap()], &environments[..]].concat();
        let error = fails(command(0, &arguments));
        assert!(error.contains(word) && error.contains(out.to_str().unwrap()), "{error}");
    }
}

#[test]
fn measurements_may_be_read_in_part() {
    let mut job = command(0, &["bench", "glauber"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(job.stdout.take());
    let output = job.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && error.is_empty(), "{}: {error}", output.status);
}
