//! The command line.

pub mod export;
pub mod fit;
pub mod model;
mod run;
mod signals;
mod terminal;

use crate::{
    barriers::{self, BarriersError, Recipe},
    bench::{self, Scaling},
    config,
    parallel::{Ranks, World},
    stages, systems,
    workflow::Stage,
};
use clap::{CommandFactory, Parser, Subcommand};
use model::ModelCommand;
use run::{Run, parallel};
use signals::Signals;
use std::{io::Write as _, path::PathBuf};

/// Learns the macroscopic stochastic dynamics of large lattice systems from simulations of small patches.
#[derive(Debug, Parser)]
#[command(version, long_version = terminal::VERSION.as_str(), about, long_about = None, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run all stages in order. Finished stages are skipped
    Run(Run),
    /// Simulate trajectories of the small system
    Simulate(Run),
    /// Upsample the small snapshots to the large size and relax them locally
    Upsample(Run),
    /// Evolve single patches of each large snapshot
    Evolve(Run),
    /// Train the closure autoencoder and encode all pairs
    Closure(Run),
    /// Train the drift and the diffusion
    Train(Run),
    /// Simulate the large system directly, for comparison
    Truth(Run),
    /// Predict ensembles with the learned models
    Predict(Run),
    /// Score the prediction against the truth
    Evaluate(Run),
    /// Write the report page of a run, or of a file of measurements (.jsonl) from `tessera scaling`
    Report(Run),
    /// Measure sweeps of one large lattice on all ranks of this job and print one line of JSON
    Scaling(Scaling),
    /// Validate an input and print its sizes, work, files and memory
    Check {
        /// Input file (TOML)
        input: PathBuf,
        /// Run directory to say of what is complete and what would be computed
        #[arg(long)]
        out: Option<PathBuf>,
        /// Change values of the input. Example: --set train.seeds=[1] seed=7
        #[arg(long = "set", value_name = "KEY=VALUE", num_args = 1)]
        set: Vec<String>,
        /// Threads per rank [default: the cores that this process may use]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
        threads: Option<u16>,
    },
    /// Say what of a run directory is complete, how far an unfinished stage is, and how long it may still take
    Status {
        /// Run directory
        run: PathBuf,
    },
    /// Print a script that completes commands and options in a shell
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Print the man page
    Man,
    /// Print a commented input for a system
    New {
        /// Name of the system
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(systems::REGISTRY.entries().into_iter().map(|(name, _)| name)))]
        system: String,
    },
    /// Measure the kernels on this machine
    Bench {
        /// Kernel to measure [default: all]
        #[arg(value_enum)]
        kernel: Option<bench::Kernel>,
        /// Print one JSON object {name, value, unit} per line
        #[arg(long)]
        json: bool,
        /// Published barrier network of the alloy (.npz) [default: $TESSERA_NNK]
        #[arg(long)]
        weights: Option<String>,
    },
    /// Fit, evaluate and compare models of the alloy's jump barriers
    #[command(subcommand)]
    Barriers(BarrierCommand),
    /// Learn an equation from your own pairs or trajectories, without a system of tessera
    Fit(fit::FitOptions),
    /// Write microscopic states of a run for OVITO, ASE or ParaView
    Export(export::ExportOptions),
    /// Show a learned model, or evaluate its drift and diffusion
    #[command(subcommand)]
    Model(ModelCommand),
}

/// A model is "builtin", "balanced", a network (.npz) or a fitted model (.safetensors).
#[derive(Debug, Subcommand)]
enum BarrierCommand {
    /// Fit the built-in model to another one and print its test errors
    Fit {
        /// Model to fit to
        reference: String,
        /// File for the fitted model (.safetensors)
        #[arg(long)]
        out: PathBuf,
        /// Number of environments of each kind
        #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(10..10_000_000))]
        environments: u32,
        /// Number of passes over the environments
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
        epochs: u32,
        /// Random seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Fit the form that obeys detailed balance exactly
        #[arg(long)]
        balanced: bool,
    },
    /// Print the barriers of every vacancy of a configuration as JSON
    Eval {
        /// Barrier model
        model: String,
        /// Configuration: LAMMPS dump or extended XYZ (.xyz, .extxyz), also compressed (.gz)
        configuration: PathBuf,
        /// Frame of the file, from 1 [default: the last]
        #[arg(long)]
        frame: Option<usize>,
    },
    /// Print the errors of one model against another
    Compare {
        /// Barrier model
        model: String,
        /// Model to compare with
        reference: String,
        /// Number of environments of each kind
        #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(10..10_000_000))]
        environments: u32,
        /// Random seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

/// Does what the command line says. An error on any rank ends the whole job.
pub fn main() {
    let signals = Signals::catch();
    open_without_locks();
    let arguments = Arguments::parse_from(terminal::with_every_set(std::env::args_os()));
    let stage = match arguments.command {
        Command::Run(run) => return parallel(&run, None, &signals),
        Command::Simulate(run) => (run, Stage::Simulate),
        Command::Upsample(run) => (run, Stage::Upsample),
        Command::Evolve(run) => (run, Stage::Evolve),
        Command::Closure(run) => (run, Stage::Closure),
        Command::Train(run) => (run, Stage::Train),
        Command::Truth(run) => (run, Stage::Truth),
        Command::Predict(run) => (run, Stage::Predict),
        Command::Evaluate(run) => (run, Stage::Evaluate),
        Command::Report(run) if run.input.extension().is_none_or(|extension| extension != "jsonl") => {
            (run, Stage::Report)
        }
        other => {
            signals.end_at_once();
            return alone(other);
        }
    };
    parallel(&stage.0, Some(stage.1), &signals);
}

/// The data files are opened without locks, which some file systems of clusters lack: a stage has its own, and a file
/// under its own name never changes. A choice of the user's counts.
fn open_without_locks() {
    const LOCKING: &str = "HDF5_USE_FILE_LOCKING";
    if std::env::var_os(LOCKING).is_none() {
        // SAFETY: no other thread exists yet.
        unsafe { std::env::set_var(LOCKING, "FALSE") };
    }
}

/// Commands that run on their own and do not stop cleanly.
fn alone(command: Command) {
    let outcome = match command {
        Command::New { system } => {
            let found = systems::REGISTRY.get(&system);
            return report(found.map(|found| show(found.template)));
        }
        Command::Check { input, out, set, threads } => config::load(&input, &set).map(|points| {
            let mut text = String::new();
            for point in points {
                let mut folder = out.clone();
                if !point.set.is_empty() {
                    text += &format!("\npoint {}\n", point.folder());
                    folder = folder.map(|folder| folder.join(point.folder()));
                }
                text += &stages::plan(&point.input, threads_of(threads));
                text += &folder.map_or(String::new(), |folder| format!("\n{}", stages::status(&folder, &point.input)));
            }
            show(&(text + "the input is valid\n"));
        }),
        Command::Status { run } => stages::status_of_run(&run).map(|text| show(&text)),
        Command::Completions { shell } => return terminal::completions(Arguments::command(), shell),
        Command::Man => return drop(terminal::man(Arguments::command())),
        Command::Bench { kernel, json, weights } => {
            let weights = weights.or_else(|| std::env::var("TESSERA_NNK").ok());
            return report(bench::run(kernel, weights.as_deref(), json));
        }
        Command::Barriers(command) => return report(barriers(&command).map(|text| show(&text))),
        Command::Fit(options) => return report(fit::run(&options).map(|summary| show(&(summary + "\n")))),
        Command::Export(options) => return report(export::run(&options)),
        Command::Model(command) => return report(model::run(&command).map(|text| show(&text))),
        Command::Scaling(choices) => return scaling(&choices),
        Command::Report(run) => {
            let page = stages::report_scaling(&run.input);
            return report(page.map(|page| show(&format!("report: {}\n", page.display()))));
        }
        _ => unreachable!("all other commands run stages"),
    };
    report(outcome);
}

/// The threads of a rank: by default as many as it has cores.
fn threads_of(chosen: Option<u16>) -> usize {
    chosen.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Prints a text; whoever reads it may have seen enough before its end.
fn show(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).ok();
}

/// Ends the program with the message of an error.
fn report<E: std::fmt::Display>(outcome: Result<(), E>) {
    if let Err(error) = outcome {
        eprintln!("tessera: {error}");
        std::process::exit(2);
    }
}

fn barriers(command: &BarrierCommand) -> Result<String, BarriersError> {
    match command {
        BarrierCommand::Fit { reference, out, environments, epochs, seed, balanced } => {
            let (environments, epochs) = (*environments as usize, *epochs as usize);
            let recipe = Recipe { environments, epochs, seed: *seed, balanced: *balanced };
            barriers::fit(reference, out, recipe)
        }
        BarrierCommand::Eval { model, configuration, frame } => barriers::evaluate(model, configuration, *frame),
        BarrierCommand::Compare { model, reference, environments, seed } => {
            barriers::compare_models(model, reference, *environments as usize, *seed)
        }
    }
}

/// Without PMIx, Open MPI ends at its start with a long complaint: what to do is said before.
fn advise_lone_ranks() {
    let is = |name: &str| std::env::var_os(name).is_some();
    if is("SLURM_STEP_NUM_TASKS") && !is("PMIX_RANK") && !is("OMPI_COMM_WORLD_SIZE") {
        eprintln!(
            "tessera: srun started this step without PMIx. If MPI complains now: use srun --mpi=pmix (srun --mpi=list \
             shows the kinds; TESSERA_MPI sets that of jobs/slurm), or mpirun"
        );
    }
}

/// A launcher that this MPI does not know starts many copies that each believe to be alone and overwrite each other.
fn refuse_lone_ranks(world: &World) {
    for name in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"] {
        let launched = std::env::var(name).ok().and_then(|count| count.parse::<usize>().ok()).unwrap_or(1);
        if launched > 1 && world.size() == 1 {
            world.abort(&format!(
                "the launcher started {launched} processes ({name}), but MPI sees one; use the launcher of the MPI that \
                 tessera was built with (mpirun, or srun --mpi=pmix)"
            ));
        }
    }
}

/// Measures sweeps on all ranks of the job.
fn scaling(choices: &Scaling) {
    advise_lone_ranks();
    let world = World::start().expect("MPI starts once, here");
    world.abort_on_panic();
    refuse_lone_ranks(&world);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(choices.threads).build_global();
    pool.expect("the thread pool is built once, here");
    match bench::scaling(choices, &world) {
        Ok(point) if world.rank() == 0 => show(&format!("{}\n", serde_json::json!(point))),
        Ok(_) => {}
        Err(error) if world.rank() == 0 => world.abort(&error.to_string()),
        Err(_) => world.barrier(),
    }
}
