//! The estimate of `check` is near the memory that stages use at their peak, threads included.

mod common;

use common::{SMALL, command, succeeds};
use std::{process::Stdio, time::Duration};

/// Largest deviation of the estimate from the measured peak.
const TOLERANCE: f64 = 0.2;

/// The peak of a run in GB, as the kernel counts it.
fn peak(arguments: &[&str]) -> f64 {
    let mut job = command(0, arguments).stdout(Stdio::null()).spawn().unwrap();
    let (status, mut peak) = (format!("/proc/{}/status", job.id()), 0.0_f64);
    while job.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
        peak = peak.max(now.unwrap_or(0.0) * 1024.0 / 1e9);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(job.wait().unwrap().success());
    peak
}

/// An alloy with one vacancy in a thousand sites.
const ALLOY: &str = r#"
seed = 3
[system.alloy]
temperature = 1500.0
barriers = "builtin"
reference_barrier = 1.6
[lattice]
small = 8
patch = 16
large = 16
[simulate]
trajectories = 4
snapshots = 4
interval = 5.0
[upsample]
relax = "none"
[evolve]
until = { time = 1.0 }
patches = 8
[closure]
variables = 0
[train]
seeds = [1]
[predict]
step = 0.01
[truth]
starts = [0.0]
trajectories = 4
interval = 0.01
records = 3
"#;

/// What is large, input, its changes, stages, threads.
type Case = (&'static str, &'static str, &'static [&'static str], &'static [&'static str], &'static str);

const CASES: [Case; 6] = [
    (
        "evolve",
        SMALL,
        &[
            "lattice.patch=16",
            "lattice.large=512",
            "simulate.trajectories=128",
            "simulate.snapshots=8",
            "simulate.interval=0.5",
            "upsample.relax=none",
            "evolve.patches=64",
            "evolve.until={time=0.25}",
            "closure.variables=0",
        ],
        &["simulate", "upsample", "evolve"],
        "8",
    ),
    (
        "truth",
        SMALL,
        &[
            "kernel=single",
            "truth.side=512",
            "truth.records=100",
            "truth.trajectories=4",
            "truth.interval=0.01",
            "predict.step=0.01",
            "closure.variables=0",
        ],
        &["truth"],
        "8",
    ),
    (
        "simulate",
        SMALL,
        &[
            "kernel=single",
            "lattice.patch=256",
            "lattice.large=512",
            "simulate.snapshots=400",
            "simulate.interval=0.01",
            "closure.variables=0",
            "evolve.patches=1",
        ],
        &["simulate"],
        "6",
    ),
    (
        "closure",
        SMALL,
        &[
            "lattice.patch=16",
            "lattice.large=64",
            "simulate.trajectories=128",
            "simulate.snapshots=200",
            "simulate.interval=0.5",
            "upsample.relax=none",
            "evolve.patches=64",
            "evolve.until={time=0.25}",
            "predict.step=0.25",
            "closure.batch=512",
        ],
        &["simulate", "upsample", "evolve", "closure"],
        "2",
    ),
    (
        "train",
        SMALL,
        &[
            "lattice.large=64",
            "simulate.trajectories=128",
            "simulate.snapshots=160",
            "simulate.interval=0.5",
            "upsample.relax=none",
            "evolve.patches=64",
            "evolve.until={time=0.25}",
            "predict.step=0.25",
            "closure.variables=0",
            "train.seeds=[1]",
            "train.baseline=false",
            "train.fit.epochs=1",
            "train.fit.batch=8192",
        ],
        &["simulate", "upsample", "evolve", "closure", "train"],
        "2",
    ),
    ("truth", ALLOY, &["truth.side=128"], &["truth"], "2"),
];

#[test]
fn the_estimate_is_within_a_fifth_of_the_peak() {
    let folder = tempfile::tempdir().unwrap();
    for (index, (largest, text, set, stages, threads)) in CASES.into_iter().enumerate() {
        let input = folder.path().join(format!("{index}.toml"));
        std::fs::write(&input, text).unwrap();
        let input = input.to_str().unwrap();
        let out = folder.path().join(index.to_string());
        let more = [&["--threads", threads, "--set"], set].concat();
        let text = succeeds(0, &[&["check", input][..], &more].concat());
        let line = text.lines().find(|line| line.starts_with("memory of one rank")).unwrap();
        assert!(line.contains(&format!("for {largest};")), "{line}");
        let estimate: f64 = line.split_whitespace().nth(5).unwrap().parse().unwrap();
        let stage = |stage: &&str| peak(&[&[*stage, input, "--out", out.to_str().unwrap()][..], &more].concat());
        let peak = stages.iter().map(stage).fold(0.0, f64::max);
        println!("{largest}: estimate {estimate} GB, peak {peak:.3} GB");
        assert!((estimate / peak - 1.0).abs() < TOLERANCE, "{largest}: estimate {estimate} GB, peak {peak:.3} GB");
    }
}
