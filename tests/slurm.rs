//! The Slurm scripts under the real daemons, on one machine (`tests/slurm/cluster.sh`). Skipped where munge and Slurm
//! are not installed (Debian: slurm-wlm and munge).

mod common;

use common::{SMALL, succeeds};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

/// What takes so long hangs.
const HANGS: Duration = Duration::from_secs(600);
/// The files that do not depend on how a run went.
const DATA: [&str; 4] = ["small.h5", "large.h5", "pairs.h5", "truth.h5"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A cluster of one node, which ends with this value.
struct Cluster(PathBuf);

impl Cluster {
    fn start(folder: PathBuf) -> Self {
        let cluster = Self(folder);
        cluster.control("start");
        cluster
    }

    fn control(&self, verb: &str) {
        let status = Command::new("bash").arg(root().join("tests/slurm/cluster.sh")).arg(verb).arg(&self.0).status();
        assert!(status.unwrap().success(), "cluster.sh {verb}");
    }

    /// A command of Slurm, run in the folder of the cluster: none of the program's.
    fn slurm(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.0).env("SLURM_CONF", self.0.join("slurm.conf"));
        command.env("TESSERA", env!("CARGO_BIN_EXE_tessera")).env("OMPI_MCA_mpi_yield_when_idle", "1");
        command.output().unwrap_or_else(|error| panic!("{program}: {error}"))
    }

    /// Puts a script of the project into the queue, and returns the number of the job.
    fn submit(&self, options: &[&str], script: &str, arguments: &[&str]) -> String {
        let script = root().join("jobs/slurm").join(script);
        let all = [&["--parsable", "--cpus-per-task=1"][..], options, &[script.to_str().unwrap()], arguments].concat();
        let output = self.slurm("sbatch", &all);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    /// What the queue says of a job.
    fn show(&self, job: &str) -> String {
        text(&self.slurm("scontrol", &["--oneliner", "show", "job", job]).stdout)
    }

    /// Waits for the end of all of a job, which must be a good one. Returns its log.
    fn completes(&self, job: &str, log: &str) -> String {
        let begin = Instant::now();
        let log = || std::fs::read_to_string(self.0.join(log)).unwrap_or_default();
        loop {
            let state = self.show(job);
            if state.lines().all(|line| line.contains("JobState=COMPLETED")) {
                return log();
            }
            let failed =
                ["FAILED", "CANCELLED", "TIMEOUT"].iter().any(|bad| state.contains(&format!("JobState={bad}")));
            assert!(!failed && begin.elapsed() < HANGS, "{state}\n{}", log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until a file of marks has some lines.
    fn waits_for(&self, job: &str, marks: &Path) {
        let begin = Instant::now();
        while std::fs::metadata(marks).map_or(0, |metadata| metadata.len()) < 200 {
            assert!(begin.elapsed() < HANGS && !self.show(job).contains("COMPLETED"), "{}", self.show(job));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.control("stop");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn jobs_under_slurm_are_stopped_requeued_and_end_with_the_same_bytes() {
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap());
    let installed = |program: &&str| std::env::split_paths(&path).any(|folder| folder.join(program).exists());
    if !["munged", "slurmctld", "slurmd", "sbatch"].iter().all(installed) {
        return eprintln!("skipped: munge and Slurm are not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.toml");
    // A stage of some seconds, to be stopped within.
    let long = SMALL.replace("seed = 3", "seed = 3\nkernel = \"single\"").replace(
        "trajectories = 12\nsnapshots = 5\ninterval = 2.0",
        "trajectories = 1000\nsnapshots = 3\ninterval = 2000.0",
    );
    assert!(long != SMALL);
    std::fs::write(&input, long).unwrap();
    let input = input.to_str().unwrap();
    let whole = folder.path().join("whole");
    for stage in ["simulate", "upsample", "evolve", "truth"] {
        succeeds(0, &[stage, input, "--out", whole.to_str().unwrap(), "--threads", "1"]);
    }
    let cluster = Cluster::start(folder.path().join("cluster"));
    let data = |name: &str| {
        let out = cluster.0.join(name);
        let options = ["--ntasks=2", &format!("--output={name}.log")[..]];
        (cluster.submit(&options, "data.sh", &[input, "--out", out.to_str().unwrap()]), out)
    };
    let equal = |out: &Path| {
        for file in DATA {
            assert!(std::fs::read(out.join(file)).unwrap() == std::fs::read(whole.join(file)).unwrap(), "{file}");
        }
    };

    // The signal before the time limit, to the script alone as `--signal=B:USR1` sends it.
    let (job, out) = data("signal");
    cluster.waits_for(&job, &out.join("small.h5.progress.0"));
    assert!(cluster.slurm("scancel", &["--batch", "--signal=USR1", &job]).status.success());
    let log = cluster.completes(&job, "signal.log");
    assert!(log.contains("stopped on request") && log.contains("the job goes back into the queue"), "{log}");
    assert!(cluster.show(&job).contains("Restarts=1"), "{}", cluster.show(&job));
    equal(&out);
    println!("{log}");

    a_node_dies_and_the_job_resumes(&cluster, data("node"), &equal);

    // Learning after the data.
    let after = format!("--dependency=afterok:{job}");
    let options = ["--ntasks=2", &after[..], "--output=train.log"];
    let job = cluster.submit(&options, "train.sh", &[input, "--out", out.to_str().unwrap(), "--device", "cpu"]);
    cluster.completes(&job, "train.log");
    assert!(out.join("report.html").exists());

    let options = ["--ntasks=2", "--array=0-1", "--output=scaling.log"];
    let job = cluster.submit(&options, "scaling.sh", &["s.jsonl", "--side", "128", "--tile", "16", "--sweeps", "2"]);
    cluster.completes(&job, "scaling.log");
    assert_eq!(std::fs::read_to_string(cluster.0.join("s.jsonl")).unwrap().lines().count(), 4);

    advice_comes_before_complaints(&cluster, input);
}

/// Slurm puts the job of a dead node back into the queue.
fn a_node_dies_and_the_job_resumes(cluster: &Cluster, (job, out): (String, PathBuf), equal: &dyn Fn(&Path)) {
    cluster.waits_for(&job, &out.join("small.h5.progress.0"));
    cluster.control("crash");
    let dead = cluster.show(&job);
    assert!(dead.contains("JobState=PENDING") && dead.contains("Restarts=1"), "{dead}");
    cluster.control("boot");
    let log = cluster.completes(&job, "node.log");
    assert!(std::fs::read_to_string(cluster.0.join("slurmctld.log")).unwrap().contains("due to failure of node"));
    equal(&out);
    println!("{log}");
}

/// Without PMIx, Open MPI complains at length: what to do stands before that.
fn advice_comes_before_complaints(cluster: &Cluster, input: &str) {
    for kind in ["none", "pmi2"] {
        let program = env!("CARGO_BIN_EXE_tessera");
        let output = cluster.slurm("srun", &["-n", "2", &format!("--mpi={kind}"), program, "simulate", input]);
        let error = text(&output.stderr);
        let ours = error.find("srun --mpi=pmix").unwrap_or_else(|| panic!("no advice: {error}"));
        // Slurm says before if the job has to wait for the one before it.
        let before = error[..ours].lines().filter(|line| !line.starts_with("srun: job")).count();
        assert!(!output.status.success() && before <= 1, "{kind}: {error}");
    }
}
