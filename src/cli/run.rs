//! `tessera run` and its stages: on all ranks of a job.

use super::{
    advise_lone_ranks, refuse_lone_ranks,
    signals::{Signals, StopSignal},
    threads_of,
};
use crate::{
    config,
    parallel::{Ranks, World},
    stages,
    workflow::{Form, Options, Stage, StageError},
};
use clap::Args;
use std::path::PathBuf;

/// Exit status after a clean stop on a signal: try again later (sysexits.h calls it EX_TEMPFAIL).
const EXIT_STOPPED: i32 = 75;

/// The options.
#[derive(Debug, Args)]
pub struct Run {
    /// Input file (TOML)
    pub input: PathBuf,
    /// Run directory [default: runs/<name of the input>]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Change values of the input: key=value, for instance train.seeds=[1] seed=7
    #[arg(long = "set", value_name = "KEY=VALUE", num_args = 1)]
    set: Vec<String>,
    /// One more signal that asks for a clean stop, besides TERM, USR1, USR2 and XCPU
    #[arg(long, value_enum, ignore_case = true)]
    stop_signal: Option<StopSignal>,
    /// Print nothing but errors; run.log has the rest
    #[arg(long, short)]
    quiet: bool,
    /// Print events for programs instead of lines, one JSON object a line
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Replace data of another input in the run directory
    #[arg(long)]
    overwrite: bool,
    /// Threads per rank [default: the cores that this rank may use]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Ranks that share each large snapshot and each direct simulation with truth.tile
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    ranks_per_snapshot: u32,
    /// Seconds between checkpoints of a direct simulation
    #[arg(long, default_value_t = 300.0, value_parser = seconds)]
    checkpoint_seconds: f64,
    /// Device for training and prediction
    #[arg(long, default_value = "auto", value_parser = ["auto", "cpu", "cuda"])]
    device: String,
}

/// A length of time on the command line.
fn seconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|seconds| *seconds >= 0.0).ok_or_else(|| "give a number of seconds, at least 0".into())
}

/// Runs stages on all ranks of the job.
pub fn parallel(run: &Run, only: Option<Stage>, signals: &Signals) {
    if let Some(signal) = run.stop_signal {
        signals.also(signal);
    }
    advise_lone_ranks();
    let world = World::start().expect("MPI starts once, here");
    world.abort_on_panic();
    refuse_lone_ranks(&world);
    let threads = threads_of(run.threads);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("the thread pool is built once, here");
    // Small networks: torch's own threads cost more than they bring; trainer, encoder and rollout bring their own.
    tch::set_num_threads(1);
    let options = Options {
        out: run.out.clone(),
        threads,
        device: run.device.clone(),
        ranks_per_snapshot: run.ranks_per_snapshot as usize,
        checkpoint_seconds: run.checkpoint_seconds,
        overwrite: run.overwrite,
        form: match run {
            Run { quiet: true, .. } => Form::Nothing,
            Run { json: true, .. } => Form::Json,
            _ => Form::Text,
        },
        signalled: signals.stop.clone(),
    };
    let name = run.input.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned());
    let points = config::load(&run.input, &run.set);
    // All ranks agree to stop, and the first that refuses speaks: some may see another file than others.
    let refusals = world.gather(f64::from(u8::from(points.is_err())));
    if let Some(first) = refusals.iter().position(|&refused| refused > 0.0) {
        if let Err(error) = &points
            && world.rank() == first
        {
            eprintln!("tessera: {error}");
        }
        world.barrier();
        drop(world);
        std::process::exit(2);
    }
    let Ok(points) = points else { return };
    match stages::run(&points, &name, only, &world, &options) {
        Ok(()) => {}
        Err(error @ StageError::Stopped) => {
            if world.rank() == 0 {
                eprintln!("tessera: {error}");
            }
            world.barrier();
            drop(world);
            std::process::exit(EXIT_STOPPED);
        }
        Err(error) => world.abort(&error.to_string()),
    }
}
