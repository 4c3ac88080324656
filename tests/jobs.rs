//! The Slurm scripts run from end to end with stand-ins for srun and scontrol, and set-up without internet says what to
//! do.

mod common;

use common::small_input;
use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

/// Starts the program under mpirun on as many ranks as srun was asked for. With STOP_AT set to a stage, that stage ends
/// with the status of a clean stop.
const SRUN: &str = r#"#!/bin/bash
ranks=${SLURM_NTASKS:-1}
while [[ $1 == --* ]]; do
    if [[ $1 == --ntasks=* ]]; then ranks=${1#--ntasks=}; fi
    shift
done
if [[ -n ${STOP_AT:-} && $2 == "$STOP_AT" ]]; then exit 75; fi
unset SLURM_NTASKS SLURM_JOB_ID
exec mpirun --oversubscribe -n "$ranks" "$@"
"#;
const SCONTROL: &str = "#!/bin/bash\nif [[ $1 == requeue ]]; then echo \"$@\" >>\"$SCONTROL_LOG\"; fi\n";

fn stand_in(folder: &Path, program: &str, text: &str) {
    let path = folder.join(program);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn script(folder: &Path, name: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    stand_in(folder, "srun", SRUN);
    stand_in(folder, "scontrol", SCONTROL);
    let search = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    Command::new("bash")
        .arg(root.join("jobs/slurm").join(name))
        .args(arguments)
        .current_dir(folder)
        .env("PATH", search)
        .env("TESSERA", env!("CARGO_BIN_EXE_tessera"))
        .env("SCONTROL_LOG", folder.join("scontrol.log"))
        .envs([("SLURM_SUBMIT_DIR", root.to_str().unwrap()), ("SLURM_JOB_ID", "77"), ("SLURM_NTASKS", "2")])
        .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
        .env("OMPI_MCA_mpi_yield_when_idle", "1")
        .envs(settings.iter().copied())
        .output()
        .expect("bash is installed")
}

fn succeeds(output: &Output) {
    let [out, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{}\n{out}\n{error}", output.status);
}

#[test]
fn data_and_training_jobs_make_a_report_and_a_stopped_job_goes_back_into_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let input = small_input(folder.path());
    let out = folder.path().join("run");
    let arguments = [input.as_str(), "--out", out.to_str().unwrap(), "--ranks-per-snapshot", "2"];
    succeeds(&script(folder.path(), "data.sh", &arguments, &[("STOP_AT", "evolve")]));
    assert_eq!(std::fs::read_to_string(folder.path().join("scontrol.log")).unwrap(), "requeue 77\n");
    assert!(out.join("large.h5").exists() && !out.join("truth.h5").exists());
    succeeds(&script(folder.path(), "data.sh", &arguments, &[]));
    assert!(out.join("truth.h5").exists());
    succeeds(&script(folder.path(), "train.sh", &arguments, &[]));
    assert!(out.join("report.html").exists());
    // A stage that fails ends the job with its status, and the queue does not see it again.
    let bad = script(folder.path(), "data.sh", &["absent.toml"], &[]);
    assert!(!bad.status.success());
    assert_eq!(std::fs::read_to_string(folder.path().join("scontrol.log")).unwrap(), "requeue 77\n");
}

#[test]
fn a_scaling_array_collects_measurements_and_the_report_shows_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scaling.jsonl");
    let arguments = [file.to_str().unwrap(), "--side", "128", "--tile", "16", "--sweeps", "5"];
    for task in ["0", "1"] {
        succeeds(&script(folder.path(), "scaling.sh", &arguments, &[("SLURM_ARRAY_TASK_ID", task)]));
    }
    let text = std::fs::read_to_string(&file).unwrap();
    let points: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(points.iter().map(|point| point["ranks"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 1, 2, 2]);
    assert_eq!(points[3]["sites"], 2 * 128 * 128, "weak scaling keeps the block of a rank");
    assert!(points.iter().all(|point| point["events"].as_f64().unwrap() > 100.0));
    // The block of 64 x 128 of each of two ranks: two edges, of one byte a site and their corners.
    let bytes = points[2]["bytes"].as_f64().unwrap();
    assert!((256.0..400.0).contains(&bytes), "{bytes} halo bytes");
    let report = Command::new(env!("CARGO_BIN_EXE_tessera")).arg("report").arg(&file).output().unwrap();
    succeeds(&report);
    let page = std::fs::read_to_string(folder.path().join("scaling.html")).unwrap();
    assert!(
        page.contains("Strong scaling")
            && page.contains("Events per second and core")
            && page.contains("Extrapolation to 10,000 ranks")
            && page.contains("<svg")
    );
}

/// A proxy that is not there takes the internet away, and stand-ins fail in the place of what would install something.
#[test]
fn set_up_without_internet_says_what_to_do() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().to_str().unwrap();
    let search = format!("{own}:{}", std::env::var("PATH").unwrap());
    let (old, fails) = ("#!/bin/bash\necho rustc 1.0.0\n", "#!/bin/bash\nexit 1\n");
    for program in ["apt-get", "sudo"] {
        stand_in(folder.path(), program, fails);
    }
    let refused = |what: &str, settings: &[(&str, &str)]| {
        let output = Command::new("bash")
            .arg(root.join("jobs/setup.sh"))
            .env_remove("LIBTORCH")
            .envs([("PATH", search.as_str()), ("TESSERA_CACHE", own), ("PIP_RETRIES", "0"), ("CARGO_NET_RETRY", "0")])
            .envs(["http_proxy", "https_proxy", "HTTPS_PROXY"].map(|name| (name, "http://127.0.0.1:9")))
            .envs(settings.iter().copied())
            .output()
            .expect("bash is installed");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{what}");
        for word in [what, "Without internet", "set LIBTORCH to", "'cargo vendor'"] {
            assert!(error.contains(word), "{word}: {error}");
        }
    };
    refused("libtorch could not be downloaded", &[]);
    refused("the crates could not be downloaded", &[("CARGO_HOME", own)]);
    stand_in(folder.path(), "rustc", old);
    stand_in(folder.path(), "rustup", fails);
    refused("Rust could not be updated", &[("HOME", own)]);
    // Nothing but what the script needs until it looks for packages.
    let few = folder.path().join("few");
    std::fs::create_dir(&few).unwrap();
    for program in ["bash", "dirname", "mkdir", "id", "sed", "cut", "sort", "head", "uname"] {
        let path = Command::new("bash").args(["-c", "type -P \"$0\"", program]).output().unwrap().stdout;
        std::os::unix::fs::symlink(String::from_utf8_lossy(&path).trim(), few.join(program)).unwrap();
    }
    for program in ["apt-get", "sudo"] {
        stand_in(&few, program, fails);
    }
    refused("apt-get update failed", &[("PATH", few.to_str().unwrap()), ("HOME", own)]);
}
