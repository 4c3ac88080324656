//! A job that is killed again and again, and resumes each time on another number of ranks, ends with the bytes of one
//! that was not.
//!
//! `TESSERA_KILLS` sets the number of kills (docs/results/scaling.md has 20).

mod common;

use common::{command, succeeds, tessera};
use rand::Rng as _;
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};
use tessera::rng::{Purpose, stream};

/// Data stages that take a second or two each on one core.
const INPUT: &str = r#"
seed = 8
kernel = "single"
[system.ising]
temperature = 2.3
[lattice]
patch = 16
large = 64
[simulate]
trajectories = 200
snapshots = 10
interval = 6.0
[upsample]
relax = { time = 4.0 }
shuffled = 300
[evolve]
until = { time = 4.0 }
patches = 8
[closure]
variables = 0
[predict]
step = 1.0
[truth]
starts = [-0.5, 0.5]
trajectories = 2
interval = 2.0
records = 151
tile = 16
"#;

const STAGES: [(&str, &str); 4] =
    [("simulate", "small.h5"), ("upsample", "large.h5"), ("evolve", "pairs.h5"), ("truth", "truth.h5")];
const EXIT_STOPPED: i32 = 75;

/// The processes of the program under a launcher, or the program itself.
fn processes(child: &Child, alone: bool) -> Vec<String> {
    let own = child.id().to_string();
    if alone {
        return vec![own];
    }
    let output = Command::new("pgrep").args(["-P", &own]).output().expect("pgrep is installed");
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
}

fn send(signal: &str, process: &str) {
    Command::new("kill").args([signal, process]).stderr(Stdio::null()).status().expect("kill is installed");
}

fn arguments<'a>(stage: &'a str, input: &'a str, out: &'a str, ranks: usize) -> Vec<String> {
    let team = if ranks > 1 { "2" } else { "1" };
    let fixed =
        [stage, input, "--out", out, "--threads", "1", "--checkpoint-seconds", "0.2", "--ranks-per-snapshot", team];
    fixed.map(str::to_owned).to_vec()
}

#[test]
fn an_exact_trajectory_resumes_from_its_last_record() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.toml");
    std::fs::write(&input, INPUT.replace("interval = 2.0", "interval = 100.0").replace("tile = 16", "snapshots = 40"))
        .unwrap();
    let (input, reference) = (input.to_str().unwrap(), folder.path().join("reference"));
    let out = folder.path().join("run");
    let run = ["truth", input, "--threads", "1", "--checkpoint-seconds", "0", "--out"];
    succeeds(0, &[&run[..], &[reference.to_str().unwrap()]].concat());
    let arguments = [&run[..], &[out.to_str().unwrap()]].concat();
    let checkpoint = out.join("truth.checkpoints/0.checkpoint");
    let size = || std::fs::metadata(&checkpoint).map_or(0, |file| file.len());
    let mut before = 0;
    for signal in ["-KILL", "-TERM"] {
        let mut child = command(0, &arguments).stdout(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while size() <= before && start.elapsed() < Duration::from_secs(600) {
            std::thread::sleep(Duration::from_millis(20));
        }
        send(signal, &child.id().to_string());
        let status = child.wait().unwrap();
        assert!(signal == "-KILL" || status.code() == Some(EXIT_STOPPED), "{status}");
        assert!(size() > before, "{signal}: it did not go on");
        before = size();
    }
    assert!(!out.join("truth.h5").exists());
    let mut damaged = std::fs::read(&checkpoint).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let copy = folder.path().join("copy");
    std::fs::create_dir_all(copy.join("truth.checkpoints")).unwrap();
    std::fs::write(copy.join("truth.checkpoints/0.checkpoint"), damaged).unwrap();
    for file in ["truth.h5.partial", "truth.h5.progress"] {
        std::fs::copy(out.join(file), copy.join(file)).unwrap();
    }
    let output = tessera(0, &[&run[..], &[copy.to_str().unwrap()]].concat());
    assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("damaged"));
    succeeds(0, &arguments);
    let bytes = |folder: &Path| std::fs::read(folder.join("truth.h5")).unwrap();
    assert!(bytes(&out) == bytes(&reference) && bytes(&copy) == bytes(&reference));
    assert!(!checkpoint.exists());
}

#[test]
fn kills_on_changing_numbers_of_ranks_change_no_byte() {
    let kills = std::env::var("TESSERA_KILLS").map_or(10, |kills| kills.parse().unwrap());
    kills_change_no_byte(INPUT, kills);
}

/// The same stages with windows in the lanes of words, and more of them.
#[test]
fn kills_of_words_change_no_byte() {
    let input = INPUT.replace("single", "lanes").replace("trajectories = 200", "trajectories = 2000");
    let input =
        input.replace("tile = 16", "").replace("trajectories = 2\ninterval = 2.0", "trajectories = 20\ninterval = 9.0");
    kills_change_no_byte(&input, 6);
}

/// Trajectories from different starts that share words in sweeps.
#[test]
fn kills_of_words_in_sweeps_change_no_byte() {
    let input = INPUT.replace("single", "auto").replace("starts = [-0.5, 0.5]", "starts = [-0.5, -0.2, 0.0, 0.2, 0.5]");
    kills_change_no_byte(&input.replace("trajectories = 2\ninterval = 2.0", "trajectories = 4\ninterval = 40.0"), 4);
}

fn kills_change_no_byte(text: &str, wanted: usize) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.toml");
    std::fs::write(&input, text).unwrap();
    let (input, reference) = (input.to_str().unwrap(), folder.path().join("reference"));
    for (stage, _) in STAGES {
        succeeds(0, &[stage, input, "--out", reference.to_str().unwrap()]);
    }
    let mut rng = stream(1, Purpose::Bench, [0, 7]);
    let (mut kills, mut round, mut last) = (0, 0, 0);
    while kills < wanted {
        let out = folder.path().join(format!("killed{round}"));
        for (stage, file) in STAGES {
            while kills < wanted && !out.join(file).exists() {
                // Another number than the last time; 0 is without a launcher.
                let ranks = (last + rng.random_range(1..5)) % 5;
                last = ranks;
                let text = arguments(stage, input, out.to_str().unwrap(), ranks);
                let signal = ["-KILL", "-TERM", "-USR1"][rng.random_range(0..3)];
                let delay = Duration::from_millis(rng.random_range(300..2500));
                kills += usize::from(killed(ranks, &text, signal, delay));
            }
            let text = arguments(stage, input, out.to_str().unwrap(), 2);
            succeeds(2, &text.iter().map(String::as_str).collect::<Vec<_>>());
            compare(&reference, &out, file);
        }
        round += 1;
        assert!(round < 10, "only {kills} of the signals found a running job: the input is too small");
    }
}

/// Runs a stage and sends one of its processes a signal after a delay; whether the job ended by it, and not for a
/// reason of its own.
fn killed(ranks: usize, arguments: &[String], signal: &str, delay: Duration) -> bool {
    let text: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let child = command(ranks, &text).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(delay);
    let processes = processes(&child, ranks == 0);
    if let Some(victim) = processes.last() {
        send(signal, victim);
    }
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return false;
    }
    // A signal before the program listens to it, or SIGKILL, ends it at once; otherwise it stops in its own time.
    let stopped = output.status.code() == Some(EXIT_STOPPED);
    assert!(!stopped || error.contains("resumes from there"), "{signal}: {error}");
    for own in ["panicked", "tessera: cannot", "defect"] {
        assert!(!error.contains(own), "{signal}: {error}");
    }
    true
}

fn compare(reference: &Path, out: &Path, file: &str) {
    let [left, right] = [reference, out].map(|folder| std::fs::read(folder.join(file)).unwrap());
    assert!(left == right, "{file} differs from that of an uninterrupted run");
}

#[test]
fn a_clean_stop_says_so_with_its_own_exit_status_and_the_next_run_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.toml");
    std::fs::write(&input, INPUT.replace("records = 151", "records = 20001")).unwrap();
    let out = folder.path().join("run");
    let text = arguments("truth", input.to_str().unwrap(), out.to_str().unwrap(), 2);
    let text: Vec<&str> = text.iter().map(String::as_str).collect();
    for (ranks, signal) in [(0, "-TERM"), (3, "-USR1"), (2, "-TERM")] {
        let mut child = command(ranks, &text).stderr(Stdio::piped()).spawn().unwrap();
        let begin = SystemTime::now();
        let writes_checkpoints = || {
            let entries = std::fs::read_dir(out.join("truth.checkpoints")).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.metadata().ok()?.modified().ok()).any(|time| time > begin)
        };
        while !writes_checkpoints() {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before its first checkpoint");
            std::thread::sleep(Duration::from_millis(50));
        }
        send(signal, processes(&child, ranks == 0).last().unwrap());
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(EXIT_STOPPED), "{ranks} ranks, {signal}: {error}");
        assert!(error.contains("stopped on request"), "{error}");
    }
    assert!(std::fs::read_dir(out.join("truth.checkpoints")).unwrap().count() >= 2);
}

#[test]
fn damaged_checkpoints_are_named_and_the_older_one_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.toml");
    // Long enough for two checkpoints of a trajectory on any machine.
    std::fs::write(&input, INPUT.replace("records = 151", "records = 901")).unwrap();
    let (input, reference) = (input.to_str().unwrap(), folder.path().join("reference"));
    succeeds(0, &["truth", input, "--out", reference.to_str().unwrap()]);
    for damage in ["flip", "truncate", "foreign", "both", "no partial file"] {
        let out = folder.path().join(damage);
        let arguments =
            ["truth", input, "--out", out.to_str().unwrap(), "--checkpoint-seconds", "0.05", "--threads", "1"];
        let mut child = command(0, &arguments).stderr(Stdio::piped()).spawn().unwrap();
        let generations = || -> Vec<_> {
            let entries = std::fs::read_dir(out.join("truth.checkpoints")).into_iter().flatten().flatten();
            let finished = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "h5");
            entries.map(|entry| entry.path()).filter(finished).collect()
        };
        while generations().len() < 2 {
            assert!(child.try_wait().unwrap().is_none(), "{damage}: the run ended before its second checkpoint");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut found = generations();
        assert_eq!(found.len(), 2, "{damage}: {found:?}");
        found.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
        let (older, newer) = (&found[0], &found[1]);
        let lost = damage == "no partial file";
        if lost {
            std::fs::remove_file(out.join("truth.h5.partial")).unwrap();
        }
        for path in match damage {
            "both" => vec![older, newer],
            _ if lost => vec![],
            _ => vec![newer],
        } {
            let mut bytes = std::fs::read(path).unwrap();
            match damage {
                "truncate" => bytes.truncate(bytes.len() / 2),
                "foreign" => bytes = b"not HDF5 at all".to_vec(),
                // The lattice is the largest field: runs of +1 and -1.
                _ => {
                    let place = bytes.windows(64).position(|run| run.iter().all(|&byte| byte == 1 || byte == 255));
                    bytes[place.expect("a row of spins") + 20] ^= 0x40;
                }
            }
            std::fs::write(path, bytes).unwrap();
        }
        let output = tessera(0, &arguments);
        let log = [&output.stdout[..], &output.stderr[..]].concat();
        let log = String::from_utf8_lossy(&log);
        assert!(output.status.success(), "{damage}: {log}");
        let name = newer.file_name().unwrap().to_str().unwrap();
        let named = log.contains(name) && log.contains("damaged") && log.contains("not used");
        assert!(lost || named, "{damage}: {log}");
        compare(&reference, &out, "truth.h5");
    }
}
