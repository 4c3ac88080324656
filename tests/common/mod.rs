//! What the tests of the built program share.
#![allow(dead_code)]

pub mod python;
pub mod threads;

use std::{
    path::Path,
    process::{Command, Output},
};

/// A small input that runs all stages in seconds.
pub const SMALL: &str = r#"
seed = 3
[system.ising]
temperature = 2.5
field = 0.1
[lattice]
patch = 8
large = 16
[simulate]
trajectories = 12
snapshots = 5
interval = 2.0
[upsample]
relax = { time = 0.5 }
shuffled = 37
[evolve]
until = { time = 0.5 }
patches = 2
[closure]
variables = 1
epochs = 1
[train]
seeds = [1, 2]
[train.fit]
epochs = 2
batch = 64
threads = 1
[predict]
step = 0.5
[truth]
starts = [-0.5, 0.5]
trajectories = 3
interval = 1.0
records = 6
[evaluate]
resamples = 20
"#;

/// Predators and prey on 40 sites with noise NOISE, all stages in seconds.
pub const PREY: &str = r#"
seed = 1
[system.predator_prey]
noise = [NOISE, NOISE]
[lattice]
patch = 10
large = 40
small = 20
[simulate]
trajectories = 10
snapshots = 4
interval = 0.1
[upsample]
relax = "none"
[evolve]
until = { time = 0.05 }
[closure]
variables = 0
[train]
baseline = false
[train.fit]
epochs = 1
threads = 1
[predict]
step = 0.05
[truth]
starts = [[0.5, 0.1]]
trajectories = 30
interval = 1.0
records = 31
[evaluate]
resamples = 20
"#;

/// The built program, or another one that TESSERA_PROGRAM names: an older one can be asked the same.
pub fn program() -> String {
    std::env::var("TESSERA_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_tessera").to_owned())
}

/// The program, alone when `ranks` is 0, else under mpirun, ready to start.
pub fn command(ranks: usize, arguments: &[&str]) -> Command {
    let program = &program();
    let mut command = if ranks == 0 {
        Command::new(program)
    } else {
        let mut command = Command::new("mpirun");
        command.args(["--oversubscribe", "-n", &ranks.to_string(), program]);
        command
    };
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    // Many small runs share few cores: idle ranks must not spin.
    command.env("OMPI_MCA_mpi_yield_when_idle", "1");
    command.args(arguments);
    command
}

/// Runs the program, alone when `ranks` is 0, else under mpirun.
pub fn tessera(ranks: usize, arguments: &[&str]) -> Output {
    command(ranks, arguments).output().expect("the program, or mpirun, starts")
}

/// As `tessera`, and it must succeed.
pub fn succeeds(ranks: usize, arguments: &[&str]) -> String {
    let output = tessera(ranks, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} on {ranks} rank(s): {}\n{error}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Writes the small input into a folder.
pub fn small_input(folder: &Path) -> String {
    let path = folder.join("small.toml");
    std::fs::write(&path, SMALL).unwrap();
    path.to_str().unwrap().to_owned()
}
